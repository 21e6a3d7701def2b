package indicator_test

import (
	"fmt"
	"strconv"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/internal/decidertest"
	"strata.dev/strata/domain/quantity"
)

var decider = decidertest.Decider[indicator.State, indicator.Command, indicator.Event]{
	Decide: indicator.Decide,
	Apply:  indicator.State.Apply,
}

type (
	past = decidertest.Past[indicator.Event]
	spec = decidertest.Case[indicator.Command, indicator.Event]
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// id makes a valid id that says what it is.
func id(kind string, n int) string {
	return fmt.Sprintf("%08x-0000-7000-8000-%012d", kind[0], n)
}

var (
	subject   = id("indicator", 1)
	plan      = id("strategy", 1)
	objective = id("objective", 1)
	m1        = id("measurement", 1)
	m2        = id("measurement", 2)
	m3        = id("measurement", 3)
)

func actor(kind fact.Kind, n int, roles ...string) fact.Actor {
	return fact.Actor{ID: id("person", n), Kind: kind, Roles: roles, At: now}
}

var (
	ann    = actor(fact.Person, 1, authz.Author)
	olga   = actor(fact.Person, 2, authz.IndicatorOwner)
	source = actor(fact.Source, 3)
)

// countersigner is a second person who may approve, and has signed just now.
var countersigner = fact.Second{
	ID: id("person", 8), Kind: fact.Person, Roles: []string{authz.Approver}, SamePerson: []string{id("person", 88)},
	AuthAt: now.Add(-6 * time.Minute), SignedAt: now.Add(-2 * time.Minute),
}

// scores is an indicator as Albania.xml has them.
var scores = indicator.Definition{
	Name: "Procedural Justice", Unit: "Score", Type: indicator.Quantitative, Direction: indicator.Increase,
	Frequency: calendar.Year, Tolerance: indicator.Tolerance{AtRisk: "0", OffTrack: "0.1"},
}

func defined(d indicator.Definition) past {
	return past{By: ann, Event: indicator.Defined{IndicatorID: subject, StrategyID: plan, ObjectiveID: objective, Definition: d}}
}

func year(y int) calendar.Period {
	s := strconv.Itoa(y)
	return calendar.Period{Start: calendar.Date(s + "-01-01"), End: calendar.Date(s + "-12-31")}
}

func number(original string) indicator.Reading {
	n, _ := quantity.Parse(original)
	return indicator.Reading{Value: n, OriginalText: original}
}

func target(y int, original string) past {
	return past{By: ann, Event: indicator.TargetSet{Period: year(y), Reading: number(original), Reason: "r"}}
}

func recorded(id string, y int, original string) past {
	return past{By: olga, Event: indicator.MeasurementRecorded{MeasurementID: id, KeyVersion: 1, Period: year(y), Reading: number(original)}}
}

func voided(id string, y int, original string) past {
	return past{By: olga, Event: indicator.MeasurementVoided{MeasurementID: id, KeyVersion: 2, Period: year(y), Old: number(original), Reason: "r"}}
}

func health(to indicator.Status) past { return past{By: ann, Event: indicator.HealthChanged{To: to}} }

func state(events ...past) indicator.State { return decider.Fold(events) }

func reading(r indicator.Reading) *indicator.Reading { return &r }
