package auditdb

import (
	"context"
	"testing"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/authz"
)

// BenchmarkReads asks for pages of a history of 85,000 events, and for what has
// to be folded from them.
func BenchmarkReads(b *testing.B) {
	f := setup(b, 0, Options{})
	w := f.worlds[0]
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
	head, err := f.log.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	ask, past := query.Read{OrganizationID: w.ID}, query.Read{OrganizationID: w.ID, AsOf: query.Moment{Position: head / 2}}
	indicator := "indicator-" + w.Indicators[1_000].ID.String()
	history := func(f2 query.HistoryFilter) func(context.Context) error {
		return func(ctx context.Context) error { _, err := f.reader.History(ctx, ask, f2); return err }
	}
	recorded := func(stream string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := f.reader.Recorded(ctx, past, stream, 0); return err }
	}
	for _, c := range []struct {
		name string
		read func(ctx context.Context) error
	}{
		{"history of an indicator", history(query.HistoryFilter{StreamID: indicator})},
		{"by strategy", history(query.HistoryFilter{StrategyID: s.ID.String()})},
		{"by a rare type", history(query.HistoryFilter{Types: []string{"organization.role-granted", "strategy.drafted"}})},
		{"by role", history(query.HistoryFilter{Role: authz.Author})},
		{"by a role that nobody held", history(query.HistoryFilter{Role: authz.Auditor})},
		{"by actor, counted", history(query.HistoryFilter{ActorID: "nobody", Paging: query.Paging{Count: true}})},
		{"diff of a strategy of 5,050 elements", func(ctx context.Context) error {
			_, err := f.reader.Diff(ctx, ask, query.DiffFilter{StrategyID: s.ID, From: query.Mark{Position: head / 4}})
			return err
		}},
		{"diff of an indicator", func(ctx context.Context) error {
			_, err := f.reader.Diff(ctx, ask, query.DiffFilter{IndicatorID: w.Indicators[1_000].ID})
			return err
		}},
		{"recall an indicator", recorded(indicator)},
		{"recall half of a strategy", recorded("strategy-" + s.ID.String())},
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
