package command

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestQueueLetsOneInAtATimeAndForgetsStreams(t *testing.T) {
	t.Parallel()
	q := newQueues()
	inside, most := 0, 0 // guarded by the queue itself; the race detector watches
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			leave, err := q.enter(context.Background(), "a")
			if err != nil {
				t.Error(err)
				return
			}
			defer leave()
			inside++
			most = max(most, inside)
			inside--
		})
	}
	wg.Wait()
	if most != 1 || len(q.byID) != 0 {
		t.Errorf("%d inside at once, %d queues left", most, len(q.byID))
	}
}

func TestQueueMayBeLeftWhileWaiting(t *testing.T) {
	t.Parallel()
	q := newQueues()
	leave, err := q.enter(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := q.enter(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if other, err := q.enter(context.Background(), "b"); err != nil {
		t.Error("one stream waits for another")
	} else {
		other()
	}
	leave()
	if leave, err = q.enter(context.Background(), "a"); err != nil {
		t.Error(err)
	}
	leave()
	if len(q.byID) != 0 {
		t.Errorf("%d queues left", len(q.byID))
	}
}
