// Package logfill puts events into a test's log database with plain SQL: fast,
// and with every number known beforehand.
package logfill

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
)

// Streams is how many streams the events go to, in turn.
const Streams = 10

// Organization owns all of them.
var Organization = uuid.MustParse("0198c0de-0000-7000-8000-0000000000aa")

// Stream is the stream of the event at a position.
func Stream(position int64) string {
	return fmt.Sprintf("strategy-00000000-0000-7000-8000-%012x", (position-1)%Streams)
}

// ID is the id of the event at a position.
func ID(position int64) uuid.UUID {
	return uuid.MustParse(fmt.Sprintf("00000000-0000-7000-9000-%012x", position))
}

// Append appends n events in one transaction, notifies as the log does, and
// returns the new head. The log must hold only events made here.
func Append(t testing.TB, pool *pgxpool.Pool, n int) (head int64) {
	t.Helper()
	head, err := TryAppend(t.Context(), pool, n, "strategy.goal-added")
	if err != nil {
		t.Fatalf("append %d events: %v", n, err)
	}
	return head
}

// AppendBroken appends one event whose metadata nobody can read.
func AppendBroken(t testing.TB, pool *pgxpool.Pool) (position int64) {
	t.Helper()
	position, err := TryAppend(t.Context(), pool, 1, brokenType)
	if err != nil {
		t.Fatalf("append a broken event: %v", err)
	}
	return position
}

const brokenType = "strategy.broken"

// TryAppend is Append for events of a type, with the error for the caller.
func TryAppend(ctx context.Context, pool *pgxpool.Pool, n int, eventType string) (head int64, err error) {
	metadata, err := eventlog.Metadata{
		Actor:         eventlog.Actor{Kind: eventlog.Person, ID: "member-1"},
		Origin:        eventlog.Origin{Kind: "api"},
		CorrelationID: "0198c0de-0000-7000-8000-0000000000bb",
	}.Encode()
	if err != nil {
		return 0, err
	}
	if eventType == brokenType {
		metadata = []byte(`{"no":"actor"}`)
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after Commit it does nothing
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(6004514643731611649)`); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO events (position, organization_sequence, version, recorded_at, organization_id, event_id,
	schema_version, stream_id, type, data, metadata)
SELECT p, p, (p - 1) / $2 + 1, clock_timestamp(), $3, ('00000000-0000-7000-9000-' || lpad(to_hex(p), 12, '0'))::uuid,
	1, 'strategy-00000000-0000-7000-8000-' || lpad(to_hex((p - 1) % $2), 12, '0'), $4,
	convert_to('{"n":"' || p || '","text":"' || repeat('x', 500) || '"}', 'UTF8'), $5
FROM (SELECT coalesce((SELECT max(position) FROM events), 0) + g AS p FROM generate_series(1, $1::bigint) g) n`,
		n, int64(Streams), Organization, eventType, metadata); err != nil {
		return 0, err
	}
	if err := tx.QueryRow(ctx, `SELECT max(position) FROM events`).Scan(&head); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, `SELECT pg_notify('strata_events', $1::text)`, fmt.Sprint(head)); err != nil {
		return 0, err
	}
	return head, tx.Commit(ctx)
}
