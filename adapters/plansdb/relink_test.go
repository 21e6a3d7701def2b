package plansdb

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// An indicator that comes to a strategy brings its authors with it, however long
// ago they wrote; who took one away is an author of what is left.
func TestRelinkedIndicatorsHaveAuthors(t *testing.T) {
	f := setup(t, Options{})
	w := readdbtest.NewWorld(f.log, seeded(41))
	person := func() fact.Actor { return fact.Actor{ID: uuid.NewString(), Kind: fact.Person} }
	definer, mover, other := person(), person(), person()
	activated := func() uuid.UUID {
		id := uuid.New()
		w.Log.Record(w.ID, "strategy-"+id.String(), other,
			strategy.Drafted{StrategyID: id.String(), Frame: strategy.Frame{Name: "Plan"}},
			strategy.Activated{Revision: 1, EffectiveFrom: "2026-01-01"})
		return id
	}
	from := activated()
	i := uuid.NewString()
	w.Log.Record(w.ID, "indicator-"+i, definer, indicator.Defined{
		IndicatorID: i, StrategyID: from.String(), ObjectiveID: uuid.NewString(), Definition: indicator.Definition{Name: "I", Unit: "%"},
	})
	to := activated()
	basis := func(id uuid.UUID) (digest string, authors []string) {
		t.Helper()
		f.catchUp(t, 100)
		digest, authors, _, err := f.reader.IndicatorBasis(t.Context(), w.ID, id, 0)
		if err != nil {
			t.Fatal(err)
		}
		return digest, authors
	}
	before, _ := basis(to)
	w.Log.Record(w.ID, "indicator-"+i, mover, indicator.Redefined{Changes: []indicator.Change{
		{Field: "strategyId", Old: indicator.Text(from.String()), New: indicator.Text(to.String())},
	}})
	want := []string{definer.ID, mover.ID}
	slices.Sort(want)
	after, authors := basis(to)
	if !slices.Equal(authors, want) || after == before {
		t.Errorf("the strategy it came to has the authors %v, want %v; digest %s, before %s", authors, want, after, before)
	}
	// It was defined there since the activation, too.
	if _, authors := basis(from); !slices.Equal(authors, want) {
		t.Errorf("the strategy it left has the authors %v, want %v", authors, want)
	}
	ids, err := f.reader.IndicatorsOf(t.Context(), w.ID, to, 0)
	if left, err2 := f.reader.IndicatorsOf(t.Context(), w.ID, from, 0); err != nil || err2 != nil || len(ids) != 1 || len(left) != 0 {
		t.Errorf("indicators %v and %v, %v, %v: want it in the one and not in the other", ids, left, err, err2)
	}
}
