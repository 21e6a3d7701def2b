package command

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// importLayout is how imports are divided into appends now. It is part of what
// is accepted and of the appends' command ids: a release that divides in
// another way gives it another number, and still knows this one for imports
// that were accepted before.
const importLayout = 1

// Sizes of one append in layout 1: well below what the log takes, large enough
// that a plan of a usual size is one.
const (
	elementsPerChunk = 400
	resultsPerChunk  = 400 // each may bring a second event, of changed health
)

// planReason is why elements change if the importing person gives no reason.
const planReason = "Imported from a StratML document."

// importPlan is a document as commands, in chunks of one append each. It is
// made from what was accepted alone: a repetition makes the same plan with the
// same ids.
type importPlan struct {
	importID   uuid.UUID
	strategyID uuid.UUID
	reason     string
	doc        *stratml.Document // as it came
	plan       []chunk[strategy.Command]
	indicators []indicatorPlan
	omitted    []stratml.Deviation
	authorized bool // holds what takes a second person once a strategy is in force (S15)
	path       string
}

// chunk is one append: the commands from one ordinal up to another. The span is
// part of the append's command id.
type chunk[C any] struct {
	from, to int
	commands []C
}

type indicatorPlan struct {
	id     uuid.UUID
	number int                        // in the document
	chunks []chunk[indicator.Command] // the definition alone, if there is something to define, then the results
}

// planning is what a plan is made from, beside the document.
type planning struct {
	importID, strategyID uuid.UUID
	reason               string
	base                 *base // nil for a new strategy
	matched              []source.Match
}

func planImport(g planning, doc, kept *stratml.Document, omitted []stratml.Deviation) *importPlan {
	p := &importPlan{importID: g.importID, strategyID: g.strategyID, reason: g.reason, doc: doc, omitted: omitted, path: rootOf(doc)}
	if p.reason == "" {
		p.reason = planReason
	}
	m := matchesOf(g.matched)
	var commands []strategy.Command
	if g.base == nil {
		commands = []strategy.Command{strategy.DraftStrategy{
			DocumentType: strategy.DocumentType(kept.Type), Frame: frameOf(kept), ImportID: p.importID.String(),
		}}
	} else {
		commands = p.reopen(g.base, kept)
	}
	elements := elementsOf(kept)
	for _, goal := range elements.goals {
		commands = append(commands, p.goal(g.base, m, goal)...)
	}
	for _, objective := range elements.objectives {
		commands = append(commands, p.objective(g.base, m, objective)...)
	}
	if g.base != nil {
		commands = append(commands, p.retire(g.base, m)...)
	}
	if g.base == nil { // goals and their objectives as a reader meets them
		commands = inDocumentOrder(commands)
	}
	p.plan = cut(commands, elementsPerChunk)
	for _, ind := range elements.indicators {
		p.indicator(g.base, m, ind)
	}
	return p
}

// place is where an element is in a document.
type place struct {
	ordinal int // among all of its kind
	parent  int // ordinal of the goal or objective it is under
	path    string
}

type (
	goalElement struct {
		stratml.Goal
		place
	}
	objectiveElement struct {
		stratml.Objective
		place
	}
	indicatorElement struct {
		stratml.Indicator
		place
	}
)

type elements struct {
	goals      []goalElement
	objectives []objectiveElement
	indicators []indicatorElement
}

func elementsOf(doc *stratml.Document) elements {
	var all elements
	for g, goal := range doc.Goals {
		path := fmt.Sprintf("%s/StrategicPlanCore/Goal[%d]", rootOf(doc), g+1)
		all.goals = append(all.goals, goalElement{goal, place{g, 0, path}})
		for o, objective := range goal.Objectives {
			path, parent := fmt.Sprintf("%s/Objective[%d]", path, o+1), len(all.objectives)
			all.objectives = append(all.objectives, objectiveElement{objective, place{parent, g, path}})
			for i, ind := range objective.Indicators {
				all.indicators = append(all.indicators, indicatorElement{
					ind, place{len(all.indicators), parent, fmt.Sprintf("%s/PerformanceIndicator[%d]", path, i+1)},
				})
			}
		}
	}
	return all
}

func (p *importPlan) goalID(m matches, ordinal int) string {
	return m.id("goal", ordinal, step(p.importID, "goal", ordinal))
}

func (p *importPlan) objectiveID(m matches, ordinal int) string {
	return m.id("objective", ordinal, step(p.importID, "objective", ordinal))
}

// goal gives the commands that make a goal of the strategy like the document's.
func (p *importPlan) goal(b *base, m matches, g goalElement) []strategy.Command {
	id := p.goalID(m, g.ordinal)
	add := strategy.AddGoal{
		GoalID: id, Identifier: g.Identifier, Sequence: g.Sequence, Name: g.Name, Description: g.Description,
		Stakeholders: stakeholdersOf(g.Stakeholders), OtherInformation: g.OtherInformation, ImportID: p.importID.String(),
	}
	if !m.has("goal", g.ordinal) {
		return []strategy.Command{add}
	}
	before, _ := b.state.InForce.Plan.Goal(id)
	edits := editsBetween(goalContents(strategy.AddGoal{
		Identifier: before.Identifier, Sequence: before.Sequence, Name: before.Name, Description: before.Description,
		Stakeholders: before.Stakeholders, OtherInformation: before.OtherInformation,
	}), goalContents(add))
	if len(edits) == 0 {
		return nil
	}
	return []strategy.Command{strategy.AmendGoal{GoalID: id, Edits: edits, Reason: p.reason}}
}

