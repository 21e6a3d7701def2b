package plansdb

import (
	"testing"
	"time"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
)

// BenchmarkRebuild rebuilds from 100,000 events: 1,400 indicators with 35 years
// of targets and measurements each, in 14 strategies.
func BenchmarkRebuild(b *testing.B) {
	f := prepare(b, Options{})
	w := readdbtest.NewWorld(f.log, seeded(1))
	for range 14 {
		s := w.Draft()
		w.AddObjective(s, w.AddGoal(s))
		for range 100 {
			w.Measured(s, 35)
		}
	}
	head, err := f.log.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		began := time.Now()
		if err := f.projection.Rebuild(b.Context(), f.log, nil); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(head)/time.Since(began).Seconds(), "events/s")
	}
	b.ReportMetric(float64(head), "events")
}
