package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/journal"
)

// Installation stands for the organization of the installation's own journal.
var Installation = uuid.MustParse(journal.InstallationID)

// Stream is the journal of an organization.
func Stream(organizationID uuid.UUID) string { return "journal-" + organizationID.String() }

// Options wire a recorder.
type Options struct {
	Log    eventlog.Appender // required
	Logger *slog.Logger      // required

	Window     time.Duration // in which denials and failed sign-ins are counted together; default 1 minute
	ReadWindow time.Duration // in which reads of audit data are; default 10 minutes
	Timeout    time.Duration // that whoever causes the first of a kind waits for it to be written; default 2 seconds
	Kinds      int           // held at the same time; default 10,000
	PerActor   int           // of them, by one actor; beyond it their targets are not told apart; default 100
	Backlog    int           // events that wait for a log that is away; default 10,000

	Clock      func() time.Time          // default time.Now
	NewEventID func() (uuid.UUID, error) // default uuid.NewV7
}

func (o Options) withDefaults() Options {
	if o.Window <= 0 {
		o.Window = time.Minute
	}
	if o.ReadWindow <= 0 {
		o.ReadWindow = 10 * time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Kinds <= 0 {
		o.Kinds = 10_000
	}
	if o.PerActor <= 0 {
		o.PerActor = 100
	}
	if o.Backlog <= 0 {
		o.Backlog = 10_000
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.NewEventID == nil {
		o.NewEventID = uuid.NewV7
	}
	return o
}

// Recorder writes journals. Make one with New, and Close it before the log. A
// nil Recorder records nothing. Safe for concurrent use.
type Recorder struct {
	options Options
	wake    chan struct{} // there is something to write
	closing chan struct{}
	stopped chan struct{}

	closed context.Context // of what Close waits for; set before closing is closed
	once   sync.Once

	mu       sync.Mutex // guards what follows; never held while the log is asked
	over     bool
	kinds    map[kind]*tally
	busy     map[actor]int       // kinds open by actor
	ends     map[family][]ending // windows, in the order in which they end
	shelves  map[uuid.UUID]*shelf
	order    []uuid.UUID // of shelves with something on them, in turn
	waiting  int         // events on all shelves
	versions map[uuid.UUID]int64
	away     bool // the log could not be reached when it was asked last
	lost     int64
}

// New makes a recorder and starts what writes for it.
func New(o Options) *Recorder {
	r := &Recorder{
		options: o.withDefaults(),
		wake:    make(chan struct{}, 1), closing: make(chan struct{}), stopped: make(chan struct{}),
		kinds: map[kind]*tally{}, busy: map[actor]int{}, ends: map[family][]ending{},
		shelves: map[uuid.UUID]*shelf{}, versions: map[uuid.UUID]int64{},
	}
	go r.run()
	return r
}

// Close writes what has been counted and what waits, until ctx ends. What is
// left then, and what is asked to be counted from here on, is lost and said so
// in the error. Closing twice is closing once.
func (r *Recorder) Close(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.once.Do(func() {
		r.mu.Lock()
		r.over, r.closed = true, ctx
		r.mu.Unlock()
		close(r.closing)
	})
	<-r.stopped
	if n := r.Lost(); n > 0 {
		return LossError(n)
	}
	return nil
}

// Lost is how many occurrences were not recorded and never will be.
func (r *Recorder) Lost() int64 {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// Waiting is how many events wait for the log.
func (r *Recorder) Waiting() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}

// LossError says how many occurrences were not recorded.
type LossError int64

func (e LossError) Error() string {
	return fmt.Sprintf("%d occurrences were lost to the journal", int64(e))
}

// errShelved: the log is away; what was to be written waits.
var errShelved = errors.New("the log is away")

// occurrence is one thing that happened, as a kind counts it.
type occurrence struct {
	rows      int
	span      journal.Range
	requestID string
	trace     string
}

// note counts an occurrence. The first of its kind is written at once; note
// returns when it is, or when it waits for the log.
func (r *Recorder) note(ctx context.Context, k kind, o occurrence) {
	now := r.options.Clock().UTC().Truncate(time.Microsecond)
	r.mu.Lock()
	if r.over {
		r.lost++
		r.mu.Unlock()
		return
	}
	k, ok := r.bounded(k)
	if !ok {
		r.lost++
		n := r.lost
		r.mu.Unlock()
		if n == 1 || n%1000 == 0 {
			r.options.Logger.ErrorContext(ctx, "the journal loses occurrences: too many organizations at the same time", "lost", n)
		}
		return
	}
	t, open := r.kinds[k]
	if !open {
		t = r.open(k, now)
	}
	if open || r.waiting >= r.options.Backlog {
		t.add(now, o)
		r.mu.Unlock()
		return
	}
	e := entry{event: k.event(single(now, o)), at: now, requestID: o.requestID, trace: o.trace, tried: make(chan struct{})}
	r.shelve(k.organization, e)
	away := r.away
	r.mu.Unlock()
	r.hurry()
	if !away {
		wait(ctx, e.tried, r.options.Timeout)
	}
}

func wait(ctx context.Context, tried <-chan struct{}, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-tried:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (r *Recorder) hurry() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
