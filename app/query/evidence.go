package query

import (
	"time"

	"strata.dev/strata/domain/evidence"
)

// EvidenceFilter asks for a page of the evidence, the earliest first.
type EvidenceFilter struct {
	Kind       string    `json:"kind,omitempty"` // document, import_original, message, export_pack, verification_report, review
	SHA256     string    `json:"sha256,omitempty"`
	TargetType string    `json:"targetType,omitempty"` // with TargetID: linked to this
	TargetID   string    `json:"targetId,omitempty"`
	From       time.Time `json:"from,omitzero"` // registered at or after
	To         time.Time `json:"to,omitzero"`   // registered before
	Paging     `json:"-"`
}

// EvidenceSummary says which bytes were collected. The bytes are not here.
type EvidenceSummary struct {
	ID           string    `json:"id"`
	Kind         string    `json:"kind"`
	SHA256       string    `json:"sha256"`
	Size         int64     `json:"size"` // bytes
	MediaType    string    `json:"mediaType"`
	CollectedAt  time.Time `json:"collectedAt"`
	RegisteredAt time.Time `json:"registeredAt"`
	RegisteredBy string    `json:"registeredBy"`       // a member, a source, or the name of a process
	SourceID     string    `json:"sourceId,omitempty"` // that the bytes came from
	Links        int       `json:"links"`
	Version      int64     `json:"version,string"` // of the stream: the ETag
	FileName     string    `json:"fileName,omitempty"`
	Withheld
}

// EvidenceDetail is a piece of evidence with all its links.
type EvidenceDetail struct {
	EvidenceSummary
	SubjectsInside []string         `json:"subjectsInside,omitempty"` // whose personal data the bytes hold, as far as known
	LinkList       []EvidenceTarget `json:"linkList"`                 // in their order
	// LinkedFrom is other evidence that supersedes or redacts this; the latest MaxLinked.
	LinkedFrom []LinkedEvidence `json:"linkedFrom"`
	Position   int64            `json:"position,string"`
}

// EvidenceTarget says what evidence concerns.
type EvidenceTarget struct {
	Relation string          `json:"relation"` // supports, remediates, supersedes, redacts, attests
	Target   evidence.Target `json:"target"`
	Note     string          `json:"note,omitempty"`
	LinkedAt time.Time       `json:"linkedAt"`
	LinkedBy string          `json:"linkedBy"`
}

// MaxLinked is how much evidence is shown with what it concerns; the list of
// evidence by target has all.
const MaxLinked = 200

// LinkedEvidence is evidence as seen from what it concerns.
type LinkedEvidence struct {
	EvidenceID string    `json:"evidenceId"`
	Relation   string    `json:"relation"`
	Kind       string    `json:"kind"`
	SHA256     string    `json:"sha256"`
	Note       string    `json:"note,omitempty"`
	LinkedAt   time.Time `json:"linkedAt"`
	LinkedBy   string    `json:"linkedBy"`
}
