package postgres

import (
	"sync"
	"sync/atomic"
	"time"

	"strata.dev/strata/app/eventlog"
)

// request is one Append under way.
type request struct {
	cmd      eventlog.Command
	bytes    int
	queuedAt time.Time
	answered chan answer  // capacity 1, one answer ever: nobody waits for a caller that has gone
	state    atomic.Int32 // who decides: see take and abandon
	twins    []*request   // the same command id, come while this one was on its way
	again    bool         // it has been sent twice: not a third time
}

type answer struct {
	receipt eventlog.Receipt
	err     error
}

const (
	queued    = iota // the caller may still step back
	sent             // the lane has it: from here on it may be recorded
	abandoned        // the caller has gone: it will not be sent
)

func newRequest(cmd eventlog.Command) *request {
	return &request{cmd: cmd, bytes: cmd.Bytes(), queuedAt: time.Now(), answered: make(chan answer, 1)}
}

// take is the point of no return: true means that the command will be sent.
func (r *request) take() bool { return r.state.CompareAndSwap(queued, sent) || r.state.Load() == sent }

// abandon is the caller stepping back: true means that it never was and never will be sent.
func (r *request) abandon() bool { return r.state.CompareAndSwap(queued, abandoned) }

func (r *request) succeed(receipt eventlog.Receipt) { r.answered <- answer{receipt: receipt} }
func (r *request) fail(err error)                   { r.answered <- answer{err: err} }

// queue holds the commands that wait for a lane.
type queue struct {
	maxLen, maxBytes     int
	groupLen, groupBytes int
	wake                 chan struct{} // capacity 1: there may be something to take
	closing              chan struct{} // closed by close

	mu     sync.Mutex // protects the rest
	items  []*request
	bytes  int
	closed bool
}

func newQueue(o Options) *queue {
	return &queue{
		maxLen: o.Queue, maxBytes: o.QueueBytes, groupLen: o.MaxGroup, groupBytes: o.MaxGroupBytes,
		wake: make(chan struct{}, 1), closing: make(chan struct{}),
	}
}

func (q *queue) put(r *request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return eventlog.ErrUnavailable.Because(errClosed)
	case len(q.items) >= q.maxLen, len(q.items) > 0 && q.bytes+r.bytes > q.maxBytes:
		return eventlog.ErrOverloaded.Detailf("%d commands are waiting.", len(q.items))
	}
	q.items = append(q.items, r)
	q.bytes += r.bytes
	q.signal()
	return nil
}

// next waits for the next group's worth of commands; false: closed and empty.
func (q *queue) next() ([]*request, bool) {
	for {
		if group, closed := q.poll(); len(group) > 0 || closed {
			return group, len(group) > 0
		}
		select {
		case <-q.wake:
		case <-q.closing:
		}
	}
}

// poll takes what is there now, at most a group's worth.
func (q *queue) poll() (group []*request, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.items) && n < q.groupLen && (n == 0 || bytes+q.items[n].bytes <= q.groupBytes) {
		bytes += q.items[n].bytes
		n++
	}
	group = append(group, q.items[:n]...)
	rest := copy(q.items, q.items[n:])
	clear(q.items[rest:]) // the queue must not keep what was taken
	q.items, q.bytes = q.items[:rest], q.bytes-bytes
	if rest > 0 {
		q.signal() // for the other lanes
	}
	return group, q.closed
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	close(q.closing)
}
