package indicator_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/refusal"
)

func TestS15(t *testing.T) {
	set := func(second fact.Second) indicator.SetTarget {
		return indicator.SetTarget{
			Period: year(2027), Value: indicator.Stated{Number: "1"}, Reason: "r",
			Authorization: indicator.Authorization{StrategyInForce: true, Second: second},
		}
	}
	with := func(change func(*fact.Second)) indicator.SetTarget {
		second := countersigner
		change(&second)
		return set(second)
	}
	given := []past{defined(scores)}
	process := actor(fact.Process, 9)
	decider.Run(t, []spec{
		{
			Name: "a second person who may approve", Given: given, By: ann, When: set(countersigner),
			Then: []indicator.Event{indicator.TargetSet{Period: year(2027), Reading: number("1"), Reason: "r", AuthorizedBy: countersigner.ID}},
		},
		{
			Name: "who signed yesterday", Given: given, By: ann, When: with(func(s *fact.Second) {
				s.SignedAt, s.AuthAt = now.Add(-24*time.Hour), now.Add(-24*time.Hour-5*time.Minute)
			}),
			Then: []indicator.Event{indicator.TargetSet{Period: year(2027), Reading: number("1"), Reason: "r", AuthorizedBy: countersigner.ID}},
		},
		{Name: "nobody", Given: given, By: ann, When: set(fact.Second{}), Refused: indicator.ErrSecondPerson},
		{Name: "the same person", Given: given, By: ann, When: with(func(s *fact.Second) { s.ID = ann.ID }), Refused: indicator.ErrSecondPerson},
		{Name: "the same person under a former id", Given: given, By: ann, When: with(func(s *fact.Second) { s.SamePerson = []string{ann.ID} }), Refused: indicator.ErrSecondPerson},
		{Name: "somebody who may not approve", Given: given, By: ann, When: with(func(s *fact.Second) { s.Roles = []string{authz.ComplianceOfficer} }), Refused: indicator.ErrSecondPerson},
		{Name: "a machine", Given: given, By: ann, When: with(func(s *fact.Second) { s.Kind = fact.Source }), Refused: indicator.ErrSecondPerson},
		{Name: "who signed too long ago", Given: given, By: ann, When: with(func(s *fact.Second) { s.SignedAt = now.Add(-24*time.Hour - time.Second) }), Refused: indicator.ErrSecondPerson},
		{Name: "who signs tomorrow", Given: given, By: ann, When: with(func(s *fact.Second) { s.SignedAt = now.Add(2 * time.Minute) }), Refused: indicator.ErrSecondPerson},
		{Name: "who had signed in six minutes before", Given: given, By: ann, When: with(func(s *fact.Second) { s.AuthAt = s.SignedAt.Add(-6 * time.Minute) }), Refused: indicator.ErrSecondPerson},
		{
			Name: "for retirement, too", Given: given, By: ann,
			When: indicator.RetireIndicator{Reason: "r", Authorization: indicator.Authorization{StrategyInForce: true}}, Refused: indicator.ErrSecondPerson,
		},
		{
			Name: "not for what follows from a succession", Given: given, By: process,
			When: indicator.RetireIndicator{Reason: "succession", Authorization: indicator.Authorization{StrategyInForce: true}},
			Then: []indicator.Event{indicator.Retired{Reason: "succession"}},
		},
	})
}

