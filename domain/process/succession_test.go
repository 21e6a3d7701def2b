package process_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/strategy"
)

const uuidText = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"

func TestSuccession(t *testing.T) {
	old := inForce("old", 5, planned{"kept", "A"}, planned{"same uuid", "_" + uuidText}, planned{"gone", "B"}, planned{"unnamed", ""}, planned{"doubled", "D"})
	next := inForce("next", 50, planned{"kept again", " A "}, planned{"same uuid again", strings.ToUpper(uuidText)}, planned{"unnamed again", ""},
		planned{"one", "D"}, planned{"two", "D"})
	under := func(name, objective string) indicator.State {
		return measured(name, old.ID, id(objective), "100", "50")
	}
	f := process.SuccessionFacts{Strategy: next, Replaced: old, Indicators: []indicator.State{
		under("i1", "kept"), under("i2", "same uuid"), under("i3", "gone"), under("i4", "unnamed"), under("i5", "doubled"), under("i6", "nowhere"),
		under("i7", "kept").Apply(person, indicator.Retired{Reason: "r"}), measured("i8", next.ID, id("kept again"), "1", "1"),
	}}
	d := process.Succession(cause(50), f)
	expect(t, d, "relink:"+id("i1"), "relink:"+id("i2"), "retire:"+id("i3"), "retire:"+id("i4"), "retire:"+id("i5"), "retire:"+id("i6"), "close:"+old.ID)

	if c := d.Steps[0].Command.(indicator.RelinkIndicator); c.StrategyID != next.ID || c.ObjectiveID != id("kept again") {
		t.Errorf("relinked by %+v", c)
	}
	if c := d.Steps[1].Command.(indicator.RelinkIndicator); c.ObjectiveID != id("same uuid again") {
		t.Errorf("relinked by %+v", c)
	}
	// Everything that is asked is taken, also with the strategies in force (S15).
	for i, step := range d.Steps[:6] {
		var err error
		switch c := step.Command.(type) {
		case indicator.RelinkIndicator:
			c.Authorization.StrategyInForce = true
			_, err = indicator.Decide(f.Indicators[i], machine, c)
		case indicator.RetireIndicator:
			c.Authorization.StrategyInForce = true
			_, err = indicator.Decide(f.Indicators[i], machine, c)
		}
		if err != nil {
			t.Errorf("%s: %v", step.Name, err)
		}
	}
	command := d.Steps[6].Command.(strategy.CloseStrategy)
	command.SuccessorInForce = true
	if _, err := strategy.Decide(old.State, machine, command); err != nil || command.SuccessorID != next.ID {
		t.Errorf("close %+v: %v", command, err)
	}
}

func TestSuccessionThatIsNone(t *testing.T) {
	old, next := inForce("old", 5, planned{"o", "A"}), inForce("next", 50, planned{"p", "A"})
	i := measured("i", old.ID, id("o"), "100", "50")
	relink := "relink:" + id("i")
	for name, c := range map[string]struct {
		strategy, replaced process.Strategy
		position           int64
		want               []string
	}{
		"replaces nothing":              {next, process.Strategy{}, 50, nil},
		"a later revision":              {next, old, 90, nil},
		"closed otherwise":              {next, closed(old, ""), 50, nil},
		"superseded by another one":     {next, closed(old, id("third")), 50, nil},
		"closed, and then a crash":      {next, closed(old, next.ID), 50, []string{relink}},
		"ended since":                   {closed(next, ""), old, 50, nil},
		"on hold since":                 {held(next, order), old, 50, []string{relink, "close:" + old.ID}},
		"the former is on hold":         {next, held(old, order), 50, []string{relink, "close:" + old.ID}},
		"the former was never in force": {next, process.Strategy{State: preparing("old", planned{"o", "A"})}, 50, []string{"remind succession-open of strategy-" + old.ID}},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, process.Succession(cause(c.position), process.SuccessionFacts{
				Strategy: c.strategy, Replaced: c.replaced, Indicators: []indicator.State{i},
			}), c.want...)
		})
	}
}

