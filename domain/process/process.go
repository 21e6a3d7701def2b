package process

import (
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// Names of the processes: the id of the actor in what they record.
const (
	Succeeding  = "succession"
	Holding     = "critical-hold"
	Breaching   = "breach"
	Rejecting   = "rejections"
	Deadlining  = "deadlines"
	Offboarding = "offboarding"
	Verifying   = "log-verification"
)

// Cause is what a process reacts to: a recorded event, or a timer that one has set.
type Cause struct {
	OrganizationID string
	Position       int64     // of the event
	At             time.Time // when it was recorded, UTC

	// Derive gives the id that follows from the cause and names: the same for the
	// same, and another one for everything else.
	Derive func(names ...string) string
}

// Subject is what a timer or a reminder is about.
type Subject struct {
	Type string // finding, indicator, strategy, source, grant
	ID   string
}

// String is the subject as one word: "finding-<id>".
func (s Subject) String() string { return s.Type + "-" + s.ID }

// Step is one append on one aggregate.
type Step struct {
	Name    string // unique among the steps of one cause and process
	Target  string // id of the aggregate; "" = the organization itself
	Command any    // strategy.Command, indicator.Command, finding.Command, source.Command or organization.Command
}

// Reminder says that something waits for somebody. There is one of a kind and
// subject for one cause, whoever decides it how often.
type Reminder struct {
	Kind     ReminderKind
	Subject  Subject
	MemberID string // whom it concerns, if one person
	DueAt    time.Time
}

// ReminderKind says what waits.
type ReminderKind string

// The kinds of reminders.
const (
	AcceptanceExpiring ReminderKind = "acceptance-expiring" // a risk is accepted for a few days more
	FindingOverdue     ReminderKind = "finding-overdue"
	FindingUnowned     ReminderKind = "finding-unowned"     // a process raised it and found nobody who can respond
	FindingOwnerLeft   ReminderKind = "finding-owner-left"  // assign it to somebody else
	SourceStewardLeft  ReminderKind = "source-steward-left" // likewise
	IndicatorStale     ReminderKind = "indicator-stale"     // a measurement is missing
	AttestationDue     ReminderKind = "attestation-due"     // a year has ended and is not attested
	StrategyResumable  ReminderKind = "strategy-resumable"  // no finding blocks it any more: a compliance officer may resume it
	SuccessionOpen     ReminderKind = "succession-open"     // the replaced strategy never came into force: withdraw it
)

// Decision is what a process does about one cause: first the steps, then the
// timers and reminders.
type Decision struct {
	Steps     []Step
	Timers    []Timer
	Cancel    []Key
	Reminders []Reminder
}

// And is both decisions, one after the other.
func (d Decision) And(o Decision) Decision {
	d.Steps = append(d.Steps, o.Steps...)
	d.Timers = append(d.Timers, o.Timers...)
	d.Cancel = append(d.Cancel, o.Cancel...)
	d.Reminders = append(d.Reminders, o.Reminders...)
	return d
}

// Finding is a finding as it is now, and where in the log that was decided.
type Finding struct {
	finding.State
	EndedAt   int64 // position of the event that closed it last; 0 = never closed
	SettledAt int64 // position of the last event that closed, accepted or reclassified it; 0 = none
}

// Strategy is a strategy as it is now, and where in the log it became so.
type Strategy struct {
	strategy.State
	InForceAt   int64             // position of its first activation; 0 = never in force
	ActiveSince time.Time         // when that was recorded
	SuccessorID string            // once closed as superseded
	Attested    []calendar.Period // every period attested
}

// Indicator is an indicator as it is now, and where in the log it became so.
type Indicator struct {
	indicator.State
	OffTrackAt int64 // position of the event that announced it off track last; 0 = none
}

// governs says whether a revision of the strategy is in force and the strategy
// has not ended.
func (s Strategy) governs() bool {
	return s.Phase == strategy.Active || s.Phase == strategy.OnHold
}
