package indicator_test

import (
	"testing"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/refusal"
)

func TestDefining(t *testing.T) {
	define := func(change func(*indicator.DefineIndicator)) indicator.DefineIndicator {
		c := indicator.DefineIndicator{IndicatorID: subject, StrategyID: plan, ObjectiveID: objective, Definition: scores}
		change(&c)
		return c
	}
	with := func(change func(*indicator.Definition)) indicator.DefineIndicator {
		return define(func(c *indicator.DefineIndicator) { change(&c.Definition) })
	}
	decider.Run(t, []spec{
		{
			Name: "with default tolerances and canonical numbers", By: ann,
			When: with(func(d *indicator.Definition) { d.Tolerance, d.Baseline = indicator.Tolerance{}, "5.90" }),
			Then: []indicator.Event{indicator.Defined{IndicatorID: subject, StrategyID: plan, ObjectiveID: objective, Definition: func() indicator.Definition {
				d := scores
				d.Baseline = "5.9"
				return d
			}()}},
		},
		{Name: "twice", Given: []past{defined(scores)}, By: ann, When: with(func(*indicator.Definition) {}), Refused: indicator.ErrDefined},
		{Name: "by its owner", By: olga, When: with(func(*indicator.Definition) {}), Refused: authz.ErrRole},
		{Name: "without a unit", By: ann, When: with(func(d *indicator.Definition) { d.Unit = "" }), Refused: refusal.Invalid},
		{Name: "in an unknown direction", By: ann, When: with(func(d *indicator.Definition) { d.Direction = "up" }), Refused: refusal.Invalid},
		{Name: "on an unknown grid", By: ann, When: with(func(d *indicator.Definition) { d.Frequency = "fortnight" }), Refused: refusal.Invalid},
		{Name: "in a 13th month", By: ann, When: with(func(d *indicator.Definition) { d.YearStart = 13 }), Refused: refusal.Invalid},
		{Name: "with a baseline that is no number", By: ann, When: with(func(d *indicator.Definition) { d.Baseline = "low" }), Refused: refusal.Invalid},
		{Name: "with a dimension twice", By: ann, When: with(func(d *indicator.Definition) { d.Dimensions = []indicator.Dimension{{Name: "sex"}, {Name: "sex"}} }), Refused: refusal.Invalid},
		{Name: "with tolerances the wrong way round", By: ann, When: with(func(d *indicator.Definition) { d.Tolerance = indicator.Tolerance{AtRisk: "0.2", OffTrack: "0.1"} }), Refused: indicator.ErrDefinition},
		{Name: "with a negative tolerance", By: ann, When: with(func(d *indicator.Definition) { d.Tolerance.AtRisk = "-0.1" }), Refused: indicator.ErrDefinition},
		{Name: "as a milestone in numbers", By: ann, When: with(func(d *indicator.Definition) { d.Direction = indicator.Milestone }), Refused: indicator.ErrDefinition},
		{Name: "as descriptors that increase", By: ann, When: with(func(d *indicator.Definition) { d.Type = indicator.Qualitative }), Refused: indicator.ErrDefinition},
		{Name: "with a headline of no dimension", By: ann, When: with(func(d *indicator.Definition) { d.Headline = indicator.Dims{"sex": "all"} }), Refused: indicator.ErrDimension},
		{Name: "with a broken owner", By: ann, When: with(func(d *indicator.Definition) { d.OwnerID = "olga" }), Refused: refusal.Invalid},
		{
			Name: "S15: alone, in a strategy in force", By: ann,
			When:    define(func(c *indicator.DefineIndicator) { c.Authorization.StrategyInForce = true }),
			Refused: indicator.ErrSecondPerson,
		},
		{Name: "before everything else", By: olga, When: indicator.VoidMeasurement{MeasurementID: m1, Reason: "r"}, Refused: indicator.ErrNotDefined},
	})
}

