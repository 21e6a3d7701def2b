package indicator_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
)

// anything draws a command that often fits.
func anything(t *rapid.T) indicator.Command {
	ids := rapid.SampledFrom([]string{m1, m2, m3, id("measurement", 4), id("measurement", 5), id("measurement", 6), "", "x"})
	periods := rapid.SampledFrom([]calendar.Period{year(2020), year(2021), year(2022), year(2021), year(2040), {Start: "2022-02-30"}, {}})
	dims := rapid.SampledFrom([]indicator.Dims{nil, nil, nil, {}, {"region": "north"}, {"region": "west"}, {"": ""}})
	stated := rapid.Custom(func(t *rapid.T) indicator.Stated {
		return indicator.Stated{
			Number:     rapid.SampledFrom([]string{"1", "6.0", "6", "9.99", "-3", "0", "7e0", "", "n/a", "1e999999", "\xff"}).Draw(t, "number"),
			Descriptor: rapid.SampledFrom([]string{"", "", "done", "\x00"}).Draw(t, "descriptor"),
		}
	})
	reason := rapid.SampledFrom([]string{"r", "r", "r", "", indicator.SourceRestated}).Draw(t, "reason")
	auth := indicator.Authorization{StrategyInForce: rapid.IntRange(0, 4).Draw(t, "in force") == 0}
	if rapid.Bool().Draw(t, "authorized") {
		auth.Second = countersigner
		auth.Second.ID = id("person", rapid.IntRange(1, 3).Draw(t, "authorizer"))
		auth.Second.Kind = rapid.SampledFrom([]fact.Kind{fact.Person, fact.Person, fact.Source}).Draw(t, "authorizer's kind")
	}
	switch rapid.IntRange(0, 10).Draw(t, "command") {
	case 0:
		d := rapid.SampledFrom([]indicator.Definition{scores, byRegion, byRegion, milestone, {}}).Draw(t, "definition")
		return indicator.DefineIndicator{IndicatorID: subject, StrategyID: plan, ObjectiveID: objective, Definition: d, Authorization: auth}
	case 1:
		field := rapid.SampledFrom([]string{"name", "unit", "direction", "frequency", "yearStart", "baseline", "toleranceAtRisk", "headline", "dimensions", "nonsense"})
		content := rapid.SampledFrom([]indicator.Content{
			indicator.Text("decrease"), indicator.Text("increase"), indicator.Text("1"), indicator.Text("year"),
			{},
			indicator.Text("\xff"),
			{Dims: indicator.Dims{"region": "north"}},
			{Dimensions: byRegion.Dimensions},
			{Dimensions: []indicator.Dimension{{Name: "region"}}},
		})
		edits := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) indicator.Edit {
			return indicator.Edit{Field: field.Draw(t, "field"), New: content.Draw(t, "content")}
		}), 0, 2).Draw(t, "edits")
		return indicator.RedefineIndicator{Edits: edits, ComparabilityBreak: rapid.Bool().Draw(t, "break"), Reason: reason, Authorization: auth}
	case 2, 3:
		return indicator.SetTarget{Period: periods.Draw(t, "period"), Dims: dims.Draw(t, "dims"), Value: stated.Draw(t, "value"), Reason: reason, Authorization: auth}
	case 4, 5, 6:
		return indicator.RecordMeasurement{MeasurementID: ids.Draw(t, "id"), Period: periods.Draw(t, "period"), Dims: dims.Draw(t, "dims"), Value: stated.Draw(t, "value")}
	case 7:
		return indicator.CorrectMeasurement{MeasurementID: ids.Draw(t, "id"), Period: periods.Draw(t, "period"), Dims: dims.Draw(t, "dims"), Value: stated.Draw(t, "value"), Reason: reason}
	case 8:
		return indicator.VoidMeasurement{MeasurementID: ids.Draw(t, "id"), Period: periods.Draw(t, "period"), Dims: dims.Draw(t, "dims"), Reason: reason}
	case 9:
		places := rapid.SampledFrom([]string{plan, objective, id("objective", 2), id("strategy", 2), "", "x"})
		return indicator.RelinkIndicator{StrategyID: places.Draw(t, "strategy"), ObjectiveID: places.Draw(t, "objective"), Reason: reason, Authorization: auth}
	}
	if rapid.IntRange(0, 3).Draw(t, "retire") == 0 {
		return indicator.RetireIndicator{Reason: reason, Authorization: auth}
	}
	return nil
}

