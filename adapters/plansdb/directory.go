package plansdb

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// SourceEntry is a registered source of some organization.
type SourceEntry struct {
	OrganizationID uuid.UUID
	SourceID       uuid.UUID
	Channel        string // http, amqp, file
	Status         string // active, suspended
	Version        int64  // of the source's stream, as of the answer
}

// SourceDirectory lists the registered sources of all organizations by id: for
// whoever takes messages in and has to find out whose they are. Whether a message
// is believed is decided by the source's own stream, not by this list, which may
// be behind. It fails while the live model has the layout of another release.
func (p *Projection) SourceDirectory(ctx context.Context) (entries []SourceEntry, err error) {
	err = p.ReadLive(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT organization_id, source_id::uuid, channel, status, version FROM sources ORDER BY source_id, organization_id`)
		if err != nil {
			return err
		}
		entries, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SourceEntry])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("directory of sources: %w", err)
	}
	return entries, nil
}
