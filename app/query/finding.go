package query

import (
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/finding"
)

// FindingFilter asks for a page of the findings board, the longest raised first.
// State and severity are judged at the answer's position: a finding that moves
// on between two pages may come on the later one by what it is then.
type FindingFilter struct {
	State          []string      `json:"state,omitempty"`    // any of open, assigned, planned, submitted, accepted, closed; empty = all
	Severity       []string      `json:"severity,omitempty"` // any of low, medium, high, critical; empty = all
	Origin         string        `json:"origin,omitempty"`   // audit, compliance, breach, ingest, log_verification
	OwnerID        string        `json:"ownerId,omitempty"`  // who answers for it now
	Overdue        *bool         `json:"overdue,omitempty"`  // nil = both
	ExpiringWithin *int          `json:"expiringWithin,omitempty"`
	StrategyID     string        `json:"strategyId,omitempty"`  // among the subjects
	IndicatorID    string        `json:"indicatorId,omitempty"` // likewise; with StrategyID both must be
	On             calendar.Date `json:"on,omitempty"`          // the day that overdue, expiry and ageing are judged by; "" = today (UTC)
	Paging         `json:"-"`
}

// MaxExpiringWithin bounds FindingFilter.ExpiringWithin, in days: accepted
// findings whose acceptance ends on a day up to so many days after On; those
// whose acceptance is over, and that nobody returned yet, are among them.
const MaxExpiringWithin = 3_660

// FindingBoard is one page of findings, with the roll-up on the first page.
type FindingBoard struct {
	On         calendar.Date    `json:"on"`
	Counts     []FindingCount   `json:"counts,omitempty"` // on the first page only
	Items      []FindingSummary `json:"items"`
	NextCursor string           `json:"nextCursor,omitempty"`
	Total      *int64           `json:"total,omitempty"`
	Position   int64            `json:"position,string"`
}

// FindingCount is how many findings are of one severity and state, the gravest
// first. It counts all that origin, owner and subjects of the filter let
// through, whatever else was asked.
type FindingCount struct {
	Severity   string `json:"severity"`
	State      string `json:"state"`
	Findings   int64  `json:"findings"`
	Overdue    int64  `json:"overdue"`
	OldestDays int    `json:"oldestDays"` // age of the one raised first, in whole days; 0 for closed ones
}

// FindingSummary is a line of the board.
type FindingSummary struct {
	ID            string            `json:"id"`
	Kind          string            `json:"kind"`     // observation, exception, minor_nc, major_nc
	Severity      string            `json:"severity"` // low, medium, high, critical
	State         string            `json:"state"`    // open, assigned, planned, submitted, accepted, closed
	Title         string            `json:"title"`
	Origin        string            `json:"origin"`
	Subjects      []finding.Subject `json:"subjects"`
	EngagementRef string            `json:"engagementRef,omitempty"`
	DedupeKey     string            `json:"dedupeKey,omitempty"`
	OwnerID       string            `json:"ownerId,omitempty"`
	DueDate       calendar.Date     `json:"dueDate,omitempty"`
	Overdue       bool              `json:"overdue"`
	OverdueDays   int               `json:"overdueDays,omitempty"`
	AgeDays       int               `json:"ageDays"` // whole days since it was raised; of a closed one until it was
	ExpiresOn     calendar.Date     `json:"expiresOn,omitempty"`
	ExpiresInDays *int              `json:"expiresInDays,omitempty"` // of an acceptance; negative once it is over
	Resolution    string            `json:"resolution,omitempty"`    // of a closed one: remediated, dismissed
	RaisedAt      time.Time         `json:"raisedAt"`
	RaisedBy      string            `json:"raisedBy"` // a member, or the name of a process
	ChangedAt     time.Time         `json:"changedAt"`
	ClosedAt      *time.Time        `json:"closedAt,omitempty"`
	Version       int64             `json:"version,string"` // of the stream: the ETag
}

