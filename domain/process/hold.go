package process

import (
	"fmt"
	"slices"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
)

// HoldFacts is what Hold and Release ask about a finding.
type HoldFacts struct {
	Finding    Finding
	Policy     organization.Policy
	Strategies []Strategy         // those among its subjects
	Blockers   map[string]Finding // other findings that block one of them, by id
}

// Hold puts the strategies that a grave finding is about on hold: those in
// force, and those on hold for another reason, which then have one more. A
// strategy that is not in force is left alone until it comes into force.
//
// Causes: the finding was raised, returned or reclassified; one of the
// strategies came into force.
func Hold(_ Cause, f HoldFacts) (d Decision) {
	if !f.Finding.blocks(f.Policy) {
		return d
	}
	blocker := strategy.Blocker{Kind: strategy.ByFinding, Ref: f.Finding.ID}
	for _, s := range f.Strategies {
		if !s.governs() || slices.Contains(s.Blockers, blocker) {
			continue
		}
		d.Steps = append(d.Steps, Step{Name: "hold:" + s.ID + ":" + f.Finding.ID, Target: s.ID, Command: strategy.PutStrategyOnHold{
			Blocker: blocker,
			Reason:  fmt.Sprintf("Finding %s of severity %s is open; the policy holds strategies from %s.", f.Finding.ID, f.Finding.Severity, f.Policy.AutoHoldSeverity),
		}})
	}
	return d
}

// Release ends the hold of strategies whose last blocking finding is settled:
// where the policy says so and no order stands, at once; else a compliance
// officer is told. Of several findings that block one strategy the one settled
// last does it, and of several events that settle one finding the last.
//
// Causes: the finding was closed, its risk accepted, or its severity lowered.
func Release(c Cause, f HoldFacts) (d Decision) {
	if !f.Finding.Exists() || f.Finding.blocks(f.Policy) || f.Finding.SettledAt > c.Position {
		return d
	}
	blocker := strategy.Blocker{Kind: strategy.ByFinding, Ref: f.Finding.ID}
	for _, s := range f.Strategies {
		if s.Phase != strategy.OnHold || !slices.Contains(s.Blockers, blocker) {
			continue
		}
		d = d.And(f.release(c, s))
	}
	return d
}

func (f HoldFacts) release(c Cause, s Strategy) (d Decision) {
	ordered := false
	for _, b := range s.Blockers {
		if b.Kind != strategy.ByFinding {
			ordered = true
			continue
		}
		if b.Ref == f.Finding.ID {
			continue
		}
		if other := f.Blockers[b.Ref]; other.blocks(f.Policy) || other.SettledAt > c.Position {
			return d // when that one is settled
		}
	}
	if ordered || !f.Policy.AutoResume {
		d.Reminders = []Reminder{{Kind: StrategyResumable, Subject: Subject{"strategy", s.ID}}}
		return d
	}
	d.Steps = []Step{{Name: "resume:" + s.ID, Target: s.ID, Command: strategy.ResumeStrategy{
		Reason: fmt.Sprintf("Finding %s, the last that blocked the strategy, is settled.", f.Finding.ID),
	}}}
	return d
}

// blocks says whether the finding keeps strategies on hold: it is neither closed
// nor accepted, and as severe as the policy asks.
func (f Finding) blocks(p organization.Policy) bool {
	return f.Live() && p.AutoHoldSeverity.Rank() > 0 && f.Severity.Rank() >= p.AutoHoldSeverity.Rank()
}

// Raises says whether a reclassification may put a strategy on hold.
func Raises(e finding.Reclassified) bool { return e.Severity.Rank() > e.OldSeverity.Rank() }

// Lowers says whether a reclassification may end a hold.
func Lowers(e finding.Reclassified) bool { return e.Severity.Rank() < e.OldSeverity.Rank() }
