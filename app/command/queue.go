package command

import (
	"context"
	"sync"
)

// queues lets the commands on one stream in one process go one after another:
// they could not all win the version anyway, and a queue costs nothing where a
// lost race costs a read and a decision.
type queues struct {
	mu   sync.Mutex
	byID map[string]*queue
}

type queue struct {
	turn  chan struct{} // holds one token
	users int           // waiting or at work; the last one removes the queue
}

func newQueues() *queues { return &queues{byID: map[string]*queue{}} }

// enter waits for its turn and gives the way out, which must be called once.
func (q *queues) enter(ctx context.Context, id string) (leave func(), err error) {
	q.mu.Lock()
	w := q.byID[id]
	if w == nil {
		w = &queue{turn: make(chan struct{}, 1)}
		w.turn <- struct{}{}
		q.byID[id] = w
	}
	w.users++
	q.mu.Unlock()

	out := func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if w.users--; w.users == 0 {
			delete(q.byID, id)
		}
	}
	select {
	case <-w.turn:
		return func() { w.turn <- struct{}{}; out() }, nil
	case <-ctx.Done():
		out()
		return nil, ctx.Err()
	}
}
