package auditdb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
)

// Reader answers query.Audit.
type Reader struct{ db *readdb.Reader }

var _ query.Audit = (*Reader)(nil)

// OpenReader connects as strata_audit_reader. follows is the projection in this
// process, whose commits wake waiting reads at once, or nil. Close it.
func OpenReader(ctx context.Context, url string, follows *Projection) (*Reader, error) {
	var signal *readdb.Signal
	if follows != nil {
		signal = follows.Signal()
	}
	db, err := readdb.OpenReader(ctx, url, Name, signal)
	if err != nil {
		return nil, err
	}
	return &Reader{db}, nil
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
	w := where{}
	w.add("position > $%d", f.After)
	if len(f.Types) > 0 {
		w.add("type = ANY($%d)", f.Types)
	}
	feed := query.Feed{Events: []eventlog.Event{}}
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		rows, err := tx.Query(ctx, w.sql(limit+1), w.args...)
		if err != nil {
			return fmt.Errorf("audit feed: %w", err)
		}
		found, err := pgx.CollectRows(rows, scan)
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

// History implements query.Audit.
func (r *Reader) History(ctx context.Context, ask query.Read, f query.HistoryFilter) (query.Page[query.Entry], error) {
	var page query.Page[query.Entry]
	limit, err := f.Size()
	if err != nil {
		return page, err
	}
	if err := checkTypes(f.Types); err != nil {
		return page, err
	}
	w := where{}
	var cut int64 // of the first page: what was recorded later is on no page
	if f.Cursor != "" {
		var after string
		if cut, after, err = query.DecodeCursor(f, f.Cursor); err != nil {
			return page, err
		}
		n, err := strconv.ParseInt(after, 10, 64)
		if err != nil {
			return page, query.ErrInvalidCursor.Because(err)
		}
		w.add("position > $%d", n)
		w.add("position <= $%d", cut)
	}
	if err := w.history(f); err != nil {
		return page, err
	}
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		rows, err := tx.Query(ctx, w.sql(limit+1), w.args...)
		if err != nil {
			return fmt.Errorf("audit history: %w", err)
		}
		found, err := pgx.CollectRows(rows, scan)
		if err != nil {
			return fmt.Errorf("audit history: %w", err)
		}
		if cut == 0 {
			cut = position
		}
		page.Position = position
		page.Items = make([]query.Entry, 0, min(len(found), limit))
		for _, e := range found[:min(len(found), limit)] {
			page.Items = append(page.Items, e.entry())
		}
		if len(found) > limit {
			page.NextCursor, err = query.EncodeCursor(f, cut, strconv.FormatInt(page.Items[limit-1].Position, 10))
		}
		return err
	})
	return page, err
}

// Event implements query.Audit.
func (r *Reader) Event(ctx context.Context, ask query.Read, id uuid.UUID) (query.Entry, error) {
	w := where{}
	w.add("event_id = $%d", id)
	var entry query.Entry
	err := r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, _ int64) error {
		rows, err := tx.Query(ctx, w.sql(1), w.args...)
		if err != nil {
			return fmt.Errorf("audit event: %w", err)
		}
		found, err := pgx.CollectExactlyOneRow(rows, scan)
		if errors.Is(err, pgx.ErrNoRows) {
			return query.ErrNotFound.Detailf("There is no event %s.", id)
		}
		if err != nil {
			return fmt.Errorf("audit event: %w", err)
		}
		entry = found.entry()
		return nil
	})
	return entry, err
}

// where collects conditions and their arguments.
type where struct {
	conditions []string
	args       []any
}

// add takes a condition with one %d for the number of its argument.
func (w *where) add(condition string, arg any) {
	w.args = append(w.args, arg)
	w.conditions = append(w.conditions, fmt.Sprintf(condition, len(w.args)))
}

// sql is the query for at most limit rows in log order. The organization is not
// among the conditions: row-level security adds it.
func (w *where) sql(limit int) string {
	return "SELECT " + strings.Join(events.Columns(), ", ") + " FROM events WHERE " +
		strings.Join(append([]string{"true"}, w.conditions...), " AND ") + " ORDER BY position LIMIT " + strconv.Itoa(limit)
}

func (w *where) history(f query.HistoryFilter) error {
	for _, c := range []struct{ member, column, value string }{
		{"streamId", "stream_id", f.StreamID}, {"actorId", "actor_id", f.ActorID},
	} {
		if c.value == "" {
			continue
		}
		if err := checkText("#/"+c.member, c.value); err != nil {
			return err
		}
		w.add(c.column+" = $%d", c.value)
	}
	if len(f.Types) > 0 {
		w.add("type = ANY($%d)", f.Types)
	}
	if !f.From.IsZero() {
		w.add("recorded_at >= $%d", f.From)
	}
	if !f.To.IsZero() {
		w.add("recorded_at < $%d", f.To)
	}
	return nil
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

func (r *row) entry() query.Entry {
	e := query.Entry{
		Position: r.event.Position, OrganizationSequence: r.event.OrganizationSequence,
		StreamID: r.event.StreamID, Version: r.event.Version,
		ID: r.event.ID.String(), Type: r.event.Type, SchemaVersion: r.event.SchemaVersion,
		RecordedAt: r.event.RecordedAt,
		ActorKind:  r.actorKind, ActorID: r.actorID, Reason: r.reason,
		CorrelationID: r.correlation, CausationID: r.causation,
		Data: r.event.Data, Metadata: r.event.Metadata,
	}
	if r.commandID != nil {
		e.CommandID = r.commandID.String()
	}
	return e
}
