package plansdb

import (
	"testing"
	"time"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
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

// BenchmarkScorecard reads 100 indicators with 35 years each, among 20 times as many.
func BenchmarkScorecard(b *testing.B) {
	f := prepare(b, Options{})
	w := readdbtest.NewWorld(f.log, seeded(1))
	for range 20 {
		s := w.Draft()
		w.AddObjective(s, w.AddGoal(s))
		for range 100 {
			w.Measured(s, 35)
		}
	}
	if err := f.projection.Rebuild(b.Context(), f.log, nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		card, err := f.reader.Scorecard(b.Context(), as(w), query.ScorecardFilter{StrategyID: w.Strategies[7].ID})
		if err != nil || len(card.Items) != 100 {
			b.Fatal(len(card.Items), err)
		}
	}
}

// BenchmarkApplyOne applies one event at a time: the way from commit to readable.
func BenchmarkApplyOne(b *testing.B) {
	f := prepare(b, Options{})
	w := readdbtest.NewWorld(f.log, seeded(1))
	s := w.Draft()
	w.AddObjective(s, w.AddGoal(s))
	f.catchUp(b, 100)
	at, err := f.projection.Checkpoint(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		w.AddGoal(s)
		events, err := f.log.Read(b.Context(), at, 10)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := f.projection.Apply(b.Context(), events); err != nil {
			b.Fatal(err)
		}
		at += int64(len(events))
	}
}
