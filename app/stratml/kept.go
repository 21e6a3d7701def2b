package stratml

import (
	"fmt"
	"slices"
	"strings"

	"strata.dev/strata/domain/quantity"
)

// Codes of what an import leaves out or fills in, beside the deviations of the
// document itself. Nothing is left out without one.
const (
	EmptyResult     = "result-without-value"  // neither number nor descriptor: no measurement
	ResultNoNumber  = "result-not-a-number"   // of a quantitative indicator
	ResultNoPeriod  = "result-without-period" // and the plan has none either
	ResultBackwards = "result-period-backwards"
	ResultTwice     = "result-period-twice" // the first in the document counts
	ResultInFuture  = "result-in-future"    // an actual result of a period that has not begun
	PeriodAssumed   = "result-period-assumed"
	PlanBackwards   = "plan-period-backwards"
	NameAssumed     = "name-assumed"
	UnitAssumed     = "unit-assumed"
	PersonWithheld  = "person-withheld"  // the log never forgets, so it is not told names in clear
	UntypedWithheld = "untyped-withheld" // a stakeholder of no type may be a person
	PersonErased    = "person-erased"    // who was erased, and is not taken in again
)

// UnspecifiedUnit is the unit of an indicator that has none.
const UnspecifiedUnit = "unspecified"

// Kept is the part of a document that is recorded, as a document of its own,
// and what was left out or filled in on the way. It is what two documents must
// have in common to be the same plan (ContentHash), and what an export gives
// back, so Kept of an exported document is that document.
//
// Left out are: forms left blank, results without a value, an identifier's
// second use (it identifies nothing), and everything that says who a person is:
// name and description of stakeholders of type Person, or of none, and of their
// roles, and the submitter. Filled in are names, units, types and periods that the records
// need. Results come one target and one actual per period, by period.
//
// today (YYYY-MM-DD) is the day after which no actual result can begin; empty
// for no such day. d stays as it is.
func (d *Document) Kept(today string) (*Document, []Deviation) {
	kept, omitted, _ := d.KeptSealed(today, nil) // without a sealer nothing fails
	return kept, omitted
}

// Tidy is Kept for a document that is made of records and is to be written:
// whatever it says may be said.
func (d *Document) Tidy() (*Document, []Deviation) {
	k := &keeper{root: d.rootPath(), ids: map[string]bool{}}
	return k.document(d), k.omitted
}

func (d *Document) rootPath() string {
	if d.Part == Part1 {
		return "/StrategicPlan"
	}
	return "/PerformancePlanOrReport"
}

// keeper makes the kept document of one document.
type keeper struct {
	root       string
	today      string
	withhold   bool            // who persons are
	seal       Sealer          // instead, if not nil
	err        error           // the first one of seal
	start, end string          // of the plan, both given and in order, or both empty
	ids        map[string]bool // used so far, as they are compared
	omitted    []Deviation
	indicators int
}

// omit notes what is not recorded as it stands in the document.
func (k *keeper) omit(code string, at Place, path, text string) {
	k.omitted = append(k.omitted, Deviation{Code: code, Line: at.Line, Column: at.Column, Path: path, Text: text})
}

var top = Place{Line: 1, Column: 1}

