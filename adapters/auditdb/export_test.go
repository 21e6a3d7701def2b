package auditdb

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// explain is the plan of a page of the history.
func (r *Reader) explain(ctx context.Context, ask query.Read, f query.HistoryFilter) (plan string, err error) {
	return r.explained(ctx, ask, func(ctx context.Context, tx pgx.Tx, l *list) error { return l.of(ctx, tx, f) })
}

func (r *Reader) explained(ctx context.Context, ask query.Read, choose func(context.Context, pgx.Tx, *list) error) (plan string, err error) {
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		l := list{upTo: position}
		if err := choose(ctx, tx, &l); err != nil {
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

// explainJournal is the plan of a page of the journal.
func (r *Reader) explainJournal(ctx context.Context, ask query.Read, f query.JournalFilter) (plan string, err error) {
	return r.explained(ctx, ask, func(ctx context.Context, tx pgx.Tx, l *list) error {
		return l.ofJournal(ctx, tx, journalStream+ask.OrganizationID.String(), f)
	})
}
