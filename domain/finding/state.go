package finding

import (
	"slices"
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/severity"
)

// Stage is where a finding is on its way.
type Stage string

// The stages; "" if it was never raised.
const (
	Open      Stage = "open"
	Owned     Stage = "assigned"
	Planned   Stage = "planned"
	Submitted Stage = "submitted"
	Accepted  Stage = "accepted"
	Ended     Stage = "closed"
)

// State is what its events say about a finding; zero if it was never raised.
type State struct {
	ID        string
	Stage     Stage
	Kind      Kind
	Severity  severity.Severity
	Origin    Origin
	Subjects  []Subject
	DedupeKey string
	RaisedBy  string
	OwnerID   string // "" until assigned
	DueDate   calendar.Date
	ExpiresOn calendar.Date // of the acceptance, while accepted

	turnedAt   time.Time // when it was last accepted, returned or reclassified
	actions    []string  // ids of the present plan
	submitters []string  // persons who submitted a remediation, ever; sorted
	owners     []string  // persons who owned it, ever; sorted
}

// Exists says whether the finding was raised.
func (s State) Exists() bool { return s.ID != "" }

// Live says whether the finding is not over: neither closed nor accepted.
func (s State) Live() bool { return s.Exists() && s.Stage != Ended && s.Stage != Accepted }

// Overdue says whether the finding should be over by a day, and is not.
func (s State) Overdue(on calendar.Date) bool { return s.Live() && s.DueDate != "" && s.DueDate < on }

// Apply folds one event into the state. It cannot refuse: an event is a fact.
// The state it is called on stays as it was.
func (s State) Apply(by fact.Actor, e Event) State {
	switch e.(type) {
	case Reclassified, RiskAccepted, ReturnedToWork:
		s.turnedAt = by.At
	}
	switch e := e.(type) {
	case Raised:
		s = State{
			ID: e.FindingID, Stage: Open, Kind: e.Kind, Severity: e.Severity, Origin: e.Origin,
			Subjects: e.Subjects, DedupeKey: e.DedupeKey, RaisedBy: by.ID,
		}
	case Assigned:
		s.OwnerID, s.DueDate = e.OwnerID, e.DueDate
		s.owners = with(s.owners, e.OwnerID)
		if s.Stage == Open {
			s.Stage = Owned // a plan outlives who made it; the new owner may make another
		}
	case Reclassified:
		if s.Stage == Accepted && e.Severity.Rank() > s.Severity.Rank() {
			s = s.back()
		}
		s.Severity, s.Kind = e.Severity, e.Kind
	case RemediationPlanned:
		s.Stage, s.DueDate, s.actions = Planned, e.DueDate, nil
		for _, a := range e.Actions {
			s.actions = append(s.actions, a.ID)
		}
	case RemediationSubmitted:
		s.Stage = Submitted
		s.submitters = with(s.submitters, by.ID)
	case RiskAccepted:
		s.Stage, s.ExpiresOn = Accepted, e.ExpiresOn
	case ReturnedToWork:
		if s.Stage == Submitted {
			s.Stage = Planned
		} else {
			s = s.back()
		}
	case Closed:
		s.Stage, s.ExpiresOn = Ended, ""
	}
	return s
}

// back is where a finding goes on that was closed or accepted.
func (s State) back() State {
	s.Stage, s.ExpiresOn, s.actions = Owned, "", nil
	if s.OwnerID == "" {
		s.Stage = Open
	}
	return s
}

// with gives the sorted list with id as a slice of its own.
func with(ids []string, id string) []string {
	if slices.Contains(ids, id) {
		return ids
	}
	all := append(slices.Clip(ids), id)
	slices.Sort(all)
	return all
}