func TestRedefining(t *testing.T) {
	redefine := func(field, text string, comparabilityBreak bool) indicator.RedefineIndicator {
		return indicator.RedefineIndicator{Edits: []indicator.Edit{{Field: field, New: indicator.Text(text)}}, ComparabilityBreak: comparabilityBreak, Reason: "method changed"}
	}
	redefined := func(field, before, after string, comparabilityBreak bool) indicator.Event {
		return indicator.Redefined{
			Changes:            []indicator.Change{{Field: field, Old: indicator.Text(before), New: indicator.Text(after)}},
			ComparabilityBreak: comparabilityBreak, Reason: "method changed",
		}
	}
	undirected := scores
	undirected.Direction = indicator.Undefined
	late := []past{defined(scores), target(2022, "7"), recorded(m1, 2022, "6"), health(indicator.OffTrack)}
	alone := redefine("name", "x", false)
	alone.Authorization.StrategyInForce = true
	decider.Run(t, []spec{
		{Name: "a name", Given: []past{defined(scores)}, By: ann, When: redefine("name", "Justice", false), Then: []indicator.Event{redefined("name", "Procedural Justice", "Justice", false)}},
		{Name: "a unit before there are values", Given: []past{defined(scores)}, By: ann, When: redefine("unit", "%", false), Then: []indicator.Event{redefined("unit", "Score", "%", false)}},
		{Name: "a unit when there are", Given: late, By: ann, When: redefine("unit", "%", false), Refused: indicator.ErrBreakNeeded},
		{
			Name: "a unit, said to break", Given: late, By: ann, When: redefine("unit", "%", true),
			Then: []indicator.Event{
				redefined("unit", "Score", "%", true),
				indicator.HealthChanged{
					From: indicator.OffTrack, To: indicator.Unknown, Period: year(2022), Actual: reading(number("6")), Target: reading(number("7")),
					Trend: indicator.Insufficient, Rule: indicator.Increase,
				},
			},
		},
		{
			Name: "a tolerance, and with it the health", Given: late, By: ann, When: redefine("toleranceOffTrack", "0.50", false),
			Then: []indicator.Event{
				redefined("toleranceOffTrack", "0.1", "0.5", false),
				indicator.HealthChanged{
					From: indicator.OffTrack, To: indicator.AtRisk, Period: year(2022), Actual: reading(number("6")), Target: reading(number("7")),
					Trend: indicator.Insufficient, Rule: indicator.Increase,
				},
			},
		},
		{
			Name: "a first direction breaks nothing", Given: []past{defined(undirected), target(2022, "7"), recorded(m1, 2022, "6")}, By: ann, When: redefine("direction", "increase", false),
			Then: []indicator.Event{
				redefined("direction", "undefined", "increase", false),
				indicator.HealthChanged{
					From: indicator.Unknown, To: indicator.OffTrack, Period: year(2022), Actual: reading(number("6")), Target: reading(number("7")),
					Trend: indicator.Insufficient, Rule: indicator.Increase,
				},
			},
		},
		{Name: "to the same", Given: late, By: ann, When: redefine("name", "Procedural Justice", false), Refused: indicator.ErrNothingChanges},
		{Name: "a field that is none", Given: late, By: ann, When: redefine("type", "qualitative", false), Refused: refusal.Invalid},
		{Name: "to something inconsistent", Given: late, By: ann, When: redefine("direction", "milestone", true), Refused: indicator.ErrDefinition},
		{Name: "to no month", Given: late, By: ann, When: redefine("yearStart", "April", true), Refused: refusal.Invalid},
		{Name: "without a reason", Given: late, By: ann, When: indicator.RedefineIndicator{Edits: []indicator.Edit{{Field: "name", New: indicator.Text("x")}}}, Refused: refusal.Invalid},
		{Name: "S15: alone", Given: late, By: ann, When: alone, Refused: indicator.ErrSecondPerson},
	})
}

