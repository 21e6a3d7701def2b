package plansdb

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
)

// IndicatorBasis gives what an approval covers beyond the plan itself: a digest
// over the definitions and targets of the strategy's living indicators, and the
// persons who wrote to definitions or targets since the strategy's last
// activation. Measurements do not change it.
//
// It refuses with query.ErrIncomplete while an indicator of the organization is
// parked: a signature would cover something else than what is in the log.
func (r *Reader) IndicatorBasis(ctx context.Context, organizationID, strategyID uuid.UUID, minPosition int64) (
	digest string, authors []string, asOfPosition int64, err error,
) {
	ask := query.Read{OrganizationID: organizationID, MinPosition: minPosition}
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		asOfPosition = position
		if err := refuseParked(ctx, tx, "indicator"); err != nil {
			return err
		}
		if digest, err = basisDigest(ctx, tx, strategyID); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, selectAuthors, strategyID.String())
		if err != nil {
			return fmt.Errorf("indicator authors: %w", err)
		}
		if authors, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return fmt.Errorf("indicator authors: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", nil, 0, err
	}
	return digest, authors, asOfPosition, nil
}

// selectAuthors are the persons who wrote since the last activation to an
// indicator while it belonged to the strategy, all who ever wrote to one that
// came to it since, and who took one away since.
const selectAuthors = `
	WITH since AS (SELECT activated FROM strategies WHERE strategy_id = $1)
	SELECT a.author_id FROM indicator_authors a WHERE a.strategy_id = $1 AND a.last > (SELECT activated FROM since)
	UNION
	SELECT a.author_id FROM indicators i JOIN indicator_authors a ON a.organization_id = i.organization_id AND a.indicator_id = i.indicator_id
	WHERE i.strategy_id = $1 AND (i.linked > (SELECT activated FROM since) OR a.last > (SELECT activated FROM since))
	UNION
	SELECT m.author_id FROM indicator_moves m WHERE m.from_strategy = $1 AND m.author_id <> '' AND m.position > (SELECT activated FROM since)
	ORDER BY author_id`

// refuseParked refuses while a stream of a kind is parked in the organization.
func refuseParked(ctx context.Context, tx pgx.Tx, kind string) error {
	var parked bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM public.parked p JOIN public.generations g USING (projection, generation)
		WHERE g.projection = $1 AND g.state = 'live' AND p.stream_id LIKE $2 || '-%')`, Name, kind).Scan(&parked)
	if err != nil {
		return fmt.Errorf("parked streams: %w", err)
	}
	if parked {
		return query.ErrIncomplete.Detailf("Some event of stream kind %s could not be applied: what this rests on is not known.", kind)
	}
	return nil
}

// basisTarget and basisIndicator are what the digest is made of.
// basisDigest is indicator.Digest of the strategy's living indicators.
func basisDigest(ctx context.Context, tx pgx.Tx, strategyID uuid.UUID) (string, error) {
	living, err := list(ctx, tx, indicatorsTable, `WHERE strategy_id = $1 AND NOT retired ORDER BY indicator_id`, strategyID.String())
	if err != nil {
		return "", err
	}
	targets, err := list(ctx, tx, targetsTable, `
		WHERE indicator_id IN (SELECT i.indicator_id FROM indicators i WHERE i.strategy_id = $1 AND NOT i.retired)
		ORDER BY indicator_id, dims_key, period_end, period_start`, strategyID.String())
	if err != nil {
		return "", err
	}
	of := map[string][]indicator.Target{}
	for _, t := range targets {
		of[t.indicatorID] = append(of[t.indicatorID], indicator.Target{
			Period: calendar.Period{Start: t.start, End: t.end}, Dims: t.dims, Reading: t.reading, Epoch: int(t.epoch),
		})
	}
	basis := make([]indicator.Basis, 0, len(living))
	for _, i := range living {
		basis = append(basis, indicator.Basis{ID: i.id, ObjectiveID: i.objectiveID, Definition: i.definition, Epoch: int(i.epoch), Targets: of[i.id]})
	}
	return indicator.Digest(basis), nil
}
