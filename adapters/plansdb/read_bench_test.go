package plansdb

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
)

// BenchmarkReads asks about a strategy of the largest size there may be: 50
// goals, 5,000 objectives, 5,000 indicators with 8 targets and 8 values each.
// A rebuild brings the 85,000 events in.
func BenchmarkReads(b *testing.B) {
	f := prepare(b, Options{})
	w := readdbtest.NewWorld(f.log, seeded(1))
	s := w.Draft()
	for range 50 {
		goal := w.AddGoal(s)
		for range 100 {
			w.AddObjective(s, goal)
		}
	}
	for range 5_000 {
		w.Measured(s, 8)
	}
	if err := f.projection.Rebuild(b.Context(), f.log, nil); err != nil {
		b.Fatal(err)
	}
	f.reader.LookBackIn(logPast{f.log})
	head, err := f.log.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	ask, past := as(w), as(w)
	past.AsOf.Position = head / 2
	middle := w.Indicators[1_000].ID
	for _, c := range []struct {
		name string
		read func(ctx context.Context) error
	}{
		{"strategy, whole tree", func(ctx context.Context) error {
			_, err := f.reader.Strategy(ctx, ask, query.StrategyAsk{ID: s.ID})
			return err
		}},
		{"scorecard, first page with roll-up", func(ctx context.Context) error {
			_, err := f.reader.Scorecard(ctx, ask, query.ScorecardFilter{StrategyID: s.ID})
			return err
		}},
		{"scorecard, later page of 200", func(ctx context.Context) error { return f.laterPage(ctx, ask, s.ID, head) }},
		{"scorecard, off track, counted", func(ctx context.Context) error {
			_, err := f.reader.Scorecard(ctx, ask, query.ScorecardFilter{StrategyID: s.ID, Health: "off_track", Paging: query.Paging{Count: true}})
			return err
		}},
		{"indicator", func(ctx context.Context) error { _, err := f.reader.Indicator(ctx, ask, middle); return err }},
		{"series", func(ctx context.Context) error {
			_, err := f.reader.Series(ctx, ask, query.SeriesFilter{IndicatorID: middle})
			return err
		}},
		{"strategies", func(ctx context.Context) error {
			_, err := f.reader.Strategies(ctx, ask, query.StrategyFilter{})
			return err
		}},
		{"approvals", func(ctx context.Context) error {
			_, err := f.reader.Approvals(ctx, ask, query.ApprovalFilter{})
			return err
		}},
		{"series as of then", func(ctx context.Context) error {
			_, err := f.reader.Series(ctx, past, query.SeriesFilter{IndicatorID: middle})
			return err
		}},
		{"scorecard as of then", func(ctx context.Context) error {
			_, err := f.reader.Scorecard(ctx, past, query.ScorecardFilter{StrategyID: s.ID})
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if err := c.read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// laterPage reads a page from the middle of the scorecard.
func (f *fixture) laterPage(ctx context.Context, ask query.Read, id uuid.UUID, head int64) error {
	filter := query.ScorecardFilter{StrategyID: id}
	cursor, err := span{}.next(filter, moment{position: head}, head/2)
	if err != nil {
		return err
	}
	filter.Paging = query.Paging{Limit: query.MaxLimit, Cursor: cursor}
	_, err = f.reader.Scorecard(ctx, ask, filter)
	return err
}
