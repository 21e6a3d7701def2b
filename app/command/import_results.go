package command

import (
	"strconv"

	"github.com/google/uuid"

	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/quantity"
)

// indicator plans one PerformanceIndicator: its definition, then its targets
// and measurements by period.
func (p *importPlan) indicator(b *base, m matches, ind indicatorElement) {
	objectiveID := p.objectiveID(m, ind.parent)
	at := indicatorPlan{number: ind.ordinal, id: step(p.importID, "indicator", ind.ordinal)}
	before := indicator.State{Definition: definitionOf(ind.Indicator)}
	var definition []indicator.Command
	if m.has("indicator", ind.ordinal) {
		before = b.indicator(m.id("indicator", ind.ordinal, uuid.Nil))
		at.id = uuid.MustParse(before.ID) // the log holds no other ids
		definition = p.redefine(before, ind, objectiveID)
	} else {
		definition = []indicator.Command{indicator.DefineIndicator{
			StrategyID: p.strategyID.String(), ObjectiveID: objectiveID, Definition: before.Definition, ImportID: p.importID.String(),
		}}
	}
	if len(definition) > 0 {
		p.authorized = true
		at.chunks = append(at.chunks, chunk[indicator.Command]{commands: definition})
	}
	var current chunk[indicator.Command]
	actuals := 0
	add := func(c indicator.Command, ok bool) {
		if ok {
			current.commands = append(current.commands, c)
		}
		// Counted are the results of the document, recorded or not: where a chunk
		// ends must not depend on what is there already.
		if current.to++; current.to-current.from == resultsPerChunk {
			at.flush(&current)
		}
	}
	for _, instance := range ind.Instances {
		for _, r := range instance.Targets {
			c, ok := p.target(before, r, ind.path)
			p.authorized = p.authorized || ok
			add(c, ok)
		}
		for _, r := range instance.Actuals {
			c, ok := p.actual(before, r, ind.path)
			c.MeasurementID = step(p.importID, "measurement", ind.ordinal, actuals).String()
			actuals++
			add(c, ok)
		}
	}
	at.flush(&current)
	p.indicators = append(p.indicators, at)
}

// flush ends a chunk; one without commands is no append.
func (i *indicatorPlan) flush(c *chunk[indicator.Command]) {
	if len(c.commands) > 0 {
		i.chunks = append(i.chunks, *c)
	}
	*c = chunk[indicator.Command]{from: c.to, to: c.to}
}

// definitionOf is a document's indicator as a definition.
func definitionOf(ind stratml.Indicator) indicator.Definition {
	d := indicator.Definition{
		Identifier: ind.Identifier, Sequence: ind.Sequence, Name: ind.Dimension, Unit: ind.Unit,
		Type: indicator.Qualitative, ValueChainStage: ind.ValueChainStage,
		Direction:     indicator.Undefined, // StratML does not say which way is better
		Relationships: relationshipsOf(ind.Relationships), OtherInformation: ind.OtherInformation,
	}
	if ind.Type == "Quantitative" {
		d.Type = indicator.Quantitative
	}
	d.Frequency, d.YearStart = gridOf(periodsOf(ind))
	return d
}

// redefine gives what brings an indicator to what the document says: nothing
// where the document only says less (no unit), or what StratML cannot say.
func (p *importPlan) redefine(before indicator.State, ind indicatorElement, objectiveID string) []indicator.Command {
	d, now := before.Definition, definitionOf(ind.Indicator)
	var edits []indicator.Edit
	edit := func(field, old, new string) {
		if stratml.Collapse(old) != stratml.Collapse(new) {
			edits = append(edits, indicator.Edit{Field: field, New: indicator.Text(new)})
		}
	}
	if stratml.ComparedIdentifier(d.Identifier) != stratml.ComparedIdentifier(now.Identifier) && now.Identifier != "" {
		edits = append(edits, indicator.Edit{Field: "identifier", New: indicator.Text(now.Identifier)})
	}
	edit("sequence", d.Sequence, now.Sequence)
	edit("name", d.Name, now.Name)
	edit("valueChainStage", d.ValueChainStage, now.ValueChainStage)
	edit("otherInformation", d.OtherInformation, now.OtherInformation)
	plain := len(edits)
	if now.Unit != stratml.UnspecifiedUnit {
		edit("unit", d.Unit, now.Unit)
	}
	if periods := periodsOf(ind.Indicator); !onGrid(d.Frequency, d.YearStart, periods) {
		for _, t := range before.Targets() {
			periods = append(periods, t.Period)
		}
		for _, m := range before.Measurements() {
			periods = append(periods, m.Period)
		}
		frequency, yearStart := gridOf(periods)
		edit("frequency", string(d.Frequency), string(frequency))
		edit("yearStart", monthText(d.YearStart), monthText(yearStart))
	}
	var commands []indicator.Command
	if len(edits) > 0 {
		values := len(before.Targets()) + len(before.Measurements())
		commands = append(commands, indicator.RedefineIndicator{Edits: edits, ComparabilityBreak: len(edits) > plain && values > 0, Reason: p.reason})
	}
	if before.ObjectiveID != objectiveID {
		commands = append(commands, indicator.RelinkIndicator{ObjectiveID: objectiveID, Reason: p.reason})
	}
	if len(now.Relationships) > 0 && len(d.Relationships) == 0 {
		p.omit(RelationshipsStay, ind.Place, ind.path+"/Relationship[1]", "")
	}
	return commands
}

