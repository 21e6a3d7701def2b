package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
)

const columns = `position, organization_id, organization_sequence, stream_id, version, event_id, type,
       schema_version, data, metadata, command_id, command_hash, recorded_at`

// One statement each: one snapshot, so that a page is never torn.
const (
	readSQL = `SELECT ` + columns + ` FROM public.events
WHERE position > $1 ORDER BY position LIMIT $2`

	streamSQL = `SELECT ` + columns + ` FROM public.events
WHERE stream_id = $1 AND organization_id = $2 AND version > $3 ORDER BY version LIMIT nullif($4, 0)`

	headSQL = `SELECT coalesce((SELECT position FROM public.events ORDER BY position DESC LIMIT 1), 0)`
)

func openReads(ctx context.Context, url string, o Options) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = int32(min(o.ReadPoolSize, 1<<15))
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	for name, value := range map[string]string{
		"application_name":              "strata read",
		"default_transaction_read_only": "on",
		"statement_timeout":             milliseconds(o.ReadTimeout),
		"timezone":                      "UTC",
		// A cached plan must not scan the log from when it was small.
		"enable_seqscan":    "off",
		"enable_bitmapscan": "off",
	} {
		cfg.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// Read implements eventlog.Reader.
func (l *Log) Read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	rows, _ := l.reads.Query(ctx, readSQL, after, max(limit, 0)) // CollectRows returns its error
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, readError(fmt.Sprintf("read after %d", after), err)
	}
	return events, nil
}

// ReadStream implements eventlog.StreamReader.
func (l *Log) ReadStream(ctx context.Context, organization uuid.UUID, streamID string, after int64, limit int) ([]eventlog.Event, error) {
	rows, _ := l.reads.Query(ctx, streamSQL, streamID, [16]byte(organization), after, max(limit, 0)) // CollectRows returns its error
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, readError("read stream "+streamID, err)
	}
	return events, nil
}

// Head implements eventlog.Reader.
func (l *Log) Head(ctx context.Context) (head int64, err error) {
	if err := l.reads.QueryRow(ctx, headSQL).Scan(&head); err != nil {
		return 0, readError("head", err)
	}
	return head, nil
}

func scanEvent(row pgx.CollectableRow) (e eventlog.Event, err error) {
	var command pgtype.UUID
	err = row.Scan(&e.Position, (*[16]byte)(&e.OrganizationID), &e.OrganizationSequence, &e.StreamID, &e.Version,
		(*[16]byte)(&e.ID), &e.Type, &e.SchemaVersion, &e.Data, &e.Metadata, &command, &e.CommandHash, &e.RecordedAt)
	e.CommandID = command.Bytes // zero if NULL
	e.RecordedAt = e.RecordedAt.UTC()
	return e, err
}

// readError says what a failed read means: the server's own ERROR about the
// statement is our mistake, everything else is a log that cannot be reached.
func readError(what string, err error) error {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Severity == "ERROR" && !passes(pgErr) {
		return fmt.Errorf("event log: %s: %w", what, err)
	}
	return unavailable(fmt.Errorf("%s: %w", what, err))
}
