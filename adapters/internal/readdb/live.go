package readdb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/projection"
)

// ReadLive runs fn in a read-only transaction that reads the live model's rows
// of all organizations, as the projector may: for what the service itself has to
// know across them. No answer to anybody is made from it; Reader is for those.
func (p *Projection[D]) ReadLive(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, p.pool, options, func(tx pgx.Tx) error {
		var layout int
		err := tx.QueryRow(ctx, `SELECT layout, set_config('search_path', quote_ident(schema_name) || ', pg_temp', true)
			FROM public.generations WHERE projection = $1 AND state = 'live'`, p.Name()).Scan(&layout, nil)
		if err != nil {
			return fmt.Errorf("enter the live generation of %s: %w", p.Name(), err)
		}
		if layout != p.model.Layout() {
			return &projection.LayoutError{Projection: p.Name(), Live: layout, Code: p.model.Layout()}
		}
		return fn(ctx, tx)
	})
}
