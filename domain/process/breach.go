package process

import (
	"fmt"
	"strings"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
)

// BreachFacts is what Breach asks about one indicator.
type BreachFacts struct {
	Indicator       Indicator
	Strategy        Strategy // that it belongs to now
	Policy          organization.Policy
	OwnerCanRespond bool      // the indicator's owner may be assigned a finding
	Findings        []Finding // with the indicator's BreachKey, closed ones included
}

// BreachKey is the dedupe key of findings about an indicator off track.
func BreachKey(indicatorID string) string { return "breach:" + indicatorID }

// Breach raises a finding about an indicator of a strategy in force that is off
// track, and assigns it to the indicator's owner. There is one at a time: while
// one is open or its risk accepted, nothing is added to it. One that was closed
// after the indicator went off track was closed in view of that, and answers for
// it, too. That the indicator recovers closes nothing: the verifier does.
//
// Causes: the indicator's health changed; its strategy came into force; it came
// to its strategy from another one.
func Breach(c Cause, f BreachFacts) Decision {
	i := f.Indicator
	if !i.Exists() || i.Retired || i.Status != indicator.OffTrack || !f.Strategy.governs() {
		return Decision{}
	}
	id := c.Derive("finding", i.ID)
	for _, known := range f.Findings {
		switch {
		case known.Stage == finding.Ended && known.EndedAt < i.OffTrackAt:
			continue // about an earlier breach
		case known.Stage == finding.Open && known.OwnerID == "":
			return f.assign(known.ID, known.ID == id)
		}
		return Decision{}
	}
	raise := Decision{Steps: []Step{{Name: "raise:" + i.ID, Target: id, Command: f.finding(id)}}}
	return raise.And(f.assign(id, true))
}

// assign gives the finding to the indicator's owner; if they could not respond,
// own findings are nobody's, and that is said.
func (f BreachFacts) assign(findingID string, own bool) (d Decision) {
	switch owner := f.Indicator.Definition.OwnerID; {
	case owner != "" && f.OwnerCanRespond:
		d.Steps = []Step{{Name: "assign:" + f.Indicator.ID, Target: findingID, Command: finding.AssignFinding{OwnerID: owner}}}
	case own:
		d.Reminders = []Reminder{{Kind: FindingUnowned, Subject: Subject{"finding", findingID}}}
	}
	return d
}

func (f BreachFacts) finding(id string) finding.RaiseFinding {
	i, h := f.Indicator, f.Indicator.Health()
	condition := "The indicator is off track."
	if h.Actual != nil {
		condition = fmt.Sprintf("%s for %s: off track, trend %s.", stated(*h.Actual, i.Definition.Unit), h.Period, h.Trend)
	}
	criteria := "The target, within the tolerance of the indicator's definition."
	if h.Target != nil {
		criteria = fmt.Sprintf("Target %s, direction %s, tolerance %s.", stated(*h.Target, i.Definition.Unit), i.Definition.Direction, i.Definition.Tolerance.OffTrack)
	}
	return finding.RaiseFinding{
		FindingID: id, Kind: kindFor(f.Policy.BreachSeverity), Severity: f.Policy.BreachSeverity,
		Title: clip("Off track: " + i.Definition.Name), Condition: clip(condition), Criteria: clip(criteria),
		Subjects: []finding.Subject{
			{Type: "indicator", ID: i.ID},
			{Type: "strategy", ID: i.StrategyID, Revision: f.Strategy.InForce.Number},
		},
		Origin: finding.FromBreach, DedupeKey: BreachKey(i.ID),
	}
}

// kindFor is the kind of a finding that a process raises.
func kindFor(s severity.Severity) finding.Kind {
	if s.Rank() >= severity.High.Rank() {
		return finding.MajorNC
	}
	return finding.MinorNC
}

func stated(r indicator.Reading, unit string) string {
	if !r.Value.Given() {
		return fmt.Sprintf("%q", r.Descriptor)
	}
	return strings.TrimSpace(string(r.Value) + " " + unit)
}

// maxText is what the texts of a finding may hold, in bytes.
const maxText = 4_000

// clip shortens a text that is made of others to what a finding takes.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	const more = " …"
	return strings.ToValidUTF8(s[:maxText-len(more)], "") + more
}
