package consumer

import (
	"context"
	"database/sql"
	"fmt"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
)

// ahead is a page that is read, and made messages of, while the one before it is
// being published: database and broker work at the same time. Events never change
// and positions have no gaps, so what follows a position is the same whenever it
// is read. It is used only if the cursor, asked for then, is where the page
// begins; otherwise it is dropped and the page is read as always. Its failures
// count for nothing, for the same reason.
type ahead struct {
	after int64 // the position before the page
	end   context.CancelFunc
	ready chan struct{} // closed when the rest may be read

	batch *batch // nil if there was none
	made  *made  // nil if something of the page needs a closer look
}

// readAhead begins with the page behind the batch in flight, if there is likely
// to be one.
func (r *reader) readAhead(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.batch
	if b == nil || len(b.positions) < r.group.BatchRows || r.suspect != 0 || r.ahead != nil {
		return
	}
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), r.group.HandlerTimeout)
	a := &ahead{after: b.last(), end: end, ready: make(chan struct{})}
	r.ahead = a
	limit, hint := r.group.BatchRows, len(b.payload)+len(b.payload)/8
	go func() {
		defer close(a.ready)
		defer end()
		page, err := r.readPage(ctx, a.after, limit, hint)
		if err != nil || page == nil {
			return
		}
		a.batch = page
		if r.anyParked() {
			return
		}
		if events, err := decodeEvents(page.payload); err == nil {
			if m, err := r.encodeAll(events); err == nil {
				a.made = m
			}
		}
	}()
}

// readPage reads what follows a position.
func (r *reader) readPage(ctx context.Context, after int64, limit, hint int) (*batch, error) {
	rows, err := r.pages.QueryContext(ctx, pageQuery(`SELECT $1::bigint AS position`, limit), after)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close() // its error is Err's, which takePage asks for
	if !rows.Next() {
		return nil, rows.Err()
	}
	return takePage(rows, hint, r.group.BatchBytes)
}

// takeAhead gives the page that was read ahead, if it is the next one.
func (r *reader) takeAhead() *ahead {
	r.mu.Lock()
	a := r.ahead
	r.ahead = nil
	fits := a != nil && a.after == r.position && r.suspect == 0 && r.failure.err == nil && r.limit == r.group.BatchRows
	r.mu.Unlock()
	if a == nil {
		return nil
	}
	if !fits {
		a.end()
	}
	<-a.ready
	if !fits || a.batch == nil {
		return nil
	}
	return a
}

// forgetAhead ends a reading ahead that nobody will ask for.
func (r *reader) forgetAhead() {
	r.mu.Lock()
	a := r.ahead
	r.ahead = nil
	r.mu.Unlock()
	if a != nil {
		a.end()
		<-a.ready
	}
}

// aheadQuery asks for the cursor only: the page is here.
func (s schema) aheadQuery(a *ahead, next wsql.Query) wsql.Query {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	s.reader.using = a
	return next
}

// usedAhead is the page that the query under way was for, if one was read ahead.
func (r *reader) usedAhead() *ahead {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.using
	r.using = nil
	return a
}

// useAhead is the page that was read ahead, when the cursor is where it begins.
func (s schema) useAhead(rows *sql.Rows, a *ahead) (*batch, error) {
	var cursor int64
	if err := rows.Scan(&cursor); err != nil {
		return nil, fmt.Errorf("read cursor: %w", err)
	}
	if cursor != a.after {
		return nil, fmt.Errorf("the cursor is at %d, it was left at %d: somebody else moved it", cursor, a.after)
	}
	a.batch.cursor, a.batch.made = cursor, a.made
	return a.batch, nil
}

func (r *reader) anyParked() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.parked) > 0
}

// madeOf is what was made of the batch in flight ahead, unless streams are parked.
func (r *reader) madeOf() *made {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.batch == nil || len(r.parked) > 0 {
		return nil
	}
	return r.batch.made
}
