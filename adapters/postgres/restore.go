package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/restore"
)

const (
	// restoreLock is held, exclusively, by who restores a log, or begins an epoch.
	// Open asks for it, shared, for a moment: it does not open a log that is being restored.
	restoreLock = 0x5354524154410003

	// sealOverhead is what sealing adds to a document: version, nonce and tag.
	sealOverhead = 1 + 12 + 16

	// announcing is the consumer group that must not be given history again.
	announcing = "relay"

	// unfinished is the name under which a restore keeps its place among the
	// cursors until it is through: a log that has it is not opened.
	unfinished = "restore"
)

// Restorer writes a log database as it was, by an administrator's connection. It
// is not for concurrent use.
//
// It keeps the append lock out of the way of nobody: while it is open, no service
// works on the database. OpenRestorer makes sure of that.
type Restorer struct {
	conn *pgx.Conn
}

var _ restore.Target = (*Restorer)(nil)

// ErrRestoring: the log database is being restored, or begins an epoch.
var ErrRestoring = errors.New("the log database is being restored: wait for the end of it")

// ErrHalfRestored: a restore of the log database was interrupted.
var ErrHalfRestored = errors.New("a restore of the log database was interrupted: run `strata restore log` again, it goes on where it ended")

// whole says whether the log is there as a whole: nobody restores it, and nobody
// has left off doing so. The lock goes with the statement.
func whole(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
},
) error {
	var idle, half bool
	err := db.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock_shared($1), EXISTS (SELECT FROM public.cursors WHERE consumer_group = $2)`,
		int64(restoreLock), unfinished).Scan(&idle, &half)
	switch {
	case err != nil:
		return err
	case !idle:
		return ErrRestoring
	case half:
		return ErrHalfRestored
	}
	return nil
}

// OpenRestorer connects as an administrator: a superuser, or a member of the
// role that owns the log. It fails if a service is connected to the database, and
// with ErrRestoring if another Restorer is. Close it.
func OpenRestorer(ctx context.Context, adminURL string) (_ *Restorer, err error) {
	cfg, err := pgx.ParseConfig(adminURL)
	if err != nil {
		return nil, fmt.Errorf("log database: %w", err)
	}
	cfg.ConnectTimeout = connectTimeout
	for name, value := range map[string]string{
		"application_name": "strata restore", "timezone": "UTC", "lock_timeout": "10000",
		"enable_seqscan": "off", "enable_bitmapscan": "off",
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
	} {
		cfg.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("log database: %w", err)
	}
	r := &Restorer{conn}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	var held bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(restoreLock)).Scan(&held); err != nil {
		return nil, fmt.Errorf("log database: %w", err)
	}
	if !held {
		return nil, ErrRestoring
	}
	return r, r.alone(ctx)
}

// alone says who else is connected as the service. Those who come later meet the lock.
func (r *Restorer) alone(ctx context.Context) error {
	rows, _ := r.conn.Query(ctx, `SELECT DISTINCT application_name FROM pg_stat_activity
		WHERE datname = current_database() AND usename = 'strata_log' AND pid <> pg_backend_pid() ORDER BY 1`) // CollectRows returns its error
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("log database: %w", err)
	}
	if len(names) > 0 {
		return fmt.Errorf("%w: %s", restore.ErrInUse, strings.Join(names, ", "))
	}
	return nil
}

// Close gives the lock back, now rather than when the server notices that the
// connection is gone. It may be called again.
func (r *Restorer) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, _ = r.conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`) // a connection that is broken has lost it
	closeQuietly(r.conn)
}

// Head implements eventlog.Reader.
func (r *Restorer) Head(ctx context.Context) (head int64, err error) {
	if err := r.conn.QueryRow(ctx, headSQL).Scan(&head); err != nil {
		return 0, fmt.Errorf("head of the log: %w", err)
	}
	return head, nil
}

// Read implements eventlog.Reader.
func (r *Restorer) Read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	rows, _ := r.conn.Query(ctx, readSQL, after, max(limit, 0)) // CollectRows returns its error
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("read the log after %d: %w", after, err)
	}
	return events, nil
}

// Epochs implements eventlog.EpochReader.
func (r *Restorer) Epochs(ctx context.Context) (eventlog.Epochs, error) {
	return ReadEpochs(ctx, r.conn)
}

// Write implements restore.Target: the triggers of the table number the events
// once more, and refuse what has a gap or goes back in time.
func (r *Restorer) Write(ctx context.Context, events []eventlog.Event, begun []eventlog.Epoch) error {
	err := pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockSQL); err != nil {
			return err
		}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"public", "events"}, []string{
			"position", "organization_id", "organization_sequence", "stream_id", "version", "event_id", "type",
			"schema_version", "data", "metadata", "command_id", "command_hash", "recorded_at",
		}, pgx.CopyFromSlice(len(events), func(i int) ([]any, error) {
			e := &events[i]
			var command any
			if e.CommandID != uuid.Nil {
				command = [16]byte(e.CommandID)
			}
			return []any{
				e.Position, [16]byte(e.OrganizationID), e.OrganizationSequence, e.StreamID, e.Version, [16]byte(e.ID), e.Type,
				e.SchemaVersion, bytesOf(e.Data), bytesOf(e.Metadata), command, e.CommandHash, e.RecordedAt,
			}, nil
		}))
		if err != nil {
			return err
		}
		for _, e := range begun {
			if err := insertEpoch(ctx, tx, e); err != nil {
				return err
			}
		}
		// In the same transaction: whenever the restore is interrupted, nothing of it is announced again.
		_, err = tx.Exec(ctx, `INSERT INTO public.cursors (consumer_group, position, epoch)
			SELECT g, $2, (SELECT coalesce(max(number), 1) FROM public.epochs) FROM unnest($1::text[]) g
			ON CONFLICT (consumer_group) DO UPDATE SET position = excluded.position, epoch = excluded.epoch, updated_at = clock_timestamp()`,
			[]string{announcing, unfinished}, events[len(events)-1].Position)
		return err
	})
	if err != nil {
		return fmt.Errorf("write positions %d to %d: %w", events[0].Position, events[len(events)-1].Position, err)
	}
	return nil
}

