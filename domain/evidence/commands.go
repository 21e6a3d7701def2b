package evidence

import "time"

// Command is the closed set of what can be asked of a piece of evidence.
type Command interface{ isCommand() }

// RegisterEvidence records that bytes were collected and stored.
type RegisterEvidence struct {
	EvidenceID     string
	Kind           Kind
	SHA256         string // of the bytes, lower-case hexadecimal
	Size           int64  // in bytes
	MediaType      string
	FileName       string // sealed
	StorageRef     string
	SubjectsInside []string   // subjects whose personal data the bytes hold, as far as known
	CollectedAt    *time.Time // when the decision is made if nil
}

// LinkEvidence says what the evidence concerns.
type LinkEvidence struct {
	Relation Relation
	Target   Target
	Note     string

	TargetUnknown bool // there is no such target
}

func (RegisterEvidence) isCommand() {}
func (LinkEvidence) isCommand()     {}