// document walks in the order of the schema: where an identifier is used twice,
// the use that an export would come to first is the one that counts.
func (k *keeper) document(d *Document) *Document {
	out := &Document{
		Part: d.Part, Type: d.Type, TypeAssumed: d.TypeAssumed, Namespace: d.Namespace,
		Description: d.Description, OtherInformation: d.OtherInformation,
		SHA256: d.SHA256, Size: d.Size, Deviations: d.Deviations,
	}
	out.Name = k.name(d.Name, d.Description, "Unnamed plan", top, k.root)
	a := d.Administrative
	if a.StartDate != "" && a.EndDate != "" && a.EndDate <= a.StartDate {
		k.omit(PlanBackwards, top, k.root+"/AdministrativeInformation", a.StartDate+"/"+a.EndDate)
		a.StartDate, a.EndDate = "", ""
	}
	if a.StartDate != "" && a.EndDate != "" {
		k.start, k.end = a.StartDate, a.EndDate
	}
	core := k.root + "/StrategicPlanCore"
	for i, o := range d.Organizations {
		o.Identifier = k.identifier(o.Identifier)
		o.Stakeholders = k.stakeholders(o.Stakeholders, top, fmt.Sprintf("%s/Organization[%d]", core, i+1))
		out.Organizations = append(out.Organizations, o)
	}
	out.Vision, out.Mission = k.statement(d.Vision), k.statement(d.Mission)
	out.Values = slices.DeleteFunc(slices.Clone(d.Values), func(v Value) bool { return v == Value{} })
	for i, g := range d.Goals {
		out.Goals = append(out.Goals, k.goal(g, i, fmt.Sprintf("%s/Goal[%d]", core, i+1)))
	}
	a.Identifier = k.identifier(a.Identifier)
	out.Administrative = a
	if s := d.Submitter; k.withhold && k.seal == nil && s != nil && !s.Empty() {
		k.omit(PersonWithheld, top, d.SubmitterPath(), "")
	}
	return out
}

func (k *keeper) statement(s *Statement) *Statement {
	if s == nil {
		return nil
	}
	kept := Statement{Description: s.Description, Identifier: k.identifier(s.Identifier)}
	if kept == (Statement{}) {
		return nil
	}
	return &kept
}

func (k *keeper) goal(g Goal, n int, path string) Goal {
	g.Name = k.name(g.Name, g.Description, fmt.Sprintf("Goal %d", n+1), g.Place, path)
	g.Identifier = k.identifier(g.Identifier)
	g.Stakeholders = k.stakeholders(g.Stakeholders, g.Place, path)
	var objectives []Objective
	for i, o := range g.Objectives {
		path := fmt.Sprintf("%s/Objective[%d]", path, i+1)
		o.Identifier = k.identifier(o.Identifier)
		o.Stakeholders = k.stakeholders(o.Stakeholders, o.Place, path)
		var indicators []Indicator
		for j, ind := range o.Indicators {
			indicators = append(indicators, k.indicator(ind, fmt.Sprintf("%s/PerformanceIndicator[%d]", path, j+1)))
		}
		o.Indicators = indicators
		objectives = append(objectives, o)
	}
	g.Objectives = objectives
	return g
}

func (k *keeper) indicator(ind Indicator, path string) Indicator {
	k.indicators++
	ind.Dimension = k.name(ind.Dimension, ind.OtherInformation, fmt.Sprintf("Indicator %d", k.indicators), ind.Place, path)
	if ind.Unit == "" {
		ind.Unit = UnspecifiedUnit
		k.omit(UnitAssumed, ind.Place, path+"/UnitOfMeasurement", ind.Unit)
	}
	if ind.quantitative() {
		ind.Type = "Quantitative"
	} else {
		ind.Type = "Qualitative"
	}
	ind.Identifier = k.identifier(ind.Identifier)
	var relationships []Relationship
	for _, r := range ind.Relationships {
		if r.Empty() {
			continue
		}
		r.Identifier = k.identifier(r.Identifier)
		r.Referents = slices.DeleteFunc(slices.Clone(r.Referents), func(s string) bool { return s == "" })
		relationships = append(relationships, r)
	}
	ind.Relationships = relationships
	ind.Instances = k.instances(ind, path)
	return ind
}

