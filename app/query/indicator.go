package query

import (
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
)

// IndicatorStatus is where an indicator stands, without its definition.
// Values are exact decimals as strings; a qualitative one is its descriptor.
type IndicatorStatus struct {
	ID         string     `json:"id"`
	Identifier string     `json:"identifier,omitempty"`
	Name       string     `json:"name"`
	Unit       string     `json:"unit,omitempty"`
	Direction  string     `json:"direction"`
	Health     string     `json:"health"` // unknown, on_track, at_risk, off_track
	Trend      string     `json:"trend"`  // improving, worsening, flat, insufficient
	Progress   string     `json:"progress,omitempty"`
	Actual     *Point     `json:"actual,omitempty"`     // the latest live measurement
	Target     *Point     `json:"target,omitempty"`     // what it is measured against: same period, else the nearest earlier
	MeasuredAt *time.Time `json:"measuredAt,omitempty"` // when Actual was recorded or last corrected
	Source     string     `json:"source,omitempty"`     // ui, api, amqp, import: how Actual came in
	Version    int64      `json:"version,string"`
}

// Point is a value for a period and a choice of dimension values.
type Point struct {
	Period calendar.Period `json:"period"`
	Dims   indicator.Dims  `json:"dims,omitempty"`
	indicator.Reading
}

// Indicator is an indicator's definition and where it stands.
type Indicator struct {
	IndicatorStatus
	StrategyID   string               `json:"strategyId"`
	ObjectiveID  string               `json:"objectiveId"`
	ImportID     string               `json:"importId,omitempty"`
	Definition   indicator.Definition `json:"definition"`
	Targets      int                  `json:"targets"`
	Measurements int                  `json:"measurements"` // live ones
	Corrections  int                  `json:"corrections"`  // ever made
	Voided       int                  `json:"voided"`       // measurements withdrawn
	Retired      bool                 `json:"retired"`
	ReplacedBy   string               `json:"replacedBy,omitempty"`
	Position     int64                `json:"position,string"`
}

// SeriesFilter asks for a page of an indicator's series.
type SeriesFilter struct {
	IndicatorID uuid.UUID `json:"indicatorId"`
	From        string    `json:"from,omitempty"` // periods that end on this day or later; YYYY-MM-DD
	To          string    `json:"to,omitempty"`   // periods that start on this day or earlier
	Paging      `json:"-"`
}

// Series is a page of an indicator's points by period, the earliest first: a
// target and a measurement are points of their own.
type Series struct {
	IndicatorID string        `json:"indicatorId"`
	Name        string        `json:"name"`
	Unit        string        `json:"unit,omitempty"`
	Items       []SeriesPoint `json:"items"`
	NextCursor  string        `json:"nextCursor,omitempty"`
	Version     int64         `json:"version,string"`
	Position    int64         `json:"position,string"`
}

// SeriesPoint is one target or one live measurement.
type SeriesPoint struct {
	Kind string `json:"kind"` // target, measurement
	Point
	MeasurementID string     `json:"measurementId,omitempty"`
	Note          string     `json:"note,omitempty"`
	ObservedAt    *time.Time `json:"observedAt,omitempty"`
	ExternalRef   string     `json:"externalRef,omitempty"`
	Source        string     `json:"source,omitempty"`
	Corrections   int        `json:"corrections"` // how often the value was changed
	Epoch         int        `json:"epoch"`       // comparability breaks before this value; values of different epochs are not compared
	RecordedAt    time.Time  `json:"recordedAt"`  // of the live value
	RecordedBy    string     `json:"recordedBy"`
}

// Scorecard is where a strategy stands.
type Scorecard struct {
	StrategyID string          `json:"strategyId"`
	Name       string          `json:"name"`
	State      string          `json:"state"`
	Goals      []ScorecardGoal `json:"goals"`
	Items      []ScorecardLine `json:"items"`
	Version    int64           `json:"version,string"`
	Position   int64           `json:"position,string"`
}

// ScorecardGoal is the roll-up of a goal: the worst health below it, and shares.
type ScorecardGoal struct {
	GoalID     string `json:"goalId"`
	Name       string `json:"name"`
	Health     string `json:"health"`
	Indicators int    `json:"indicators"`
	Known      int    `json:"known"`   // with a health other than unknown
	OnTrack    int    `json:"onTrack"` // of those, on track
}

// ScorecardLine is one indicator of one objective. GoalID is empty if the
// objective is not part of the plan any more.
type ScorecardLine struct {
	GoalID        string `json:"goalId"`
	ObjectiveID   string `json:"objectiveId"`
	ObjectiveName string `json:"objectiveName,omitempty"`
	IndicatorStatus
}
