package consumer

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
)

var _ wsql.BackoffManager = (*reader)(nil)

// Delays between attempts: doubling from the first to the last, each with up to
// half of it taken off at random so that processes do not march in step.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// HandleError runs between two queries, after the cursor of the last batch is
// written. It judges that batch, then blocks until there is reason to query
// again; Watermill's own delay is not used. It is the drain barrier too: once
// stopping, nothing is in flight when it is called, and nothing starts after.
func (r *reader) HandleError(_ watermill.LoggerAdapter, _ bool, err error) time.Duration {
	r.awaitHandler()
	select {
	case <-r.stopping:
		r.forgetAhead()
		close(r.drained)
		return time.Hour // the Subscriber leaves through its Close
	default:
	}

	pause, idle := r.judge(err)
	if pause > 0 {
		r.sleep(pause)
	}
	if idle {
		r.awaitWork()
	}
	return 0
}

// judge turns the end of a query into what to do next: how long to pause, or
// whether to wait for work.
func (r *reader) judge(err error) (pause time.Duration, idle bool) {
	r.mu.Lock()
	b, o, deposed := r.batch, r.outcome, r.reign == nil
	r.batch, r.outcome = nil, nil
	r.mu.Unlock()

	switch {
	case deposed && (err != nil || o == nil || o.err != nil):
		return 0, false // the lease has said why; the gate waits for the next one
	case err != nil:
		return r.failed(err), false
	case b == nil: // an empty page
		r.reachedEnd()
		return 0, true
	case o == nil: // the Subscriber gave the batch up; it comes again
		return r.failed(errors.New("the batch was not finished within its time")), false
	case o.err == nil:
		return 0, r.advanced(b)
	case isPoison(o.err):
		return r.poisoned(b, o), false
	}
	if o.taken > 0 {
		r.moved(o.taken)
	}
	if isRefused(o.err) {
		// One message holds up the rest. Knock with it alone until it is taken:
		// the others must not be sent again and again meanwhile.
		r.setLimit(1)
	}
	return r.failed(o.err), false
}

// advanced notes a batch that was taken whole, and says whether it was the last for now.
func (r *reader) advanced(b *batch) (idle bool) {
	r.recovered()
	r.mu.Lock()
	defer r.mu.Unlock()
	full := len(b.positions) >= r.limit || b.cut || b.more
	r.position = max(r.position, b.last())
	r.attempts = 0
	switch {
	case r.suspect > r.position: // the poison is in what follows
		r.limit = max(1, int(min(int64(r.group.BatchRows), r.suspect-r.position)/2))
		return false
	case b.cut:
		r.limit = max(1, len(b.positions)) // large events: do not fetch what will not fit
	default:
		r.limit = min(r.group.BatchRows, 2*r.limit)
	}
	r.suspect = 0
	return !full
}

// poisoned narrows the page until the event stands alone, then parks its stream.
func (r *reader) poisoned(b *batch, o *outcome) (pause time.Duration) {
	if o.taken > 0 {
		r.moved(o.taken)
	}
	r.mu.Lock()
	r.stale = true
	left := int(b.last() - max(o.taken, b.first()-1))
	if left > 1 {
		r.suspect, r.limit, r.attempts = b.last(), max(1, left/2), 0
		r.mu.Unlock()
		return 0
	}
	r.limit = 1
	r.attempts++
	attempts := r.attempts
	r.mu.Unlock()
	if attempts < poisonAttempts {
		return firstRetry
	}
	if err := r.park(b, o.err, attempts); err != nil {
		return r.failed(err)
	}
	r.recovered()
	r.mu.Lock()
	r.attempts = 0
	r.mu.Unlock()
	return 0
}

func (r *reader) moved(to int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.position = max(r.position, to)
}

func (r *reader) setLimit(rows int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = rows
}

// reachedEnd notes that nothing was behind the position.
func (r *reader) reachedEnd() {
	r.recovered()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suspect, r.limit = 0, r.group.BatchRows
	if r.group.Checkpoint != nil && time.Since(r.asked) > recheck {
		r.stale = true
	}
}

// failed notes trouble, tells the log when it is new, and says how long to pause.
func (r *reader) failed(err error) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stale = true
	first := r.failure.err == nil
	if first {
		r.failure.since = time.Now()
	}
	r.failure.err = err
	r.failure.count++
	if first {
		attrs := []any{"position", r.position, "error", err}
		var p *panicError
		if errors.As(err, &p) {
			attrs = append(attrs, "stack", string(p.stack))
		}
		r.log.ErrorContext(context.Background(), "consumer group cannot go on; trying until it can", attrs...)
	}
	pause := min(firstRetry<<min(r.failure.count-1, 10), lastRetry)
	return pause - rand.N(pause/2)
}

// recovered ends trouble.
func (r *reader) recovered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure.err == nil {
		return
	}
	r.log.InfoContext(context.Background(), "consumer group goes on",
		"position", r.position, "attempts", r.failure.count, "after", time.Since(r.failure.since).Round(time.Millisecond))
	r.failure, r.since = failure{}, time.Now()
}

// awaitHandler returns when no handler runs for the group: the Subscriber may
// have stopped waiting before the handler did.
func (r *reader) awaitHandler() {
	r.mu.Lock()
	busy := r.busy
	r.mu.Unlock()
	if busy == nil {
		return
	}
	select {
	case <-busy:
	case <-r.gone:
	}
}

// awaitWork blocks until somebody wakes the group, the poll is due, or it stops.
// A repair comes with a wake-up; a lost lease shows at the gate.
func (r *reader) awaitWork() {
	poll := time.NewTimer(r.poll)
	defer poll.Stop()
	for {
		select {
		case <-r.woken:
			if r.hasWork() {
				if r.group.Linger > 0 {
					r.sleep(r.group.Linger)
				}
				return
			}
		case <-poll.C:
			return
		case <-r.stopping:
			return
		}
	}
}

// hasWork says whether a wake-up is worth a query: a commit is announced twice
// to the process that made it, and may have been read in passing meanwhile.
func (r *reader) hasWork() bool {
	if r.nudged.Swap(false) {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head > r.position
}

func (r *reader) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.stopping:
	}
}