// likely draws a command that mostly fits the state, so that sequences get to
// every kind of event.
func likely(t *rapid.T, s indicator.State) indicator.Command {
	value := indicator.Stated{Number: rapid.SampledFrom([]string{"1", "6.0", "6", "9.99", "-3"}).Draw(t, "number")}
	period := year(rapid.IntRange(2018, 2025).Draw(t, "year"))
	living := s.Measurements()
	switch n := rapid.IntRange(0, 10).Draw(t, "likely"); {
	case !s.Exists():
		return indicator.DefineIndicator{IndicatorID: subject, StrategyID: plan, ObjectiveID: objective, Definition: byRegion}
	case n == 0:
		return indicator.RedefineIndicator{Edits: []indicator.Edit{{Field: "unit", New: indicator.Text(value.Number)}}, ComparabilityBreak: true, Reason: "r"}
	case n <= 2:
		return indicator.SetTarget{Period: period, Value: value, Reason: "r"}
	case n <= 5 || len(living) == 0:
		return indicator.RecordMeasurement{MeasurementID: id("measurement", rapid.IntRange(10, 99).Draw(t, "new")), Period: period, Value: value}
	case n == 10:
		return indicator.VoidMeasurement{Period: living[0].Period, Dims: living[0].Dims, Reason: "r"}
	case n <= 7:
		return indicator.CorrectMeasurement{MeasurementID: rapid.SampledFrom(living).Draw(t, "old").ID, Value: value, Reason: "r"}
	}
	return indicator.VoidMeasurement{MeasurementID: rapid.SampledFrom(living).Draw(t, "old").ID, Reason: "r"}
}

// second makes sure that S15 was kept, which processes need not.
func second(t *rapid.T, by fact.Actor, a indicator.Authorization, authorizedBy string) {
	needed := a.StrategyInForce && by.Kind != fact.Process
	if needed != (authorizedBy != "") || authorizedBy == by.ID || (needed && (authorizedBy != a.Second.ID || a.Second.Kind != fact.Person)) {
		t.Fatalf("%+v changed what was approved, authorized by %q of %+v", by, authorizedBy, a)
	}
}

// series is the model of one key: what its events, counted by hand, come to.
type series struct {
	version int
	living  *indicator.MeasurementRecorded
}

