package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
)

// Cursors gives the places of the consumer groups, as the log database has them:
// the truth of those that have no checkpoint of their own, and a hint of others.
func (l *Log) Cursors(ctx context.Context) (map[string]eventlog.Place, error) {
	return read(ctx, l, "cursors", func(ctx context.Context) (map[string]eventlog.Place, error) { return readCursors(ctx, l.reads) })
}

func readCursors(ctx context.Context, db Querier) (map[string]eventlog.Place, error) {
	type row struct {
		group string
		at    eventlog.Place
	}
	rows, _ := db.Query(ctx, `SELECT consumer_group, position, epoch FROM public.cursors`) // CollectRows returns its error
	all, err := pgx.CollectRows(rows, func(from pgx.CollectableRow) (r row, err error) {
		return r, from.Scan(&r.group, &r.at.Position, &r.at.Epoch)
	})
	if err != nil {
		return nil, fmt.Errorf("cursors: %w", err)
	}
	out := make(map[string]eventlog.Place, len(all))
	for _, r := range all {
		out[r.group] = r.at
	}
	return out, nil
}
