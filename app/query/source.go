package query

import (
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
)

// SourceFilter asks for a page of the registered sources, the earliest first.
type SourceFilter struct {
	Status  string `json:"status,omitempty"`  // active or suspended; empty = both
	Channel string `json:"channel,omitempty"` // http, amqp, file; empty = all
	Paging  `json:"-"`
}

// Source is a registered system that reports measurements, and how it is doing.
type Source struct {
	ID                    string          `json:"id"`
	Name                  string          `json:"name"`
	System                string          `json:"system"`
	Channel               string          `json:"channel"` // http, amqp, file
	StewardID             string          `json:"stewardId"`
	Status                string          `json:"status"` // active, suspended
	StatusReason          string          `json:"statusReason,omitempty"`
	StatusBy              string          `json:"statusBy,omitempty"` // a member, or the name of a process
	StatusSince           time.Time       `json:"statusSince"`
	PublicKey             string          `json:"publicKey"`             // Ed25519, base64
	CredentialFingerprint string          `json:"credentialFingerprint"` // hex SHA-256 of the key
	AllowedIndicators     []SourceAllowed `json:"allowedIndicators"`
	SchemaRef             string          `json:"schemaRef,omitempty"`
	MaxRatePerMin         int             `json:"maxRatePerMin"`
	LastMessage           *SourceMessage  `json:"lastMessage,omitempty"` // that was recorded, accepted or not
	RejectedLastHour      int64           `json:"rejectedLastHour"`      // messages of which something was rejected
	RejectedLastDay       int64           `json:"rejectedLastDay"`       // 24 hours
	RegisteredAt          time.Time       `json:"registeredAt"`
	RegisteredBy          string          `json:"registeredBy"`
	Version               int64           `json:"version,string"`            // of the stream: the ETag
	Position              int64           `json:"position,string,omitempty"` // of the answer; not set within a list
}

// SourceAllowed is an indicator that a source may write to.
type SourceAllowed struct {
	IndicatorID string `json:"indicatorId"`
	Override    bool   `json:"override"` // also where a person wrote last (S14)
}

// SourceMessage is what a source sent last.
type SourceMessage struct {
	MessageID     string    `json:"messageId,omitempty"`
	PayloadSHA256 string    `json:"payloadSha256,omitempty"`
	Outcome       string    `json:"outcome"` // accepted, corrected, rejected
	Code          string    `json:"code,omitempty"`
	RecordedAt    time.Time `json:"recordedAt"`
}

// What becomes of an item that a source sent.
const (
	ChangeAccepted  = "accepted"  // a value that was not there
	ChangeCorrected = "corrected" // another value in the place of one
	ChangeRejected  = "rejected"  // nothing: it was refused
)

// ExternalFilter asks for a page of what registered sources sent (Q11), the
// earliest first. Imported documents are in the list of imports.
type ExternalFilter struct {
	SourceID string    `json:"sourceId,omitempty"`
	Outcome  string    `json:"outcome,omitempty"` // accepted, corrected, rejected; empty = all
	From     time.Time `json:"from,omitzero"`     // recorded at or after
	To       time.Time `json:"to,omitzero"`       // recorded before
	Paging   `json:"-"`
}

// ExternalChanges is one page of them, with the restatements on the first page.
type ExternalChanges struct {
	// Restatements are per source and period how many values were corrected, of
	// what source, from and to of the filter let through; the latest
	// periods first, at most MaxRestatements. On the first page only.
	Restatements []Restatement    `json:"restatements,omitempty"`
	Items        []ExternalChange `json:"items"`
	NextCursor   string           `json:"nextCursor,omitempty"`
	Total        *int64           `json:"total,omitempty"`
	Position     int64            `json:"position,string"`
}

// MaxRestatements bounds ExternalChanges.Restatements.
const MaxRestatements = 500

// Restatement is how often a source corrected what it, or others, had said of a period.
type Restatement struct {
	SourceID    string          `json:"sourceId"`
	Period      calendar.Period `json:"period"`
	Corrections int64           `json:"corrections"`
	Indicators  int64           `json:"indicators"` // different ones
	LastAt      time.Time       `json:"lastAt"`
}

// ExternalChange is what became of one item of a message.
type ExternalChange struct {
	EventID       string             `json:"eventId"`
	Position      int64              `json:"position,string"` // of the event
	SourceID      string             `json:"sourceId"`
	Channel       string             `json:"channel,omitempty"` // how it came in: http, amqp
	MessageID     string             `json:"messageId,omitempty"`
	PayloadSHA256 string             `json:"payloadSha256,omitempty"` // of the raw message
	Item          int                `json:"item,omitempty"`          // of a rejected one: its place in the message, from 1; absent if all of it was rejected
	Outcome       string             `json:"outcome"`                 // accepted, corrected, rejected
	IndicatorID   string             `json:"indicatorId,omitempty"`
	IndicatorRef  string             `json:"indicatorRef,omitempty"` // as a rejected item named it
	MeasurementID string             `json:"measurementId,omitempty"`
	Period        *calendar.Period   `json:"period,omitempty"`
	Dims          indicator.Dims     `json:"dims,omitempty"`
	Old           *indicator.Reading `json:"old,omitempty"` // of a corrected one
	New           *indicator.Reading `json:"new,omitempty"`
	ExternalRef   string             `json:"externalRef,omitempty"`
	Code          string             `json:"code,omitempty"` // why it was rejected
	Detail        string             `json:"detail,omitempty"`
	EvidenceID    string             `json:"evidenceId,omitempty"` // of a rejected message: its raw bytes
	RecordedAt    time.Time          `json:"recordedAt"`
}
