package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
)

// How the holder of a lease watches its connection: after watchEvery without a
// notification it asks the server, and gives it watchPatience to answer. Both
// together, and a handler's time on top, stay below the 25 s after which the
// server drops a silent peer and with it the lock: the old leader has stopped
// before the new one starts.
const (
	watchEvery    = 3 * time.Second
	watchPatience = 3 * time.Second
)

// lease keeps one connection that holds the group's session advisory lock and
// listens for commits. A standby tries for the lock again and again rather than
// block for it: a blocked statement would hold a snapshot all the time.
type lease struct {
	config  *pgx.ConnConfig
	reader  *reader
	standby time.Duration
}

// run holds or seeks the lease until ctx ends, then gives it up at once by
// closing the connection.
func (l lease) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := l.session(ctx)
		l.reader.deposed(ctx, err)
		if ctx.Err() == nil {
			pause(ctx, l.reader.failed(fmt.Errorf("lease: %w", err)))
		}
	}
}

// session is one connection's life. It returns a non-nil error when the lease
// cannot be held (any longer).
func (l lease) session(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return err
	}
	defer func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bye) // the server frees the lock however the connection ends
	}()
	if err := l.seek(ctx, conn); err != nil {
		return err
	}
	if l.reader.group.Lazy == 0 {
		if _, err := conn.Exec(ctx, `LISTEN `+Channel); err != nil {
			return err
		}
	}
	start, err := l.reader.prepare(ctx, conn)
	if err != nil {
		return err
	}
	reign, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end() // a batch in flight hears of it
	l.reader.enthroned(reign, start)
	return l.watch(ctx, conn)
}

// seek returns when this connection holds the lock.
func (l lease) seek(ctx context.Context, conn *pgx.Conn) error {
	key := lockKey(l.reader.group.Name)
	for first := true; ; first = false {
		var held bool
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&held); err != nil {
			return err
		}
		if held {
			return nil
		}
		if first {
			l.reader.log.InfoContext(ctx, "consumer group is led by another process; standing by")
			l.reader.recovered()
		}
		if !pause(ctx, l.standby-rand.N(l.standby/4+1)) {
			return ctx.Err()
		}
	}
}

// watch wakes the reader at every commit, and returns when the connection is lost.
func (l lease) watch(ctx context.Context, conn *pgx.Conn) error {
	for {
		n, err := waitFor(ctx, conn)
		switch {
		case err == nil:
			head, err := strconv.ParseInt(n.Payload, 10, 64)
			l.reader.notified(head, err == nil)
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		default:
			ask, cancel := context.WithTimeout(ctx, watchPatience)
			err := conn.Ping(ask)
			cancel()
			if err != nil {
				return fmt.Errorf("the server does not answer: %w", err)
			}
		}
	}
}

func waitFor(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	ctx, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	return conn.WaitForNotification(ctx)
}

// start is what a new leader knows.
type start struct {
	cursor, head int64
	epochs       eventlog.Epochs
	parked       map[string]struct{}
}

// prepare makes sure that the group has a cursor row, which is how operators
// see the group, and reads where it stands.
func (r *reader) prepare(ctx context.Context, conn *pgx.Conn) (s start, err error) {
	name := r.group.Name
	if _, err := conn.Exec(ctx, `INSERT INTO cursors (consumer_group, position) VALUES ($1, 0) ON CONFLICT (consumer_group) DO NOTHING`, name); err != nil {
		return s, err
	}
	var followed int
	if err := conn.QueryRow(ctx, `SELECT position, epoch, (SELECT coalesce(max(position), 0) FROM events) FROM cursors WHERE consumer_group = $1`, name).
		Scan(&s.cursor, &followed, &s.head); err != nil {
		return s, err
	}
	if s.epochs, err = postgres.ReadEpochs(ctx, conn); err != nil {
		return s, err
	}
	if r.group.Checkpoint == nil {
		if err := s.epochs.Check("consumer group "+name, eventlog.Place{Position: s.cursor, Epoch: followed}, s.head); err != nil {
			return s, err
		}
	}
	rows, err := conn.Query(ctx, `SELECT stream_id FROM parked WHERE consumer_group = $1`, name)
	if err != nil {
		return s, err
	}
	streams, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return s, err
	}
	s.parked = make(map[string]struct{}, len(streams))
	for _, id := range streams {
		s.parked[id] = struct{}{}
	}
	return s, nil
}

// enthroned begins this process's leadership, which ends with reign.
func (r *reader) enthroned(reign context.Context, s start) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ended, end := context.WithCancel(reign)
	go func() { // an abandoned drain ends the context of its handler
		defer end()
		select {
		case <-r.gone:
		case <-reign.Done():
		}
	}()
	r.reign, r.since = ended, time.Now()
	r.head, r.epochs, r.parked, r.stale = s.head, s.epochs, s.parked, true
	if r.group.Checkpoint == nil {
		r.position = s.cursor
	}
	close(r.led)
	r.log.InfoContext(reign, "leading the consumer group", "position", s.cursor, "head", s.head, "parked_streams", len(s.parked))
	r.wake()
}

// deposed ends leadership, if there was any.
func (r *reader) deposed(ctx context.Context, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reign == nil {
		return
	}
	r.reign, r.led, r.since = nil, make(chan struct{}), time.Now()
	if ctx.Err() == nil {
		r.log.WarnContext(ctx, "lost the lease of the consumer group; not reading", "error", err)
	}
	r.wake() // an idle reader goes back to its gate
}

// notified takes word of a commit: from this process's own log, from its
// notification, or from both. A head that has been taken already is no work.
func (r *reader) notified(head int64, known bool) {
	if !known {
		r.wake()
		return
	}
	r.mu.Lock()
	r.head = max(r.head, head)
	r.mu.Unlock()
	r.signal()
}

// pause waits for d; false means that ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
