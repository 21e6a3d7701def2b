package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
)

// Log is the event log in one PostgreSQL database. It is safe for concurrent use.
type Log struct {
	opts    Options
	reads   *pgxpool.Pool
	queue   *queue
	pulse   *pulse
	refusal atomic.Pointer[error] // why no command is taken, if none is
	lanes   sync.WaitGroup
	lookups sync.WaitGroup // of replays, started by lanes
	close   sync.Once
}

var _ eventlog.Log = (*Log)(nil)

// Open connects to the log database that url names, as a role that may SELECT
// and INSERT, and starts the append lanes. It fails if the database cannot be
// reached now; later interruptions heal by themselves. Close ends it.
func Open(ctx context.Context, url string, opts Options) (*Log, error) {
	opts = opts.withDefaults()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("event log: %w", err)
	}
	reads, err := openReads(ctx, url, opts)
	if err != nil {
		return nil, fmt.Errorf("event log: %w", err)
	}
	l := &Log{opts: opts, reads: reads, queue: newQueue(opts), pulse: newPulse(cfg, opts.Logger)}
	lanes := make([]*lane, opts.Writers)
	for i := range lanes {
		lanes[i] = newLane(l, cfg)
		if err := lanes[i].conn.open(ctx); err != nil {
			for _, opened := range lanes[:i] {
				opened.conn.drop()
			}
			reads.Close()
			return nil, fmt.Errorf("event log: %w", err)
		}
	}
	for _, lane := range lanes {
		l.lanes.Go(lane.run)
	}
	return l, nil
}

// Append implements eventlog.Appender.
func (l *Log) Append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	if err := cmd.Validate(); err != nil {
		return eventlog.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventlog.Receipt{}, eventlog.ErrUnavailable.Because(err)
	}
	if why := l.refusal.Load(); why != nil {
		return eventlog.Receipt{}, eventlog.ErrBehind.Because(*why)
	}
	r := newRequest(cmd)
	if err := l.queue.put(r); err != nil {
		return eventlog.Receipt{}, err
	}
	watched, release := l.pulse.watch(ctx)
	defer release()
	select {
	case a := <-r.answered:
		return a.receipt, a.err
	case <-watched.Done():
		if r.abandon() {
			return eventlog.Receipt{}, eventlog.ErrUnavailable.Because(context.Cause(watched))
		}
	}
	// It was sent: only the log knows what became of it. A silent server may speak again.
	select {
	case a := <-r.answered:
		return a.receipt, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-r.answered: // it came at the same moment: better than unknown
		return a.receipt, a.err
	default:
		return eventlog.Receipt{}, eventlog.ErrOutcomeUnknown.Because(ctx.Err())
	}
}

// Refuse makes every append from now on fail with eventlog.ErrBehind: the log is
// not what it was, and what is recorded now would begin a second history of the
// same positions. nil ends it. What waits in the queue is recorded still.
func (l *Log) Refuse(why error) {
	if why == nil {
		l.refusal.Store(nil)
		return
	}
	l.refusal.Store(&why)
}

// Queued is the number of commands that wait for a lane.
func (l *Log) Queued() int { return l.queue.len() }

// Close stops taking commands, lets those in the queue be recorded, and closes
// the connections. It waits as long as the options let a group take.
func (l *Log) Close() {
	l.close.Do(func() {
		l.queue.close()
		l.lanes.Wait()
		l.lookups.Wait()
		l.pulse.close()
		l.reads.Close()
	})
}

var errClosed = errors.New("the event log is closed")
