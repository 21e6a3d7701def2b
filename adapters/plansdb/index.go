package plansdb

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// What follows gives ids to those who then look into the log themselves. Each
// waits for minPosition, and refuses with query.ErrIncomplete while a stream of
// the kind is parked in the organization: an id could be missing.

// FindingsAbout gives the findings about a subject that are not closed (those
// whose risk is accepted are among them), the earliest first.
func (r *Reader) FindingsAbout(ctx context.Context, organizationID uuid.UUID, subjectType, subjectID string, minPosition int64) ([]uuid.UUID, error) {
	return r.ids(ctx, organizationID, minPosition, "finding", `
		SELECT f.finding_id::uuid FROM finding_subjects s JOIN findings f ON f.organization_id = s.organization_id AND f.finding_id = s.finding_id
		WHERE s.subject_id = $2 AND s.subject_type = $1 AND f.state <> 'closed' ORDER BY s.subject_id, s.raised`, subjectType, subjectID)
}

// FindingsByKey gives the findings of a dedupe key, closed ones, too, the
// earliest first. There are none of an empty key.
func (r *Reader) FindingsByKey(ctx context.Context, organizationID uuid.UUID, dedupeKey string, minPosition int64) ([]uuid.UUID, error) {
	return r.ids(ctx, organizationID, minPosition, "finding",
		`SELECT finding_id::uuid FROM findings WHERE dedupe = $1 AND dedupe <> '' ORDER BY dedupe, raised`, indexed(dedupeKey))
}

// FindingsOwnedBy gives the findings that a member answers for now, closed ones,
// too, the earliest first.
func (r *Reader) FindingsOwnedBy(ctx context.Context, organizationID uuid.UUID, memberID string, minPosition int64) ([]uuid.UUID, error) {
	return r.ids(ctx, organizationID, minPosition, "finding",
		`SELECT finding_id::uuid FROM findings WHERE owner_id = $1 AND owner_id <> '' ORDER BY owner_id, raised`, memberID)
}

// StrategiesOfLineage gives the strategies of one lineage in any state. There
// are none of an empty key.
func (r *Reader) StrategiesOfLineage(ctx context.Context, organizationID uuid.UUID, lineageKey string, minPosition int64) ([]uuid.UUID, error) {
	return r.ids(ctx, organizationID, minPosition, "strategy",
		`SELECT strategy_id::uuid FROM strategies WHERE lineage_key = $1 AND lineage_key <> '' ORDER BY strategy_id`, lineageKey)
}

// SourcesStewardedBy gives the sources, active and suspended, that a member
// answers for.
func (r *Reader) SourcesStewardedBy(ctx context.Context, organizationID uuid.UUID, memberID string, minPosition int64) ([]uuid.UUID, error) {
	return r.ids(ctx, organizationID, minPosition, "source", `SELECT source_id::uuid FROM sources WHERE steward_id = $1 ORDER BY source_id`, memberID)
}

// IndicatorsOf gives all indicators of a strategy, retired ones included: what an
// attestation of a period is about.
func (r *Reader) IndicatorsOf(ctx context.Context, organizationID, strategyID uuid.UUID, minPosition int64) ([]uuid.UUID, error) {
	return r.ids(ctx, organizationID, minPosition, "indicator",
		`SELECT indicator_id::uuid FROM indicators WHERE strategy_id = $1 ORDER BY indicator_id`, strategyID.String())
}

func (r *Reader) ids(ctx context.Context, organizationID uuid.UUID, minPosition int64, kind, sql string, args ...any) (ids []uuid.UUID, err error) {
	ask := query.Read{OrganizationID: organizationID, MinPosition: minPosition}
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, _ int64) error {
		if err := refuseParked(ctx, tx, kind); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return fmt.Errorf("ids of kind %s: %w", kind, err)
		}
		if ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
			return fmt.Errorf("ids of kind %s: %w", kind, err)
		}
		return nil
	})
	return ids, err
}
