package query

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// MaxTypes is how many event types one filter may name.
const MaxTypes = 50

// Audit answers what auditors ask, from a copy of every event. Nothing is ever
// left out or changed in it: an event is there as it was recorded.
type Audit interface {
	// Events is the organization's feed in log order: the events behind After.
	// The positions of one organization have gaps where others wrote, so a
	// reader proves completeness by OrganizationSequence (without Types).
	Events(ctx context.Context, r Read, f EventsFilter) (Feed, error)

	// History lists who did what and when, by any mix of criteria, oldest first.
	History(ctx context.Context, r Read, f HistoryFilter) (Page[Entry], error)

	// Event is one event by its id.
	Event(ctx context.Context, r Read, id uuid.UUID) (Entry, error)
}

// EventsFilter asks for a piece of the feed.
type EventsFilter struct {
	After int64    // position of the last event the reader has; 0 = from the start
	Limit int      // 0 = DefaultLimit, at most MaxLimit
	Types []string // empty = all; at most MaxTypes
}

// Feed is a piece of the feed.
type Feed struct {
	Events []eventlog.Event
	// Next is the After of the next question. It moves on even when nothing
	// matched, so that a filtered reader does not scan the same span again.
	Next     int64
	More     bool  // there are more matching events up to Position
	Position int64 // up to which the answer has seen the log
}

// HistoryFilter asks who did what. All criteria given must hold.
type HistoryFilter struct {
	StreamID string    `json:"streamId,omitempty"` // one aggregate: "strategy-<uuid>"
	ActorID  string    `json:"actorId,omitempty"`
	Types    []string  `json:"types,omitempty"` // any of them; at most MaxTypes
	From     time.Time `json:"from,omitzero"`   // recorded at or after
	To       time.Time `json:"to,omitzero"`     // recorded before
	Paging   `json:"-"`
}

// Entry is one event as an auditor reads it: who, when, what, on which aggregate.
type Entry struct {
	Position             int64           `json:"position,string"`
	OrganizationSequence int64           `json:"organizationSequence,string"`
	StreamID             string          `json:"streamId"`
	Version              int64           `json:"version,string"`
	ID                   string          `json:"id"`
	Type                 string          `json:"type"`
	SchemaVersion        int             `json:"schemaVersion"`
	RecordedAt           time.Time       `json:"recordedAt"`
	ActorKind            string          `json:"actorKind,omitempty"`
	ActorID              string          `json:"actorId,omitempty"`
	Reason               string          `json:"reason,omitempty"`
	CommandID            string          `json:"commandId,omitempty"`
	CorrelationID        string          `json:"correlationId,omitempty"`
	CausationID          string          `json:"causationId,omitempty"`
	Data                 json.RawMessage `json:"data"`     // the stored bytes
	Metadata             json.RawMessage `json:"metadata"` // the stored bytes
}
