package process

import (
	"fmt"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/source"
)

// Source is a source as it is now, and where in the log that was decided.
type Source struct {
	source.State
	ChangedAt   int64           // position of its last registration, suspension or reinstatement
	SuspendedBy map[string]bool // ids of the events that suspensions cite as their cause
}

// RejectionFacts is what Rejections asks about a source.
type RejectionFacts struct {
	Source            Source
	Policy            organization.Policy
	EventID           string // of the cause
	StewardCanRespond bool   // the steward may be assigned a finding
	Findings          []Finding
}

// RejectionKey is the dedupe key of findings about a source's refused messages.
func RejectionKey(sourceID string) string { return "rejections:" + sourceID }

// Rejections suspends a source of which more messages were refused within an
// hour than the policy lets pass, raises a finding and assigns it to the
// source's steward. A rejection from before the source was last reinstated is
// no reason any more: whoever reinstated it knew of it. Imports are no sources:
// persons answer for them.
//
// Cause: a message was refused.
func Rejections(c Cause, f RejectionFacts) (d Decision) {
	if !TooMany(c, f) {
		return d
	}
	s, threshold := f.Source, f.Policy.RejectionSuspendThreshold
	if !s.SuspendedBy[f.EventID] { // else it goes on where it stopped
		d.Steps = []Step{{Name: "suspend", Target: s.ID, Command: source.SuspendSource{
			Reason: fmt.Sprintf("More than %d messages were refused within an hour.", threshold),
		}}}
	}
	id := c.Derive("finding", s.ID)
	for _, known := range f.Findings {
		if known.Stage != finding.Ended {
			if known.Stage == finding.Open && known.OwnerID == "" {
				d = d.And(f.assign(known.ID, known.ID == id))
			}
			return d
		}
		if known.EndedAt > c.Position {
			return d
		}
	}
	d.Steps = append(d.Steps, Step{Name: "raise", Target: id, Command: finding.RaiseFinding{
		FindingID: id, Kind: finding.MajorNC, Severity: severity.High, Origin: finding.FromIngest,
		Title:     clip("Suspended: source " + s.Name),
		Condition: fmt.Sprintf("More than %d messages of the source were refused within an hour; it may send nothing until it is reinstated.", threshold),
		Criteria:  fmt.Sprintf("The policy lets %d refused messages per hour pass.", threshold),
		Subjects:  []finding.Subject{{Type: "source", ID: s.ID}},
		DedupeKey: RejectionKey(s.ID),
	}})
	return d.And(f.assign(id, true))
}

// TooMany says whether the cause is the rejection that suspends, or has suspended,
// its source. Of the facts it takes source, policy and event.
func TooMany(c Cause, f RejectionFacts) bool {
	s := f.Source
	if !s.Registered() {
		return false
	}
	return s.SuspendedBy[f.EventID] ||
		s.Status == source.Active && s.ChangedAt < c.Position && s.Rejections(c.At) > f.Policy.RejectionSuspendThreshold
}

func (f RejectionFacts) assign(findingID string, own bool) (d Decision) {
	switch {
	case f.StewardCanRespond:
		d.Steps = []Step{{Name: "assign", Target: findingID, Command: finding.AssignFinding{OwnerID: f.Source.StewardID}}}
	case own:
		d.Reminders = []Reminder{{Kind: FindingUnowned, Subject: Subject{"finding", findingID}}}
	}
	return d
}
