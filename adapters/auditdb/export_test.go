package auditdb

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// explain is the plan of a page of the history.
func (r *Reader) explain(ctx context.Context, ask query.Read, f query.HistoryFilter) (plan string, err error) {
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		l := list{upTo: position}
		if err := l.of(ctx, tx, f); err != nil {
			return err
		}
		sql, args := l.sql(strings.Join(events.Columns(), ", "), 51)
		rows, err := tx.Query(ctx, "EXPLAIN "+sql, args...)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan = strings.Join(lines, "\n")
		return err
	})
	return plan, err
}
