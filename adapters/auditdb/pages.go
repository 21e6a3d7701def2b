package auditdb

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// page is a page of events.
type page struct {
	rows     []*row
	next     string
	total    *int64
	position int64
}

// pageOf answers a question for events page by page. filter is the question
// without its paging; choose makes a list of it.
func (r *Reader) pageOf(ctx context.Context, ask query.Read, filter any, p query.Paging, choose func(context.Context, pgx.Tx, *list) error) (page, error) {
	var out page
	limit, err := p.Size()
	if err != nil {
		return out, err
	}
	ask = ask.Within(p)
	cut, after, err := cursorOf(filter, ask.AsOf, p.Cursor)
	if err != nil {
		return out, err
	}
	err = r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, position, known int64) error {
		if p.Cursor == "" {
			cut = position
		}
		l := list{after: after, upTo: min(cut, position)}
		if err := choose(ctx, tx, &l); err != nil {
			return err
		}
		found, err := l.page(ctx, tx, limit+1)
		if err != nil {
			return fmt.Errorf("audit page: %w", err)
		}
		out.position, out.rows = position, found[:min(len(found), limit)]
		if len(found) > limit {
			then, err := settled(ctx, tx, ask.AsOf, position, known)
			if err != nil {
				return err
			}
			if out.next, err = query.EncodeCursor(filter, then, cut, strconv.FormatInt(out.rows[limit-1].event.Position, 10)); err != nil {
				return err
			}
		}
		if !p.Count {
			return nil
		}
		whole := list{upTo: min(cut, position)}
		if err := choose(ctx, tx, &whole); err != nil {
			return err
		}
		n, err := whole.count(ctx, tx)
		if err != nil {
			return fmt.Errorf("audit page: count: %w", err)
		}
		out.total = &n
		return nil
	})
	return out, err
}

// cursorOf reads where a page begins: behind position after, of what was there
// at cut, the position of the first page: what was recorded later is on no page.
func cursorOf(filter any, asOf query.Moment, cursor string) (cut, after int64, err error) {
	if cursor == "" {
		return 0, 0, nil
	}
	cut, key, err := query.DecodeCursor(filter, asOf, cursor)
	if err != nil {
		return 0, 0, err
	}
	if after, err = strconv.ParseInt(key, 10, 64); err != nil {
		return 0, 0, query.ErrInvalidCursor.Because(err)
	}
	return cut, after, nil
}

// settled is the moment for the cursors of a list's further pages.
func settled(ctx context.Context, tx pgx.Tx, m query.Moment, upTo, position int64) (query.Moment, error) {
	if m.IsNow() || m.Settled() {
		return m, nil
	}
	cut, _, err := cutOf(ctx, tx, m, upTo, position)
	return cut.Moment(), err
}