func (p *importPlan) target(before indicator.State, r stratml.Result, path string) (indicator.SetTarget, bool) {
	c := indicator.SetTarget{Period: periodOf(r), Note: r.Description, Reason: p.reason, ImportID: p.importID.String()}
	stated, ok := p.stated(before.Definition.Type, r, path)
	if t, set := before.Target(c.Period, nil); ok && set && sameReading(t.Reading, stated) {
		return c, false
	}
	c.Value = stated
	return c, ok && (stated.Number != "" || before.Definition.Type == indicator.Qualitative)
}

func (p *importPlan) actual(before indicator.State, r stratml.Result, path string) (indicator.RecordMeasurement, bool) {
	c := indicator.RecordMeasurement{Period: periodOf(r), Note: r.Description, ImportID: p.importID.String()}
	stated, ok := p.stated(before.Definition.Type, r, path)
	if m, measured := before.Live(c.Period, nil); ok && measured {
		if !sameReading(m.Reading, stated) {
			p.omit(ResultAsRecorded, r.Place, path, r.Units+r.DescriptorValue)
		}
		return c, false
	}
	c.Value = stated
	return c, ok
}

// stated is what a result says, in the kind of values that the indicator takes.
func (p *importPlan) stated(kind indicator.Type, r stratml.Result, path string) (indicator.Stated, bool) {
	s := indicator.Stated{Number: r.Units, DescriptorName: r.DescriptorName, Descriptor: r.DescriptorValue}
	if kind == indicator.Qualitative && s.Number != "" { // the document measures in numbers, the strategy in words
		p.omit(ResultOfOtherKind, r.Place, path, r.Units)
		return s, false
	}
	return s, true
}

func sameReading(r indicator.Reading, s indicator.Stated) bool {
	n, _ := quantity.Parse(s.Number)
	return r.Value == n && r.DescriptorName == s.DescriptorName && r.Descriptor == s.Descriptor
}

func monthText(month int) string {
	if month == 0 {
		return ""
	}
	return strconv.Itoa(month)
}

func periodOf(r stratml.Result) calendar.Period {
	return calendar.Period{Start: calendar.Date(r.StartDate), End: calendar.Date(r.EndDate)}
}

func periodsOf(ind stratml.Indicator) []calendar.Period {
	var periods []calendar.Period
	for _, m := range ind.Instances {
		for _, list := range [][]stratml.Result{m.Targets, m.Actuals} {
			for _, r := range list {
				periods = append(periods, periodOf(r))
			}
		}
	}
	return periods
}

// gridOf is the widest grid on which all periods lie; the month in which its
// years start is that of the first period.
func gridOf(periods []calendar.Period) (calendar.Frequency, int) {
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
		if onGrid(try.grid, try.yearStart, periods) {
			return try.grid, try.yearStart
		}
	}
	return calendar.Irregular, 0
}

func onGrid(grid calendar.Frequency, yearStart int, periods []calendar.Period) bool {
	for _, p := range periods {
		if !grid.Holds(p, yearStart) {
			return false
		}
	}
	return true
}

func relationshipsOf(list []stratml.Relationship) []indicator.Relationship {
	var all []indicator.Relationship
	for _, r := range list {
		all = append(all, indicator.Relationship{
			Kind: r.Type, Identifier: r.Identifier, Referents: r.Referents, Name: r.Name, Description: r.Description,
		})
	}
	return all
}
