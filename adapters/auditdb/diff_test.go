package auditdb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"strata.dev/strata/app/query"
	"strata.dev/strata/app/query/diff"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// snapshot is what the domain knew at a position.
type snapshot struct {
	position   int64
	at         time.Time
	strategies map[uuid.UUID]strategy.State
	indicators map[uuid.UUID]indicator.State
}

// The difference between two moments is that of the domain's states then, by
// position, by instant, and page by page; and nothing differs from itself.
func TestDiffIsThatOfTheDomainsStates(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	w := f.worlds[0]
	edited := w.Draft()
	var all []snapshot
	for range 4 {
		for range 30 { // before chance submits it
			w.Edit(edited)
		}
		for range 100 {
			w.Step()
		}
		edited = w.Draft()
		for range 30 {
			w.Edit(edited)
		}
		head, err := f.log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := snapshot{head, w.Log.Now().Add(-time.Second), map[uuid.UUID]strategy.State{}, map[uuid.UUID]indicator.State{}}
		for _, x := range w.Strategies {
			s.strategies[x.ID] = x.State
		}
		for _, x := range w.Indicators {
			if x.State.Exists() {
				s.indicators[x.ID] = x.State
			}
		}
		all = append(all, s)
	}
	var err error
	if f.events, err = f.log.Read(t.Context(), 0, 1_000_000); err != nil {
		t.Fatal(err)
	}
	f.apply(t)
	last := all[len(all)-1]
	seen := map[string]int{}
	for _, a := range all {
		for _, b := range all {
			for id := range last.strategies {
				want, err := diff.Strategies(id.String(), diff.ContentOf(a.strategies[id]), diff.ContentOf(b.strategies[id]))
				if err != nil {
					t.Fatal(err)
				}
				f.checkDiff(t, query.DiffFilter{StrategyID: id}, a, b, want, seen)
			}
			for id := range last.indicators {
				want, err := diff.Indicators(a.indicators[id], b.indicators[id])
				if err != nil {
					t.Fatal(err)
				}
				f.checkDiff(t, query.DiffFilter{IndicatorID: id}, a, b, want, seen)
			}
		}
	}
	for _, change := range []string{
		"added goal", "amended goal", "retired goal", "added objective", "amended objective", "retired objective", "amended frame",
		"amended lifecycle", "added target", "amended target", "added measurement", "amended measurement", "retired measurement", "amended definition",
	} {
		if seen[change] == 0 {
			t.Errorf("nothing %s: it is not tested", change)
		}
	}
}

func (f *fixture) checkDiff(t *testing.T, filter query.DiffFilter, a, b snapshot, want []query.DiffItem, seen map[string]int) {
	t.Helper()
	filter.From, filter.To = query.Mark{Position: a.position}, query.Mark{Position: b.position}
	if (a.position+b.position)%2 == 0 {
		filter.From, filter.To = query.Mark{Instant: a.at}, query.Mark{Instant: b.at}
	}
	filter.Limit, filter.Count = 7, true
	var got []query.DiffItem
	for {
		page, err := f.reader.Diff(t.Context(), query.Read{OrganizationID: f.worlds[0].ID}, filter)
		if errors.Is(err, query.ErrNotFound) && len(want) == 0 {
			return // it was not there at either end
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page.Items...)
		if *page.Total != int64(len(want)) {
			t.Errorf("%d items counted, want %d", *page.Total, len(want))
		}
		if filter.Cursor = page.NextCursor; filter.Cursor == "" {
			break
		}
	}
	for _, i := range got {
		seen[i.Change+" "+i.Element]++
	}
	if a.position == b.position && len(got) > 0 {
		t.Errorf("something differs from itself: %+v", got)
	}
	if d := cmp.Diff(append([]query.DiffItem{}, want...), append([]query.DiffItem{}, got...), cmpopts.IgnoreFields(query.FieldChange{}, "Cause")); d != "" {
		t.Fatalf("diff from %d to %d (-want +got):\n%s", a.position, b.position, d)
	}
}

// Between revisions the content is compared, not where the strategy stood.
func TestDiffOfRevisions(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	w := f.worlds[0]
	s := w.Draft()
	goal := w.AddGoal(s)
	w.AddObjective(s, goal)
	w.ActivateFirst(s)
	w.Reopen(s)
	added := w.AddGoal(s)
	w.Rename(s, goal, "Another name")
	var err error
	if f.events, err = f.log.Read(t.Context(), 0, 1_000_000); err != nil {
		t.Fatal(err)
	}
	f.apply(t)
	ask := query.Read{OrganizationID: w.ID}
	got, err := f.reader.Diff(t.Context(), ask, query.DiffFilter{StrategyID: s.ID, From: query.Mark{Revision: 1}, To: query.Mark{Revision: 2}})
	if err != nil {
		t.Fatal(err)
	}
	var changes []string
	for _, i := range got.Items {
		for _, c := range i.Fields {
			if i.Change == query.Amended {
				changes = append(changes, fmt.Sprintf("%s %s %s.%s: %t → %s", i.Change, i.Element, i.ID, c.Field, len(c.Old) > 0, c.New))
			}
		}
		if i.Change != query.Amended {
			changes = append(changes, fmt.Sprintf("%s %s %s", i.Change, i.Element, i.ID))
		}
	}
	want := []string{fmt.Sprintf(`amended goal %s.name: true → "Another name"`, goal), "added goal " + added}
	if !slices.Equal(changes, want) {
		t.Errorf("changes %q, want %q", changes, want)
	}
	if got.From.Revision != 1 || got.To.Revision != 2 || got.To.Position != int64(len(f.events)) {
		t.Errorf("from %+v to %+v", got.From, got.To)
	}
	_, err = f.reader.Diff(t.Context(), ask, query.DiffFilter{StrategyID: s.ID, From: query.Mark{Revision: 1}, To: query.Mark{Revision: 3}})
	if !errors.Is(err, query.ErrNotFound) {
		t.Errorf("a revision that is not there: %v, want not-found", err)
	}
	_, err = f.reader.Diff(t.Context(), query.Read{OrganizationID: f.worlds[1].ID}, query.DiffFilter{StrategyID: s.ID})
	if !errors.Is(err, query.ErrNotFound) {
		t.Errorf("another organization's: %v, want not-found", err)
	}
}

