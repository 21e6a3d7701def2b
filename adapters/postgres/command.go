package postgres

import (
	"bytes"
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
)

// commandSQL finds what commands recorded. The command id is on the first event
// only; the command's other events follow at the next positions, up to the next
// command's first event.
const commandSQL = `
SELECT f.command_id, f.command_hash, f.organization_id, f.stream_id, f.position, f.version, f.recorded_at, ARRAY(
	SELECT e.event_id FROM public.events e
	WHERE e.position >= f.position AND e.position < coalesce((
		SELECT n.position FROM public.events n
		WHERE n.position > f.position AND (n.command_id IS NOT NULL OR n.stream_id <> f.stream_id)
		ORDER BY n.position LIMIT 1), 9223372036854775807)
	ORDER BY e.position)
FROM public.events f WHERE f.command_id = ANY($1::uuid[])`

// record is what the log holds of a command.
type record struct {
	organization uuid.UUID
	hash         []byte
	receipt      eventlog.Receipt
}

// querier is a pool or a connection.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// FindCommand implements eventlog.CommandFinder.
func (l *Log) FindCommand(ctx context.Context, id uuid.UUID) (eventlog.Receipt, []byte, bool, error) {
	found, err := read(ctx, l, "find command", func(ctx context.Context) (map[uuid.UUID]record, error) {
		return findIDs(ctx, l.reads, [][16]byte{id})
	})
	r, ok := found[id]
	return r.receipt, r.hash, ok, err
}

func findCommands(ctx context.Context, q querier, requests []*request) (map[uuid.UUID]record, error) {
	ids := make([][16]byte, len(requests))
	for i, r := range requests {
		ids[i] = r.cmd.ID
	}
	return findIDs(ctx, q, ids)
}

func findIDs(ctx context.Context, q querier, ids [][16]byte) (map[uuid.UUID]record, error) {
	type row struct {
		id uuid.UUID
		record
	}
	rows, _ := q.Query(ctx, commandSQL, ids) // CollectRows returns its error
	found, err := pgx.CollectRows(rows, func(from pgx.CollectableRow) (r row, err error) {
		var first, version int64
		var at time.Time
		var events [][16]byte
		err = from.Scan((*[16]byte)(&r.id), &r.hash, (*[16]byte)(&r.organization), &r.receipt.StreamID, &first, &version, &at, &events)
		n := int64(len(events))
		r.receipt.FirstPosition, r.receipt.Position, r.receipt.Version = first, first+n-1, version+n-1
		r.receipt.RecordedAt, r.receipt.Replayed = at.UTC(), true
		r.receipt.EventIDs = make([]uuid.UUID, n)
		for i, id := range events {
			r.receipt.EventIDs[i] = id
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	records := make(map[uuid.UUID]record, len(found))
	for _, r := range found {
		records[r.id] = r.record
	}
	return records, nil
}

// replay answers a request whose command is in the log.
func (r *request) replay(found record) {
	if r.cmd.OrganizationID != found.organization || !bytes.Equal(r.cmd.Hash, found.hash) {
		r.fail(eventlog.ErrCommandReused)
		return
	}
	receipt := found.receipt
	receipt.Replayed = true
	r.succeed(receipt)
}

// replay answers requests whose command ids a group found in the log. It runs
// beside the lane: a replay costs the others nothing.
func (l *Log) replay(known []*request) {
	ctx, cancel := context.WithTimeout(context.Background(), l.opts.ReadTimeout)
	defer cancel()
	records, err := read(ctx, l, "find commands", func(ctx context.Context) (map[uuid.UUID]record, error) {
		return findCommands(ctx, l.reads, known)
	})
	for _, r := range known {
		for _, one := range append([]*request{r}, r.twins...) {
			if found, ok := records[r.cmd.ID]; ok {
				one.replay(found)
			} else { // recorded, but where and as what cannot be said now
				one.fail(eventlog.ErrOutcomeUnknown.Because(err))
			}
		}
	}
}
