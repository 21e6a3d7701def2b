package finding

import (
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/severity"
)

// Event is the closed set of facts about a finding.
type Event interface{ isEvent() }

// Kind says what sort of deviation it is.
type Kind string

// The kinds.
const (
	Observation Kind = "observation"
	Exception   Kind = "exception"
	MinorNC     Kind = "minor_nc"
	MajorNC     Kind = "major_nc"
)

// Origin says where it comes from; it decides who may close it (S6).
type Origin string

// The origins.
const (
	FromAudit           Origin = "audit"
	FromCompliance      Origin = "compliance"
	FromBreach          Origin = "breach"
	FromIngest          Origin = "ingest"
	FromLogVerification Origin = "log_verification"
)

// Subject is what the finding is about.
type Subject struct {
	Type     string `json:"type"` // strategy, indicator, source, evidence, organization
	ID       string `json:"id"`
	Revision int    `json:"revision,omitempty"` // of a strategy
}

// Raised: a deviation is on record.
type Raised struct {
	FindingID      string            `json:"findingId"`
	Kind           Kind              `json:"kind"`
	Severity       severity.Severity `json:"severity"`
	Title          string            `json:"title"`
	Condition      string            `json:"condition"`
	Criteria       string            `json:"criteria"`
	Cause          string            `json:"cause,omitempty"`
	Effect         string            `json:"effect,omitempty"`
	Recommendation string            `json:"recommendation,omitempty"`
	Subjects       []Subject         `json:"subjects"`
	Origin         Origin            `json:"origin"`
	EngagementRef  string            `json:"engagementRef,omitempty"`
	DedupeKey      string            `json:"dedupeKey,omitempty"`
}

// Assigned: somebody answers for it, by a day.
type Assigned struct {
	OwnerID       string        `json:"ownerId"`
	PreviousOwner string        `json:"previousOwner,omitempty"`
	DueDate       calendar.Date `json:"dueDate"`
	Reason        string        `json:"reason,omitempty"`
}

// Reclassified: it matters more or less than thought, or is of another kind.
type Reclassified struct {
	OldSeverity severity.Severity `json:"oldSeverity"`
	Severity    severity.Severity `json:"severity"`
	OldKind     Kind              `json:"oldKind"`
	Kind        Kind              `json:"kind"`
	Reason      string            `json:"reason"`
}

// Response is how the owner answers.
type Response string

// The responses.
const (
	Agree    Response = "agree"
	Partly   Response = "partly"
	Disagree Response = "disagree"
)

// Action is one step of a remediation.
type Action struct {
	ID      string        `json:"id"`
	Text    string        `json:"text"`
	DueDate calendar.Date `json:"dueDate"`
	OwnerID string        `json:"ownerId"`
}

// RemediationPlanned: the owner says what will be done, in place of what was said before.
type RemediationPlanned struct {
	Response   Response      `json:"response"`
	Actions    []Action      `json:"actions"`
	OldDueDate calendar.Date `json:"oldDueDate"`
	DueDate    calendar.Date `json:"dueDate"`
	Reason     string        `json:"reason,omitempty"`
}

// RemediationSubmitted: it was done, and here is the proof.
type RemediationSubmitted struct {
	ActionsDone []string `json:"actionsDone"`
	Statement   string   `json:"statement"`
	EvidenceIDs []string `json:"evidenceIds"`
}

// RiskAccepted: nothing is done about it, until a day.
type RiskAccepted struct {
	Acceptors     []string      `json:"acceptors"`
	Justification string        `json:"justification"`
	ExpiresOn     calendar.Date `json:"expiresOn"`
}

// Returned says why a finding is not over.
type Returned string

// The reasons.
const (
	Insufficient      Returned = "insufficient"       // of a submitted remediation
	Ineffective       Returned = "ineffective"        // of a submitted or closed one
	AcceptanceExpired Returned = "acceptance_expired" // of an accepted risk
	AcceptanceRevoked Returned = "acceptance_revoked" // likewise
)

// ReturnedToWork: it is not over.
type ReturnedToWork struct {
	Reason   Returned `json:"reason"`
	Comments string   `json:"comments"`
}

// Resolution says how a finding ended.
type Resolution string

// The resolutions.
const (
	Remediated Resolution = "remediated"
	Dismissed  Resolution = "dismissed"
)

// Closed: it is over.
type Closed struct {
	Resolution         Resolution `json:"resolution"`
	EffectivenessCheck string     `json:"effectivenessCheck,omitempty"`
	Reason             string     `json:"reason,omitempty"`
	VerifierID         string     `json:"verifierId"`
}

func (Raised) isEvent()               {}
func (Assigned) isEvent()             {}
func (Reclassified) isEvent()         {}
func (RemediationPlanned) isEvent()   {}
func (RemediationSubmitted) isEvent() {}
func (RiskAccepted) isEvent()         {}
func (ReturnedToWork) isEvent()       {}
func (Closed) isEvent()               {}
