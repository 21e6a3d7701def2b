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
//
// Everything can be asked as of a moment of the past (Read.AsOf): the answer
// then rests on nothing that was recorded later.
type Audit interface {
	// Moment looks up what r.AsOf stands for; see Past.
	Moment(ctx context.Context, r Read) (Cut, error)

	// Events is the organization's feed in log order: the events behind After.
	// The positions of one organization have gaps where others wrote, so a
	// reader proves completeness by OrganizationSequence (without Types).
	Events(ctx context.Context, r Read, f EventsFilter) (Feed, error)

	// History lists who did what and when, by any mix of criteria, oldest first.
	History(ctx context.Context, r Read, f HistoryFilter) (Page[Entry], error)

	// Event is one event by its id.
	Event(ctx context.Context, r Read, id uuid.UUID) (Entry, error)

	// Diff says what differs between two points of an aggregate's history, and by
	// which events. Both are folded from the events as the deciders do it. It never
	// changes once both points are in the past.
	Diff(ctx context.Context, r Read, f DiffFilter) (Diff, error)

	// Journal lists who was refused what, who could not sign in, who read audit
	// data, who was reminded, and where read models were wrong, oldest first.
	Journal(ctx context.Context, r Read, f JournalFilter) (Page[JournalEntry], error)

	// Segregation reports how duties are kept apart.
	Segregation(ctx context.Context, r Read, f SegregationFilter) (Segregation, error)

	// Attestations lists whose word was given for which periods.
	Attestations(ctx context.Context, r Read, f AttestationFilter) (Page[Attestation], error)

	// ChangesSinceAttestation says what was recorded since that touches it.
	ChangesSinceAttestation(ctx context.Context, r Read, f ChangesFilter) (ChangesSinceAttestation, error)

	// Provenance says where a measurement comes from.
	Provenance(ctx context.Context, r Read, measurementID uuid.UUID) (Provenance, error)
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
	StreamID   string    `json:"streamId,omitempty"`   // one aggregate: "strategy-<uuid>"
	StrategyID string    `json:"strategyId,omitempty"` // the strategy's own events, and those of its indicators while they belonged to it
	SubjectID  string    `json:"subjectId,omitempty"`  // with StreamID: the goal, objective, measurement, member, grant or hold that the event is about
	ActorID    string    `json:"actorId,omitempty"`
	Role       string    `json:"role,omitempty"`  // that the actor held then
	Types      []string  `json:"types,omitempty"` // any of them; at most MaxTypes
	From       time.Time `json:"from,omitzero"`   // recorded at or after
	To         time.Time `json:"to,omitzero"`     // recorded before
	Paging     `json:"-"`
}

// Entry is one event as an auditor reads it: who, when, what, on which
// aggregate. All but Data and Metadata is read out of these two, for convenience.
type Entry struct {
	Position             int64               `json:"position,string"`
	OrganizationSequence int64               `json:"organizationSequence,string"`
	StreamID             string              `json:"streamId"`
	Version              int64               `json:"version,string"`
	ID                   string              `json:"id"`
	Type                 string              `json:"type"`
	SchemaVersion        int                 `json:"schemaVersion"`
	RecordedAt           time.Time           `json:"recordedAt"`
	StrategyID           string              `json:"strategyId,omitempty"` // that the aggregate belonged to after the event
	SubjectID            string              `json:"subjectId,omitempty"`  // see HistoryFilter
	ActorKind            string              `json:"actorKind,omitempty"`
	ActorID              string              `json:"actorId,omitempty"`
	ActorRoles           []string            `json:"actorRoles,omitempty"` // held then; sorted
	Reason               string              `json:"reason,omitempty"`
	Source               *eventlog.Origin    `json:"source,omitempty"`
	Signature            *eventlog.Signature `json:"signature,omitempty"`
	Changes              []FieldChange       `json:"changes,omitempty"` // old and new, where the event has them
	CommandID            string              `json:"commandId,omitempty"`
	CorrelationID        string              `json:"correlationId,omitempty"`
	CausationID          string              `json:"causationId,omitempty"`
	Data                 json.RawMessage     `json:"data"`     // the stored bytes
	Metadata             json.RawMessage     `json:"metadata"` // the stored bytes
}

// FieldChange is one field before and after, as JSON; an absent side was not there.
type FieldChange struct {
	Field string          `json:"field"`
	Old   json.RawMessage `json:"old,omitempty"`
	New   json.RawMessage `json:"new,omitempty"`
	Cause *Cause          `json:"cause,omitempty"` // in a difference between two points: what made it so last
}

// Cause is the event by which something became what it is.
type Cause struct {
	EventID    string    `json:"eventId"`
	Type       string    `json:"type"`
	Position   int64     `json:"position,string"`
	RecordedAt time.Time `json:"recordedAt"`
	ActorKind  string    `json:"actorKind,omitempty"`
	ActorID    string    `json:"actorId,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}
