package auditdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
)

var _ query.Past = (*Reader)(nil)

// EndsAt says where the log ends. Without it an instant stands for what this
// database has seen, which may be less than had been recorded by then. Call it
// before the first question.
func (r *Reader) EndsAt(head func(ctx context.Context) (int64, error)) { r.head = head }

// Moment implements query.Past and query.Audit.
func (r *Reader) Moment(ctx context.Context, ask query.Read) (query.Cut, error) {
	cut, open, err := r.lookUp(ctx, ask)
	if err != nil || !open || r.head == nil {
		return cut, err
	}
	// Nothing later is there yet: what was recorded by then may not all be here.
	head, err := r.head(ctx)
	if err != nil {
		return cut, query.ErrUnavailable.Because(fmt.Errorf("head of the log: %w", err))
	}
	if head <= cut.Quiet {
		return cut, nil
	}
	ask.MinPosition = max(ask.MinPosition, head)
	cut, _, err = r.lookUp(ctx, ask)
	return cut, err
}

// lookUp looks a moment up. open says that it is an instant behind all that is known.
func (r *Reader) lookUp(ctx context.Context, ask query.Read) (cut query.Cut, open bool, err error) {
	if err := checkMoment(ask.AsOf); err != nil {
		return cut, false, err
	}
	err = r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, upTo, position int64) error {
		var err error
		cut, open, err = cutOf(ctx, tx, ask.AsOf, upTo, position)
		return err
	})
	return cut, open, err
}

func checkMoment(m query.Moment) error {
	switch {
	case m.Position < 0:
		return query.ErrInvalid.Detailf("A position is not negative.").At("#/asOfPosition", "minimum", "must be 0 or more")
	case m.Position == 0 && m.Instant.After(time.Now()):
		return query.ErrInvalid.Detailf("What will be known is not known yet: it is %s.", time.Now().UTC().Format(time.RFC3339)).
			At("#/asOf", "future", "is yet to come")
	}
	return nil
}

// asOf is a transaction of a question that may be about the past: upTo is the
// position of its moment, that of the database for the present. Nothing behind it
// may come into the answer. position is that of the database.
func (r *Reader) asOf(ctx context.Context, ask query.Read, fn func(ctx context.Context, tx pgx.Tx, upTo, position int64) error) error {
	if err := checkMoment(ask.AsOf); err != nil {
		return err
	}
	ask.MinPosition = max(ask.MinPosition, ask.AsOf.Position)
	return r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		upTo, err := position, error(nil)
		switch m := ask.AsOf; {
		case m.Position != 0:
			upTo = m.Position
		case !m.Instant.IsZero():
			upTo, err = positionAt(ctx, tx, m.Instant, position)
		}
		if err != nil {
			return err
		}
		return fn(ctx, tx, upTo, position)
	})
}

// never is when an event was recorded that there is none of.
var never = time.Unix(0, 0).UTC()

// cutOf is the cut at a position that a moment stands for. position is that of
// the database; open says that nothing later than an instant is there.
func cutOf(ctx context.Context, tx pgx.Tx, m query.Moment, upTo, position int64) (cut query.Cut, open bool, err error) {
	cut = query.Cut{Position: upTo, At: m.Instant, Quiet: position}
	last, err := nearest(ctx, tx, `position <= $1 ORDER BY organization_id DESC, position DESC`, upTo)
	if err != nil {
		return cut, false, err
	}
	if m.Instant.IsZero() {
		cut.At = never
	}
	if last != nil {
		cut.Last, cut.LastID = last.Position, last.ID
		if m.Instant.IsZero() {
			cut.At = last.At.UTC()
		}
	}
	next, err := nearest(ctx, tx, `position > $1 ORDER BY organization_id, position`, upTo)
	if next != nil {
		cut.Quiet = next.Position - 1
	}
	return cut, m.Position == 0 && next == nil, err
}

// recordedAt is an event's place.
type recordedAt struct {
	Position int64
	ID       uuid.UUID
	At       time.Time
}