// objective likewise.
func (p *importPlan) objective(b *base, m matches, o objectiveElement) []strategy.Command {
	id, goalID := p.objectiveID(m, o.ordinal), p.goalID(m, o.parent)
	add := strategy.AddObjective{
		ObjectiveID: id, GoalID: goalID, Identifier: o.Identifier, Sequence: o.Sequence, Name: o.Name, Description: o.Description,
		Stakeholders: stakeholdersOf(o.Stakeholders), OtherInformation: o.OtherInformation, ImportID: p.importID.String(),
	}
	if !m.has("objective", o.ordinal) {
		return []strategy.Command{add}
	}
	var commands []strategy.Command
	before, _ := b.state.InForce.Plan.Objective(id)
	if before.GoalID != goalID {
		commands = append(commands, strategy.MoveObjective{ObjectiveID: id, GoalID: goalID, Reason: p.reason})
	}
	edits := editsBetween(objectiveContents(strategy.AddObjective{
		Identifier: before.Identifier, Sequence: before.Sequence, Name: before.Name, Description: before.Description,
		Stakeholders: before.Stakeholders, OtherInformation: before.OtherInformation,
	}), objectiveContents(add))
	if len(edits) > 0 {
		commands = append(commands, strategy.AmendObjective{ObjectiveID: id, Edits: edits, Reason: p.reason})
	}
	return commands
}

// inDocumentOrder puts each goal's objectives behind it.
func inDocumentOrder(commands []strategy.Command) []strategy.Command {
	under := map[string][]strategy.Command{}
	for _, c := range commands {
		if o, ok := c.(strategy.AddObjective); ok {
			under[o.GoalID] = append(under[o.GoalID], c)
		}
	}
	var ordered []strategy.Command
	for _, c := range commands {
		switch c := c.(type) {
		case strategy.AddObjective:
		case strategy.AddGoal:
			ordered = append(append(ordered, c), under[c.GoalID]...)
		default:
			ordered = append(ordered, c)
		}
	}
	return ordered
}

// cut divides commands into chunks of at most n.
func cut[C any](commands []C, n int) []chunk[C] {
	var chunks []chunk[C]
	for from := 0; from < len(commands); from += n {
		to := min(from+n, len(commands))
		chunks = append(chunks, chunk[C]{from: from, to: to, commands: commands[from:to]})
	}
	return chunks
}

// appends is how many appends applying the plan takes.
func (p *importPlan) appends() int {
	n := len(p.plan)
	for _, ind := range p.indicators {
		n += len(ind.chunks)
	}
	return n
}

func rootOf(doc *stratml.Document) string {
	if doc.Part == stratml.Part1 {
		return "/StrategicPlan"
	}
	return "/PerformancePlanOrReport"
}

// omit notes what is not recorded as it stands in the document.
func (p *importPlan) omit(code string, at stratml.Place, path, text string) {
	p.omitted = append(p.omitted, stratml.Deviation{Code: code, Line: at.Line, Column: at.Column, Path: path, Text: text})
}

func frameOf(doc *stratml.Document) strategy.Frame {
	a := doc.Administrative
	f := strategy.Frame{
		Name: doc.Name, Identifier: a.Identifier, Description: doc.Description, OtherInformation: doc.OtherInformation,
		Period:    calendar.Period{Start: calendar.Date(a.StartDate), End: calendar.Date(a.EndDate)},
		SourceURI: a.Source, PublicationDate: calendar.Date(a.PublicationDate),
	}
	if doc.Vision != nil {
		f.Vision, f.VisionIdentifier = doc.Vision.Description, doc.Vision.Identifier
	}
	if doc.Mission != nil {
		f.Mission, f.MissionIdentifier = doc.Mission.Description, doc.Mission.Identifier
	}
	for _, v := range doc.Values {
		f.Values = append(f.Values, strategy.Value(v))
	}
	for _, o := range doc.Organizations {
		f.Organizations = append(f.Organizations, strategy.Organization{
			Name: o.Name, Acronym: o.Acronym, Identifier: o.Identifier, Description: o.Description,
			Stakeholders: stakeholdersOf(o.Stakeholders),
		})
	}
	return f
}

func stakeholdersOf(list []stratml.Stakeholder) []strategy.Stakeholder {
	var all []strategy.Stakeholder
	for _, s := range list {
		k := strategy.Stakeholder{Kind: strategy.StakeholderKind(s.Type), Name: s.Name, Description: s.Description, Sealed: s.Sealed}
		for _, r := range s.Roles {
			role := strategy.Role{Name: r.Name, Description: r.Description}
			for _, t := range r.Types {
				role.Types = append(role.Types, strategy.RoleType(t))
			}
			k.Roles = append(k.Roles, role)
		}
		all = append(all, k)
	}
	return slices.Clip(all)
}
