package system

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const readTimeout = time.Minute

// Log reads the whole log from its table, past the service.
func (s *System) Log(t testing.TB) []Record {
	t.Helper()
	var all []Record
	s.query(t, `SELECT position, organization_sequence, version, organization_id, event_id, command_id, stream_id, type, data
	            FROM events ORDER BY position`, func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Record, err error) {
			var command *uuid.UUID
			var data []byte
			err = row.Scan(&r.Position, &r.OrganizationSequence, &r.Version, &r.Organization, &r.ID, &command, &r.Stream, &r.Type, &data)
			if command != nil {
				r.Command = *command
			}
			r.Digest = sha256.Sum256(data)
			return r, err
		})
		return err
	})
	return all
}

// Head is the last position of the log, past the service.
func (s *System) Head(t testing.TB) (head int64) {
	t.Helper()
	s.query(t, `SELECT coalesce(max(position), 0) FROM events`, func(rows pgx.Rows) (err error) {
		head, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
		return err
	})
	return head
}

// HeldLong lists the transactions of Strata's roles, in any database of the
// server, that have been open for longer than age: each holds a snapshot, an id
// or locks.
// A listener that reads its notifications is idle all the same, and shows its last
// statement as the beginning of that.
func (s *System) HeldLong(t testing.TB, age time.Duration) (held []string) {
	t.Helper()
	s.query(t, fmt.Sprintf(`SELECT concat_ws(' ', usename, datname, application_name, state, now() - xact_start, query) FROM pg_stat_activity
	            WHERE usename LIKE 'strata_%%' AND state <> 'idle' AND xact_start < now() - interval '%d milliseconds'`, age.Milliseconds()), func(rows pgx.Rows) (err error) {
		held, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return held
}

func (s *System) query(t testing.TB, sql string, read func(pgx.Rows) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.LogAdmin)
	if err != nil {
		t.Fatalf("system: read the log: %v", err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql)
	if err == nil {
		err = read(rows)
	}
	if err != nil {
		t.Fatalf("system: read the log: %v", err)
	}
}

// appendLock is the advisory lock that every append holds to its commit
// (migrations/log).
const appendLock = 6004514643731611649

// HoldAppends lets no append commit until release is called. The service waits
// for 5 seconds before it refuses.
func (s *System) HoldAppends(t testing.TB) (release func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	conn, err := pgx.Connect(ctx, s.LogAdmin)
	if err == nil {
		_, err = conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(appendLock))
	}
	if err != nil {
		t.Fatalf("system: hold appends: %v", err)
	}
	return sync.OnceFunc(func() {
		defer cancel()
		// The lock ends with the connection, whatever else goes wrong.
		_ = conn.Close(ctx)
	})
}

// AppendWaits returns nil when a group of the service waits in the database for
// its turn: all of it has been sent, nothing is committed.
func (s *System) AppendWaits(t testing.TB) error {
	t.Helper()
	var waiting int
	s.query(t, `SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
	            WHERE locktype = 'advisory' AND NOT granted AND application_name LIKE 'strata append%'`, func(rows pgx.Rows) (err error) {
		waiting, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
		return err
	})
	if waiting == 0 {
		return errors.New("none waits")
	}
	return nil
}
