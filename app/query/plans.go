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
type Plans interface {
	// Strategies lists the organization's strategies, the newest first.
	Strategies(ctx context.Context, r Read, f StrategyFilter) (Page[StrategySummary], error)

	// Strategy is one strategy's whole tree with the health of its indicators.
	Strategy(ctx context.Context, r Read, id uuid.UUID) (Strategy, error)

	// Scorecard is one line per living indicator of a strategy, in the tree's
	// order, with the roll-up of each goal.
	Scorecard(ctx context.Context, r Read, strategyID uuid.UUID) (Scorecard, error)

	// Indicator is one indicator's definition and where it stands.
	Indicator(ctx context.Context, r Read, id uuid.UUID) (Indicator, error)

	// Series is an indicator's targets and live measurements, by period.
	Series(ctx context.Context, r Read, f SeriesFilter) (Series, error)

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
	DraftedAt    time.Time `json:"draftedAt"`
	ChangedAt    time.Time `json:"changedAt"`
	Version      int64     `json:"version,string"` // of the stream: the ETag
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
}

// Strategy is a whole plan: frame, goals, objectives, indicators. The tree is
// the working revision while there is one, else the revision in force. Sealed
// members (who a Person stakeholder is) are not in the read databases at all.
type Strategy struct {
	StrategySummary
	LineageKey string         `json:"lineageKey,omitempty"`
	Replaces   string         `json:"replaces,omitempty"`
	ImportID   string         `json:"importId,omitempty"`
	Frame      strategy.Frame `json:"frame"`
	Tree       []Goal         `json:"tree"`
	// Unattached are living indicators whose objective is not part of the tree any more.
	Unattached []IndicatorStatus `json:"unattached,omitempty"`
	Position   int64             `json:"position,string"`
}

// Goal is a goal with its living objectives, in the plan's order.
type Goal struct {
	ID               string                 `json:"id"`
	Identifier       string                 `json:"identifier,omitempty"`
	Sequence         string                 `json:"sequence,omitempty"`
	Name             string                 `json:"name"`
	Description      string                 `json:"description,omitempty"`
	Stakeholders     []strategy.Stakeholder `json:"stakeholders,omitempty"`
	OtherInformation string                 `json:"otherInformation,omitempty"`
	Health           string                 `json:"health"` // the worst of its indicators; unknown if none is known
	Objectives       []Objective            `json:"objectives"`
}

// Objective is an objective with its living indicators.
type Objective struct {
	ID               string                  `json:"id"`
	Identifier       string                  `json:"identifier,omitempty"`
	Sequence         string                  `json:"sequence,omitempty"`
	Name             string                  `json:"name,omitempty"`
	Description      string                  `json:"description,omitempty"`
	Stakeholders     []strategy.Stakeholder  `json:"stakeholders,omitempty"`
	OtherInformation string                  `json:"otherInformation,omitempty"`
	Relationships    []strategy.Relationship `json:"relationships,omitempty"`
	Health           string                  `json:"health"`
	Indicators       []IndicatorStatus       `json:"indicators"`
}
