package diff_test

import (
	"encoding/json"
	"testing"
	"time"

	"strata.dev/strata/app/query/diff"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

var by = fact.Actor{ID: "author", Kind: fact.Person, At: time.Unix(1, 0)}

// Each element that differs is there once, with the fields that differ alone.
func TestStrategies(t *testing.T) {
	s := strategy.State{}.Apply(by, strategy.Drafted{StrategyID: "s", Frame: strategy.Frame{
		Name: "Plan", Period: calendar.Period{Start: "2020-01-01"},
	}}).Apply(by, strategy.GoalAdded{GoalID: "g1", Name: "One"}).Apply(by, strategy.GoalAdded{GoalID: "g2", Name: "Two"}).
		Apply(by, strategy.ObjectiveAdded{ObjectiveID: "o1", GoalID: "g1", Name: "First"}).
		Apply(by, strategy.ObjectiveAdded{ObjectiveID: "o2", GoalID: "g2"})
	text := func(field, value string) []strategy.Change {
		return []strategy.Change{{Field: field, New: strategy.Text(value)}}
	}
	after := s.Apply(by, strategy.PlanElementAmended{ElementKind: strategy.FrameElement, ElementID: "s", Changes: text("periodStart", "2021-01-01")}).
		Apply(by, strategy.PlanElementAmended{ElementKind: strategy.ObjectiveElement, ElementID: "o1", Changes: text("goalId", "g2")}).
		Apply(by, strategy.PlanElementRetired{ElementKind: strategy.ObjectiveElement, ElementID: "o2"}).
		Apply(by, strategy.GoalAdded{GoalID: "g3", Name: "Three"}).
		Apply(by, strategy.Submitted{Revision: 1, ContentHash: "h"})
	check(t, diff.ContentOf(s), diff.ContentOf(after), `[
		{"change":"amended","element":"lifecycle","id":"s","fields":[{"field":"workingStage","old":"draft","new":"submitted"}]},
		{"change":"amended","element":"frame","id":"s","name":"Plan","fields":[{"field":"periodStart","old":"2020-01-01","new":"2021-01-01"}]},
		{"change":"amended","element":"objective","id":"o1","name":"First","fields":[{"field":"goalId","old":"g1","new":"g2"}]},
		{"change":"added","element":"goal","id":"g3","name":"Three","fields":[{"field":"name","new":"Three"}]},
		{"change":"retired","element":"objective","id":"o2","fields":[{"field":"goalId","old":"g2"}]}]`)
	check(t, diff.ContentOf(s), diff.ContentOf(s), `[]`)
}

func check(t *testing.T, before, after diff.Content, want string) {
	t.Helper()
	items, err := diff.Strategies("s", before, after)
	if err != nil {
		t.Fatal(err)
	}
	equalJSON(t, items, want)
}

func equalJSON(t *testing.T, got any, want string) {
	t.Helper()
	var compact any
	if err := json.Unmarshal([]byte(want), &compact); err != nil {
		t.Fatal(err)
	}
	a, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var is any
	if err := json.Unmarshal(a, &is); err != nil {
		t.Fatal(err)
	}
	x, err1 := json.MarshalIndent(is, "", " ")
	y, err2 := json.MarshalIndent(compact, "", " ")
	if err1 != nil || err2 != nil || string(x) != string(y) {
		t.Errorf("got %s\nwant %s", x, y)
	}
}

// A value that took the place of a withdrawn one is the same element.
func TestIndicators(t *testing.T) {
	year := calendar.Period{Start: "2020-01-01", End: "2020-12-31"}
	s := indicator.State{}.Apply(by, indicator.Defined{IndicatorID: "i", StrategyID: "s", ObjectiveID: "o", Definition: indicator.Definition{Name: "I", Unit: "%"}}).
		Apply(by, indicator.MeasurementRecorded{MeasurementID: "m1", Period: year, Reading: indicator.Reading{Value: "1"}})
	void := indicator.MeasurementVoided{MeasurementID: "m1", Period: year, Old: indicator.Reading{Value: "1"}}
	again := s.Apply(by, void).Apply(by, indicator.MeasurementRecorded{MeasurementID: "m2", Period: year, Reading: indicator.Reading{Value: "2"}})
	for _, c := range []struct {
		after indicator.State
		want  string
	}{
		{s.Apply(by, void), `[{"change":"retired","element":"measurement","id":"2020-01-01/2020-12-31","name":"2020-01-01/2020-12-31","fields":[
			{"field":"epoch","old":0},{"field":"measurementId","old":"m1"},
			{"field":"period","old":{"start":"2020-01-01","end":"2020-12-31"}},{"field":"value","old":"1"}]}]`},
		{again, `[{"change":"amended","element":"measurement","id":"2020-01-01/2020-12-31","name":"2020-01-01/2020-12-31","fields":[
			{"field":"measurementId","old":"m1","new":"m2"},{"field":"value","old":"1","new":"2"}]}]`},
	} {
		items, err := diff.Indicators(s, c.after)
		if err != nil {
			t.Fatal(err)
		}
		equalJSON(t, items, c.want)
	}
}
