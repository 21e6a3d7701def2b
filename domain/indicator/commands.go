package indicator

import (
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
)

// Command is the closed set of what can be asked of an indicator.
type Command interface{ isCommand() }

// DefineIndicator begins an indicator under an objective.
type DefineIndicator struct {
	IndicatorID   string
	StrategyID    string
	ObjectiveID   string
	Definition    Definition // tolerances default to 0 and 0.1
	ImportID      string
	Authorization Authorization
}

// Authorization is the second person that S15 asks for once the strategy is in
// force. It covers all that the approved indicator digest covers, definition,
// relinking and retirement included: leaving a missed indicator out bends
// results as well as a lower target does.
type Authorization struct {
	StrategyInForce bool // a revision of the strategy is in force
	Second          fact.Second
}

// Edit sets one field of the definition; the empty Content clears it.
type Edit struct {
	Field string
	New   Content
}

// RedefineIndicator changes fields of the definition: identifier, sequence,
// name, unit, valueChainStage, direction, frequency, yearStart, dimensions,
// headline, baseline, done, toleranceAtRisk, toleranceOffTrack, ownerId,
// externalRefs, otherInformation. A change of unit, direction, frequency,
// yearStart or dimensions while there are values is a comparability break.
type RedefineIndicator struct {
	Edits              []Edit
	ComparabilityBreak bool
	Reason             string
	Authorization      Authorization
}

// RelinkIndicator puts the indicator under another objective, of the same
// strategy or of another one of the organization.
type RelinkIndicator struct {
	StrategyID    string // the present one if empty
	ObjectiveID   string
	Reason        string
	Authorization Authorization
}

// SetTarget sets or replaces the target of a period.
type SetTarget struct {
	Period        calendar.Period
	Dims          Dims
	Value         Stated
	Note          string
	Reason        string
	ImportID      string
	Authorization Authorization
}

// Stated is a value as it came: the text of a number, a descriptor, or both.
type Stated struct {
	Number         string
	DescriptorName string
	Descriptor     string
}

// RecordMeasurement records a value for a key that has none.
type RecordMeasurement struct {
	MeasurementID string
	Period        calendar.Period
	Dims          Dims
	Value         Stated
	ObservedAt    *time.Time
	Note          string
	ExternalRef   string
	ImportID      string
	Breach        Breach      // looked at for a key whose value was voided
	Source        SourceTerms // of the source that records it
}

// CorrectMeasurement replaces the living value of a measurement, which it names
// by its id or else by its key.
type CorrectMeasurement struct {
	MeasurementID string
	Period        calendar.Period // if no id is given
	Dims          Dims            // likewise
	Value         Stated
	ObservedAt    *time.Time
	Note          string
	Reason        string
	EvidenceID    string

	EvidenceUnknown bool // there is no such evidence
	Breach          Breach
	Source          SourceTerms // of the source that corrects it
}

// SourceTerms are what the source that gives a command may do with the
// indicator, by its registration (S14).
type SourceTerms struct {
	Registered bool // else it is a service account: it has no terms, and no override
	Allowed    bool
	Override   bool // also where a person wrote last
}

// Breach is the finding about a missed target that is open for an indicator (S9).
type Breach struct {
	FindingID  string   // "" = none is open
	OwnerID    string   // of the finding; "" = nobody is assigned
	SamePerson []string // other member ids, past or present, of the person who corrects
}

// VoidMeasurement withdraws the living value of a measurement, which it names
// by its id or else by its key.
type VoidMeasurement struct {
	MeasurementID string
	Period        calendar.Period // if no id is given
	Dims          Dims            // likewise
	Reason        string
	EvidenceID    string

	EvidenceUnknown bool // there is no such evidence
	Breach          Breach
	Source          SourceTerms // of the source that voids it
}

// RetireIndicator ends the indicator.
type RetireIndicator struct {
	Reason        string
	ReplacedBy    string
	Authorization Authorization
}

func (DefineIndicator) isCommand()    {}
func (RedefineIndicator) isCommand()  {}
func (RelinkIndicator) isCommand()    {}
func (SetTarget) isCommand()          {}
func (RecordMeasurement) isCommand()  {}
func (CorrectMeasurement) isCommand() {}
func (VoidMeasurement) isCommand()    {}
func (RetireIndicator) isCommand()    {}
