package consumer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
)

// poisonAttempts is how often an event alone in its batch may fail as poison
// before its stream is parked.
const poisonAttempts = 3

// recheck is how often an idle group asks for its checkpoint again, in case
// somebody restored its database.
const recheck = 30 * time.Second

var (
	errDraining = errors.New("the consumers are stopping")
	errUnnamed  = Poison(errors.New("the router refused the batch without a reason, so something panicked"))
)

// reader is one group at run time. The Subscriber's goroutine goes through
// gate, SelectQuery, UnmarshalMessage, AckMessageQuery and HandleError in this
// order, over and over; the feed's goroutine hands batches to the router in
// between; the lease's goroutine begins and ends leadership. mu guards all
// fields below it.
type reader struct {
	group   Group
	log     *slog.Logger
	control *pgxpool.Pool
	pages   *sql.DB // for reading ahead
	poll    time.Duration

	woken    chan struct{} // holds at most one wake-up
	nudged   atomic.Bool   // query whatever is known of the log
	stopping chan struct{} // closed by stop
	gone     chan struct{} // closed by abandon: do not even wait for the handler
	drained  chan struct{} // closed when nothing is in flight any more, and nothing will be
	repairs  chan *repair
	halt     sync.Once
	leave    sync.Once

	mu      sync.Mutex
	reign   context.Context // not nil while this process leads; ends with the lease
	led     chan struct{}   // closed while this process leads
	since   time.Time
	failure failure

	position int64 // taken up to here
	head     int64 // last known end of the log
	stale    bool  // ask Checkpoint before reading on
	asked    time.Time
	hinted   time.Time
	parked   map[string]struct{}

	epochs eventlog.Epochs // of the log, when leadership began

	limit    int   // rows of the next page; below group.BatchRows while feeling for poison
	suspect  int64 // poison is at or before this position; 0 = none
	attempts int   // of a single poisonous event

	batch   *batch        // last page
	busy    chan struct{} // not nil while a batch is with the router; closed when it is back
	outcome *outcome      // of the last batch; nil before it is known
	raised  error         // what handler or publisher said about the batch in flight

	published []int64 // positions of the messages the router was given last

	ahead *ahead // the next page, on its way while a batch is published
	using *ahead // while the query for it is under way
}

// outcome is how a batch ended.
type outcome struct {
	taken int64 // position up to which it counts; 0 = nothing of it
	err   error
}

// failure is the present trouble of a group; zero if there is none.
type failure struct {
	err   error
	count int
	since time.Time
}

func newReader(g Group, o Options, control *pgxpool.Pool) *reader {
	if g.Lazy > 0 {
		o.Poll = g.Lazy
	}
	return &reader{
		group: g, control: control, poll: o.Poll,
		log:   o.Logger.With("consumer_group", g.Name),
		woken: make(chan struct{}, 1), stopping: make(chan struct{}), gone: make(chan struct{}),
		drained: make(chan struct{}), repairs: make(chan *repair, 1), led: make(chan struct{}),
		since: time.Now(), stale: true, limit: g.BatchRows, parked: map[string]struct{}{},
	}
}

func (r *reader) offsets() wsql.OffsetsAdapter {
	if r.group.Checkpoint != nil {
		return checkpointOffsets{reader: r}
	}
	return logOffsets{reader: r}
}

// gate returns nil when the next page may be read. It blocks while another
// process leads, serves repairs, and asks for the checkpoint when that is due.
func (r *reader) gate(ctx context.Context) error {
	for {
		r.mu.Lock()
		reign, led, stale := r.reign, r.led, r.stale
		r.mu.Unlock()
		select {
		case <-r.stopping:
			return errDraining
		default:
		}
		if reign == nil {
			select {
			case <-led:
			case <-r.stopping:
			case fix := <-r.repairs:
				fix.done <- ErrNotLeader
			}
			continue
		}
		select {
		case fix := <-r.repairs:
			fix.done <- r.repair(fix)
			continue
		default:
		}
		if !stale || r.group.Checkpoint == nil {
			return nil
		}
		return r.askCheckpoint(ctx)
	}
}

// askCheckpoint makes the group's own checkpoint the place to read from.
func (r *reader) askCheckpoint(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.group.HandlerTimeout)
	defer cancel()
	at, err := r.group.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	head, err := r.askHead(ctx)
	if err != nil {
		return err
	}
	if err := r.follow(ctx, at, head); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if at < r.position {
		r.log.WarnContext(ctx, "rewinding to the checkpoint", "from", r.position, "to", at)
	}
	r.position, r.head, r.stale, r.asked = at, max(r.head, head), false, time.Now()
	return nil
}

func (r *reader) askHead(ctx context.Context) (head int64, err error) {
	err = r.control.QueryRow(ctx, `SELECT coalesce(max(position), 0) FROM events`).Scan(&head)
	if err != nil {
		return 0, fmt.Errorf("head of the log: %w", err)
	}
	return head, nil
}

// pageLimit is how many rows the next page may have.
func (r *reader) pageLimit() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limit
}

// payloadHint is the size of the last page: the next one is probably like it.
func (r *reader) payloadHint() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.batch == nil {
		return 4 << 10
	}
	return len(r.batch.payload) + len(r.batch.payload)/8
}

// at is the position to read behind.
func (r *reader) at() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.position
}

// began notes the page that was read.
func (r *reader) began(b *batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batch, r.outcome, r.raised = b, nil, nil
	r.head = max(r.head, b.last())
}

// taken is up to where the last batch counts.
func (r *reader) taken() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outcome == nil {
		return 0
	}
	return r.outcome.taken
}

func (r *reader) hintDue() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.hinted) < hintEvery {
		return false
	}
	r.hinted = time.Now()
	return true
}

func (r *reader) wake() {
	r.nudged.Store(true)
	r.signal()
}

// signal lets awaitWork look whether there is reason to query.
func (r *reader) signal() {
	select {
	case r.woken <- struct{}{}:
	default: // one waits already
	}
}

// stop ends the fetching; drained is closed when the batch in flight is through.
func (r *reader) stop() { r.halt.Do(func() { close(r.stopping) }) }

// abandon stops waiting for a handler that does not come back, and ends its context.
func (r *reader) abandon() {
	r.leave.Do(func() { close(r.gone) })
	r.stop()
}

func (r *reader) status() GroupStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := GroupStatus{Name: r.group.Name, Leader: r.reign != nil, Position: r.position, Lag: -1, Parked: len(r.parked), Since: r.since}
	if s.Leader {
		s.Lag = max(0, r.head-r.position)
	}
	if r.failure.err != nil {
		s.LastError, s.Since = r.failure.err.Error(), r.failure.since
	}
	return s
}
