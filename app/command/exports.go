package command

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
)

// Exports turns strategies into documents. They ask, and change nothing; they
// are here because they fold the log as commands do, so that what is exported
// is exactly what is recorded. Safe for concurrent use.
type Exports struct {
	imports *Imports // for what both know about the strategy behind a document
}

// RevisionChoice says which content of a strategy is meant.
type RevisionChoice string

// The choices.
const (
	PresentRevision RevisionChoice = ""        // the working revision if there is one, else the one in force
	WorkingRevision RevisionChoice = "working" // as it is edited now
	InForceRevision RevisionChoice = "in-force"
)

// ExportOptions say what to export.
type ExportOptions struct {
	Revision RevisionChoice
	Part     stratml.Part // 0 = Part2
}

// Exported is a strategy as a document.
type Exported struct {
	Document    []byte
	Revision    int
	Version     int64  // of the strategy's stream
	Position    int64  // of the log, up to which the document is exact
	ContentHash string // of the document, as an import would find it
	Omitted     []stratml.Deviation
	Opened      bool // it names persons: who reads it may read names
}

// What StratML has no place for.
const (
	SeriesWithDimensions   = "series-with-dimensions"
	ObjectiveRelationships = "objective-relationships"
	IndicatorsOfPart2      = "indicators-of-part-2"
	RolesOfPart2           = "roles-of-part-2"
)

// ErrNoRevision: the strategy has no such revision now.
var ErrNoRevision = refusal.NotFound.WithRule("revision")

// StratML gives a strategy as of now as a document that is valid by the
// official schema: the plan of a revision, with the indicators of its
// objectives, their targets and their living measurements. Who persons are is in
// it for those who may read names. What StratML cannot say is left out and
// listed. The asking person must be a member of the organization.
func (x *Exports) StratML(ctx context.Context, p Principal, strategyID uuid.UUID, o ExportOptions) (Exported, error) {
	i := x.imports
	m, err := i.organizations.member(ctx, p, i.options.Clock().Add(-MembershipAge))
	if err != nil {
		return Exported{}, err
	}
	head, err := i.options.Log.Head(ctx)
	if err != nil {
		return Exported{}, fmt.Errorf("head of the log: %w", err)
	}
	f, err := i.strategies.executor.load(ctx, p.OrganizationID, i.strategies.executor.stream(strategyID), true)
	if err != nil {
		return Exported{}, err
	}
	revision, err := revisionOf(f.state, o.Revision)
	if err != nil {
		return Exported{}, err
	}
	ids, err := i.options.Basis.IndicatorsOf(ctx, p.OrganizationID, strategyID, head)
	if err != nil {
		return Exported{}, fmt.Errorf("indicators of strategy %s: %w", strategyID, err)
	}
	indicators, err := i.indicators.asOf(ctx, p.OrganizationID, strategyID, ids, head)
	if err != nil {
		return Exported{}, err
	}
	if o.Part == 0 {
		o.Part = stratml.Part2
	}
	e := exporter{part: o.Part, path: "/PerformancePlanOrReport"}
	if e.part == stratml.Part1 {
		e.path = "/StrategicPlan"
	}
	sealed, omitted := e.document(f.state.DocumentType, revision.Plan, indicators).Tidy()
	u := unsealer{ctx: ctx, organization: p.OrganizationID, part: o.Part, path: e.path}
	if m.readsNames() {
		u.persons = i.options.Personal
	}
	opened, err := u.document(sealed)
	if err != nil {
		return Exported{}, err
	}
	written, _ := opened.Tidy()
	document, err := i.options.Writer.Write(written, o.Part)
	if err != nil {
		return Exported{}, err
	}
	kept, _ := sealed.Kept("")
	return Exported{
		Document: document, Revision: revision.Number, Version: f.version, Position: head,
		ContentHash: kept.ContentHash(), Omitted: append(append(e.omitted, omitted...), u.omitted...), Opened: u.opened,
	}, nil
}

func revisionOf(s strategy.State, choice RevisionChoice) (strategy.Revision, error) {
	r := s.Working
	switch choice {
	case PresentRevision:
		if r.Number == 0 {
			r = s.InForce
		}
	case WorkingRevision:
	case InForceRevision:
		r = s.InForce
	default:
		return r, refusal.Invalid.Detailf("revision: Give working or in-force.").At("#/revision", "enum", "Give working or in-force.")
	}
	switch {
	case !s.Exists():
		return r, strategy.ErrNotDrafted.Detailf("There is no such strategy.")
	case r.Number == 0:
		return r, ErrNoRevision.Detailf("The strategy has no such revision now.")
	}
	return r, nil
}

// exporter makes a document of what is recorded.
type exporter struct {
	part    stratml.Part
	path    string
	omitted []stratml.Deviation
}

func (e *exporter) omit(code, path, text string) {
	e.omitted = append(e.omitted, stratml.Deviation{Code: code, Path: path, Text: text})
}

