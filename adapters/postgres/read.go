package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
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
	if err := whole(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// Read implements eventlog.Reader.
func (l *Log) Read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	return read(ctx, l, fmt.Sprintf("read after %d", after), func(ctx context.Context) ([]eventlog.Event, error) {
		rows, _ := l.reads.Query(ctx, readSQL, after, max(limit, 0)) // CollectRows returns its error
		return pgx.CollectRows(rows, scanEvent)
	})
}

// ReadStream implements eventlog.StreamReader.
func (l *Log) ReadStream(ctx context.Context, organization uuid.UUID, streamID string, after int64, limit int) ([]eventlog.Event, error) {
	return read(ctx, l, "read stream "+streamID, func(ctx context.Context) ([]eventlog.Event, error) {
		rows, _ := l.reads.Query(ctx, streamSQL, streamID, [16]byte(organization), after, max(limit, 0)) // CollectRows returns its error
		return pgx.CollectRows(rows, scanEvent)
	})
}

// Head implements eventlog.Reader.
func (l *Log) Head(ctx context.Context) (int64, error) {
	return read(ctx, l, "head", func(ctx context.Context) (head int64, err error) {
		return head, l.reads.QueryRow(ctx, headSQL).Scan(&head)
	})
}

// read asks again, over new connections, when the one it got turned out to be
// broken: after a restart of the server a whole pool of them is. It gives up when
// the server is silent.
func read[T any](ctx context.Context, l *Log, what string, ask func(context.Context) (T, error)) (T, error) {
	watched, release := l.pulse.watch(ctx)
	defer release()
	answer, err := ask(watched)
	if err != nil && watched.Err() == nil && outcome(err) == unknown {
		l.reads.Reset()
		answer, err = ask(watched)
	}
	if err != nil {
		var none T
		if cause := context.Cause(watched); errors.Is(cause, errSilent) {
			err = cause
		}
		return none, readError(what, err)
	}
	return answer, nil
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
	if outcome(err) == offended {
		return fmt.Errorf("event log: %s: %w", what, err)
	}
	return unavailable(fmt.Errorf("%s: %w", what, err))
}
