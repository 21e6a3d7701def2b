package plansdb

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// Whatever happens in an organization, and however the log is cut into batches
// and brought again, the database answers with the domain's own states.
func TestAnswersAreTheDomainsStates(t *testing.T) {
	f := setup(t, Options{})
	rapid.Check(t, func(rt *rapid.T) {
		pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choice") }
		w := readdbtest.NewWorld(f.log, pick)
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			w.Step()
			if pick(10) == 0 {
				f.bringSome(rt, pick)
			}
		}
		f.catchUp(t, 1+pick(50))
		f.compare(rt, w)
	})
	live := f.digest(t)
	if err := f.projection.Rebuild(t.Context(), f.log, nil); err != nil {
		t.Fatal(err)
	}
	if rebuilt := f.digest(t); rebuilt != live {
		t.Errorf("rebuilt %+v, live %+v", rebuilt, live)
	}
}

// bringSome applies a few events, some of them for the second time.
func (f *fixture) bringSome(t *rapid.T, pick func(int) int) {
	ctx := t.Context()
	at, err := f.projection.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	events, err := f.log.Read(ctx, max(0, at-int64(pick(20))), 1+pick(30))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.projection.Apply(ctx, events); err != nil {
		t.Fatal(err)
	}
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Context() context.Context
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

func (f *fixture) compare(t failer, w *readdbtest.World) {
	ctx := t.Context()
	for _, s := range w.Strategies {
		got, err := f.reader.Strategy(ctx, as(w), query.StrategyAsk{ID: s.ID})
		if err != nil {
			t.Fatalf("strategy: %v", err)
		}
		compareStrategy(t, s.State, got)
	}
	for _, i := range w.Indicators {
		if !i.State.Exists() {
			continue // its definition was refused
		}
		got, err := f.reader.Indicator(ctx, as(w), i.ID)
		if err != nil {
			t.Fatalf("indicator: %v", err)
		}
		compareIndicator(t, i.State, got)
		f.compareSeries(t, w, i)
	}
	f.compareMembers(t, w)
	f.compareGovernance(t, w)
}

func compareStrategy(t failer, want strategy.State, got query.Strategy) {
	current := want.Working
	if current.Number == 0 && want.InForce.Number > 0 {
		current = want.InForce
	}
	if want.Working.Number+want.InForce.Number > 0 {
		equal(t, "frame", query.FrameOf(current.Plan.Frame), got.Frame)
	}
	if got.ID != want.ID || got.State != string(want.Phase) || got.LineageKey != want.LineageKey {
		t.Errorf("strategy %+v, want %+v", got.StrategySummary, want)
	}
	compareRevision(t, "working", want.Working, string(want.Working.Stage), got.Working)
	compareRevision(t, "in force", want.InForce, "active", got.InForce)
	goals := current.Plan.Goals()
	if len(goals) != len(got.Tree) || got.Goals != len(goals) || got.Objectives != len(current.Plan.Objectives("")) {
		t.Fatalf("%d goals in the tree, counts %d and %d, want %d and %d", len(got.Tree), got.Goals, got.Objectives,
			len(goals), len(current.Plan.Objectives("")))
	}
	for n, g := range goals {
		equal(t, "goal", query.Goal{
			ID: g.ID, Identifier: g.Identifier, Sequence: g.Sequence, Name: g.Name, Description: g.Description,
			Stakeholders: query.StakeholdersOf(g.Stakeholders), OtherInformation: g.OtherInformation,
		}, got.Tree[n], cmpopts.IgnoreFields(query.Goal{}, "Health", "Objectives"))
		objectives := current.Plan.Objectives(g.ID)
		if len(objectives) != len(got.Tree[n].Objectives) {
			t.Fatalf("goal %s has %d objectives, want %d", g.ID, len(got.Tree[n].Objectives), len(objectives))
		}
		for m, o := range objectives {
			equal(t, "objective", query.Objective{
				ID: o.ID, Identifier: o.Identifier, Sequence: o.Sequence, Name: o.Name, Description: o.Description,
				Stakeholders: query.StakeholdersOf(o.Stakeholders), OtherInformation: o.OtherInformation, Relationships: o.Relationships,
			}, got.Tree[n].Objectives[m], cmpopts.IgnoreFields(query.Objective{}, "Health", "Indicators"))
		}
	}
}

func compareRevision(t failer, which string, want strategy.Revision, state string, got *query.Revision) {
	if want.Number == 0 {
		if got != nil {
			t.Errorf("%s: %+v, want none", which, got)
		}
		return
	}
	if got == nil {
		t.Fatalf("%s: none, want %d", which, want.Number)
		return
	}
	if got.Number != want.Number || got.State != state || got.ContentHash != want.ContentHash || got.SubmittedBy != want.SubmittedBy {
		t.Errorf("%s: %+v, want %d %s %s by %s", which, got, want.Number, state, want.ContentHash, want.SubmittedBy)
	}
	equal(t, which+" authors", want.Authors(), got.Authors)
	var approvals []strategy.Approval
	for _, a := range got.Approvals {
		approvals = append(approvals, strategy.Approval{ApproverID: a.ApproverID, Meaning: strategy.Meaning(a.Meaning)})
	}
	equal(t, which+" approvals", want.Approvals, approvals)
}

func compareIndicator(t failer, want indicator.State, got query.Indicator) {
	equal(t, "definition", want.Definition, got.Definition)
	live := want.Measurements()
	if got.ID != want.ID || got.StrategyID != want.StrategyID || got.ObjectiveID != want.ObjectiveID || got.Retired != want.Retired ||
		got.Measurements != len(live) || got.Targets != len(want.Targets()) {
		t.Errorf("indicator %+v, want %+v with %d measurements and %d targets", got, want, len(live), len(want.Targets()))
	}
	h := want.Health()
	if got.Health != string(want.Status) || got.Trend != string(h.Trend) || got.Progress != string(h.Progress) {
		t.Errorf("indicator %s: health %s, trend %s, progress %s; want %s, %s, %s", got.ID, got.Health, got.Trend, got.Progress,
			want.Status, h.Trend, h.Progress)
	}
	if h.Actual == nil {
		if got.Actual != nil {
			t.Errorf("actual %+v, want none", got.Actual)
		}
		return
	}
	if got.Actual == nil || got.Actual.Period != h.Period {
		t.Fatalf("actual %+v, want %+v of %s", got.Actual, h.Actual, h.Period)
	}
	equal(t, "actual", *h.Actual, got.Actual.Reading)
	if h.Target != nil {
		equal(t, "target", *h.Target, got.Target.Reading)
	}
}

// compareSeries reads the series in pages of three.
func (f *fixture) compareSeries(t failer, w *readdbtest.World, i *readdbtest.Indicator) {
	type value struct {
		Kind    string
		Period  calendar.Period
		Reading indicator.Reading
		Epoch   int
	}
	want, got := map[string]value{}, map[string]value{}
	for _, m := range i.State.Measurements() {
		want["m "+m.ID] = value{"measurement", m.Period, m.Reading, m.Epoch}
	}
	for _, target := range i.State.Targets() {
		want["t "+indicator.Key(target.Period, target.Dims)] = value{"target", target.Period, target.Reading, target.Epoch}
	}
	var last calendar.Date
	filter := query.SeriesFilter{IndicatorID: i.ID, Paging: query.Paging{Limit: 3}}
	for pages := 0; ; pages++ {
		page, err := f.reader.Series(t.Context(), as(w), filter)
		if err != nil {
			t.Fatalf("series: %v", err)
		}
		for _, p := range page.Items {
			key := "m " + p.MeasurementID
			if p.Kind == "target" {
				key = "t " + indicator.Key(p.Period, p.Dims)
			}
			if _, twice := got[key]; twice || p.Period.Start < last {
				t.Fatalf("%s comes twice, or out of order", key)
			}
			got[key], last = value{p.Kind, p.Period, p.Reading, p.Epoch}, p.Period.Start
		}
		if page.NextCursor == "" {
			break
		}
		if filter.Cursor = page.NextCursor; pages > len(want) {
			t.Fatalf("the pages do not end")
		}
	}
	equal(t, "series", want, got)
}

func (f *fixture) compareMembers(t failer, w *readdbtest.World) {
	at := w.Log.Now()
	paging := query.Paging{Limit: 2}
	members := 0
	for {
		page, err := f.reader.Members(t.Context(), as(w), paging)
		if err != nil {
			t.Fatalf("members: %v", err)
		}
		for _, m := range page.Items {
			members++
			want, ok := w.Organization.Member(m.ID)
			if !ok || m.Offboarded != want.Offboarded || m.SubjectID != want.SubjectID || m.Kind != string(want.Kind) || !m.EnrolledAt.Equal(want.EnrolledAt) {
				t.Errorf("member %+v, want %+v", m, want)
			}
			var held, wantHeld []string
			for _, g := range m.Roles {
				held = append(held, g.ID+" "+g.Role)
			}
			for _, g := range w.Organization.GrantsOf(m.ID) {
				wantHeld = append(wantHeld, g.ID+" "+g.Role)
			}
			equal(t, "grants at "+at.String(), wantHeld, held)
		}
		if paging.Cursor = page.NextCursor; paging.Cursor == "" {
			break
		}
	}
	o, err := f.reader.Organization(t.Context(), as(w))
	if err != nil || o.ID != w.ID.String() || o.Name != w.Organization.Name {
		t.Errorf("organization %+v, %v", o, err)
	}
	if members < 2 {
		t.Errorf("%d members, want at least the two of the registration", members)
	}
}

func equal(t failer, what string, want, got any, options ...cmp.Option) {
	if diff := cmp.Diff(want, got, append(options, cmpopts.EquateEmpty())...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