func (e *exporter) document(typ strategy.DocumentType, plan strategy.Plan, indicators []knownIndicator) *stratml.Document {
	f := plan.Frame
	d := &stratml.Document{
		Part: e.part, Type: stratml.DocumentType(typ),
		Name: f.Name, Description: f.Description, OtherInformation: f.OtherInformation,
		Vision:  &stratml.Statement{Description: f.Vision, Identifier: f.VisionIdentifier},
		Mission: &stratml.Statement{Description: f.Mission, Identifier: f.MissionIdentifier},
		Administrative: stratml.Administrative{
			Identifier: f.Identifier, StartDate: string(f.Period.Start), EndDate: string(f.Period.End),
			PublicationDate: string(f.PublicationDate), Source: f.SourceURI,
		},
	}
	if e.part == stratml.Part1 {
		d.Type, d.Administrative.Identifier = stratml.StrategicPlan, ""
	}
	for n, o := range f.Organizations {
		d.Organizations = append(d.Organizations, stratml.Organization{
			Name: o.Name, Acronym: o.Acronym, Identifier: o.Identifier, Description: o.Description,
			Stakeholders: e.stakeholders(o.Stakeholders, fmt.Sprintf("%s/StrategicPlanCore/Organization[%d]", e.path, n+1)),
		})
	}
	for _, v := range f.Values {
		d.Values = append(d.Values, stratml.Value(v))
	}
	of := map[string][]knownIndicator{}
	for _, s := range indicators {
		of[s.ObjectiveID] = append(of[s.ObjectiveID], s)
	}
	for n, g := range plan.Goals() {
		path := fmt.Sprintf("%s/StrategicPlanCore/Goal[%d]", e.path, n+1)
		goal := stratml.Goal{
			Name: g.Name, Description: g.Description, Identifier: g.Identifier, Sequence: g.Sequence,
			Stakeholders: e.stakeholders(g.Stakeholders, path), OtherInformation: g.OtherInformation,
		}
		for m, o := range plan.Objectives(g.ID) {
			goal.Objectives = append(goal.Objectives, e.objective(o, of[o.ID], fmt.Sprintf("%s/Objective[%d]", path, m+1)))
		}
		d.Goals = append(d.Goals, goal)
	}
	return d
}

func (e *exporter) objective(o strategy.Objective, indicators []knownIndicator, path string) stratml.Objective {
	objective := stratml.Objective{
		Name: o.Name, Description: o.Description, Identifier: o.Identifier, Sequence: o.Sequence,
		Stakeholders: e.stakeholders(o.Stakeholders, path), OtherInformation: o.OtherInformation,
	}
	if len(o.Relationships) > 0 {
		e.omit(ObjectiveRelationships, path, "")
	}
	if e.part == stratml.Part1 {
		if len(indicators) > 0 {
			e.omit(IndicatorsOfPart2, path, "")
		}
		return objective
	}
	for n, s := range indicators {
		objective.Indicators = append(objective.Indicators, e.indicator(s, fmt.Sprintf("%s/PerformanceIndicator[%d]", path, n+1)))
	}
	return objective
}

// indicator gives an indicator with the series that it is judged on.
func (e *exporter) indicator(s knownIndicator, path string) stratml.Indicator {
	d := s.Definition
	i := stratml.Indicator{
		Sequence: d.Sequence, Dimension: d.Name, Unit: d.Unit, Identifier: d.Identifier, ValueChainStage: stageOf(d.ValueChainStage),
		Type: "Quantitative", OtherInformation: d.OtherInformation,
	}
	if d.Type == indicator.Qualitative {
		i.Type = "Qualitative"
	}
	for _, r := range d.Relationships {
		i.Relationships = append(i.Relationships, stratml.Relationship{
			Type: r.Kind, Identifier: r.Identifier, Referents: r.Referents, Name: r.Name, Description: r.Description,
		})
	}
	other := 0
	var m stratml.Instance
	for _, t := range s.Targets() {
		if !maps.Equal(t.Dims, d.Headline) {
			other++
			continue
		}
		m.Targets = append(m.Targets, resultOf(t.Period, t.Reading, s.notes[indicator.Key(t.Period, t.Dims)]))
	}
	for _, a := range s.Measurements() {
		if !maps.Equal(a.Dims, d.Headline) {
			other++
			continue
		}
		m.Actuals = append(m.Actuals, resultOf(a.Period, a.Reading, s.notes[a.ID]))
	}
	i.Instances = []stratml.Instance{m}
	if other > 0 {
		e.omit(SeriesWithDimensions, path, strconv.Itoa(other))
	}
	return i
}

func resultOf(p calendar.Period, r indicator.Reading, note string) stratml.Result {
	units := r.OriginalText
	if strings.ContainsAny(units, "eE") { // xs:decimal has no exponent
		units = string(r.Value)
	}
	return stratml.Result{
		StartDate: string(p.Start), EndDate: string(p.End), Units: units,
		DescriptorName: r.DescriptorName, DescriptorValue: r.Descriptor, Description: note,
	}
}

// stageOf is a stage that StratML knows, or none.
func stageOf(stage string) string {
	switch stage {
	case "Outcome", "Output_Processing", "Output", "Input_Processing", "Input":
		return stage
	}
	return ""
}

func (e *exporter) stakeholders(list []strategy.Stakeholder, path string) []stratml.Stakeholder {
	var all []stratml.Stakeholder
	for n, s := range list {
		k := stratml.Stakeholder{Type: string(s.Kind), Name: s.Name, Description: s.Description, Sealed: s.Sealed}
		if e.part == stratml.Part1 && len(s.Roles) > 0 {
			e.omit(RolesOfPart2, fmt.Sprintf("%s/Stakeholder[%d]", path, n+1), "")
			s.Roles = nil
		}
		for _, r := range s.Roles {
			role := stratml.Role{Name: r.Name, Description: r.Description}
			for _, t := range r.Types {
				role.Types = append(role.Types, string(t))
			}
			k.Roles = append(k.Roles, role)
		}
		all = append(all, k)
	}
	return all
}
