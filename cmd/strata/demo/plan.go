package demo

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"
)

// notice is what whoever reads the strategy is told about where it comes from.
const notice = "Goals, targets and indicators: United Nations, General Assembly resolution 70/1 and the global indicator framework; English titles by " +
	"Open SDG (MIT licence). Values: Office for National Statistics and the sources named with each indicator, as of September 2023. " +
	"Contains public sector information licensed under the Open Government Licence v3.0. A demonstration: not a publication of, nor endorsed by, any of them."

// draft drafts the plan: a goal for each goal, an objective for each target.
func (l *loading) draft(ctx context.Context) error {
	var drafted struct{ StrategyID string }
	err := l.post(ctx, "sam", "draft", "/v1/strategies", map[string]any{"frame": map[string]any{
		"name":             Name,
		"description":      "17 goals, 169 targets and 252 indicators, with what the United Kingdom measured for 60 of them.",
		"vision":           "A world free of poverty, hunger, disease and want, where all life can thrive.",
		"period":           map[string]string{"start": "2016-01-01", "end": "2030-12-31"},
		"publicationDate":  "2015-09-25",
		"sourceUri":        "https://sdgs.un.org/2030agenda",
		"otherInformation": notice,
	}}, &drafted)
	if err != nil {
		return err
	}
	l.result.Strategy = drafted.StrategyID
	commands := "/v1/strategies/" + l.result.Strategy + "/commands/"
	goals := map[string]string{}
	for _, g := range l.agenda.Goals {
		var added struct{ GoalID string }
		err := l.post(ctx, "sam", "goal "+g.Number, commands+"add-goal",
			map[string]string{"identifier": "SDG" + g.Number, "sequence": g.Number, "name": g.Name, "description": g.Title}, &added)
		if err != nil {
			return err
		}
		goals[g.Number] = added.GoalID
		l.step("plan")
	}
	// The strategy takes one command after the other; the indicators of what is
	// there already are defined meanwhile, in the order of the Agenda, too.
	there := make(chan objective, len(l.agenda.Targets))
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		defer close(there)
		for _, t := range l.agenda.Targets {
			var added struct{ ObjectiveID string }
			err := l.post(ctx, "sam", "target "+t.Number, commands+"add-objective",
				map[string]string{"goalId": goals[parent(t.Number)], "identifier": "SDG" + t.Number, "sequence": t.Number, "name": t.Title}, &added)
			if err != nil {
				return err
			}
			there <- objective{t.Number, added.ObjectiveID}
			l.step("plan")
		}
		return nil
	})
	parts.Go(func() error {
		for o := range there {
			if err := l.define(ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
	return parts.Wait()
}

// objective is a target that the strategy has.
type objective struct{ number, id string }

// parent is the number that a number belongs to.
func parent(number string) string { return number[:strings.LastIndex(number, ".")] }

// define defines the indicators of a target, and what they should reach.
func (l *loading) define(ctx context.Context, o objective) error {
	for _, i := range l.agenda.Indicators {
		if parent(i.Number) != o.number {
			continue
		}
		var defined struct{ IndicatorID string }
		err := l.post(ctx, "sam", "indicator "+i.Number, "/v1/indicators", map[string]any{
			"strategyId": l.result.Strategy, "objectiveId": o.id, "definition": i.definition(),
		}, &defined)
		if err != nil {
			return err
		}
		l.indicators[i.Number] = defined.IndicatorID
		if err := l.aim(ctx, i); err != nil {
			return err
		}
		l.step("plan")
	}
	return nil
}

func (i Indicator) definition() map[string]any {
	d := map[string]any{
		"identifier": i.Number, "sequence": i.Number, "name": i.Title, "unit": "to be agreed",
		"type": "quantitative", "direction": directionOf(i.Number), "frequency": "year", "valueChainStage": "Outcome",
	}
	m := i.Measured
	if m == nil {
		return d
	}
	d["unit"], d["frequency"] = m.Unit, m.Frequency
	if m.YearStart > 0 {
		d["yearStart"] = m.YearStart
	}
	if a := aims[i.Number]; a.baseline != "" {
		d["baseline"] = a.baseline
	}
	var dimensions []map[string]string
	for _, name := range m.Dimensions {
		dimensions = append(dimensions, map[string]string{"name": name})
	}
	if dimensions != nil {
		d["dimensions"] = dimensions
	}
	var about []string
	if m.Name != "" {
		about = append(about, "Measured in the United Kingdom: "+m.Name+".")
	}
	for _, name := range m.Dimensions {
		if text := m.Plain[name]; text != "" {
			about = append(about, "Without other "+name+": "+text+".")
		}
	}
	about = append(about, "Source: "+m.Source+". Open Government Licence v3.0.")
	d["otherInformation"] = strings.Join(about, "\n")
	return d
}
