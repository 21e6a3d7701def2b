package indicator

import (
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/quantity"
)

// Event is the closed set of facts about an indicator.
type Event interface{ isEvent() }

// Defined: the indicator exists and belongs to an objective.
type Defined struct {
	IndicatorID string `json:"indicatorId"`
	StrategyID  string `json:"strategyId"`
	ObjectiveID string `json:"objectiveId"`
	Definition
	ImportID     string `json:"importId,omitempty"`
	AuthorizedBy string `json:"authorizedBy,omitempty"` // S15
}

// Redefined: the definition changed. After a comparability break earlier values
// and targets are not compared with later ones.
type Redefined struct {
	Changes            []Change `json:"changes"`
	ComparabilityBreak bool     `json:"comparabilityBreak"`
	Reason             string   `json:"reason"`
	AuthorizedBy       string   `json:"authorizedBy,omitempty"` // S15
}

// Change is one field before and after.
type Change struct {
	Field string  `json:"field"`
	Old   Content `json:"old"`
	New   Content `json:"new"`
}

// TargetSet: what is to be reached in a period, instead of what was before.
type TargetSet struct {
	Period calendar.Period `json:"period"`
	Dims   Dims            `json:"dims,omitempty"`
	Reading
	Note         string   `json:"note,omitempty"`
	Previous     *Reading `json:"previous,omitempty"`
	Reason       string   `json:"reason"`
	AuthorizedBy string   `json:"authorizedBy,omitempty"` // S15
	ImportID     string   `json:"importId,omitempty"`
}

// MeasurementRecorded: a key (period and dims) that had no living value has one.
type MeasurementRecorded struct {
	MeasurementID string          `json:"measurementId"`
	KeyVersion    int             `json:"keyVersion"` // 1, 2, 3 … per key, over recordings, corrections and voids
	Period        calendar.Period `json:"period"`
	Dims          Dims            `json:"dims,omitempty"`
	Reading
	ObservedAt  *time.Time `json:"observedAt,omitempty"`
	Note        string     `json:"note,omitempty"`
	ExternalRef string     `json:"externalRef,omitempty"`
	ImportID    string     `json:"importId,omitempty"`
}

// MeasurementCorrected: the living value of a key was wrong; here is a better one.
type MeasurementCorrected struct {
	MeasurementID string          `json:"measurementId"` // of the living measurement; it stays
	KeyVersion    int             `json:"keyVersion"`
	Period        calendar.Period `json:"period"`
	Dims          Dims            `json:"dims,omitempty"`
	Old           Reading         `json:"old"`
	New           Reading         `json:"new"`
	ObservedAt    *time.Time      `json:"observedAt,omitempty"`
	Note          string          `json:"note,omitempty"`
	Reason        string          `json:"reason"` // "source_restated" if the source says so itself
	EvidenceID    string          `json:"evidenceId,omitempty"`
}

// MeasurementVoided: the living value of a key is withdrawn; the key may be measured again.
type MeasurementVoided struct {
	MeasurementID string          `json:"measurementId"`
	KeyVersion    int             `json:"keyVersion"`
	Period        calendar.Period `json:"period"`
	Dims          Dims            `json:"dims,omitempty"`
	Old           Reading         `json:"old"`
	Reason        string          `json:"reason"`
	EvidenceID    string          `json:"evidenceId,omitempty"`
}

// HealthChanged: what came before in the same append changed the status.
type HealthChanged struct {
	From               Status          `json:"from"`
	To                 Status          `json:"to"`
	Period             calendar.Period `json:"period,omitzero"` // of the judged value
	Actual             *Reading        `json:"actual,omitempty"`
	Target             *Reading        `json:"target,omitempty"`
	Progress           quantity.Number `json:"progress,omitempty"` // 1 = reached; for increase and decrease
	Trend              Trend           `json:"trend"`
	Rule               Direction       `json:"rule"`
	CauseMeasurementID string          `json:"causeMeasurementId,omitempty"`
}

// Retired: nothing is written to the indicator any more.
type Retired struct {
	Reason       string `json:"reason"`
	ReplacedBy   string `json:"replacedBy,omitempty"`
	AuthorizedBy string `json:"authorizedBy,omitempty"` // S15
}

func (Defined) isEvent()              {}
func (Redefined) isEvent()            {}
func (TargetSet) isEvent()            {}
func (MeasurementRecorded) isEvent()  {}
func (MeasurementCorrected) isEvent() {}
func (MeasurementVoided) isEvent()    {}
func (HealthChanged) isEvent()        {}
func (Retired) isEvent()              {}
