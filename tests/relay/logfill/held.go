package logfill

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Held lists what connections of the consumers hold in pool's database at this
// moment: open transactions, xids, snapshots, and locks other than leases. It is
// empty when they hold nothing. The pool must be a superuser's.
func Held(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	rows, err := pool.Query(ctx, `SELECT format('%s: %s, xid %s, xmin %s, locks %s, after %s', application_name, state, backend_xid, backend_xmin, held, left(query, 60))
FROM pg_stat_activity a
LEFT JOIN LATERAL (SELECT string_agg(locktype || ' ' || mode, ', ') AS held FROM pg_locks l WHERE l.pid = a.pid AND locktype <> 'advisory') l ON true
WHERE datname = current_database() AND application_name LIKE 'strata %' AND backend_type = 'client backend'
	AND (state <> 'idle' OR backend_xid IS NOT NULL OR backend_xmin IS NOT NULL OR held IS NOT NULL)`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
