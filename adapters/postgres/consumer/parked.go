package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata.dev/strata/app/eventlog"
)

var (
	// ErrNotLeader: another process leads this group. Ask that one.
	ErrNotLeader = errors.New("this process does not lead the consumer group")

	// ErrNotParked: the stream is not parked for this group.
	ErrNotParked = errors.New("the stream is not parked for this consumer group")

	// ErrUnknownGroup: there is no such group here.
	ErrUnknownGroup = errors.New("unknown consumer group")

	// ErrOwnCheckpoint: the group keeps its parked streams in its own database.
	ErrOwnCheckpoint = errors.New("the consumer group parks in its own database; resume it there")
)

// ParkedStream is a stream that a group has set aside.
type ParkedStream struct {
	Group    string
	StreamID string
	Position int64     // of the event that could not be taken
	EventID  uuid.UUID // of that event
	Reason   string
	Attempts int
	ParkedAt time.Time
}

// park sets the stream of the batch's only remaining event aside.
func (r *reader) park(b *batch, cause error, attempts int) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.group.HandlerTimeout)
	defer cancel()
	e, err := b.lastEvent()
	if err != nil {
		return err
	}
	if r.group.Checkpoint != nil {
		if r.group.Park == nil {
			return fmt.Errorf("position %d is poison and the group cannot park: %w", e.Position, cause)
		}
		if err := r.group.Park(ctx, e, cause.Error()); err != nil {
			return fmt.Errorf("park %s: %w", e.StreamID, err)
		}
	} else {
		// One statement: the stream is parked if and only if the cursor passes the event.
		_, err := r.control.Exec(ctx, `WITH p AS (
	INSERT INTO parked (consumer_group, stream_id, position, event_id, reason, attempts) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (consumer_group, stream_id) DO UPDATE SET attempts = parked.attempts + EXCLUDED.attempts, reason = EXCLUDED.reason)
INSERT INTO cursors (consumer_group, position, epoch, updated_at) VALUES ($1, $3, `+currentEpoch+`, now())
ON CONFLICT (consumer_group) DO UPDATE SET position = EXCLUDED.position, epoch = EXCLUDED.epoch, updated_at = EXCLUDED.updated_at
WHERE cursors.position < EXCLUDED.position`,
			r.group.Name, e.StreamID, e.Position, e.ID, cause.Error(), attempts)
		if err != nil {
			return fmt.Errorf("park %s: %w", e.StreamID, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.group.Checkpoint == nil {
		r.parked[e.StreamID] = struct{}{}
	}
	r.position = max(r.position, e.Position)
	r.log.ErrorContext(ctx, "event cannot be taken; its stream is parked for this consumer group, the others go on",
		"stream", e.StreamID, "position", e.Position, "event_id", e.ID, "attempts", attempts, "error", cause)
	return nil
}

func (b *batch) lastEvent() (eventlog.Event, error) {
	events, err := Events(&message.Message{Payload: b.payload})
	if err != nil {
		return eventlog.Event{}, err
	}
	return events[len(events)-1], nil
}

// Parked lists what all groups have set aside in the log database, oldest first.
func (c *Consumers) Parked(ctx context.Context) ([]ParkedStream, error) {
	rows, err := c.control.Query(ctx, `SELECT consumer_group, stream_id, position, event_id, reason, attempts, parked_at
FROM parked ORDER BY parked_at, consumer_group, stream_id`)
	if err != nil {
		return nil, fmt.Errorf("parked streams: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ParkedStream])
	if err != nil {
		return nil, fmt.Errorf("parked streams: %w", err)
	}
	return all, nil
}

// Resume gives a group the events of a parked stream, from the one that could
// not be taken up to the group's cursor, in order, and then lets the stream
// flow again. Meanwhile the group does nothing else, so order holds. If it
// fails the stream stays parked, and what was taken of it may come again. Only
// the process that leads the group can do it: ErrNotLeader.
func (c *Consumers) Resume(ctx context.Context, group, streamID string) (events int, err error) {
	for _, r := range c.readers {
		if r.group.Name != group {
			continue
		}
		if r.group.Checkpoint != nil {
			return 0, ErrOwnCheckpoint
		}
		return r.resume(ctx, streamID)
	}
	return 0, fmt.Errorf("%w: %q", ErrUnknownGroup, group)
}

// repair is a Resume on its way to the goroutine that reads for the group.
type repair struct {
	ctx    context.Context
	stream string
	events int // written by the reader, read after done
	done   chan error
}

func (r *reader) resume(ctx context.Context, stream string) (int, error) {
	fix := &repair{ctx: ctx, stream: stream, done: make(chan error, 1)}
	select {
	case r.repairs <- fix:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-r.drained:
		return 0, errDraining
	}
	r.wake()
	select {
	case err := <-fix.done:
		return fix.events, err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-r.drained:
		return 0, errDraining
	}
}

// repair runs on the reader's goroutine, between two batches.
func (r *reader) repair(fix *repair) error {
	r.mu.Lock()
	reign := r.reign
	r.mu.Unlock()
	if reign == nil {
		return ErrNotLeader
	}
	ctx, cancel := context.WithCancel(fix.ctx)
	defer cancel()
	defer context.AfterFunc(reign, cancel)()

	var from, to int64
	err := r.control.QueryRow(ctx, `SELECT p.position, c.position FROM parked p JOIN cursors c USING (consumer_group)
WHERE p.consumer_group = $1 AND p.stream_id = $2`, r.group.Name, fix.stream).Scan(&from, &to)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotParked
	}
	if err != nil {
		return fmt.Errorf("resume %s: %w", fix.stream, err)
	}
	for from <= to {
		events, err := r.streamPage(ctx, fix.stream, from, to)
		if err != nil {
			return fmt.Errorf("resume %s: %w", fix.stream, err)
		}
		if len(events) == 0 {
			break
		}
		if err := r.deliver(ctx, events); err != nil {
			return fmt.Errorf("resume %s: %w", fix.stream, err)
		}
		fix.events += len(events)
		from = events[len(events)-1].Position + 1
	}
	if _, err := r.control.Exec(ctx, `DELETE FROM parked WHERE consumer_group = $1 AND stream_id = $2`, r.group.Name, fix.stream); err != nil {
		return fmt.Errorf("resume %s: %w", fix.stream, err)
	}
	r.mu.Lock()
	delete(r.parked, fix.stream)
	r.mu.Unlock()
	r.log.InfoContext(ctx, "parked stream resumed", "stream", fix.stream, "events", fix.events)
	return nil
}

// deliver gives the group events outside the router.
func (r *reader) deliver(ctx context.Context, events []eventlog.Event) error {
	ctx, cancel := context.WithTimeout(ctx, r.group.HandlerTimeout)
	defer cancel()
	relay := r.group.Relay
	if relay == nil {
		return callSafely(func() error { return r.group.Handler(ctx, events) })
	}
	m, err := r.encodeAll(events)
	if err != nil {
		return err
	}
	messages := m.within(ctx)
	return callSafely(func() error { return relay.Publisher.Publish(relay.Topic, messages...) })
}

func (r *reader) streamPage(ctx context.Context, stream string, from, to int64) ([]eventlog.Event, error) {
	rows, err := r.control.Query(ctx, `SELECT position, organization_id, organization_sequence, stream_id, version, event_id, type,
	schema_version, data, metadata, coalesce(command_id, '00000000-0000-0000-0000-000000000000'), command_hash, recorded_at
FROM events WHERE stream_id = $1 AND position BETWEEN $2 AND $3 ORDER BY version LIMIT $4`,
		stream, from, to, r.group.BatchRows)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e eventlog.Event, err error) {
		err = row.Scan(&e.Position, &e.OrganizationID, &e.OrganizationSequence, &e.StreamID, &e.Version, &e.ID, &e.Type,
			&e.SchemaVersion, &e.Data, &e.Metadata, &e.CommandID, &e.CommandHash, &e.RecordedAt)
		e.RecordedAt = e.RecordedAt.UTC()
		return e, err
	})
}
