package process

import (
	"fmt"
	"strings"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/strategy"
)

// SuccessionFacts is what Succession asks about a strategy that came into force.
type SuccessionFacts struct {
	Strategy   Strategy
	Replaced   Strategy          // zero if it replaces none
	Indicators []indicator.State // of the replaced one
	Rivals     []Strategy        // others of the same lineage
}

// Succession follows a strategy that comes into force for the first time.
//
// If it replaces another one, that one's indicators go on under the objectives
// with the same identifier, the rest is retired, and the replaced strategy is
// closed as superseded; last, so that whoever reads the log again after a crash
// sees what is left to do. Open findings stay with the strategy they are about.
// A replaced strategy that somebody has closed otherwise is left alone.
//
// If another strategy of its lineage is in force that it does not replace, the
// newer one of the two goes on hold, with a finding about both.
func Succession(c Cause, f SuccessionFacts) Decision {
	if !f.Strategy.governs() || f.Strategy.InForceAt != c.Position {
		return Decision{}
	}
	return f.replace().And(f.conflict(c))
}

func (f SuccessionFacts) replace() (d Decision) {
	old, next := f.Replaced, f.Strategy
	switch {
	case !old.Exists() || old.ID == next.ID:
		return d
	case old.Phase == strategy.Ended && old.SuccessorID != next.ID:
		return d
	case !old.HasInForce():
		d.Reminders = []Reminder{{Kind: SuccessionOpen, Subject: Subject{"strategy", old.ID}}}
		return d
	}
	under := objectivesByIdentifier(next.InForce.Plan)
	for _, i := range f.Indicators {
		if i.Retired || i.StrategyID != old.ID {
			continue
		}
		if id, ok := under[f.identifierOf(i)]; ok {
			d.Steps = append(d.Steps, Step{Name: "relink:" + i.ID, Target: i.ID, Command: indicator.RelinkIndicator{
				StrategyID: next.ID, ObjectiveID: id,
				Reason: fmt.Sprintf("Strategy %s succeeds %s and has this objective, too.", next.ID, old.ID),
			}})
			continue
		}
		d.Steps = append(d.Steps, Step{Name: "retire:" + i.ID, Target: i.ID, Command: indicator.RetireIndicator{
			Reason: fmt.Sprintf("Strategy %s succeeds %s and has no such objective.", next.ID, old.ID),
		}})
	}
	if old.Phase != strategy.Ended {
		d.Steps = append(d.Steps, Step{Name: "close:" + old.ID, Target: old.ID, Command: strategy.CloseStrategy{
			Outcome: strategy.Superseded, SuccessorID: next.ID, Reason: fmt.Sprintf("Strategy %s, which replaces it, is in force.", next.ID),
		}})
	}
	return d
}

// identifierOf is the identifier of the objective an indicator is under, in the
// form in which identifiers are compared; "" if it has none, or is no part of
// the plan in force.
func (f SuccessionFacts) identifierOf(i indicator.State) string {
	o, ok := f.Replaced.InForce.Plan.Objective(i.ObjectiveID)
	if !ok {
		return ""
	}
	return compared(o.Identifier)
}

// objectivesByIdentifier are the objectives that an identifier names. One that
// two objectives have names none.
func objectivesByIdentifier(p strategy.Plan) map[string]string {
	ids := map[string]string{}
	twice := map[string]bool{"": true}
	for _, o := range p.Objectives("") {
		key := compared(o.Identifier)
		if _, known := ids[key]; known {
			twice[key] = true
		}
		ids[key] = o.ID
	}
	for key := range twice {
		delete(ids, key)
	}
	return ids
}

// compared is an identifier as documents of the same plan agree on it: a UUID
// may have an underscore in front, which makes it an xs:ID, and be in capitals.
func compared(identifier string) string {
	identifier = strings.TrimSpace(identifier)
	if id := strings.ToLower(strings.TrimPrefix(identifier, "_")); ident.Valid(id) {
		return id
	}
	return identifier
}

func (f SuccessionFacts) conflict(c Cause) (d Decision) {
	newer := f.Strategy
	for _, rival := range f.Rivals {
		if rival.ID == newer.ID || rival.ID == f.Replaced.ID || !rival.governs() || rival.InForceAt >= newer.InForceAt {
			continue
		}
		id := c.Derive("finding", newer.ID, rival.ID)
		d.Steps = append(d.Steps,
			Step{Name: "hold:" + rival.ID, Target: newer.ID, Command: strategy.PutStrategyOnHold{
				Blocker: strategy.Blocker{Kind: strategy.ByOrder, Ref: "lineage of " + rival.ID},
				Reason:  fmt.Sprintf("Strategy %s of the same lineage is in force, and this one does not replace it.", rival.ID),
			}},
			Step{Name: "raise:" + rival.ID, Target: id, Command: finding.RaiseFinding{
				FindingID: id, Kind: finding.MajorNC, Severity: severity.High, Origin: finding.FromCompliance,
				Title:     "Two strategies of one lineage are in force",
				Condition: fmt.Sprintf("Strategy %s came into force while %s is, without replacing it.", newer.ID, rival.ID),
				Criteria:  "One strategy per lineage is in force; another one replaces it.",
				Subjects: []finding.Subject{
					{Type: "strategy", ID: newer.ID, Revision: newer.InForce.Number},
					{Type: "strategy", ID: rival.ID, Revision: rival.InForce.Number},
				},
				DedupeKey: "lineage:" + newer.ID + ":" + rival.ID,
			}})
	}
	return d
}