func TestDiffRefusesWhatCannotBeCompared(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 0, Options{})
	id, now := uuid.New(), time.Now()
	for name, filter := range map[string]query.DiffFilter{
		"nothing":              {},
		"both":                 {StrategyID: id, IndicatorID: id},
		"two marks":            {StrategyID: id, From: query.Mark{Position: 1, Instant: now}},
		"negative":             {StrategyID: id, From: query.Mark{Position: -1}},
		"indicator's revision": {IndicatorID: id, From: query.Mark{Revision: 1}},
		"revision and moment":  {StrategyID: id, From: query.Mark{Revision: 1}, To: query.Mark{Position: 4}},
	} {
		if _, err := f.reader.Diff(t.Context(), query.Read{OrganizationID: f.worlds[0].ID}, filter); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("%s: %v, want validation-failed", name, err)
		}
	}
}

// What is recalled of a strategy is all of it and of every indicator that ever
// belonged to it, from its beginning, and leaves off where the indicator left.
func TestRecordedIsWhatBelongs(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 800, Options{})
	f.apply(t)
	w := f.worlds[0]
	mine := f.of(w)
	of := strategiesOf(t, mine)
	moved := false
	for _, s := range w.Strategies {
		for _, cut := range []int{len(mine) / 3, len(mine) / 2, len(mine) - 1} {
			upTo := mine[cut].Position
			last := map[string]int64{} // of each stream that belonged, the last event while it did
			for _, e := range mine {
				if e.Position <= upTo && slices.Contains(of[e.Position], s.ID.String()) {
					last[e.StreamID] = e.Position
				}
			}
			var want, got []int64
			for _, e := range mine {
				if until, ok := last[e.StreamID]; ok && e.Position <= until {
					want = append(want, e.Position)
					moved = moved || !slices.Contains(of[e.Position], s.ID.String())
				}
			}
			for _, m := range []query.Moment{{Position: upTo}, {Instant: mine[cut].RecordedAt}} {
				r, err := f.reader.Recorded(t.Context(), query.Read{OrganizationID: w.ID, AsOf: m}, "strategy-"+s.ID.String(), 0)
				if err != nil {
					t.Fatal(err)
				}
				got = got[:0]
				for _, e := range r.Events {
					got = append(got, e.Position)
				}
				if !slices.Equal(got, want) || !r.Cut.At.Equal(mine[cut].RecordedAt) {
					t.Errorf("%+v: %d events at %s, want %d at %s", m, len(got), r.Cut.At, len(want), mine[cut].RecordedAt)
				}
			}
		}
		theirs, err := f.reader.Recorded(t.Context(), query.Read{OrganizationID: f.worlds[1].ID, AsOf: query.Moment{Position: 1 << 20}, Wait: time.Millisecond}, "strategy-"+s.ID.String(), 0)
		if !errors.Is(err, query.ErrProjectionBehind) || len(theirs.Events) > 0 {
			t.Errorf("a position that is not there yet: %v, want projection-behind", err)
		}
		theirs, err = f.reader.Recorded(t.Context(), query.Read{OrganizationID: f.worlds[1].ID, AsOf: query.Moment{Position: 1}}, "strategy-"+s.ID.String(), 0)
		if err != nil || len(theirs.Events) > 0 {
			t.Errorf("another organization recalls %d events, %v", len(theirs.Events), err)
		}
	}
	if !moved {
		t.Error("no indicator came from elsewhere: it is not tested")
	}
}

// No filter walks the log: each is an index scan that begins where it is to.
func TestListsHaveNoPlanButOne(t *testing.T) {
	checkLeaks(t)
	f := setup(t, 300, Options{})
	f.apply(t)
	w := f.worlds[0]
	for name, filter := range map[string]query.HistoryFilter{
		"stream": {StreamID: "strategy-" + w.Strategies[0].ID.String()}, "actor": {ActorID: "x"}, "types": {Types: []string{"a", "b"}},
		"strategy": {StrategyID: "x"}, "role": {Role: authz.Author}, "all": {},
	} {
		plan, err := f.reader.explain(t.Context(), query.Read{OrganizationID: w.ID}, filter)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort Key: events") || strings.Contains(plan, "Bitmap") {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}
