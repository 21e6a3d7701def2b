package archive

import (
	"context"
	"time"
)

// askEvery bounds how often all that wait here together ask how far other
// instances have archived.
const askEvery = 200 * time.Millisecond

// know notes that the archive holds the log up to position, and wakes who waits.
func (a *Archiver) know(position int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if position <= a.position {
		return
	}
	a.position = position
	close(a.moved)
	a.moved = make(chan struct{})
}

// Wait returns nil once the archive holds the log up to position, whichever
// instance archives it, or ctx's error. It is woken by the archiver of this
// instance; what others do it asks a few times a second, once for all who wait.
func (a *Archiver) Wait(ctx context.Context, position int64) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		a.mu.Lock()
		at, moved := a.position, a.moved
		a.mu.Unlock()
		if at >= position {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		case <-tick.C:
			a.ask(ctx)
		}
	}
}

// ask finds out what others have archived, unless somebody does just that. What
// cannot be asked is asked again.
func (a *Archiver) ask(ctx context.Context) {
	select {
	case a.noted <- struct{}{}:
		defer func() { <-a.noted }()
	default:
		return
	}
	a.mu.Lock()
	recent := time.Since(a.asked) < askEvery/2
	a.asked = time.Now()
	a.mu.Unlock()
	if recent {
		return
	}
	// One question that gets no answer must not take the time of all who wait.
	ctx, cancel := context.WithTimeout(ctx, 10*askEvery)
	defer cancel()
	if position, err := a.options.Progress.Archived(ctx); err == nil {
		a.know(position)
	}
}
