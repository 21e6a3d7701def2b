package diff

import (
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
)

type (
	// standing is where an indicator is and how it stands.
	standing struct {
		StrategyID  string           `json:"strategyId"`
		ObjectiveID string           `json:"objectiveId"`
		Status      indicator.Status `json:"health"`
		Retired     bool             `json:"retired"`
		Breaks      int              `json:"comparabilityBreaks"`
	}
	// value is a target or a measurement.
	value struct {
		ID     string          `json:"measurementId,omitempty"`
		Period calendar.Period `json:"period"`
		Dims   indicator.Dims  `json:"dims,omitempty"`
		indicator.Reading
		Epoch int `json:"epoch"`
	}
)

// OfIndicator are an indicator's elements. A withdrawn measurement is none.
func OfIndicator(s indicator.State) Elements { return indicatorElements(s) }

// Indicators says what differs between two states of an indicator. A withdrawn
// measurement counts as retired; one that takes its place under the same key is
// the same element, amended.
func Indicators(before, after indicator.State) ([]query.DiffItem, error) {
	return between(indicatorElements(before), indicatorElements(after))
}

func indicatorElements(s indicator.State) []element {
	if !s.Exists() {
		return nil
	}
	all := []element{
		{"lifecycle", s.ID, "", standing{s.StrategyID, s.ObjectiveID, s.Status, s.Retired, s.Epoch}},
		{"definition", s.ID, s.Definition.Name, s.Definition},
	}
	for _, t := range s.Targets() {
		all = append(all, element{"target", indicator.Key(t.Period, t.Dims), t.Period.String(), value{"", t.Period, t.Dims, t.Reading, t.Epoch}})
	}
	for _, m := range s.Measurements() {
		all = append(all, element{"measurement", indicator.Key(m.Period, m.Dims), m.Period.String(), value{m.ID, m.Period, m.Dims, m.Reading, m.Epoch}})
	}
	return all
}