func nearest(ctx context.Context, tx pgx.Tx, condition string, position int64) (*recordedAt, error) {
	rows, err := tx.Query(ctx, `SELECT position, event_id, recorded_at FROM events WHERE `+condition+` LIMIT 1`, position)
	if err != nil {
		return nil, fmt.Errorf("event beside a moment: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[recordedAt])
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// Recorded implements query.Past.
func (r *Reader) Recorded(ctx context.Context, ask query.Read, streamID string, after int64) (query.Recorded, error) {
	if err := checkText("#/streamId", streamID); err != nil {
		return query.Recorded{}, err
	}
	var out query.Recorded
	err := r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, upTo, position int64) error {
		var err error
		if out.Cut, _, err = cutOf(ctx, tx, ask.AsOf, upTo, position); err != nil {
			return err
		}
		if after > 0 {
			anchor, err := nearest(ctx, tx, `position = $1`, after)
			if err != nil {
				return err
			}
			if anchor != nil {
				out.Anchor = anchor.ID
			}
		}
		rows, joined, err := recorded(ctx, tx, streamID, after, upTo)
		if err != nil {
			return err
		}
		out.Joined, out.Events = joined, make([]eventlog.Event, len(rows))
		for i, row := range rows {
			out.Events[i] = row.event
		}
		return nil
	})
	return out, err
}

// Everything implements query.Past.
func (r *Reader) Everything(ctx context.Context, ask query.Read, after int64, limit int) ([]eventlog.Event, error) {
	var found []eventlog.Event
	err := r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, upTo, _ int64) error {
		l := list{after: after, upTo: upTo}
		rows, err := l.page(ctx, tx, limit)
		if err != nil {
			return fmt.Errorf("events of an organization: %w", err)
		}
		for _, row := range rows {
			found = append(found, row.event)
		}
		return nil
	})
	return found, err
}

// recorded reads a stream; of a strategy also the streams of its indicators.
func recorded(ctx context.Context, tx pgx.Tx, streamID string, after, upTo int64) (rows []*row, joined int64, err error) {
	l := list{after: after, upTo: upTo, column: "stream_id", values: []string{streamID}}
	strategyID, isStrategy := strings.CutPrefix(streamID, strategyStream)
	if isStrategy {
		l.column, l.values = "strategy_id", []string{strategyID}
	}
	if rows, err = l.page(ctx, tx, query.MaxRecalled+1); err != nil {
		return nil, 0, fmt.Errorf("recorded events: %w", err)
	}
	if isStrategy {
		for _, r := range rows {
			if r.movedFrom != "" && r.movedFrom != strategyID {
				joined = r.event.Position
			}
		}
	}
	if joined > 0 && after == 0 {
		earlier, err := beforeJoining(ctx, tx, rows, strategyID)
		if err != nil {
			return nil, 0, err
		}
		rows = append(rows, earlier...)
		slices.SortFunc(rows, func(a, b *row) int { return int(a.event.Position - b.event.Position) })
	}
	if len(rows) > query.MaxRecalled {
		return nil, 0, query.ErrInvalid.Detailf("More than %d events were recorded until then: ask about one indicator.", query.MaxRecalled)
	}
	return rows, joined, nil
}

// beforeJoining reads what indicators had recorded while they belonged to other strategies.
func beforeJoining(ctx context.Context, tx pgx.Tx, rows []*row, strategyID string) ([]*row, error) {
	var joined []string // streams that came from elsewhere
	known := map[int64]bool{}
	latest := map[string]int64{} // the last event that is wanted of a stream
	for _, r := range rows {
		known[r.event.Position] = true
		latest[r.event.StreamID] = r.event.Position
		if r.movedFrom != "" && r.movedFrom != strategyID && !slices.Contains(joined, r.event.StreamID) {
			joined = append(joined, r.event.StreamID)
		}
	}
	var missing []*row
	for _, stream := range joined {
		l := list{upTo: latest[stream], column: "stream_id", values: []string{stream}}
		all, err := l.page(ctx, tx, query.MaxRecalled+1)
		if err != nil {
			return nil, fmt.Errorf("recorded events: %w", err)
		}
		for _, r := range all {
			if !known[r.event.Position] {
				missing = append(missing, r)
			}
		}
	}
	return missing, nil
}