// instances gives one instance per period, by period.
func (k *keeper) instances(ind Indicator, path string) []Instance {
	var targets, actuals resultList
	for m, instance := range ind.Instances {
		place := fmt.Sprintf("%s/MeasurementInstance[%d]", path, m+1)
		for n, r := range instance.Targets {
			k.result(&targets, r, ind.Type == "Quantitative", false, fmt.Sprintf("%s/TargetResult[%d]", place, n+1))
		}
		for n, r := range instance.Actuals {
			k.result(&actuals, r, ind.Type == "Quantitative", true, fmt.Sprintf("%s/ActualResult[%d]", place, n+1))
		}
	}
	byPeriod := map[[2]string]*Instance{}
	var periods [][2]string
	at := func(r Result) *Instance {
		p := [2]string{r.StartDate, r.EndDate}
		if byPeriod[p] == nil {
			byPeriod[p] = &Instance{}
			periods = append(periods, p)
		}
		return byPeriod[p]
	}
	for _, r := range targets.results {
		i := at(r)
		i.Targets = []Result{r}
	}
	for _, r := range actuals.results {
		i := at(r)
		i.Actuals = []Result{r}
	}
	slices.SortFunc(periods, func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	var instances []Instance
	for _, p := range periods {
		instances = append(instances, *byPeriod[p])
	}
	return instances
}

// resultList holds results of one kind, one per period.
type resultList struct {
	results []Result
	periods map[[2]string]bool
}

// add takes r unless there is one of its period.
func (l *resultList) add(r Result) bool {
	period := [2]string{r.StartDate, r.EndDate}
	if l.periods[period] {
		return false
	}
	if l.periods == nil {
		l.periods = map[[2]string]bool{}
	}
	l.periods[period] = true
	l.results = append(l.results, r)
	return true
}

// result adds r to the list, or notes why not. An actual result may say in words
// why there is no number; a target may not.
func (k *keeper) result(list *resultList, r Result, quantitative, actual bool, path string) {
	if r.Empty() {
		k.omit(EmptyResult, r.Place, path, r.Description)
		return
	}
	number, isNumber := decimalText(r.Units)
	switch {
	case quantitative && isNumber:
		r.Units = number
	case quantitative && actual && r.Units == "":
	case quantitative:
		k.omit(ResultNoNumber, r.Place, path, strings.TrimSpace(r.Units+" "+r.DescriptorValue))
		return
	default:
		if r.DescriptorValue == "" {
			r.DescriptorValue = r.Units
		}
		r.Units = ""
	}
	switch {
	case r.StartDate == "" && r.EndDate == "":
		if k.start == "" {
			k.omit(ResultNoPeriod, r.Place, path, r.Units)
			return
		}
		r.StartDate, r.EndDate = k.start, k.end
		k.omit(PeriodAssumed, r.Place, path, r.StartDate+"/"+r.EndDate)
	case r.StartDate == "": // one date alone is that day
		r.StartDate = r.EndDate
	case r.EndDate == "":
		r.EndDate = r.StartDate
	}
	switch {
	case r.EndDate < r.StartDate:
		k.omit(ResultBackwards, r.Place, path, r.StartDate+"/"+r.EndDate)
	case actual && k.today != "" && r.StartDate > k.today:
		k.omit(ResultInFuture, r.Place, path, r.StartDate+"/"+r.EndDate)
	case !list.add(r):
		k.omit(ResultTwice, r.Place, path, strings.TrimSpace(r.Units+" "+r.DescriptorValue))
	}
}

// name gives an element the name that the records ask for, when the document
// has none.
func (k *keeper) name(name, description, fallback string, at Place, path string) string {
	if name != "" {
		return name
	}
	const limit = 120
	name = fallback
	if description != "" {
		name = description
		if words := []rune(description); len(words) > limit {
			name = strings.TrimSpace(string(words[:limit])) + "…"
		}
	}
	k.omit(NameAssumed, at, path+"/Name", name)
	return name
}

// identifier is id, or nothing if it was used before. The document's own
// deviation duplicate-identifier says so already.
func (k *keeper) identifier(id string) string {
	if id == "" {
		return ""
	}
	c := ComparedIdentifier(id)
	if k.ids[c] {
		return ""
	}
	k.ids[c] = true
	return id
}

// quantitative goes by what the document says, else by whether any result has a
// number; an indicator without any value counts as quantitative.
func (i Indicator) quantitative() bool {
	switch i.Type {
	case "Quantitative":
		return true
	case "Qualitative":
		return false
	}
	described := false
	for _, m := range i.Instances {
		for _, r := range slices.Concat(m.Targets, m.Actuals) {
			if _, ok := decimalText(r.Units); ok {
				return true
			}
			described = described || !r.Empty()
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
