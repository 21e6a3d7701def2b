package process

import "strata.dev/strata/domain/source"

// LeaverFacts is what Leaver asks about a member who was offboarded.
type LeaverFacts struct {
	MemberID string
	Findings []Finding      // that they owned
	Sources  []source.State // that they stewarded
}

// Leaver names what was a member's to do, so that somebody else is found for
// it: findings that are not over, and sources. Nothing is assigned by itself,
// and what they approved stays approved.
//
// Cause: the member was offboarded.
func Leaver(_ Cause, f LeaverFacts) (d Decision) {
	for _, known := range f.Findings {
		if known.OwnerID == f.MemberID && known.Live() {
			d.Reminders = append(d.Reminders, Reminder{Kind: FindingOwnerLeft, Subject: Subject{"finding", known.ID}, MemberID: f.MemberID})
		}
	}
	for _, s := range f.Sources {
		if s.Registered() && s.StewardID == f.MemberID {
			d.Reminders = append(d.Reminders, Reminder{Kind: SourceStewardLeft, Subject: Subject{"source", s.ID}, MemberID: f.MemberID})
		}
	}
	return d
}
