package query

import (
	"encoding/json"
	"time"
)

// Kinds of entries of a journal.
const (
	JournalCommandDenied     = "command-denied"
	JournalSignInFailed      = "sign-in-failed"
	JournalAuditRead         = "audit-read"
	JournalReminded          = "reminded"
	JournalReadModelDiverged = "read-model-diverged"
	JournalReadModelRepaired = "read-model-repaired"
	JournalEpochStarted      = "epoch-started"
)

// JournalKinds lists them.
func JournalKinds() []string {
	return []string{
		JournalCommandDenied, JournalSignInFailed, JournalAuditRead, JournalReminded, JournalReadModelDiverged, JournalReadModelRepaired, JournalEpochStarted,
	}
}

// JournalFilter asks for a page of the organization's journal. All criteria
// given must hold.
type JournalFilter struct {
	Kind    string    `json:"kind,omitempty"`    // one of JournalKinds; empty = all
	ActorID string    `json:"actorId,omitempty"` // who was refused, read, or was reminded
	Rule    string    `json:"rule,omitempty"`    // that refused
	From    time.Time `json:"from,omitzero"`     // recorded at or after
	To      time.Time `json:"to,omitzero"`       // recorded before
	Paging  `json:"-"`
}

// JournalEntry is one entry: something that happened Count times between
// FirstAt and LastAt. What else its kind says is in Data. All but Data is read
// out of it, for convenience.
type JournalEntry struct {
	Position   int64           `json:"position,string"`
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	RecordedAt time.Time       `json:"recordedAt"`
	ActorKind  string          `json:"actorKind,omitempty"` // person, source, process
	ActorID    string          `json:"actorId,omitempty"`
	What       string          `json:"what,omitempty"` // the command, the query, the reason, or what was reminded of
	Rule       string          `json:"rule,omitempty"`
	Target     string          `json:"target,omitempty"` // the stream or id that it was about
	Rows       int             `json:"rows,omitempty"`   // shown
	Count      int             `json:"count"`
	FirstAt    time.Time       `json:"firstAt"`
	LastAt     time.Time       `json:"lastAt"`
	RequestID  string          `json:"requestId,omitempty"` // of the first; of what was counted later, none
	Data       json.RawMessage `json:"data"`                // the stored bytes
}
