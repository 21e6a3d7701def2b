package command

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/quantity"
)

// indicator plans one PerformanceIndicator: its definition, then its targets
// and measurements in the order of the document.
func (p *importPlan) indicator(ind stratml.Indicator, objectiveID uuid.UUID, path string) {
	number := len(p.indicators)
	at := indicatorPlan{id: step(p.command, "indicator", number), number: number}
	r := results{plan: p, id: at.id, quantitative: isQuantitative(ind), seen: map[string]bool{}}
	definition := indicator.Definition{
		Identifier:       ind.Identifier,
		Sequence:         ind.Sequence,
		Name:             p.name(ind.Dimension, ind.OtherInformation, fmt.Sprintf("Indicator %d", number+1), ind.Place, path),
		Unit:             ind.Unit,
		Type:             indicator.Qualitative,
		ValueChainStage:  ind.ValueChainStage,
		Direction:        indicator.Undefined, // StratML does not say which way is better
		Relationships:    relationships(ind.Relationships),
		OtherInformation: ind.OtherInformation,
	}
	if definition.Unit == "" {
		definition.Unit = "unspecified"
		p.omit(UnitAssumed, ind.Place, path+"/UnitOfMeasurement", definition.Unit)
	}
	if r.quantitative {
		definition.Type = indicator.Quantitative
	}
	definition.Frequency, definition.YearStart = p.grid(ind)

	at.chunks = append(at.chunks, chunk[indicator.Command]{commands: []indicator.Command{indicator.DefineIndicator{
		StrategyID: p.strategyID.String(), ObjectiveID: objectiveID.String(), Definition: definition, ImportID: p.importID.String(),
	}}})
	var current chunk[indicator.Command]
	count := func() {
		// Counted are the results of the document, recorded or not: where a
		// chunk ends must not depend on the day.
		if current.to++; current.to-current.from == resultsPerChunk {
			at.chunks = append(at.chunks, current)
			current = chunk[indicator.Command]{from: current.to, to: current.to}
		}
	}
	for m, instance := range ind.Instances {
		place := fmt.Sprintf("%s/MeasurementInstance[%d]", path, m+1)
		for n, res := range instance.Targets {
			if c, ok := r.target(res, fmt.Sprintf("%s/TargetResult[%d]", place, n+1)); ok {
				current.commands = append(current.commands, c)
			}
			count()
		}
		for n, res := range instance.Actuals {
			if c, ok := r.actual(res, fmt.Sprintf("%s/ActualResult[%d]", place, n+1)); ok {
				c.MeasurementID = step(p.command, "measurement", number, m, n).String()
				current.commands = append(current.commands, c)
			}
			count()
		}
	}
	if len(current.commands) > 0 {
		at.chunks = append(at.chunks, current)
	}
	p.indicators = append(p.indicators, at)
}

// results reads the results of one indicator.
type results struct {
	plan         *importPlan
	id           uuid.UUID
	quantitative bool
	seen         map[string]bool
}

func (r results) target(res stratml.Result, path string) (indicator.SetTarget, bool) {
	value, ok := r.value(res, path)
	if !ok {
		return indicator.SetTarget{}, false
	}
	period, ok := r.period(res, path, "target")
	return indicator.SetTarget{
		Period: period, Value: value, Note: res.Description,
		Reason: "Imported from a StratML document.", ImportID: r.plan.importID.String(),
	}, ok
}

func (r results) actual(res stratml.Result, path string) (indicator.RecordMeasurement, bool) {
	value, ok := r.value(res, path)
	if !ok {
		return indicator.RecordMeasurement{}, false
	}
	period, ok := r.period(res, path, "actual")
	if ok && period.Start > r.plan.today {
		r.plan.omit(ResultInFuture, res.Place, path, period.String())
		return indicator.RecordMeasurement{}, false
	}
	return indicator.RecordMeasurement{
		Period: period, Value: value, Note: res.Description, ImportID: r.plan.importID.String(),
	}, ok
}

// value is what a result states, if it states something the indicator takes.
func (r results) value(res stratml.Result, path string) (indicator.Stated, bool) {
	if res.Empty() {
		r.plan.omit(EmptyResult, res.Place, path, res.Description)
		return indicator.Stated{}, false
	}
	stated := indicator.Stated{DescriptorName: res.DescriptorName, Descriptor: res.DescriptorValue}
	number, isNumber := decimalText(res.Units)
	switch {
	case r.quantitative && isNumber:
		stated.Number = number
	case r.quantitative:
		r.plan.omit(ResultNoNumber, res.Place, path, strings.TrimSpace(res.Units+" "+res.DescriptorValue))
		return indicator.Stated{}, false
	case stated.Descriptor == "":
		stated.Descriptor = res.Units
	}
	return stated, true
}

