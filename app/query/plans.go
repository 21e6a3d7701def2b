package query

import (
	"context"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/strategy"
)

// Plans answers what strategy officers ask. Every answer is as of its Position
// and contains nothing of another organization. Errors are the faults of this
// package; a fault other than ErrInvalid and ErrInvalidCursor may pass by itself.
//
// Everything can be asked as of a moment of the past (Read.AsOf): it is then made
// of the events recorded up to it, and is what the same question would have been
// answered then. What was fresh, overdue or lately rejected is judged by the
// clock of then.
type Plans interface {
	// Strategies lists the organization's strategies, the newest first.
	Strategies(ctx context.Context, r Read, f StrategyFilter) (Page[StrategySummary], error)

	// Strategy is one strategy's whole tree with the health of its indicators.
	Strategy(ctx context.Context, r Read, a StrategyAsk) (Strategy, error)

	// Scorecard is one line per living indicator of a strategy, in the order of
	// their definition, with the roll-up of each goal.
	Scorecard(ctx context.Context, r Read, f ScorecardFilter) (Scorecard, error)

	// Indicator is one indicator's definition and where it stands.
	Indicator(ctx context.Context, r Read, id uuid.UUID) (Indicator, error)

	// Series is an indicator's targets and measurements, by period.
	Series(ctx context.Context, r Read, f SeriesFilter) (Series, error)

	// Approvals is the register of approvals, the earliest first: one item per
	// approval ever given, void ones included.
	Approvals(ctx context.Context, r Read, f ApprovalFilter) (Page[ApprovalRecord], error)

	// Imports lists the StratML documents that were brought in, accepted and
	// refused ones, the earliest first.
	Imports(ctx context.Context, r Read, f ImportFilter) (Page[Import], error)

	// Import is one of them with all its deviations.
	Import(ctx context.Context, r Read, id uuid.UUID) (ImportDetail, error)

	// Holds lists the organization's legal holds, the earliest first.
	Holds(ctx context.Context, r Read, f HoldFilter) (Page[LegalHold], error)

	// Findings is the board of findings, the longest raised first.
	Findings(ctx context.Context, r Read, f FindingFilter) (FindingBoard, error)

	// Finding is one finding with what was done about it.
	Finding(ctx context.Context, r Read, id uuid.UUID) (FindingDetail, error)

	// EvidenceList lists what was collected, the earliest registered first.
	EvidenceList(ctx context.Context, r Read, f EvidenceFilter) (Page[EvidenceSummary], error)

	// Evidence is one piece of evidence with all its links.
	Evidence(ctx context.Context, r Read, id uuid.UUID) (EvidenceDetail, error)

	// Sources lists the registered sources, the earliest first.
	Sources(ctx context.Context, r Read, f SourceFilter) (Page[Source], error)

	// Source is one of them.
	Source(ctx context.Context, r Read, id uuid.UUID) (Source, error)

	// ExternalChanges lists what registered sources sent and what became of it,
	// the earliest first.
	ExternalChanges(ctx context.Context, r Read, f ExternalFilter) (ExternalChanges, error)

	// Person says where a person occurs, by member id or subject id.
	Person(ctx context.Context, r Read, id uuid.UUID) (Person, error)

	// Persons lists whose personal data the organization has, by subject id.
	// Somebody who comes to be known between two pages may be on a later one.
	Persons(ctx context.Context, r Read, p Paging) (Page[PersonSummary], error)

	// Organization is the asking organization itself.
	Organization(ctx context.Context, r Read) (Organization, error)

	// Members lists the organization's members with the roles they hold, by enrolment.
	Members(ctx context.Context, r Read, p Paging) (Page[Member], error)
}

// StrategyFilter asks for a list of strategies.
type StrategyFilter struct {
	State  string `json:"state,omitempty"` // empty = all
	Paging `json:"-"`
}

// Which content of a strategy is asked for.
const (
	WorkingContent = "working"  // of the working revision; ErrNotFound if there is none
	InForceContent = "in-force" // of the revision in force; ErrNotFound if there is none
)

// StrategyAsk asks for one strategy.
type StrategyAsk struct {
	ID uuid.UUID
	// Content is WorkingContent, InForceContent, or empty: the working revision's
	// while there is one, else that in force.
	Content string
}

