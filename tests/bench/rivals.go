package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// plainSchema is the event store a good team writes first: an events table, an
// idempotency table, the version check in the transaction.
const plainSchema = `
CREATE TABLE plain_events (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id uuid NOT NULL,
  stream_id text COLLATE "C" NOT NULL, version bigint NOT NULL,
  event_id uuid NOT NULL, type text NOT NULL, schema_version int NOT NULL,
  data bytea NOT NULL, metadata bytea NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (stream_id, version), UNIQUE (event_id));
CREATE TABLE plain_commands (
  command_id uuid PRIMARY KEY, command_hash bytea NOT NULL,
  stream_id text NOT NULL, version bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE raw_events (LIKE plain_events INCLUDING ALL);`

var errConflict = errors.New("version conflict")

// event is the payload that every contender writes: about 600 bytes of data and
// 300 bytes of metadata, as a recorded measurement has.
type event struct {
	id             uuid.UUID
	organization   uuid.UUID
	stream         string
	version        int64
	data, metadata []byte
}

func newEvent(organization uuid.UUID, stream string, version int64) event {
	id := uuid.Must(uuid.NewV7())
	data := fmt.Appendf(nil, `{"dims":{"area":"north","group":"all"},"key":"2024-01-01/2024-12-31|area=north|group=all","measurementId":%q,"note":"%0360d","observedAt":"2025-01-15T09:30:00Z","originalText":"1234.50","period":{"end":"2024-12-31","start":"2024-01-01"},"value":"1234.50"}`, id, version)
	metadata := fmt.Appendf(nil, `{"actor":{"authAt":"2026-01-01T00:00:00Z","authMethod":"bearer","id":"0191f9a0-0000-7000-8000-000000000003","kind":"person","roles":["indicator_owner"]},"commandId":%q,"correlationId":"0191f9a0-0000-7000-8000-000000000001","source":{"kind":"api"}}`, id)
	return event{id, organization, stream, version, data, metadata}
}

const insertPlain = `INSERT INTO %s (organization_id, stream_id, version, event_id, type, schema_version, data, metadata) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)`

var (
	insertPlainEvent = fmt.Sprintf(insertPlain, "plain_events")
	insertRawEvent   = fmt.Sprintf(insertPlain, "raw_events")
)

const eventType = "indicator.measurement-recorded"

// plainAppend is a transaction per command: idempotency row, version check, insert.
func plainAppend(ctx context.Context, pool *pgxpool.Pool, e event) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		hash := sha256.Sum256(e.data)
		tag, err := tx.Exec(ctx, `INSERT INTO plain_commands (command_id, command_hash, stream_id, version) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING`,
			e.id, hash[:], e.stream, e.version)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errConflict
		}
		var head int64
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM plain_events WHERE stream_id = $1`, e.stream).Scan(&head); err != nil {
			return err
		}
		if head != e.version-1 {
			return errConflict
		}
		_, err = tx.Exec(ctx, insertPlainEvent, e.organization, e.stream, e.version, e.id, eventType, 1, e.data, e.metadata)
		return err
	})
}

// rawInsert is the least a database can be asked for: one row, one transaction,
// no check, no idempotency.
func rawInsert(ctx context.Context, pool *pgxpool.Pool, e event) error {
	_, err := pool.Exec(ctx, insertRawEvent, e.organization, e.stream, e.version, e.id, eventType, 1, e.data, e.metadata)
	return err
}
