package finding

import (
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/severity"
)

// Command is the closed set of what can be asked of a finding.
type Command interface{ isCommand() }

// RaiseFinding records a deviation.
type RaiseFinding struct {
	FindingID      string
	Kind           Kind
	Severity       severity.Severity
	Title          string
	Condition      string // what is
	Criteria       string // what should be
	Cause          string
	Effect         string
	Recommendation string
	Subjects       []Subject
	Origin         Origin
	EngagementRef  string
	DedupeKey      string

	UnknownSubjects []string // ids among the subjects that are not there
	SameOpen        string   // id of an open finding of the same dedupe key; "" = none
}

// AssignFinding names who answers for the finding, and by when.
type AssignFinding struct {
	OwnerID string
	DueDate calendar.Date // by the severity if empty
	Reason  string        // of a later date than the severity gives

	OwnerRoles []string // held by the owner now
}

// ReclassifyFinding changes severity or kind. A graver severity voids the
// acceptance of the risk.
type ReclassifyFinding struct {
	Severity severity.Severity // as it is if empty
	Kind     Kind              // as it is if empty
	Reason   string
}

// PlanRemediation is the owner's answer. Given again, it replaces the plan; it
// may extend the due date for a reason.
type PlanRemediation struct {
	Response Response
	Actions  []Action
	DueDate  calendar.Date // as it is if empty
	Reason   string        // of another due date
}

// SubmitRemediation says that the plan was carried out, with evidence.
type SubmitRemediation struct {
	ActionsDone []string
	Statement   string
	EvidenceIDs []string

	UnknownEvidence []string // ids among them that are not there
}

// AcceptRisk decides, for a time, to live with the finding. One of critical
// severity takes two who may (S7).
type AcceptRisk struct {
	Justification string
	ExpiresOn     calendar.Date
	Meaning       string // "risk-acceptance"

	MaxDays    int      // by the policy
	SamePerson []string // other member ids, past or present, of the person who asks
	Second     fact.Second
}

// ReturnFinding says that it is not over after all.
type ReturnFinding struct {
	Reason   Returned
	Comments string

	SamePerson []string // other member ids, past or present, of the person who asks
}

// CloseFinding says that it is over.
type CloseFinding struct {
	Resolution         Resolution
	EffectivenessCheck string // how it was seen that the remediation works
	Reason             string // of a dismissal, at least 20 characters
	Meaning            string // "closure"

	SamePerson []string // other member ids, past or present, of the person who asks
}

func (RaiseFinding) isCommand()      {}
func (AssignFinding) isCommand()     {}
func (ReclassifyFinding) isCommand() {}
func (PlanRemediation) isCommand()   {}
func (SubmitRemediation) isCommand() {}
func (AcceptRisk) isCommand()        {}
func (ReturnFinding) isCommand()     {}
func (CloseFinding) isCommand()      {}
