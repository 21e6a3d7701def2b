package eventlog

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/gowebpki/jcs"
)

// ActorKind tells persons from machines (R4).
type ActorKind string

// The kinds of actors.
const (
	Person        ActorKind = "person"
	SourceSystem  ActorKind = "source"
	SystemProcess ActorKind = "process"
)

// Actor is who did it.
type Actor struct {
	Kind       ActorKind  `json:"kind"`
	ID         string     `json:"id"` // member, source or process; opaque
	Roles      []string   `json:"roles,omitempty"`
	AuthMethod string     `json:"authMethod,omitempty"`
	AuthAt     *time.Time `json:"authAt,omitempty"`
}

// Origin is which way it came in.
type Origin struct {
	Kind          string `json:"kind"` // ui, api, amqp, import, process, migration
	SourceID      string `json:"sourceId,omitempty"`
	MessageID     string `json:"messageId,omitempty"`
	Channel       string `json:"channel,omitempty"`
	PayloadSHA256 string `json:"payloadSha256,omitempty"`
	Remote        string `json:"remote,omitempty"`
	Sequence      int64  `json:"sequence,omitempty,string"` // the source's own count
}

// Signature is a decision signed with a meaning over content (R16).
type Signature struct {
	SignerID    string    `json:"signerId"`
	PrintedName string    `json:"printedName,omitempty"` // sealed, as the member was enrolled
	Meaning     string    `json:"meaning"`
	SignedAt    time.Time `json:"signedAt"`
	ContentHash string    `json:"contentHash"`
}

// Countersignature is a second person's word for the command that made an event (S8, S15).
type Countersignature struct {
	ID          string    `json:"id,omitempty"`
	SignerID    string    `json:"signerId"`              // member
	PrintedName string    `json:"printedName,omitempty"` // sealed, as the member was enrolled
	Meaning     string    `json:"meaning"`
	SignedAt    time.Time `json:"signedAt"`
	CommandHash string    `json:"commandHash"` // SHA-256 of method, path and canonical body
	AuthMethod  string    `json:"authMethod,omitempty"`
	AuthAt      time.Time `json:"authAt"`
}

// Metadata is everything about an event that is not the event (domain.md §6.0).
// It is stored as canonical JSON in Event.Metadata.
type Metadata struct {
	Actor         Actor      `json:"actor"`
	OnBehalfOf    string     `json:"onBehalfOf,omitempty"`
	Origin        Origin     `json:"source"`
	CommandID     uuid.UUID  `json:"commandId"`
	CausationID   string     `json:"causationId,omitempty"` // id of the causing event
	CorrelationID string     `json:"correlationId"`
	RequestID     string     `json:"requestId,omitempty"`
	TraceParent   string     `json:"traceparent,omitempty"`
	TraceState    string     `json:"tracestate,omitempty"`
	OccurredAt    *time.Time `json:"occurredAt,omitempty"`
	Reason        string     `json:"reason,omitempty"`
	PolicyVersion int        `json:"policyVersion,omitempty"`
	Signature     *Signature `json:"signature,omitempty"`

	Countersignature *Countersignature `json:"countersignature,omitempty"`
}

// Encode gives the canonical bytes that are stored and hashed.
func (m Metadata) Encode() ([]byte, error) { return Canonical(m) }

// DecodeMetadata reads what Encode wrote.
func DecodeMetadata(b []byte) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(b, &m); err != nil {
		return Metadata{}, fmt.Errorf("metadata: %w", err)
	}
	return m, nil
}

// Canonical encodes v as RFC 8785 JSON. Integers beyond 2^53 and decimals must
// be strings in v already: the canonical form would round them.
func Canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(b)
}