func insertEpoch(ctx context.Context, tx pgx.Tx, e eventlog.Epoch) error {
	_, err := tx.Exec(ctx, `INSERT INTO public.epochs (number, first, restored_to, lost_head, reason, event_id, started_at) VALUES ($1, $2, $3, nullif($4::bigint, 0), $5, $6, $7)`,
		e.Number, e.First, e.RestoredTo, e.LostHead, e.Reason, [16]byte(e.EventID), e.StartedAt)
	if err != nil {
		return fmt.Errorf("note epoch %d: %w", e.Number, err)
	}
	return nil
}

// Begin implements restore.Target.
func (r *Restorer) Begin(ctx context.Context, e eventlog.Epoch, c eventlog.Command) (begun eventlog.Epoch, err error) {
	begun, event := e, c.Events[0]
	begun.EventID = event.ID
	err = pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockSQL); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
INSERT INTO public.events (position, organization_sequence, version, recorded_at, organization_id, event_id, command_id, command_hash, schema_version, stream_id, type, data, metadata)
SELECT $1::bigint,
       coalesce((SELECT o.organization_sequence FROM public.events o WHERE o.organization_id = $2 ORDER BY o.organization_sequence DESC LIMIT 1), 0) + 1,
       coalesce((SELECT s.version FROM public.events s WHERE s.stream_id = $3 ORDER BY s.version DESC LIMIT 1), 0) + 1,
       greatest(clock_timestamp(), (SELECT t.recorded_at FROM public.events t WHERE t.position = $1 - 1)),
       $2, $4, $5, $6, $7, $3, $8, $9, $10
WHERE (`+headSQL+`) = $1 - 1`,
			e.First, [16]byte(c.OrganizationID), c.StreamID, [16]byte(event.ID), [16]byte(c.ID), c.Hash, event.SchemaVersion, event.Type, event.Data, event.Metadata)
		if err != nil {
			return err
		}
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("the log does not end at position %d any more", e.RestoredTo)
		}
		if err := tx.QueryRow(ctx, `SELECT recorded_at FROM public.events WHERE position = $1`, e.First).Scan(&begun.StartedAt); err != nil {
			return err
		}
		begun.StartedAt = begun.StartedAt.UTC()
		if err := insertEpoch(ctx, tx, begun); err != nil {
			return err
		}
		// A cursor beyond the end stands for what was left behind. The event that says so is to be taken by all.
		if _, err = tx.Exec(ctx, `UPDATE public.cursors SET position = $1, updated_at = clock_timestamp() WHERE position > $1`, e.RestoredTo); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM public.cursors WHERE consumer_group = $1`, unfinished)
		return err
	})
	if err != nil {
		return eventlog.Epoch{}, fmt.Errorf("begin epoch %d: %w", e.Number, err)
	}
	return begun, nil
}

// Unfinished implements restore.Target.
func (r *Restorer) Unfinished(ctx context.Context) (yes bool, err error) {
	if err := r.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM public.cursors WHERE consumer_group = $1)`, unfinished).Scan(&yes); err != nil {
		return false, fmt.Errorf("cursors: %w", err)
	}
	return yes, nil
}

// Cursors implements restore.Target.
func (r *Restorer) Cursors(ctx context.Context) (map[string]eventlog.Place, error) {
	return readCursors(ctx, r.conn)
}

// Imported implements restore.Target.
func (r *Restorer) Imported(ctx context.Context, organizationID, importID uuid.UUID, done bool) error {
	state := "accepted"
	if done {
		state = "applied"
	}
	_, err := r.conn.Exec(ctx, `INSERT INTO public.import_runs (organization_id, import_id, state) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		[16]byte(organizationID), [16]byte(importID), state)
	if err != nil {
		return fmt.Errorf("note import %s: %w", importID, err)
	}
	return nil
}

// KeepOriginal implements restore.Target. What is not what it is called has been
// sealed: only who has the key can tell what is in it.
func (r *Restorer) KeepOriginal(ctx context.Context, organizationID uuid.UUID, name string, stored []byte) error {
	sum, err := hex.DecodeString(name)
	if err != nil {
		return fmt.Errorf("keep original %q: %w", name, err)
	}
	if clear := sha256.Sum256(stored); bytes.Equal(clear[:], sum) {
		_, err = r.conn.Exec(ctx, `INSERT INTO public.originals (organization_id, sha256, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			[16]byte(organizationID), sum, stored)
	} else {
		_, err = r.conn.Exec(ctx, `INSERT INTO public.sealed_originals (organization_id, sha256, size, ciphertext) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			[16]byte(organizationID), sum, len(stored)-sealOverhead, stored)
	}
	if err != nil {
		return fmt.Errorf("keep original %s: %w", name, err)
	}
	return nil
}