func TestNoSequenceOfCommandsBreaksTheRules(t *testing.T) {
	counts := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var s indicator.State
		keys := map[string]*series{}
		used := map[string]bool{}
		status := indicator.Unknown
		retired := false
		for range rapid.SampledFrom([]int{60, 30, 10}).Draw(t, "steps") {
			by := actor(rapid.SampledFrom([]fact.Kind{fact.Person, fact.Person, fact.Person, fact.Source, fact.Process, ""}).Draw(t, "kind"), rapid.IntRange(1, 3).Draw(t, "who"),
				rapid.SampledFrom([][]string{{authz.Author, authz.IndicatorOwner}, {authz.Author, authz.IndicatorOwner}, {authz.Author}, {authz.IndicatorOwner}, nil}).Draw(t, "roles")...)
			var c indicator.Command
			if rapid.Bool().Draw(t, "fits") {
				c = likely(t, s)
			} else {
				c = anything(t)
			}
			events, err := indicator.Decide(s, by, c)
			again, errAgain := indicator.Decide(s, by, c)
			if diff := cmp.Diff(events, again); diff != "" || fmt.Sprint(err) != fmt.Sprint(errAgain) {
				t.Fatalf("deciding twice differs: %s %v %v", diff, err, errAgain)
			}
			if err != nil {
				var f *fault.Fault
				if !errors.As(err, &f) || f.Rule == "" || f.Detail == "" || len(events) > 0 {
					t.Fatalf("%T is refused by %v with %d events", c, err, len(events))
				}
				continue
			}
			if retired {
				t.Fatalf("%T was accepted after retirement", c)
			}
			for i, e := range events {
				counts[fmt.Sprintf("%T", e)]++
				key := func(p calendar.Period, d indicator.Dims, version int) *series {
					k := keys[indicator.Key(p, d)]
					if k == nil {
						k = &series{}
						keys[indicator.Key(p, d)] = k
					}
					if k.version++; version != k.version {
						t.Fatalf("%T has key version %d, want %d", e, version, k.version)
					}
					return k
				}
				switch e := e.(type) {
				case indicator.MeasurementRecorded:
					k := key(e.Period, e.Dims, e.KeyVersion)
					if k.living != nil || used[e.MeasurementID] {
						t.Fatalf("a second living value of a key, or a used id: %+v", e)
					}
					k.living, used[e.MeasurementID] = &e, true
				case indicator.MeasurementCorrected:
					k := key(e.Period, e.Dims, e.KeyVersion)
					if k.living == nil || k.living.MeasurementID != e.MeasurementID || k.living.Reading != e.Old {
						t.Fatalf("corrected something else than the living value: %+v, %+v", e, k.living)
					}
					k.living = &indicator.MeasurementRecorded{MeasurementID: e.MeasurementID, Reading: e.New}
				case indicator.MeasurementVoided:
					k := key(e.Period, e.Dims, e.KeyVersion)
					if k.living == nil || k.living.MeasurementID != e.MeasurementID || k.living.Reading != e.Old {
						t.Fatalf("voided something else than the living value: %+v, %+v", e, k.living)
					}
					k.living = nil
				case indicator.TargetSet:
					second(t, by, c.(indicator.SetTarget).Authorization, e.AuthorizedBy)
				case indicator.Redefined:
					switch c := c.(type) {
					case indicator.RedefineIndicator:
						second(t, by, c.Authorization, e.AuthorizedBy)
					case indicator.RelinkIndicator:
						second(t, by, c.Authorization, e.AuthorizedBy)
						if e.ComparabilityBreak {
							t.Fatal("a relinking ends comparability")
						}
					}
				case indicator.HealthChanged:
					if e.From != status || e.From == e.To || i != len(events)-1 || i == 0 {
						t.Fatalf("health goes from %s to %s as event %d, was %s", e.From, e.To, i, status)
					}
					status = e.To
				case indicator.Retired:
					retired = true
				}
				s = s.Apply(by, e)
			}
			if !retired && (s.Health().Status != s.Status || s.Status != status) {
				t.Fatalf("after %T the health is %s, announced %s", c, s.Health().Status, status)
			}
			living := 0
			for k, m := range keys {
				if m.living == nil {
					continue
				}
				living++
				got, ok := s.LiveByID(m.living.MeasurementID)
				if !ok || got.Reading != m.living.Reading || got.KeyVersion != m.version || indicator.Key(got.Period, got.Dims) != k {
					t.Fatalf("key %s: %+v, want %+v at version %d", k, got, m.living, m.version)
				}
			}
			if n := len(s.Measurements()); n != living {
				t.Fatalf("%d living measurements, want %d", n, living)
			}
		}
	})
	for _, e := range []indicator.Event{
		indicator.Defined{},
		indicator.Redefined{},
		indicator.TargetSet{},
		indicator.MeasurementRecorded{},
		indicator.MeasurementCorrected{},
		indicator.MeasurementVoided{},
		indicator.HealthChanged{},
		indicator.Retired{},
	} {
		if counts[fmt.Sprintf("%T", e)] == 0 {
			t.Errorf("no sequence got as far as %T: the test shows nothing about it", e)
		}
	}
}

func TestOldStatesStay(t *testing.T) {
	before := state(defined(scores), recorded(m1, 2020, "1"), recorded(m2, 2022, "3"))
	want := before.Health()
	for _, e := range []past{
		recorded(m3, 2021, "2"), voided(m2, 2022, "3"), target(2022, "9"),
		{By: ann, Event: indicator.MeasurementCorrected{MeasurementID: m2, KeyVersion: 2, Period: year(2022), New: number("8")}},
	} {
		before.Apply(e.By, e.Event)
		if diff := cmp.Diff(want, before.Health()); diff != "" || len(before.Measurements()) != 2 {
			t.Errorf("%T changed the state it was applied to:\n%s", e.Event, diff)
		}
	}
}

// The whole of a real report: a hundred indicators of 23 years each.
func BenchmarkDecideAndApply(b *testing.B) {
	by := olga
	by.At = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		s := state(defined(scores), target(2000, "6"))
		for y := range 23 {
			events, err := indicator.Decide(s, by, indicator.RecordMeasurement{
				MeasurementID: id("measurement", y), Period: year(2000 + y), Value: indicator.Stated{Number: "6.02"},
			})
			if err != nil {
				b.Fatal(err)
			}
			for _, e := range events {
				s = s.Apply(by, e)
			}
		}
	}
}