// StrategySummary is one line of the list.
type StrategySummary struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	DocumentType string    `json:"documentType,omitempty"`
	State        string    `json:"state"` // preparing, active, on_hold, closed
	Working      *Revision `json:"working,omitempty"`
	InForce      *Revision `json:"inForce,omitempty"`
	Start        string    `json:"start,omitempty"` // YYYY-MM-DD
	End          string    `json:"end,omitempty"`   // YYYY-MM-DD
	Goals        int       `json:"goals"`           // living ones
	Objectives   int       `json:"objectives"`
	Blockers     []Blocker `json:"blockers,omitempty"`    // why it is on hold
	Outcome      string    `json:"outcome,omitempty"`     // of a closed one: completed, abandoned, withdrawn, superseded
	SuccessorID  string    `json:"successorId,omitempty"` // of a superseded one
	DraftedAt    time.Time `json:"draftedAt"`
	ChangedAt    time.Time `json:"changedAt"`
	Version      int64     `json:"version,string"` // of the stream: the ETag
}

// Blocker is a reason for which a strategy is on hold.
type Blocker struct {
	Kind   string    `json:"kind"` // finding, order
	Ref    string    `json:"ref"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	HeldAt time.Time `json:"heldAt"`
}

// Revision is one content state of a strategy.
type Revision struct {
	Number        int        `json:"number"`
	State         string     `json:"state"` // draft, submitted, approved, active
	ContentHash   string     `json:"contentHash,omitempty"`
	SubmittedBy   string     `json:"submittedBy,omitempty"`
	SubmittedAt   *time.Time `json:"submittedAt,omitempty"`
	Authors       []string   `json:"authors,omitempty"`
	Approvals     []Approval `json:"approvals,omitempty"` // given for ContentHash
	ActivatedBy   string     `json:"activatedBy,omitempty"`
	ActivatedAt   *time.Time `json:"activatedAt,omitempty"`
	EffectiveFrom string     `json:"effectiveFrom,omitempty"` // YYYY-MM-DD
}

// Approval is one signature over a revision's content.
type Approval struct {
	ApproverID    string    `json:"approverId"`
	Meaning       string    `json:"meaning"` // business, compliance, board
	ContentHash   string    `json:"contentHash"`
	Comment       string    `json:"comment,omitempty"`
	QuorumReached bool      `json:"quorumReached"`
	ApprovedAt    time.Time `json:"approvedAt"`
	PrintedName   string    `json:"printedName,omitempty"` // of the approver, as it was then
	Withheld
}

// Strategy is a whole plan: frame, goals, objectives, indicators. Name, Start,
// End, Goals, Objectives, Frame and Tree are of the revision that Content names.
// Who a Person stakeholder is, is sealed: see Withheld.
type Strategy struct {
	StrategySummary
	Content    string `json:"content"` // working or in-force: whose tree this is
	LineageKey string `json:"lineageKey,omitempty"`
	Replaces   string `json:"replaces,omitempty"`
	ImportID   string `json:"importId,omitempty"`
	Frame      Frame  `json:"frame"`
	Tree       []Goal `json:"tree"`
	// Unattached are living indicators whose objective is not part of the tree any more.
	Unattached []IndicatorStatus `json:"unattached,omitempty"`
	Position   int64             `json:"position,string"`
}

// Goal is a goal with its living objectives, in the plan's order.
type Goal struct {
	ID               string        `json:"id"`
	Identifier       string        `json:"identifier,omitempty"`
	Sequence         string        `json:"sequence,omitempty"`
	Name             string        `json:"name"`
	Description      string        `json:"description,omitempty"`
	Stakeholders     []Stakeholder `json:"stakeholders,omitempty"`
	OtherInformation string        `json:"otherInformation,omitempty"`
	Health           string        `json:"health"` // the worst of its indicators; unknown if none is known
	Objectives       []Objective   `json:"objectives"`
}

// Objective is an objective with its living indicators.
type Objective struct {
	ID               string                  `json:"id"`
	Identifier       string                  `json:"identifier,omitempty"`
	Sequence         string                  `json:"sequence,omitempty"`
	Name             string                  `json:"name,omitempty"`
	Description      string                  `json:"description,omitempty"`
	Stakeholders     []Stakeholder           `json:"stakeholders,omitempty"`
	OtherInformation string                  `json:"otherInformation,omitempty"`
	Relationships    []strategy.Relationship `json:"relationships,omitempty"`
	Health           string                  `json:"health"`
	Indicators       []IndicatorStatus       `json:"indicators"`
}
