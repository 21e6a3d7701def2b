package readdb

import (
	"context"
	"fmt"
	"time"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
)

// tracker tells how far a rebuild is.
type tracker struct {
	report  func(projection.Progress)
	phase   string
	done    int64
	total   int64
	base    int64 // done when the phase began
	started time.Time
}

func newTracker(ctx context.Context, log eventlog.Reader, report func(projection.Progress)) (*tracker, error) {
	head, err := log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("head of the log: %w", err)
	}
	if report == nil {
		report = func(projection.Progress) {}
	}
	return &tracker{report: report, total: head, started: time.Now()}, nil
}

// begin starts a phase at an absolute position.
func (t *tracker) begin(phase string, done int64) {
	t.phase, t.done, t.base, t.started = phase, done, done, time.Now()
	t.total = max(t.total, done)
	t.report(t.progress())
}

// add notes that n more events were folded.
func (t *tracker) add(n int64) {
	t.done += n
	t.total = max(t.total, t.done)
	t.report(t.progress())
}

func (t *tracker) progress() projection.Progress {
	p := projection.Progress{Phase: t.phase, Done: t.done, Total: t.total}
	elapsed := time.Since(t.started)
	if t.done > t.base && elapsed > 0 {
		p.PerSecond = float64(t.done-t.base) / elapsed.Seconds()
		p.ETA = time.Duration(float64(t.total-t.done) / p.PerSecond * float64(time.Second)).Round(time.Second)
	}
	return p
}
