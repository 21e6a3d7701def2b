package evidence

import "time"

// Event is the closed set of facts about a piece of evidence.
type Event interface{ isEvent() }

// Kind says what the bytes are.
type Kind string

// The kinds.
const (
	Document           Kind = "document"
	ImportOriginal     Kind = "import_original"
	Message            Kind = "message"
	ExportPack         Kind = "export_pack"
	VerificationReport Kind = "verification_report"
	Review             Kind = "review"
)

// Relation says how evidence concerns its target.
type Relation string

// The relations. Supersedes and Redacts are between evidence.
const (
	Supports   Relation = "supports"
	Remediates Relation = "remediates"
	Supersedes Relation = "supersedes"
	Redacts    Relation = "redacts"
	Attests    Relation = "attests"
)

// Target is what evidence concerns.
type Target struct {
	Type     string `json:"type"` // strategy, indicator, finding, evidence, source, organization
	ID       string `json:"id"`
	Revision int    `json:"revision,omitempty"` // of a strategy
	EventID  string `json:"eventId,omitempty"`  // one event of it
}

// Registered: these bytes were collected.
type Registered struct {
	EvidenceID     string    `json:"evidenceId"`
	Kind           Kind      `json:"kind"`
	SHA256         string    `json:"sha256"`
	Size           int64     `json:"size,string"`
	MediaType      string    `json:"mediaType"`
	FileName       string    `json:"fileName,omitempty"` // sealed
	StorageRef     string    `json:"storageRef"`
	SubjectsInside []string  `json:"subjectsInside,omitempty"`
	CollectedAt    time.Time `json:"collectedAt"`
}

// Linked: the evidence concerns this.
type Linked struct {
	Relation Relation `json:"relation"`
	Target   Target   `json:"target"`
	Note     string   `json:"note,omitempty"`
}

func (Registered) isEvent() {}
func (Linked) isEvent()     {}
