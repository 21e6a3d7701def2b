package auditdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
)

var _ query.Past = (*Reader)(nil)

// Recorded implements query.Past. What is asked for a position that is not
// there yet waits for it, as for a Read.MinPosition.
func (r *Reader) Recorded(ctx context.Context, ask query.Read, streamID string) (query.Recorded, error) {
	if err := checkText("#/streamId", streamID); err != nil {
		return query.Recorded{}, err
	}
	if ask.AsOf.Position < 0 {
		return query.Recorded{}, query.ErrInvalid.Detailf("A position is not negative.").At("#/asOfPosition", "minimum", "must be 0 or more")
	}
	ask.MinPosition = max(ask.MinPosition, ask.AsOf.Position)
	var out query.Recorded
	err := r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		var err error
		if out, err = moment(ctx, tx, ask.AsOf, position); err != nil {
			return err
		}
		rows, err := recorded(ctx, tx, streamID, out.Position)
		if err != nil {
			return err
		}
		out.Events = make([]eventlog.Event, len(rows))
		for i, row := range rows {
			out.Events[i] = row.event
		}
		return nil
	})
	return out, err
}

// moment finds the position of an instant, and the instant of a position.
func moment(ctx context.Context, tx pgx.Tx, m query.Moment, position int64) (query.Recorded, error) {
	if m.Position == 0 {
		at, err := positionAt(ctx, tx, m.Instant, position)
		return query.Recorded{Position: at, At: m.Instant}, err
	}
	var at []time.Time
	rows, err := tx.Query(ctx, `SELECT recorded_at FROM events WHERE position <= $1 ORDER BY organization_id DESC, position DESC LIMIT 1`, m.Position)
	if err == nil {
		at, err = pgx.CollectRows(rows, pgx.RowTo[time.Time])
	}
	if err != nil || len(at) == 0 {
		return query.Recorded{Position: m.Position}, err
	}
	return query.Recorded{Position: m.Position, At: at[0].UTC()}, nil
}

// recorded reads a stream; of a strategy also the streams of its indicators.
func recorded(ctx context.Context, tx pgx.Tx, streamID string, upTo int64) ([]*row, error) {
	l := list{upTo: upTo, column: "stream_id", values: []string{streamID}}
	strategyID, isStrategy := strings.CutPrefix(streamID, strategyStream)
	if isStrategy {
		l.column, l.values = "strategy_id", []string{strategyID}
	}
	rows, err := l.page(ctx, tx, query.MaxRecalled+1)
	if err != nil {
		return nil, fmt.Errorf("recorded events: %w", err)
	}
	if isStrategy {
		earlier, err := beforeJoining(ctx, tx, rows, strategyID)
		if err != nil {
			return nil, err
		}
		rows = append(rows, earlier...)
		slices.SortFunc(rows, func(a, b *row) int { return int(a.event.Position - b.event.Position) })
	}
	if len(rows) > query.MaxRecalled {
		return nil, query.ErrInvalid.Detailf("More than %d events were recorded until then: ask about one indicator.", query.MaxRecalled)
	}
	return rows, nil
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
