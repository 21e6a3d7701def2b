package query

import (
	"time"

	"github.com/google/uuid"
)

// DiffFilter asks what differs between From and To. Exactly one of the ids is
// given, or Organization: the asking organization itself.
type DiffFilter struct {
	StrategyID   uuid.UUID `json:"strategyId,omitzero"`
	IndicatorID  uuid.UUID `json:"indicatorId,omitzero"`
	FindingID    uuid.UUID `json:"findingId,omitzero"`
	EvidenceID   uuid.UUID `json:"evidenceId,omitzero"`
	SourceID     uuid.UUID `json:"sourceId,omitzero"`
	Organization bool      `json:"organization,omitempty"`
	From         Mark      `json:"from"`
	To           Mark      `json:"to"`
	Paging       `json:"-"`
}

// Mark is a point of an aggregate's history: a moment, or a revision of a
// strategy, which means its content as it was last. The zero Mark is the
// beginning as From, and now as To.
type Mark struct {
	Position int64     `json:"position,omitempty"`
	Instant  time.Time `json:"instant,omitzero"`
	Revision int       `json:"revision,omitempty"` // of a strategy; from 1
}

// Diff is a page of what differs.
type Diff struct {
	OrganizationID string     `json:"organizationId,omitempty"`
	FindingID      string     `json:"findingId,omitempty"`
	EvidenceID     string     `json:"evidenceId,omitempty"`
	SourceID       string     `json:"sourceId,omitempty"`
	StrategyID     string     `json:"strategyId,omitempty"`
	IndicatorID    string     `json:"indicatorId,omitempty"`
	From           DiffEnd    `json:"from"`
	To             DiffEnd    `json:"to"`
	Items          []DiffItem `json:"items"`
	NextCursor     string     `json:"nextCursor,omitempty"`
	Total          *int64     `json:"total,omitempty"`
	Position       int64      `json:"position,string"`
}

// DiffEnd is one of the two points that were compared.
type DiffEnd struct {
	Position   int64      `json:"position,string"` // of the last event that is part of it; 0 = before the first
	Version    int64      `json:"version,string"`
	RecordedAt *time.Time `json:"recordedAt,omitempty"`
	Revision   int        `json:"revision,omitempty"` // of a strategy: whose content was compared
}

// What happened to an element between the two points.
const (
	Added   = "added"
	Amended = "amended"
	Retired = "retired"
)

// DiffItem is one element that differs. Elements of a strategy are its
// lifecycle, frame, goals and objectives; of an indicator its lifecycle,
// definition, targets and measurements; of a piece of evidence itself and its
// links; of a source itself and the indicators that it may write to; of an
// organization itself, its policy, members, grants and legal holds in place. Each
// field has the last event by which it became what it is at the later point.
type DiffItem struct {
	Change  string        `json:"change"`  // added, amended, retired
	Element string        `json:"element"` // lifecycle, frame, goal, objective, definition, target, measurement, finding, evidence, link, source, allowed-indicator, organization, policy, member, grant, hold
	ID      string        `json:"id"`
	Name    string        `json:"name,omitempty"`
	Fields  []FieldChange `json:"fields"` // by name; all of an element's, if it was added or retired
}
