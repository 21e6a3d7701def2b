package source

import "strata.dev/strata/domain/calendar"

// Event is the closed set of facts about a source.
type Event interface{ isEvent() }

// Format is which standard a document follows.
type Format string

// The formats.
const (
	Part1 Format = "part1" // StratML Part 1 (ISO 17469-1)
	Part2 Format = "part2" // StratML Part 2 (ANSI/AIIM 22)
)

// Plan is what an import does.
type Plan string

// The plans.
const (
	New      Plan = "new"      // it drafts a strategy
	Revision Plan = "revision" // it opens a revision of a strategy in force
)

// ImportAccepted: a document will become a strategy, or a revision of one.
type ImportAccepted struct {
	ImportID       string `json:"importId"`
	DocumentSHA256 string `json:"documentSha256"` // of the file's bytes
	Size           int    `json:"size"`           // of the file, bytes
	ContentHash    string `json:"contentHash"`    // equal for files that say the same
	Format         Format `json:"format"`
	DocumentType   string `json:"documentType"`
	TypeAssumed    bool   `json:"typeAssumed"` // the file does not say its type; the importing person did

	Counts          Counts      `json:"counts"`
	DeviationCounts []CodeCount `json:"deviationCounts,omitempty"` // complete, sorted by code
	Deviations      []Deviation `json:"deviations,omitempty"`      // in file order, as many as one event holds

	StrategyID  string  `json:"strategyId"`
	Plan        Plan    `json:"plan"`
	BaseVersion int64   `json:"baseVersion,omitempty,string"` // of the strategy's stream, that the revision was compared with
	BaseHead    int64   `json:"baseHead,omitempty,string"`    // position of the log, up to which its indicators were
	Matched     []Match `json:"matched,omitempty"`

	Subjects  []string `json:"subjects,omitempty"`  // ids of the persons that the document names, sorted, the erased included; where persons are sealed
	Submitter string   `json:"submitter,omitempty"` // who rendered the document, sealed
	FileName  string   `json:"fileName,omitempty"`  // sealed

	Again        bool          `json:"again"` // the same content was imported before
	Reason       string        `json:"reason,omitempty"`
	AuthorizedBy string        `json:"authorizedBy,omitempty"` // S15
	Day          calendar.Date `json:"day"`                    // after which no actual result can begin
	Layout       int           `json:"layout"`                 // of the import's appends
}

// Counts says how much a document holds.
type Counts struct {
	Goals        int `json:"goals"`
	Objectives   int `json:"objectives"`
	Indicators   int `json:"indicators"`
	Targets      int `json:"targets"`
	Actuals      int `json:"actuals"`
	Stakeholders int `json:"stakeholders"`
	Persons      int `json:"persons"`
}

// CodeCount is how often a document deviates in one way.
type CodeCount struct {
	Code  string `json:"code"`
	Count int    `json:"count"`
}

// Deviation is one place where a document is not as it should be, or where it
// is not recorded as it stands. What stands there is in the file only.
type Deviation struct {
	Code   string `json:"code"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
}

// Match is an element that the document and the strategy have in common.
type Match struct {
	Kind       string `json:"kind"`    // organization, vision, mission, plan, goal, objective, indicator
	Ordinal    int    `json:"ordinal"` // among those of its kind in the document, from 0
	Identifier string `json:"identifier,omitempty"`
	ElementID  string `json:"elementId"` // the strategy's id for parts of the frame
}

// IngestRejected: something came and was refused. Nothing else happened.
type IngestRejected struct {
	MessageID     string `json:"messageId"` // a UUID; of an import the id it would have had
	PayloadSHA256 string `json:"payloadSha256"`
	Size          int    `json:"size"`
	Code          string `json:"code"`
	Line          int    `json:"line,omitempty"`
	Column        int    `json:"column,omitempty"`

	// Of messages of registered sources only.

	SourceMessageID string `json:"sourceMessageId,omitempty"` // what the source called it
	Detail          string `json:"detail,omitempty"`          // for people
	EvidenceID      string `json:"evidenceId,omitempty"`      // the bytes as they came
	IndicatorRef    string `json:"indicatorRef,omitempty"`    // what the refused measurement called its indicator
	Item            int    `json:"item,omitempty"`            // which measurement of the message, from 1; absent for the message as a whole
}

// Channel is the way on which a source's messages come.
type Channel string

// The channels.
const (
	HTTP Channel = "http"
	AMQP Channel = "amqp"
	File Channel = "file"
)

// Allowed is an indicator that a source may write (S14).
type Allowed struct {
	IndicatorID string `json:"indicatorId"`
	Override    bool   `json:"override"` // also where a person wrote last
}

// Terms are what a source may do, and how it is known.
type Terms struct {
	PublicKey             string    `json:"publicKey"`             // Ed25519, base64
	CredentialFingerprint string    `json:"credentialFingerprint"` // SHA-256 of the key's 32 bytes
	AllowedIndicators     []Allowed `json:"allowedIndicators,omitempty"`
	MaxRatePerMin         int       `json:"maxRatePerMin"` // messages
}

// Registered: an external system may write measurements from now on.
type Registered struct {
	SourceID  string  `json:"sourceId"`
	Name      string  `json:"name"`
	System    string  `json:"system"`
	Channel   Channel `json:"channel"`
	StewardID string  `json:"stewardId"` // member who answers for it
	SchemaRef string  `json:"schemaRef,omitempty"`
	Terms
}

// Status says whether a source may write.
type Status string

// The statuses; "" if it is not registered.
const (
	Active    Status = "active"
	Suspended Status = "suspended"
)

// StatusChanged: a source may not write any more, or may again. Terms are there
// when they change, all of them.
type StatusChanged struct {
	From     Status `json:"from"`
	To       Status `json:"to"`
	Reason   string `json:"reason"`
	OldTerms *Terms `json:"oldTerms,omitempty"`
	Terms    *Terms `json:"terms,omitempty"`
}

func (ImportAccepted) isEvent() {}
func (IngestRejected) isEvent() {}
func (Registered) isEvent()     {}
func (StatusChanged) isEvent()  {}
