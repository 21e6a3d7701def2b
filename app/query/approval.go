package query

import (
	"time"
)

// ApprovalFilter asks for a page of the register of approvals. All criteria
// given must hold.
type ApprovalFilter struct {
	StrategyID string    `json:"strategyId,omitempty"`
	Revision   int       `json:"revision,omitempty"` // with StrategyID; 0 = all
	ApproverID string    `json:"approverId,omitempty"`
	From       time.Time `json:"from,omitzero"` // given at or after
	To         time.Time `json:"to,omitzero"`   // given before
	Paging     `json:"-"`
}

// ApprovalRecord is one approval with what proves that it is independent: who
// wrote what was approved, and who approved it.
type ApprovalRecord struct {
	Approval
	EventID      string     `json:"eventId"`
	Position     int64      `json:"position,string"`
	StrategyID   string     `json:"strategyId"`
	StrategyName string     `json:"strategyName"` // today's
	Revision     int        `json:"revision"`
	SubmittedBy  string     `json:"submittedBy"`
	SubmittedAt  *time.Time `json:"submittedAt,omitempty"`
	Authors      []string   `json:"authors"`   // of plan, definitions and targets in the revision's delta, when it was given
	Approvers    []string   `json:"approvers"` // of this content so far, this one included; sorted
	// Overlap is authors ∩ approvers. Independent says that it is empty.
	Overlap       []string   `json:"overlap"`
	Independent   bool       `json:"independent"`
	PolicyVersion int        `json:"policyVersion"` // of the governance policy it was decided under; 1 = the defaults
	AuthMethod    string     `json:"authMethod,omitempty"`
	AuthAt        *time.Time `json:"authAt,omitempty"` // when the approver last proved who they are
	VoidedAt      *time.Time `json:"voidedAt,omitempty"`
	VoidedBy      string     `json:"voidedBy,omitempty"` // who asked for changes
}
