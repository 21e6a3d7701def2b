package readdb

import (
	"context"
	"fmt"
	"sync"
)

// readAhead reads and decodes the log while the batch before is being folded.
type readAhead[D any] struct {
	batches chan decodedBatch[D]
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

type decodedBatch[D any] struct {
	items []item[D]
	err   error
}

// readAhead starts reading behind position 0. The last batch is a short one,
// maybe empty. stop must be called.
func (r *rebuild[D]) readAhead(ctx context.Context) *readAhead[D] {
	ctx, cancel := context.WithCancel(ctx)
	a := &readAhead[D]{batches: make(chan decodedBatch[D], 1), cancel: cancel}
	a.wg.Go(func() {
		var at int64
		for {
			var b decodedBatch[D]
			events, err := r.events.Read(ctx, at, r.options.RebuildBatch)
			if err != nil {
				b.err = fmt.Errorf("read the log behind %d: %w", at, err)
			} else {
				b.items = r.decode(ctx, events)
			}
			select {
			case a.batches <- b:
			case <-ctx.Done():
				return
			}
			if len(events) < r.options.RebuildBatch {
				return
			}
			at = events[len(events)-1].Position
		}
	})
	return a
}

// next gives the next batch. It must not be called after a short one or an error.
func (a *readAhead[D]) next(ctx context.Context) ([]item[D], error) {
	select {
	case b := <-a.batches:
		return b.items, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stop ends the reading and waits for it.
func (a *readAhead[D]) stop() {
	a.cancel()
	a.wg.Wait()
}