func TestRetiring(t *testing.T) {
	retired := []past{defined(scores), {By: ann, Event: indicator.Retired{Reason: "r"}}}
	late := []past{defined(scores), target(2022, "7"), recorded(m1, 2022, "6"), health(indicator.OffTrack)}
	decider.Run(t, []spec{
		{
			Name: "for another one, health is left as it was", Given: late, By: ann, When: indicator.RetireIndicator{Reason: "merged", ReplacedBy: id("indicator", 2)},
			Then: []indicator.Event{indicator.Retired{Reason: "merged", ReplacedBy: id("indicator", 2)}},
		},
		{Name: "for itself", Given: late, By: ann, When: indicator.RetireIndicator{Reason: "merged", ReplacedBy: subject}, Refused: indicator.ErrReplacesItself},
		{Name: "for no reason", Given: late, By: ann, When: indicator.RetireIndicator{}, Refused: refusal.Invalid},
		{Name: "then no value is taken", Given: retired, By: olga, When: indicator.RecordMeasurement{MeasurementID: m1, Period: year(2022), Value: indicator.Stated{Number: "1"}}, Refused: indicator.ErrRetired},
		{Name: "nor a target", Given: retired, By: ann, When: indicator.SetTarget{Period: year(2022), Value: indicator.Stated{Number: "1"}, Reason: "r"}, Refused: indicator.ErrRetired},
	})
}

// digest is that of living indicators.
func digest(states ...indicator.State) string {
	var basis []indicator.Basis
	for _, s := range states {
		basis = append(basis, s.Basis())
	}
	return indicator.Digest(basis)
}

func TestDigestCoversDefinitionsAndTargetsOnly(t *testing.T) {
	base := state(defined(scores), target(2022, "7"))
	measured := state(defined(scores), target(2022, "7"), recorded(m1, 2022, "6"))
	if digest(base) != digest(measured) {
		t.Error("a measurement changes the digest: facts would void approvals")
	}
	other := scores
	other.Direction = indicator.Decrease
	seen := map[string]string{}
	for name, indicators := range map[string][]indicator.State{
		"none":              nil,
		"base":              {base},
		"two":               {base, state(past{By: ann, Event: indicator.Defined{IndicatorID: id("indicator", 2), Definition: scores}})},
		"other direction":   {state(defined(other), target(2022, "7"))},
		"other target":      {state(defined(scores), target(2022, "7.5"))},
		"same, other words": {state(defined(scores), target(2022, "7.0"))},
		"one more target":   {state(defined(scores), target(2022, "7"), target(2023, "7"))},
		"after a break":     {state(defined(scores), target(2022, "7"), past{By: ann, Event: indicator.Redefined{ComparabilityBreak: true}})},
	} {
		d := digest(indicators...)
		if same, ok := seen[d]; ok {
			t.Errorf("%s and %s have the same digest", name, same)
		}
		seen[d] = name
	}
	a, b := base, state(past{By: ann, Event: indicator.Defined{IndicatorID: id("indicator", 2), Definition: scores}})
	if digest(a, b) != digest(b, a) {
		t.Error("the digest depends on the order in which indicators are gathered")
	}
	if got := state(defined(scores), recorded(m1, 2022, "6")).AuthorsSince(now.Add(-1)); len(got) != 1 || got[0] != ann.ID {
		t.Errorf("authors %v, want %v: who measures has no part in the plan", got, ann.ID)
	}
	if got := base.AuthorsSince(now); len(got) != 0 {
		t.Errorf("authors since their last writing: %v", got)
	}
}

func TestKeysAreEqualForEqualSeriesOnly(t *testing.T) {
	p := year(2022)
	keys := map[string]bool{}
	for _, d := range []indicator.Dims{
		nil, {"a": "b"}, {"a": "b", "c": "d"}, {`a"="b|`: ""}, {"a": `b"|"c"="d`}, {"": ""}, {"a": ""}, {"a=b": "c"}, {"a": "b=c"},
	} {
		keys[indicator.Key(p, d)] = true
	}
	if len(keys) != 9 {
		t.Errorf("different dims share a key: %v", keys)
	}
	if indicator.Key(p, nil) != indicator.Key(p, indicator.Dims{}) || indicator.Key(p, nil) != "2022-01-01/2022-12-31" {
		t.Error("no dims and empty dims differ")
	}
	if indicator.Key(p, nil) == indicator.Key(calendar.Period{Start: p.Start, End: "2023-12-31"}, nil) {
		t.Error("different periods share a key")
	}
}