// period is that of the result, else that of the plan, and no other result of
// the same kind has it.
func (r results) period(res stratml.Result, path, kind string) (calendar.Period, bool) {
	period := periodOf(res)
	if period == (calendar.Period{}) {
		if period = r.plan.period; !period.Valid() {
			r.plan.omit(ResultNoPeriod, res.Place, path, res.Units)
			return period, false
		}
		r.plan.omit(PeriodAssumed, res.Place, path, period.String())
	}
	switch key := kind + " " + period.String(); {
	case !period.Valid():
		r.plan.omit(ResultBackwards, res.Place, path, period.String())
		return period, false
	case r.seen[key]:
		r.plan.omit(ResultTwice, res.Place, path, strings.TrimSpace(res.Units+" "+res.DescriptorValue))
		return period, false
	default:
		r.seen[key] = true
		return period, true
	}
}

// periodOf is the period a result gives itself; one date alone is that day.
func periodOf(res stratml.Result) calendar.Period {
	p := calendar.Period{Start: calendar.Date(res.StartDate), End: calendar.Date(res.EndDate)}
	if p.Start == "" {
		p.Start = p.End
	}
	if p.End == "" {
		p.End = p.Start
	}
	return p
}

// grid is the widest grid on which all periods of the indicator lie; the month
// in which its years start is that of the first period.
func (p *importPlan) grid(ind stratml.Indicator) (calendar.Frequency, int) {
	var periods []calendar.Period
	for _, m := range ind.Instances {
		for _, res := range append(m.Targets[:len(m.Targets):len(m.Targets)], m.Actuals...) {
			period := periodOf(res)
			if period == (calendar.Period{}) {
				period = p.period
			}
			if period.Valid() {
				periods = append(periods, period)
			}
		}
	}
	if len(periods) == 0 {
		return calendar.Irregular, 0
	}
	month := 0
	if start := string(periods[0].Start); start[5:7] != "01" {
		month = int(start[5]-'0')*10 + int(start[6]-'0')
	}
	for _, try := range []struct {
		grid      calendar.Frequency
		yearStart int
	}{{calendar.Year, month}, {calendar.Half, month}, {calendar.Quarter, 0}, {calendar.Month, 0}} {
		all := true
		for _, period := range periods {
			all = all && try.grid.Holds(period, try.yearStart)
		}
		if all {
			return try.grid, try.yearStart
		}
	}
	return calendar.Irregular, 0
}

// isQuantitative goes by what the document says, else by whether any result has
// a number; an indicator without any value counts as quantitative.
func isQuantitative(ind stratml.Indicator) bool {
	switch ind.Type {
	case "Quantitative":
		return true
	case "Qualitative":
		return false
	}
	described := false
	for _, m := range ind.Instances {
		for _, list := range [][]stratml.Result{m.Targets, m.Actuals} {
			for _, res := range list {
				if _, ok := decimalText(res.Units); ok {
					return true
				}
				described = described || res.DescriptorValue != ""
			}
		}
	}
	return !described
}

// decimalText is a number as the domain reads it: xs:decimal also writes ".5"
// and "5.".
func decimalText(s string) (string, bool) {
	if _, ok := quantity.Parse(s); ok {
		return s, true
	}
	sign := ""
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		sign, s = s[:1], s[1:]
	}
	if strings.HasPrefix(s, ".") {
		s = "0" + s
	}
	s = sign + strings.TrimSuffix(s, ".")
	_, ok := quantity.Parse(s)
	return s, ok
}

func relationships(list []stratml.Relationship) []indicator.Relationship {
	var kept []indicator.Relationship
	for _, r := range list {
		if r.Empty() {
			continue
		}
		k := indicator.Relationship{Kind: r.Type, Identifier: r.Identifier, Name: r.Name, Description: r.Description}
		for _, ref := range r.Referents {
			if ref != "" {
				k.Referents = append(k.Referents, ref)
			}
		}
		kept = append(kept, k)
	}
	return kept
}
