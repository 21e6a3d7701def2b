package strategy

import "strata.dev/strata/domain/calendar"

// Event is the closed set of facts about a strategy.
type Event interface{ isEvent() }

// Drafted: the strategy exists, with revision 1 as its working revision.
type Drafted struct {
	StrategyID   string       `json:"strategyId"`
	LineageKey   string       `json:"lineageKey"`
	DocumentType DocumentType `json:"documentType"`
	Frame        Frame        `json:"frame"`
	Replaces     string       `json:"replaces,omitempty"`
	ImportID     string       `json:"importId,omitempty"`
}

// GoalAdded: the working revision has one more goal, after those it has.
type GoalAdded struct {
	GoalID           string        `json:"goalId"`
	Identifier       string        `json:"identifier,omitempty"`
	Sequence         string        `json:"sequence,omitempty"`
	Name             string        `json:"name"`
	Description      string        `json:"description,omitempty"`
	Stakeholders     []Stakeholder `json:"stakeholders,omitempty"`
	OtherInformation string        `json:"otherInformation,omitempty"`
	ImportID         string        `json:"importId,omitempty"`
}

// ObjectiveAdded: a goal of the working revision has one more objective.
type ObjectiveAdded struct {
	ObjectiveID      string         `json:"objectiveId"`
	GoalID           string         `json:"goalId"`
	Identifier       string         `json:"identifier,omitempty"`
	Sequence         string         `json:"sequence,omitempty"`
	Name             string         `json:"name,omitempty"`
	Description      string         `json:"description,omitempty"`
	Stakeholders     []Stakeholder  `json:"stakeholders,omitempty"`
	OtherInformation string         `json:"otherInformation,omitempty"`
	Relationships    []Relationship `json:"relationships,omitempty"`
	ImportID         string         `json:"importId,omitempty"`
}

// PlanElementAmended: fields of the frame, a goal or an objective changed. An
// objective that moves to another goal is amended in its field goalId.
type PlanElementAmended struct {
	ElementKind ElementKind `json:"elementKind"`
	ElementID   string      `json:"elementId"` // the strategy's id for the frame
	Changes     []Change    `json:"changes"`
	Reason      string      `json:"reason"`
}

// Change is one field before and after.
type Change struct {
	Field string  `json:"field"`
	Old   Content `json:"old"`
	New   Content `json:"new"`
}

// PlanElementRetired: a goal with its objectives, or an objective, is no longer
// part of the working revision. Its id is never used again.
type PlanElementRetired struct {
	ElementKind ElementKind `json:"elementKind"`
	ElementID   string      `json:"elementId"`
	Cascade     []string    `json:"cascade,omitempty"` // objectives that went with their goal
	Reason      string      `json:"reason"`
}

// Submitted: the working revision is frozen and waits for approvals of exactly this content.
type Submitted struct {
	Revision        int      `json:"revision"`
	ContentHash     string   `json:"contentHash"`
	IndicatorDigest string   `json:"indicatorDigest"`
	AsOfPosition    int64    `json:"asOfPosition,string"`
	Authors         []string `json:"authors"` // of plan, indicators and targets; sorted
	Summary         string   `json:"summary,omitempty"`
}

// ChangesRequested: the working revision is a draft again; approvals given are void.
type ChangesRequested struct {
	Revision        int      `json:"revision"`
	ContentHash     string   `json:"contentHash"`
	Comments        string   `json:"comments"`
	VoidedApprovals []string `json:"voidedApprovals,omitempty"` // approvers' ids
}

// Meaning says what a signature stands for.
type Meaning string

// The meanings. An approval is business, compliance or board; Activation is
// that of activating, Attestation that of attesting a period.
const (
	Business    Meaning = "business"
	Compliance  Meaning = "compliance"
	Board       Meaning = "board"
	Activation  Meaning = "activation"
	Attestation Meaning = "attestation"
)

// ApprovalGiven: one person approves exactly this content.
type ApprovalGiven struct {
	Revision      int     `json:"revision"`
	ContentHash   string  `json:"contentHash"`
	ApproverID    string  `json:"approverId"`
	Meaning       Meaning `json:"meaning"`
	Comment       string  `json:"comment,omitempty"`
	QuorumReached bool    `json:"quorumReached"`
}

// Activated: the approved revision is in force.
type Activated struct {
	Revision           int           `json:"revision"`
	ContentHash        string        `json:"contentHash"`
	EffectiveFrom      calendar.Date `json:"effectiveFrom"`
	SupersedesRevision int           `json:"supersedesRevision,omitempty"`
	ReplacesStrategyID string        `json:"replacesStrategyId,omitempty"`
}

// RevisionOpened: beside the revision in force there is a working one again,
// at first of the same content.
type RevisionOpened struct {
	Revision     int    `json:"revision"`
	BaseRevision int    `json:"baseRevision"`
	Reason       string `json:"reason"`
}

// RevisionWithdrawn: the working revision is given up; the one in force is untouched.
type RevisionWithdrawn struct {
	Revision int    `json:"revision"`
	Reason   string `json:"reason"`
}

// PutOnHold: there is one more reason why the strategy is on hold.
type PutOnHold struct {
	Blocker Blocker `json:"blocker"`
	Reason  string  `json:"reason"`
}

// Resumed: the strategy is no longer on hold.
type Resumed struct {
	ClearedBlockers []Blocker `json:"clearedBlockers"`
	Reason          string    `json:"reason"`
}

// Outcome says how a strategy ended.
type Outcome string

// The outcomes.
const (
	Completed  Outcome = "completed"
	Abandoned  Outcome = "abandoned"
	Withdrawn  Outcome = "withdrawn"
	Superseded Outcome = "superseded"
)

// Closed: the strategy has ended for ever.
type Closed struct {
	Outcome     Outcome `json:"outcome"`
	SuccessorID string  `json:"successorId,omitempty"` // if superseded
	Reason      string  `json:"reason"`
}

// PeriodAttested: one person stands by what was measured in a period, as the
// log had it at a position.
type PeriodAttested struct {
	Period          calendar.Period `json:"period"`
	Statement       string          `json:"statement"`
	AttesterID      string          `json:"attesterId"`
	Revision        int             `json:"revision"`    // in force
	ContentHash     string          `json:"contentHash"` // of that revision, with the indicators as they are
	IndicatorDigest string          `json:"indicatorDigest"`
	LogPosition     int64           `json:"logPosition,string"`
	HeadHash        string          `json:"headHash,omitempty"` // of the log at that position, where the log is chained
}

func (Drafted) isEvent()            {}
func (GoalAdded) isEvent()          {}
func (ObjectiveAdded) isEvent()     {}
func (PlanElementAmended) isEvent() {}
func (PlanElementRetired) isEvent() {}
func (Submitted) isEvent()          {}
func (ChangesRequested) isEvent()   {}
func (ApprovalGiven) isEvent()      {}
func (Activated) isEvent()          {}
func (RevisionOpened) isEvent()     {}
func (RevisionWithdrawn) isEvent()  {}
func (PutOnHold) isEvent()          {}
func (Resumed) isEvent()            {}
func (Closed) isEvent()             {}
func (PeriodAttested) isEvent()     {}
