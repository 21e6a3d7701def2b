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
	Freshness  Freshness  `json:"freshness"`
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
	IndicatorID uuid.UUID      `json:"indicatorId"`
	From        string         `json:"from,omitempty"`   // periods that end on this day or later; YYYY-MM-DD
	To          string         `json:"to,omitempty"`     // periods that start on this day or earlier
	Kind        string         `json:"kind,omitempty"`   // target or measurement; empty = both
	Dims        indicator.Dims `json:"dims,omitempty"`   // exactly these dimension values; empty = all
	Voided      bool           `json:"voided,omitempty"` // withdrawn measurements, too
	Paging      `json:"-"`
}

// Series is a page of an indicator's points by period, the earliest first: a
// target and a measurement are points of their own.
type Series struct {
	IndicatorID string        `json:"indicatorId"`
	Name        string        `json:"name"`
	Unit        string        `json:"unit,omitempty"`
	Breaks      []Break       `json:"breaks"` // all there are, the earliest first
	Items       []SeriesPoint `json:"items"`
	NextCursor  string        `json:"nextCursor,omitempty"`
	Total       *int64        `json:"total,omitempty"`
	Version     int64         `json:"version,string"`
	Position    int64         `json:"position,string"`
}

// Break is a redefinition behind which values are not compared with those before.
type Break struct {
	Epoch    int       `json:"epoch"` // that begins with it, from 1
	Fields   []string  `json:"fields,omitempty"`
	Reason   string    `json:"reason"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Position int64     `json:"position,string"`
}

// Former is a value that a point had before: what was corrected, or set anew.
type Former struct {
	indicator.Reading
	Note       string    `json:"note,omitempty"`
	Source     string    `json:"source,omitempty"`
	RecordedAt time.Time `json:"recordedAt"`
	RecordedBy string    `json:"recordedBy"`
	Reason     string    `json:"reason"` // why it was replaced
}

// SeriesPoint is one target or one measurement.
type SeriesPoint struct {
	Kind string `json:"kind"` // target, measurement
	Point
	MeasurementID string     `json:"measurementId,omitempty"`
	Note          string     `json:"note,omitempty"`
	ObservedAt    *time.Time `json:"observedAt,omitempty"`
	ExternalRef   string     `json:"externalRef,omitempty"`
	Source        string     `json:"source,omitempty"`
	Corrections   int        `json:"corrections"`      // how often the value was changed
	Former        []Former   `json:"former,omitempty"` // the values before, the latest MaxFormer of them, in their order
	Void          *Void      `json:"void,omitempty"`   // of a measurement that was withdrawn
	Epoch         int        `json:"epoch"`            // comparability breaks before this value; values of different epochs are not compared
	RecordedAt    time.Time  `json:"recordedAt"`       // of the live value
	RecordedBy    string     `json:"recordedBy"`
}

// MaxFormer is how many former values a point shows; the history has all.
const MaxFormer = 20

// Void is the withdrawal of a measurement.
type Void struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}
