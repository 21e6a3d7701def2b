package auditdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
)

// Reader answers query.Audit.
type Reader struct {
	db   *readdb.Reader
	head func(ctx context.Context) (int64, error) // of the log; nil = not known
}

var _ query.Audit = (*Reader)(nil)

// OpenReader connects as strata_audit_reader. follows is the projection in this
// process, whose commits wake waiting reads at once, or nil. Close it.
func OpenReader(ctx context.Context, url string, follows *Projection) (*Reader, error) {
	var signal *readdb.Signal
	if follows != nil {
		signal = follows.Signal()
	}
	db, err := readdb.OpenReader(ctx, url, Name, layout, signal)
	if err != nil {
		return nil, err
	}
	return &Reader{db: db}, nil
}

// Close ends the connections.
func (r *Reader) Close() { r.db.Close() }

// Position is how far the audit database is.
func (r *Reader) Position(ctx context.Context) (int64, error) { return r.db.Position(ctx) }

// Events implements query.Audit.
func (r *Reader) Events(ctx context.Context, ask query.Read, f query.EventsFilter) (query.Feed, error) {
	limit, err := query.Limit(f.Limit)
	if err != nil {
		return query.Feed{}, err
	}
	if err := checkTypes(f.Types); err != nil {
		return query.Feed{}, err
	}
	if f.After < 0 {
		return query.Feed{}, query.ErrInvalid.Detailf("A position is not negative.").At("#/after", "minimum", "must be 0 or more")
	}
	feed := query.Feed{Events: []eventlog.Event{}}
	err = r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, position, _ int64) error {
		l := list{after: f.After, upTo: position}
		if err := l.of(ctx, tx, query.HistoryFilter{Types: f.Types}); err != nil {
			return err
		}
		found, err := l.page(ctx, tx, limit+1)
		if err != nil {
			return fmt.Errorf("audit feed: %w", err)
		}
		feed.Position, feed.Next = position, max(f.After, position)
		if feed.More = len(found) > limit; feed.More {
			found = found[:limit]
			feed.Next = found[limit-1].event.Position
		}
		for _, e := range found {
			feed.Events = append(feed.Events, e.event)
		}
		return nil
	})
	return feed, err
}

// Event implements query.Audit.
func (r *Reader) Event(ctx context.Context, ask query.Read, id uuid.UUID) (query.Entry, error) {
	var entry query.Entry
	err := r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, upTo, _ int64) error {
		found, err := eventByID(ctx, tx, id, upTo)
		if err == nil {
			entry = found.entry()
		}
		return err
	})
	return entry, err
}

func checkTypes(types []string) error {
	if len(types) > query.MaxTypes {
		return query.ErrInvalid.Detailf("At most %d types may be asked for.", query.MaxTypes).
			At("#/types", "maxItems", fmt.Sprintf("must have at most %d items", query.MaxTypes))
	}
	for _, t := range types {
		if err := checkText("#/types", t); err != nil {
			return err
		}
	}
	return nil
}

func checkText(pointer, s string) error {
	if len(s) > maxSearchable || strings.ContainsRune(s, 0) {
		return query.ErrInvalid.Detailf("A name is at most %d bytes of text.", maxSearchable).
			At(pointer, "maxLength", fmt.Sprintf("must be at most %d bytes, without NUL", maxSearchable))
	}
	return nil
}

func scan(from pgx.CollectableRow) (*row, error) {
	r, err := events.Scan(from)
	if err != nil {
		return nil, err
	}
	r.event.SchemaVersion = int(r.schema)
	r.event.RecordedAt = r.event.RecordedAt.UTC()
	if r.commandID != nil {
		r.event.CommandID = *r.commandID
	}
	return r, nil
}
