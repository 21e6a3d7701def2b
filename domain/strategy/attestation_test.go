package strategy_test

import (
	"testing"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
)

var errInvalid = refusal.Invalid

func TestAttesting(t *testing.T) {
	with := func(change func(*strategy.AttestPeriod)) strategy.AttestPeriod {
		c := attestation
		change(&c)
		return c
	}
	attested := func(who fact.Actor, p calendar.Period) []strategy.Event {
		return []strategy.Event{strategy.PeriodAttested{
			Period: p, Statement: attestation.Statement, AttesterID: who.ID, Revision: 1, ContentHash: hash, IndicatorDigest: digest, LogPosition: 99, HeadHash: digest,
		}}
	}
	stale := person(3, authz.Approver)
	stale.AuthAt = now.Add(-6 * time.Minute)
	dawn := calendar.Period{Start: "2026-03-01", End: "2026-03-02"} // over tomorrow, and today in Kiritimati
	decider.Run(t, []spec{
		{Name: "by an approver", Given: inForce, By: carla, When: attestation, Then: attested(carla, attestation.Period)},
		{
			Name: "by one who measured nothing", Given: inForce, By: carla,
			When: with(func(c *strategy.AttestPeriod) { c.Measurers = []string{ann.ID, dirk.ID} }), Then: attested(carla, attestation.Period),
		},
		{Name: "as soon as it is over anywhere", Given: inForce, By: carla, When: with(func(c *strategy.AttestPeriod) { c.Period = dawn }), Then: attested(carla, dawn)},
		{
			Name: "of the revision in force, whatever is being worked on", Given: history(reopened, by(bob, strategy.GoalAdded{GoalID: goal2, Name: "x"})), By: carla,
			When: attestation, Then: attested(carla, attestation.Period),
		},
		{Name: "S10: not by one who measured", Given: inForce, By: carla, When: with(func(c *strategy.AttestPeriod) { c.Measurers = []string{ann.ID, carla.ID} }), Refused: strategy.ErrOwnMeasurements},
		{
			Name: "S10: not under another id", Given: inForce, By: carla,
			When: with(func(c *strategy.AttestPeriod) { c.Measurers, c.SamePerson = []string{ann.ID}, []string{ann.ID} }), Refused: strategy.ErrOwnMeasurements,
		},
		{Name: "S11: not with an old sign-in", Given: inForce, By: stale, When: attestation, Refused: authz.ErrNotSigned},
		{Name: "S11: not without a meaning", Given: inForce, By: carla, When: with(func(c *strategy.AttestPeriod) { c.Meaning = strategy.Business }), Refused: errInvalid},
		{Name: "S12: not by a process", Given: inForce, By: machine(fact.Process), When: attestation, Refused: strategy.ErrMachine},
		{Name: "S12: not by a source", Given: inForce, By: machine(fact.Source), When: attestation, Refused: strategy.ErrMachine},
		{Name: "not with indicators off track and no finding", Given: inForce, By: carla, When: with(func(c *strategy.AttestPeriod) { c.Unexplained = []string{id("indicator", 1)} }), Refused: strategy.ErrUnexplained},
		{Name: "not before it is over", Given: inForce, By: carla, When: with(func(c *strategy.AttestPeriod) { c.Period.End = "2026-03-03" }), Refused: strategy.ErrPeriodOpen},
		{Name: "not without saying what", Given: inForce, By: carla, When: with(func(c *strategy.AttestPeriod) { c.Statement = " " }), Refused: errInvalid},
		{Name: "not of no period", Given: inForce, By: carla, When: with(func(c *strategy.AttestPeriod) { c.Period.End = "2024-12-31" }), Refused: errInvalid},
		{Name: "not by a compliance officer", Given: inForce, By: eva, When: attestation, Refused: authz.ErrRole},
	})
}

func TestReplacing(t *testing.T) {
	other, third := id("plan", 2), id("plan", 3)
	amend := func(to string, more ...strategy.Edit) strategy.AmendFrame {
		return strategy.AmendFrame{Edits: append([]strategy.Edit{{Field: "replaces", New: strategy.Text(to)}}, more...), Reason: "succession"}
	}
	amended := func(changes ...strategy.Change) []strategy.Event {
		return []strategy.Event{strategy.PlanElementAmended{ElementKind: strategy.FrameElement, ElementID: plan, Changes: changes, Reason: "succession"}}
	}
	set := history(withPlan, by(ann, amended(strategy.Change{Field: "replaces", New: strategy.Text(other)})...))
	decider.Run(t, []spec{
		{Name: "set in the first draft", Given: withPlan, By: ann, When: amend(other), Then: amended(strategy.Change{Field: "replaces", New: strategy.Text(other)})},
		{
			Name: "with other fields", Given: withPlan, By: ann, When: amend(other, strategy.Edit{Field: "vision", New: strategy.Text("v")}),
			Then: amended(strategy.Change{Field: "replaces", New: strategy.Text(other)}, strategy.Change{Field: "vision", New: strategy.Text("v")}),
		},
		{Name: "changed", Given: set, By: ann, When: amend(third), Then: amended(strategy.Change{Field: "replaces", Old: strategy.Text(other), New: strategy.Text(third)})},
		{Name: "cleared", Given: set, By: ann, When: amend(""), Then: amended(strategy.Change{Field: "replaces", Old: strategy.Text(other)})},
		{Name: "not itself", Given: withPlan, By: ann, When: amend(plan), Refused: strategy.ErrReplacesItself},
		{Name: "not something else", Given: withPlan, By: ann, When: amend("the old plan"), Refused: errInvalid},
		{Name: "not once submitted", Given: submitted, By: ann, When: amend(other), Refused: strategy.ErrFrozen},
		{Name: "not once in force", Given: reopened, By: ann, When: amend(other), Refused: strategy.ErrReplacesLate},
	})
	t.Run("is part of what is approved", func(t *testing.T) {
		if s := decider.Fold(set); s.Replaces != other || s.ContentHash(digest) == hash {
			t.Errorf("replaces %q under content hash %s", s.Replaces, s.ContentHash(digest))
		}
	})
}
