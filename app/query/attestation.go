package query

import (
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/calendar"
)

// AttestationFilter asks for a page of the attestations of periods, the oldest first.
type AttestationFilter struct {
	StrategyID string `json:"strategyId,omitempty"`
	Paging     `json:"-"`
}

// Attestation is one person's word for what was measured in a period.
type Attestation struct {
	ID          string              `json:"id"` // of the event
	Position    int64               `json:"position,string"`
	StrategyID  string              `json:"strategyId"`
	Period      calendar.Period     `json:"period"`
	Statement   string              `json:"statement"`
	AttesterID  string              `json:"attesterId"` // member
	AttestedAt  time.Time           `json:"attestedAt"`
	Revision    int                 `json:"revision"` // in force then
	ContentHash string              `json:"contentHash"`
	LogPosition int64               `json:"logPosition,string"` // of the log, up to which it is attested
	HeadHash    string              `json:"headHash,omitempty"`
	Signature   *eventlog.Signature `json:"signature,omitempty"`
}

// ChangesFilter asks what has changed since an attestation.
type ChangesFilter struct {
	AttestationID uuid.UUID `json:"attestationId"` // of the event
	Paging        `json:"-"`
}

// ChangesSinceAttestation is a page of what was recorded behind an attestation's
// log position and touches what was attested: of the indicators that belonged to
// the strategy then, measurements of the period recorded, corrected or voided,
// targets of it set, and redefinitions; in the order in which it was recorded.
type ChangesSinceAttestation struct {
	Attestation Attestation `json:"attestation"`
	Items       []Entry     `json:"items"`
	NextCursor  string      `json:"nextCursor,omitempty"`
	Total       *int64      `json:"total,omitempty"`
	Position    int64       `json:"position,string"`
}