func TestRelinking(t *testing.T) {
	other, elsewhere := id("objective", 2), id("strategy", 2)
	given := []past{defined(scores), target(2022, "7"), recorded(m1, 2022, "7"), health(indicator.OnTrack)}
	retired := []past{defined(scores), {By: ann, Event: indicator.Retired{Reason: "r"}}}
	moved := indicator.Change{Field: "objectiveId", Old: indicator.Text(objective), New: indicator.Text(other)}
	succeeded := indicator.Change{Field: "strategyId", Old: indicator.Text(plan), New: indicator.Text(elsewhere)}
	inForce := indicator.Authorization{StrategyInForce: true}
	decider.Run(t, []spec{
		{
			Name: "to another objective", Given: given, By: ann, When: indicator.RelinkIndicator{ObjectiveID: other, Reason: "belongs there"},
			Then: []indicator.Event{indicator.Redefined{Changes: []indicator.Change{moved}, Reason: "belongs there"}},
		},
		{
			Name: "to another strategy", Given: given, By: ann, When: indicator.RelinkIndicator{StrategyID: elsewhere, ObjectiveID: other, Reason: "r"},
			Then: []indicator.Event{indicator.Redefined{Changes: []indicator.Change{succeeded, moved}, Reason: "r"}},
		},
		{
			Name: "with a second person where one is in force", Given: given, By: ann,
			When: indicator.RelinkIndicator{ObjectiveID: other, Reason: "r", Authorization: indicator.Authorization{StrategyInForce: true, Second: countersigner}},
			Then: []indicator.Event{indicator.Redefined{Changes: []indicator.Change{moved}, Reason: "r", AuthorizedBy: countersigner.ID}},
		},
		{
			Name: "by a succession alone", Given: given, By: actor(fact.Process, 9),
			When: indicator.RelinkIndicator{StrategyID: elsewhere, ObjectiveID: other, Reason: "r", Authorization: inForce},
			Then: []indicator.Event{indicator.Redefined{Changes: []indicator.Change{succeeded, moved}, Reason: "r"}},
		},
		{Name: "S15: alone", Given: given, By: ann, When: indicator.RelinkIndicator{ObjectiveID: other, Reason: "r", Authorization: inForce}, Refused: indicator.ErrSecondPerson},
		{Name: "to where it is", Given: given, By: ann, When: indicator.RelinkIndicator{StrategyID: plan, ObjectiveID: objective, Reason: "r"}, Refused: indicator.ErrNothingChanges},
		{Name: "for no reason", Given: given, By: ann, When: indicator.RelinkIndicator{ObjectiveID: other}, Refused: refusal.Invalid},
		{Name: "to nowhere", Given: given, By: ann, When: indicator.RelinkIndicator{Reason: "r"}, Refused: refusal.Invalid},
		{Name: "by its owner", Given: given, By: olga, When: indicator.RelinkIndicator{ObjectiveID: other, Reason: "r"}, Refused: authz.ErrRole},
		{Name: "by a source", Given: given, By: source, When: indicator.RelinkIndicator{ObjectiveID: other, Reason: "r"}, Refused: authz.ErrRole},
		{Name: "once retired", Given: retired, By: ann, When: indicator.RelinkIndicator{ObjectiveID: other, Reason: "r"}, Refused: indicator.ErrRetired},
		{Name: "never defined", By: ann, When: indicator.RelinkIndicator{ObjectiveID: other, Reason: "r"}, Refused: indicator.ErrNotDefined},
	})
	t.Run("takes values, targets and definition along", func(t *testing.T) {
		before := state(given...)
		after := before.Apply(ann, indicator.Redefined{Changes: []indicator.Change{succeeded, moved}, Reason: "r"})
		if after.StrategyID != elsewhere || after.ObjectiveID != other || before.ObjectiveID != objective {
			t.Errorf("at %s/%s, was %s", after.StrategyID, after.ObjectiveID, before.ObjectiveID)
		}
		if diff := cmp.Diff(before.Definition, after.Definition) + cmp.Diff(before.Health(), after.Health()); diff != "" {
			t.Error(diff)
		}
		if digest(before) == digest(after) {
			t.Error("the digest of what an approval covers does not change with the objective")
		}
	})
}

func TestMeasurersOfAPeriod(t *testing.T) {
	otto := actor(fact.Person, 7, authz.IndicatorOwner)
	process := actor(fact.Process, 8)
	s := state(defined(scores), recorded(m1, 2021, "1"), recorded(m2, 2022, "2"),
		past{By: otto, Event: indicator.MeasurementCorrected{MeasurementID: m2, KeyVersion: 2, Period: year(2022), Old: number("2"), New: number("3")}},
		past{By: source, Event: indicator.MeasurementRecorded{MeasurementID: m3, KeyVersion: 1, Period: year(2023), Reading: number("4")}},
		past{By: process, Event: indicator.MeasurementRecorded{MeasurementID: id("measurement", 4), KeyVersion: 1, Period: year(2024), Reading: number("4")}},
		past{By: otto, Event: indicator.MeasurementVoided{MeasurementID: m3, KeyVersion: 2, Period: year(2023), Old: number("4"), Reason: "r"}})
	for _, c := range []struct {
		name string
		p    calendar.Period
		want []string
	}{
		{"who recorded", year(2021), []string{olga.ID}},
		{"who recorded and who corrected", year(2022), []string{olga.ID, otto.ID}},
		{"who voided, and no source", year(2023), []string{otto.ID}},
		{"no process", year(2024), nil},
		{"a part of a period counts", calendar.Period{Start: "2021-12-31", End: "2021-12-31"}, []string{olga.ID}},
		{"all of several years", calendar.Period{Start: "2020-01-01", End: "2024-12-31"}, []string{olga.ID, otto.ID}},
		{"nobody in another year", year(2020), nil},
	} {
		if got := s.Measurers(c.p); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
