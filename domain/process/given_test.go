package process_test

import (
	"strings"
	"testing"
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/quantity"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/strategy"
)

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	machine = fact.Actor{ID: "process", Kind: fact.Process, At: noon}
	person  = fact.Actor{ID: id("person"), Kind: fact.Person, At: noon}
)

// id makes a UUID that shows what it is of.
func id(name string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			b.WriteByte('-')
		}
		n := i * 7
		for _, c := range name {
			n = n*31 + int(c)
			n &= 0xffff
		}
		b.WriteByte(hex[(n>>3)%16])
	}
	return b.String()
}

func cause(position int64) process.Cause {
	return process.Cause{
		OrganizationID: id("org"), Position: position, At: noon,
		Derive: func(names ...string) string { return id(strings.Join(names, "/")) },
	}
}

func policy() organization.Policy { return organization.DefaultPolicy() }

// planned is an objective of a plan: its id is id(name), its identifier may be "".
type planned struct{ name, identifier string }

// inForce is a strategy with one revision in force since a position.
func inForce(name string, at int64, objectives ...planned) process.Strategy {
	s := process.Strategy{State: preparing(name, objectives...)}
	s.State = s.Apply(person, strategy.Activated{Revision: 1, ContentHash: "hash", EffectiveFrom: "2026-01-01"})
	s.InForceAt, s.ActiveSince = at, noon
	return s
}

func preparing(name string, objectives ...planned) strategy.State {
	var s strategy.State
	s = s.Apply(person, strategy.Drafted{StrategyID: id(name), LineageKey: id("lineage"), Frame: strategy.Frame{Name: name}})
	s = s.Apply(person, strategy.GoalAdded{GoalID: id(name + "/goal"), Name: "Goal"})
	for _, o := range objectives {
		s = s.Apply(person, strategy.ObjectiveAdded{ObjectiveID: id(o.name), GoalID: id(name + "/goal"), Identifier: o.identifier, Name: o.name})
	}
	return s
}

func held(s process.Strategy, blockers ...strategy.Blocker) process.Strategy {
	for _, b := range blockers {
		s.State = s.Apply(machine, strategy.PutOnHold{Blocker: b, Reason: "r"})
	}
	return s
}

func closed(s process.Strategy, successor string) process.Strategy {
	e := strategy.Closed{Outcome: strategy.Abandoned, Reason: "r"}
	if successor != "" {
		e = strategy.Closed{Outcome: strategy.Superseded, SuccessorID: successor, Reason: "r"}
	}
	s.State, s.SuccessorID = s.Apply(person, e), successor
	return s
}

// measured is an indicator with one target and one value, and the health that follows.
func measured(name, strategyID, objectiveID, target, value string) indicator.State {
	period := calendar.Period{Start: "2025-01-01", End: "2025-12-31"}
	s := indicator.State{}.Apply(person, indicator.Defined{
		IndicatorID: id(name), StrategyID: strategyID, ObjectiveID: objectiveID, Definition: indicator.Definition{
			Name: name, Unit: "%", Type: indicator.Quantitative, Direction: indicator.AtLeast, Frequency: calendar.Year,
			Tolerance: indicator.Tolerance{AtRisk: "0", OffTrack: "0.1"}, OwnerID: id("owner"),
		},
	})
	if value == "" {
		return s
	}
	s = s.Apply(person, indicator.TargetSet{Period: period, Reading: indicator.Reading{Value: quantity.Number(target)}})
	s = s.Apply(person, indicator.MeasurementRecorded{MeasurementID: id(name + "/m"), KeyVersion: 1, Period: period, Reading: indicator.Reading{Value: quantity.Number(value)}})
	return s.Apply(person, indicator.HealthChanged{From: indicator.Unknown, To: s.Health().Status, Period: period})
}

// raised is a finding about strategies, open.
func raised(name string, s severity.Severity, strategyIDs ...string) process.Finding {
	e := finding.Raised{FindingID: id(name), Kind: finding.MajorNC, Severity: s, Title: name, Origin: finding.FromAudit}
	for _, strategyID := range strategyIDs {
		e.Subjects = append(e.Subjects, finding.Subject{Type: "strategy", ID: strategyID})
	}
	return process.Finding{State: finding.State{}.Apply(person, e)}
}

func assigned(f process.Finding, due calendar.Date) process.Finding {
	f.State = f.Apply(person, finding.Assigned{OwnerID: id("owner"), DueDate: due})
	return f
}

func acceptedUntil(f process.Finding, day calendar.Date, at int64) process.Finding {
	f.State, f.SettledAt = f.Apply(person, finding.RiskAccepted{ExpiresOn: day}), at
	return f
}

func ended(f process.Finding, at int64) process.Finding {
	f.State, f.EndedAt, f.SettledAt = f.Apply(person, finding.Closed{Resolution: finding.Dismissed}), at, at
	return f
}

// names lists what a decision does, in order.
func names(d process.Decision) (all []string) {
	for _, s := range d.Steps {
		all = append(all, s.Name)
	}
	for _, t := range d.Timers {
		all = append(all, "set "+string(t.Kind)+" "+t.DueAt.Format(time.RFC3339))
	}
	for _, k := range d.Cancel {
		all = append(all, "cancel "+string(k.Kind))
	}
	for _, r := range d.Reminders {
		all = append(all, "remind "+string(r.Kind)+" of "+r.Subject.String())
	}
	return all
}

func expect(t *testing.T, d process.Decision, want ...string) {
	t.Helper()
	if got := names(d); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("decided:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}
