package plansdb

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// IndicatorsOf gives the ids of all indicators of a strategy, retired ones
// included: what an attestation of a period is about. It refuses with
// query.ErrIncomplete while an indicator of the organization is parked.
func (r *Reader) IndicatorsOf(ctx context.Context, organizationID, strategyID uuid.UUID, minPosition int64) (ids []uuid.UUID, err error) {
	ask := query.Read{OrganizationID: organizationID, MinPosition: minPosition}
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, _ int64) error {
		if err := refuseParked(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT indicator_id::uuid FROM indicators WHERE strategy_id = $1 ORDER BY indicator_id`, strategyID.String())
		if err != nil {
			return fmt.Errorf("indicators of a strategy: %w", err)
		}
		if ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
			return fmt.Errorf("indicators of a strategy: %w", err)
		}
		return nil
	})
	return ids, err
}
