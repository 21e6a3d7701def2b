package query

import (
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/calendar"
)

// ScorecardFilter asks for a page of a strategy's scorecard. The roll-up of the
// goals is over all their indicators, whatever the filter.
type ScorecardFilter struct {
	StrategyID uuid.UUID `json:"strategyId"`
	Content    string    `json:"content,omitempty"` // as StrategyAsk.Content
	GoalID     string    `json:"goalId,omitempty"`
	Health     string    `json:"health,omitempty"` // unknown, on_track, at_risk, off_track
	Paging     `json:"-"`
}

// Scorecard is where a strategy stands.
type Scorecard struct {
	StrategyID string          `json:"strategyId"`
	Name       string          `json:"name"`
	State      string          `json:"state"`
	Goals      []ScorecardGoal `json:"goals"` // in the plan's order; on the first page only
	Items      []ScorecardLine `json:"items"` // in the order of definition
	NextCursor string          `json:"nextCursor,omitempty"`
	Total      *int64          `json:"total,omitempty"`
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
	Stale      int    `json:"stale"`   // of all, with a value older than their frequency allows
}

// ScorecardLine is one indicator of one objective. GoalID is empty if the
// objective is not part of the plan any more.
type ScorecardLine struct {
	GoalID        string `json:"goalId"`
	ObjectiveID   string `json:"objectiveId"`
	ObjectiveName string `json:"objectiveName,omitempty"`
	IndicatorStatus
}

// How old an indicator's latest value is.
const (
	Fresh     = "fresh"
	Stale     = "stale"     // a whole period has ended since, without a value
	NoValue   = "none"      // there is no value
	Unplanned = "unplanned" // of the frequencies once and irregular nothing is expected
)

// Freshness says how old the latest value of an indicator is.
type Freshness struct {
	Status string `json:"status"` // fresh, stale, none, unplanned
	// DueBy is the last day of the period behind the latest value's: from the next
	// day on, without a later value, it is stale.
	DueBy calendar.Date `json:"dueBy,omitempty"`
}

// FreshnessOf judges the period of the latest value, the zero one for none, on a day.
func FreshnessOf(latest calendar.Period, f calendar.Frequency, today calendar.Date) Freshness {
	if latest.End == "" {
		return Freshness{Status: NoValue}
	}
	due := nextEnd(latest.End, f)
	switch {
	case due == "":
		return Freshness{Status: Unplanned}
	case due < today:
		return Freshness{Status: Stale, DueBy: due}
	}
	return Freshness{Status: Fresh, DueBy: due}
}

// nextEnd is the last day of the period that follows one that ends on end, or
// empty if the frequency says nothing about it.
func nextEnd(end calendar.Date, f calendar.Frequency) calendar.Date {
	months := 0
	switch f {
	case calendar.Day:
		return end.AddDays(1)
	case calendar.Week:
		return end.AddDays(7)
	case calendar.Month:
		months = 1
	case calendar.Quarter:
		months = 3
	case calendar.Half:
		months = 6
	case calendar.Year:
		months = 12
	default:
		return ""
	}
	// Periods of months end on a month's last day: count from the first of the next.
	t, err := time.Parse(time.DateOnly, string(end.AddDays(1)))
	if err != nil {
		return ""
	}
	return calendar.Of(t.AddDate(0, months, -1))
}
