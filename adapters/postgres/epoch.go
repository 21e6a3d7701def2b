package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
)

var _ eventlog.EpochReader = (*Log)(nil)

// Querier is a connection, pool or transaction of the log database.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Epochs implements eventlog.EpochReader.
func (l *Log) Epochs(ctx context.Context) (eventlog.Epochs, error) {
	return read(ctx, l, "epochs", func(ctx context.Context) (eventlog.Epochs, error) { return ReadEpochs(ctx, l.reads) })
}

// ReadEpochs gives the epochs of a log database. Any role that may read the log will do.
func ReadEpochs(ctx context.Context, db Querier) (eventlog.Epochs, error) {
	rows, _ := db.Query(ctx, `SELECT number, first, restored_to, coalesce(lost_head, 0), reason, event_id, started_at
		FROM public.epochs ORDER BY number`) // CollectRows returns its error
	later, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e eventlog.Epoch, err error) {
		err = row.Scan(&e.Number, &e.First, &e.RestoredTo, &e.LostHead, &e.Reason, (*[16]byte)(&e.EventID), &e.StartedAt)
		e.StartedAt = e.StartedAt.UTC()
		return e, err
	})
	if err != nil {
		return eventlog.Epochs{}, err
	}
	epochs, err := eventlog.NewEpochs(later)
	if err != nil {
		return eventlog.Epochs{}, fmt.Errorf("the log's epochs are damaged: %w", err)
	}
	return epochs, nil
}