func TestTwoOfOneLineage(t *testing.T) {
	older, newer := inForce("older", 5, planned{"o", "A"}), inForce("newer", 50, planned{"p", "A"})
	both := []string{"hold:" + older.ID, "raise:" + older.ID}
	for name, c := range map[string]struct {
		rivals   []process.Strategy
		replaced process.Strategy
		want     []string
	}{
		"an older one in force":         {[]process.Strategy{older, newer}, process.Strategy{}, both},
		"an older one on hold":          {[]process.Strategy{held(older, order)}, process.Strategy{}, both},
		"one in preparation":            {[]process.Strategy{{State: preparing("older")}}, process.Strategy{}, nil},
		"one that is closed":            {[]process.Strategy{closed(older, "")}, process.Strategy{}, nil},
		"one that came into force then": {[]process.Strategy{inForce("older", 60)}, process.Strategy{}, nil},
		"the one it replaces":           {[]process.Strategy{older}, older, []string{"close:" + older.ID}},
		"none but itself":               {[]process.Strategy{newer}, process.Strategy{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := process.Succession(cause(50), process.SuccessionFacts{Strategy: newer, Replaced: c.replaced, Rivals: c.rivals})
			expect(t, d, c.want...)
			if len(c.want) != 2 {
				return
			}
			if d.Steps[0].Target != newer.ID {
				t.Errorf("on hold is %s, want the newer one", d.Steps[0].Target)
			}
			if _, err := strategy.Decide(newer.State, machine, d.Steps[0].Command.(strategy.Command)); err != nil {
				t.Error(err)
			}
			state := accepts(t, finding.State{}, d.Steps[1].Command.(finding.Command))
			if len(state.Subjects) != 2 || state.ID != d.Steps[1].Target {
				t.Errorf("finding %+v", state)
			}
		})
	}
}

// TestEveryIndicatorOfAFormerStrategyFindsItsPlace takes any identifiers: each
// living indicator is relinked under the one objective of its identifier, or
// retired; none is left behind, and none is treated twice.
func TestEveryIndicatorOfAFormerStrategyFindsItsPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		identifiers := rapid.SliceOfN(rapid.SampledFrom([]string{"", "A", "B", "C", "_" + uuidText, uuidText}), 0, 6)
		var here, there []planned
		for i, identifier := range identifiers.Draw(t, "old") {
			here = append(here, planned{"here" + string(rune('a'+i)), identifier})
		}
		count := map[string]int{}
		for i, identifier := range identifiers.Draw(t, "new") {
			there = append(there, planned{"there" + string(rune('a'+i)), identifier})
			count[strings.TrimPrefix(identifier, "_")]++
		}
		old, next := inForce("old", 5, here...), inForce("next", 50, there...)
		f := process.SuccessionFacts{Strategy: next, Replaced: old}
		for i, o := range here {
			f.Indicators = append(f.Indicators, measured("i"+string(rune('a'+i)), old.ID, id(o.name), "1", "1"))
		}
		d := process.Succession(cause(50), f)
		if len(d.Steps) != len(here)+1 {
			t.Fatalf("steps %v for %d indicators", names(d), len(here))
		}
		for i, o := range here {
			key := strings.TrimPrefix(o.identifier, "_")
			relink, ok := d.Steps[i].Command.(indicator.RelinkIndicator)
			if ok != (key != "" && count[key] == 1) || d.Steps[i].Target != f.Indicators[i].ID {
				t.Fatalf("indicator under %q with %v there: %+v", o.identifier, there, d.Steps[i])
			}
			if at := slices.IndexFunc(there, func(p planned) bool { return id(p.name) == relink.ObjectiveID }); ok && strings.TrimPrefix(there[at].identifier, "_") != key {
				t.Fatalf("%q went under %q", o.identifier, there[at].identifier)
			}
		}
	})
}
