package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"
)

// allowances hold, per source, how many messages it may send now: its
// maxRatePerMin at once, and as many each minute. They are this process's own; a
// source's queue has one consumer, so there they are exact.
type allowances struct {
	mu       sync.Mutex
	bySource map[uuid.UUID]*allowance
}

type allowance struct {
	limiter *rate.Limiter
	noted   map[string]time.Time // by code: when it was last recorded that the source was turned away
}

func (a *allowances) of(source uuid.UUID, perMinute int) *rate.Limiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	perMinute = max(1, perMinute)
	w := a.entry(source)
	if w.limiter == nil || w.limiter.Burst() != perMinute { // terms change by reinstatement
		w.limiter = rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)
	}
	return w.limiter
}

func (a *allowances) entry(source uuid.UUID) *allowance {
	if a.bySource == nil {
		a.bySource = map[uuid.UUID]*allowance{}
	}
	w := a.bySource[source]
	if w == nil {
		w = &allowance{noted: map[string]time.Time{}}
		a.bySource[source] = w
	}
	return w
}

// firstInAMinute says whether it is time to record again that the source is
// turned away for this reason.
func (a *allowances) firstInAMinute(source uuid.UUID, code string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.entry(source)
	if last, ok := w.noted[code]; ok && now.Sub(last) < time.Minute {
		return false
	}
	w.noted[code] = now
	return true
}

// admit takes one message from the source's allowance: from a queue it waits
// until there is room, over HTTP it refuses.
func (a *allowances) admit(ctx context.Context, m Message, perMinute int, now time.Time) error {
	limiter := a.of(m.SourceID, perMinute)
	if m.Kind == AMQP {
		if err := limiter.Wait(ctx); err != nil {
			return ErrRate.Because(err)
		}
		return nil
	}
	if !limiter.AllowN(now, 1) {
		return ErrRate.Detailf("This source may send %d messages a minute.", perMinute)
	}
	return nil
}
