package readdb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// Snapshot is what an entity had come to at one of its events.
type Snapshot struct {
	OrganizationID uuid.UUID
	StreamID       string
	Position       int64     // of the last event in it
	LastEvent      uuid.UUID // its id
	Events         int64     // in it
	Content        []byte
	digest         []byte
}

// sum covers all that a reader goes by.
func (s *Snapshot) sum(layout int) []byte {
	h := sha256.New()
	h.Write(s.OrganizationID[:])
	h.Write([]byte(s.StreamID + "\n"))
	var n [24]byte
	binary.BigEndian.PutUint64(n[:], uint64(layout))
	binary.BigEndian.PutUint64(n[8:], uint64(s.Position))
	binary.BigEndian.PutUint64(n[16:], uint64(s.Events))
	h.Write(n[:])
	h.Write(s.LastEvent[:])
	h.Write(s.Content)
	return h.Sum(nil)
}

// ErrSnapshot: a snapshot is not what was written.
var ErrSnapshot = errors.New("the snapshot is not what was written")

// Snapshot gives the last snapshot of an entity up to a position, nil if there is
// none. One that does not fit its digest is ErrSnapshot, and given with it.
func (r *Reader) Snapshot(ctx context.Context, organizationID uuid.UUID, streamID string, upTo int64) (*Snapshot, error) {
	var found *Snapshot
	ask := query.Read{OrganizationID: organizationID}
	err := r.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, _ int64) error {
		rows, err := tx.Query(ctx, `SELECT position, last_event, events, digest, content FROM public.snapshots
			WHERE stream_id = $1 AND layout = $2 AND position <= $3
			ORDER BY organization_id DESC, stream_id DESC, layout DESC, position DESC LIMIT 1`, streamID, r.layout, upTo)
		if err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
		all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Snapshot, error) {
			s := &Snapshot{OrganizationID: organizationID, StreamID: streamID}
			return s, row.Scan(&s.Position, &s.LastEvent, &s.Events, &s.digest, &s.Content)
		})
		if err != nil || len(all) == 0 {
			return err
		}
		found = all[0]
		return nil
	})
	if err == nil && found != nil && string(found.digest) != string(found.sum(r.layout)) {
		err = ErrSnapshot
	}
	return found, err
}

// maxSnapshots bounds what the snapshots of all entities take, in bytes; those
// taken first go first.
const maxSnapshots = 1 << 30

// KeepSnapshot writes a snapshot, unless there is one at its position.
func (p *Projection[D]) KeepSnapshot(ctx context.Context, s *Snapshot) error {
	_, err := p.pool.Exec(ctx, `INSERT INTO public.snapshots (organization_id, stream_id, layout, position, last_event, events, digest, content)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		s.OrganizationID, s.StreamID, p.model.Layout(), s.Position, s.LastEvent, s.Events, s.sum(p.model.Layout()), s.Content)
	if err != nil {
		return fmt.Errorf("keep a snapshot: %w", err)
	}
	return nil
}

// DropSnapshots drops all snapshots of an entity.
func (p *Projection[D]) DropSnapshots(ctx context.Context, organizationID uuid.UUID, streamID string) error {
	if _, err := p.pool.Exec(ctx, `DELETE FROM public.snapshots WHERE organization_id = $1 AND stream_id = $2`, organizationID, streamID); err != nil {
		return fmt.Errorf("drop snapshots of %s: %w", streamID, err)
	}
	return nil
}

// PruneSnapshots drops those of older layouts, and the oldest of too many.
func (p *Projection[D]) PruneSnapshots(ctx context.Context) error {
	_, err := p.pool.Exec(ctx, `DELETE FROM public.snapshots s USING (
			SELECT organization_id, stream_id, layout, position, sum(octet_length(content)) OVER (ORDER BY taken_at DESC, position DESC) AS total FROM public.snapshots) k
		WHERE (s.organization_id, s.stream_id, s.layout, s.position) = (k.organization_id, k.stream_id, k.layout, k.position)
		AND (k.total > $1 OR k.layout < $2)`, int64(maxSnapshots), p.model.Layout())
	if err != nil {
		return fmt.Errorf("prune snapshots: %w", err)
	}
	return nil
}
