package strategy

import "strata.dev/strata/domain/calendar"

// Command is the closed set of what can be asked of a strategy.
type Command interface{ isCommand() }

// DraftStrategy begins a strategy with revision 1.
type DraftStrategy struct {
	StrategyID   string
	LineageKey   string       // what stays the same through successions; the strategy's id if empty
	DocumentType DocumentType // Strategic_Plan if empty
	Frame        Frame
	Replaces     string // id of the strategy of the same organization this one will replace
	ImportID     string
}

// Edit sets one field. Text fields take Content.Text; values, organizations,
// stakeholders and relationships their list; the empty Content clears.
type Edit struct {
	Field string
	New   Content
}

// AmendFrame changes fields of the plan's frame: name, identifier, description,
// vision, visionIdentifier, mission, missionIdentifier, values, organizations,
// periodStart, periodEnd, otherInformation, sourceUri, publicationDate; and,
// before the strategy first comes into force, replaces.
type AmendFrame struct {
	Edits  []Edit
	Reason string
}

// AddGoal adds a goal.
type AddGoal struct {
	GoalID           string
	Identifier       string
	Sequence         string
	Name             string
	Description      string
	Stakeholders     []Stakeholder
	OtherInformation string
	ImportID         string
}

// AmendGoal changes fields of a goal: identifier, sequence, name, description,
// stakeholders, otherInformation.
type AmendGoal struct {
	GoalID string
	Edits  []Edit
	Reason string
}

// RetireGoal takes a goal and its objectives out of the plan.
type RetireGoal struct {
	GoalID string
	Reason string
}

// AddObjective adds an objective to a living goal.
type AddObjective struct {
	ObjectiveID      string
	GoalID           string
	Identifier       string
	Sequence         string
	Name             string
	Description      string
	Stakeholders     []Stakeholder
	OtherInformation string
	Relationships    []Relationship
	ImportID         string
}

// AmendObjective changes fields of an objective: those of a goal, and relationships.
type AmendObjective struct {
	ObjectiveID string
	Edits       []Edit
	Reason      string
}

// MoveObjective puts an objective under another living goal.
type MoveObjective struct {
	ObjectiveID string
	GoalID      string
	Reason      string
}

// RetireObjective takes an objective out of the plan.
type RetireObjective struct {
	ObjectiveID string
	Reason      string
}

// SubmitStrategy freezes the working revision for approval.
type SubmitStrategy struct {
	IndicatorDigest  string   // hash over definitions and targets of the strategy's indicators
	AsOfPosition     int64    // of the log, up to which they were gathered
	IndicatorAuthors []string // persons who defined or redefined them or set targets in this revision's delta
	Summary          string
}

// RequestChanges sends the working revision back to its authors.
type RequestChanges struct {
	ContentHash string // what the asking person saw
	Comments    string
}

// Policy is what an organization asks for before a revision may come into force (S2).
type Policy struct {
	Approvals          int // distinct approvers; less than 1 counts as 1
	ComplianceRequired bool
}

// ApproveStrategy signs for the content that the approver saw.
type ApproveStrategy struct {
	ContentHash string
	Meaning     Meaning
	Comment     string
	Policy      Policy
	SamePerson  []string // other member ids, past or present, of the approving person
}

// ActivateStrategy puts the approved revision into force.
type ActivateStrategy struct {
	ContentHash     string
	Meaning         Meaning       // Activation
	IndicatorDigest string        // as gathered now; must be the submitted one
	EffectiveFrom   calendar.Date // today if empty
	Policy          Policy

	// IndicatorAuthors are the persons who wrote to the indicators in this
	// revision's delta up to now, under all their member ids.
	IndicatorAuthors []string
	SamePerson       []string // other member ids, past or present, of the activating person
}

// OpenRevision begins a new working revision on the one in force.
type OpenRevision struct {
	Reason string
}

// WithdrawRevision gives the working revision up.
type WithdrawRevision struct {
	Reason string
}

// PutStrategyOnHold gives a reason why the strategy is on hold: facts go on
// being recorded, but no revision comes into force. Persons give orders.
type PutStrategyOnHold struct {
	Blocker Blocker // kind order if it names none
	Reason  string
}

// ResumeStrategy lifts every blocker, and so ends the hold.
type ResumeStrategy struct {
	Reason          string
	SettledFindings []string // findings among the blockers that are no longer open
	AutoResume      bool     // the policy lets a process resume
}

// CloseStrategy ends the strategy for ever. One that never came into force is
// withdrawn; one that is in force is completed, abandoned or superseded.
type CloseStrategy struct {
	Outcome          Outcome
	SuccessorID      string // if superseded
	SuccessorInForce bool   // the successor is another strategy of the organization, and in force
	Reason           string
}

// AttestPeriod signs for what was measured in a period.
type AttestPeriod struct {
	Period    calendar.Period
	Statement string
	Meaning   Meaning // Attestation

	LogPosition     int64    // of the log, up to which the rest was gathered
	HeadHash        string   // root of the sealed log at that position, in hex; "" where it is not sealed
	IndicatorDigest string   // hash over definitions and targets of the strategy's indicators
	Measurers       []string // persons who wrote measurements by hand in the period
	Unexplained     []string // indicators off track without a finding
	SamePerson      []string // other member ids, past or present, of the attesting person
}

func (DraftStrategy) isCommand()     {}
func (AmendFrame) isCommand()        {}
func (AddGoal) isCommand()           {}
func (AmendGoal) isCommand()         {}
func (RetireGoal) isCommand()        {}
func (AddObjective) isCommand()      {}
func (AmendObjective) isCommand()    {}
func (MoveObjective) isCommand()     {}
func (RetireObjective) isCommand()   {}
func (SubmitStrategy) isCommand()    {}
func (RequestChanges) isCommand()    {}
func (ApproveStrategy) isCommand()   {}
func (ActivateStrategy) isCommand()  {}
func (OpenRevision) isCommand()      {}
func (WithdrawRevision) isCommand()  {}
func (PutStrategyOnHold) isCommand() {}
func (ResumeStrategy) isCommand()    {}
func (CloseStrategy) isCommand()     {}
func (AttestPeriod) isCommand()      {}
