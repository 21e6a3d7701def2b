package query

// MaxCauses bounds how far back a chain of causes is followed.
const MaxCauses = 50

// Provenance is where a number comes from: everything recorded about one
// measurement, in order, each with what it came in by and what caused it.
type Provenance struct {
	MeasurementID string           `json:"measurementId"`
	IndicatorID   string           `json:"indicatorId"`
	StrategyID    string           `json:"strategyId"` // that the indicator belongs to now
	State         string           `json:"state"`      // live, void
	Steps         []ProvenanceStep `json:"steps"`
	Position      int64            `json:"position,string"`
}

// States of a measurement.
const (
	Live   = "live"
	Voided = "void"
)

// ProvenanceStep is one event about the measurement.
type ProvenanceStep struct {
	Entry
	// CommandID is that of every event of the command; Entry has it for its first only.
	CommandID string                `json:"commandId"`
	Evidence  []MeasurementEvidence `json:"evidence"`         // what the event names, and what was linked to it or to the measurement
	Import    *ImportLink           `json:"import,omitempty"` // the document that it was read from
	Causes    []Entry               `json:"causes"`           // what caused it, back to the root; nothing for what a person did
}

// MeasurementEvidence is a piece of evidence and how it concerns the measurement.
type MeasurementEvidence struct {
	EvidenceID string `json:"evidenceId"`
	Relation   string `json:"relation"`         // named: by the event itself; or as it was linked: supports, remediates …
	SHA256     string `json:"sha256,omitempty"` // of its bytes, where it is registered
	MediaType  string `json:"mediaType,omitempty"`
}

// Named is the relation of evidence that the event itself names.
const Named = "named"

// ImportLink is the document that a measurement was read from.
type ImportLink struct {
	ImportID       string `json:"importId"`
	DocumentSHA256 string `json:"documentSha256"`
}