// MaxSteps is how many steps of each kind a finding shows, the latest; its
// history has them all.
const MaxSteps = 50

// FindingDetail is a finding with what was done about it, each list in its order.
type FindingDetail struct {
	FindingSummary
	Condition      string                `json:"condition"`
	Criteria       string                `json:"criteria"`
	Cause          string                `json:"cause,omitempty"`
	Effect         string                `json:"effect,omitempty"`
	Recommendation string                `json:"recommendation,omitempty"`
	Assignments    []FindingAssignment   `json:"assignments"`
	Reclassified   []FindingReclassified `json:"reclassified"`
	Remediation    *FindingRemediation   `json:"remediation,omitempty"` // the present plan
	Submissions    []FindingSubmission   `json:"submissions"`
	Acceptances    []FindingAcceptance   `json:"acceptances"`
	Returns        []FindingReturn       `json:"returns"`
	Closures       []FindingClosure      `json:"closures"`
	Evidence       []LinkedEvidence      `json:"evidence"` // linked to it; the latest MaxLinked
	Position       int64                 `json:"position,string"`
}

// FindingAssignment names who was to answer for it, by when.
type FindingAssignment struct {
	OwnerID string        `json:"ownerId"`
	DueDate calendar.Date `json:"dueDate"`
	Reason  string        `json:"reason,omitempty"`
	By      string        `json:"by"`
	At      time.Time     `json:"at"`
}

// FindingReclassified is a change of severity or kind.
type FindingReclassified struct {
	OldSeverity string    `json:"oldSeverity"`
	Severity    string    `json:"severity"`
	OldKind     string    `json:"oldKind"`
	Kind        string    `json:"kind"`
	Reason      string    `json:"reason"`
	By          string    `json:"by"`
	At          time.Time `json:"at"`
}

// FindingRemediation is what the owner said would be done.
type FindingRemediation struct {
	Response string          `json:"response"` // agree, partly, disagree
	Actions  []FindingAction `json:"actions"`
	Reason   string          `json:"reason,omitempty"` // of another due date
	Changes  int             `json:"changes"`          // how often it was planned anew since the finding was assigned, returned or reopened
	By       string          `json:"by"`
	At       time.Time       `json:"at"`
}

// FindingAction is one step of a remediation.
type FindingAction struct {
	finding.Action
	Done bool `json:"done"` // by the latest submission
}

// FindingSubmission says that the plan was carried out.
type FindingSubmission struct {
	ActionsDone []string  `json:"actionsDone"`
	Statement   string    `json:"statement"`
	EvidenceIDs []string  `json:"evidenceIds"`
	By          string    `json:"by"`
	At          time.Time `json:"at"`
}

// FindingAcceptance is a decision to live with it for a time.
type FindingAcceptance struct {
	Acceptors     []string      `json:"acceptors"`
	Justification string        `json:"justification"`
	ExpiresOn     calendar.Date `json:"expiresOn"`
	At            time.Time     `json:"at"`
	PrintedName   string        `json:"printedName,omitempty"` // of who gave the command, as it was then
	Withheld
}

// FindingReturn says why it was not over.
type FindingReturn struct {
	Reason   string    `json:"reason"` // insufficient, ineffective, acceptance_expired, acceptance_revoked
	Comments string    `json:"comments"`
	By       string    `json:"by"` // a member, or the name of a process
	At       time.Time `json:"at"`
}

// FindingClosure says that it was over; one that was reopened has several.
type FindingClosure struct {
	Resolution         string    `json:"resolution"`
	EffectivenessCheck string    `json:"effectivenessCheck,omitempty"`
	Reason             string    `json:"reason,omitempty"`
	VerifierID         string    `json:"verifierId"`
	At                 time.Time `json:"at"`
	PrintedName        string    `json:"printedName,omitempty"` // of the verifier, as it was then
	Withheld
}
