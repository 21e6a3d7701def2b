package command

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// Codes of what an import left out or filled in, beside the deviations of the
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
	PersonWithheld  = "person-withheld" // the log never forgets, so it is not told names
)

// Sizes of one append: well below what the log takes, large enough that a plan
// of a usual size is one.
const (
	elementsPerChunk = 400
	resultsPerChunk  = 400 // each may bring a second event, of changed health
)

// importPlan is a document as commands, in chunks of one append each. It is
// made from the document and the command's id alone, so a repetition makes the
// same plan with the same ids.
type importPlan struct {
	command    uuid.UUID
	importID   uuid.UUID
	strategyID uuid.UUID
	plan       []chunk[strategy.Command]
	indicators []indicatorPlan
	omitted    []stratml.Deviation
	today      calendar.Date
	period     calendar.Period // of the plan; zero if it has none
}

// chunk is one append: the elements or results from one ordinal of the document
// up to another. The span is part of the append's command id, so that a release
// that cuts differently never takes another span for this one.
type chunk[C any] struct {
	from, to int
	commands []C
}

type indicatorPlan struct {
	id     uuid.UUID
	number int                        // in the document
	chunks []chunk[indicator.Command] // the definition alone, then the results
}

func planImport(command uuid.UUID, doc *stratml.Document, today calendar.Date) *importPlan {
	p := &importPlan{
		command: command, importID: step(command, "import"), strategyID: step(command, "strategy"), today: today,
	}
	commands := []strategy.Command{strategy.DraftStrategy{
		DocumentType: strategy.DocumentType(doc.Type),
		Frame:        p.frame(doc),
		ImportID:     p.importID.String(),
	}}
	objectives := 0
	for g, goal := range doc.Goals {
		goalID := step(p.command, "goal", g)
		path := fmt.Sprintf("%s/StrategicPlanCore/Goal[%d]", root(doc), g+1)
		commands = append(commands, strategy.AddGoal{
			GoalID:     goalID.String(),
			Identifier: goal.Identifier, Sequence: goal.Sequence,
			Name:         p.name(goal.Name, goal.Description, fmt.Sprintf("Goal %d", g+1), goal.Place, path),
			Description:  goal.Description,
			Stakeholders: p.stakeholders(goal.Stakeholders, goal.Place, path), OtherInformation: goal.OtherInformation,
			ImportID: p.importID.String(),
		})
		for o, objective := range goal.Objectives {
			objectiveID := step(p.command, "objective", objectives)
			objectives++
			path := fmt.Sprintf("%s/Objective[%d]", path, o+1)
			commands = append(commands, strategy.AddObjective{
				ObjectiveID: objectiveID.String(), GoalID: goalID.String(),
				Identifier: objective.Identifier, Sequence: objective.Sequence, Name: objective.Name, Description: objective.Description,
				Stakeholders: p.stakeholders(objective.Stakeholders, objective.Place, path), OtherInformation: objective.OtherInformation,
				ImportID: p.importID.String(),
			})
			for i, ind := range objective.Indicators {
				p.indicator(ind, objectiveID, fmt.Sprintf("%s/PerformanceIndicator[%d]", path, i+1))
			}
		}
	}
	p.plan = cut(commands, elementsPerChunk)
	return p
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

func root(doc *stratml.Document) string {
	if doc.Part == stratml.Part1 {
		return "/StrategicPlan"
	}
	return "/PerformancePlanOrReport"
}

// omit notes what is not recorded as it stands in the document.
func (p *importPlan) omit(code string, at stratml.Place, path, text string) {
	p.omitted = append(p.omitted, stratml.Deviation{Code: code, Line: at.Line, Column: at.Column, Path: path, Text: text})
}

func (p *importPlan) frame(doc *stratml.Document) strategy.Frame {
	a := doc.Administrative
	start := stratml.Place{Line: 1, Column: 1}
	f := strategy.Frame{
		Identifier:       a.Identifier,
		Description:      doc.Description,
		OtherInformation: doc.OtherInformation,
		Period:           calendar.Period{Start: calendar.Date(a.StartDate), End: calendar.Date(a.EndDate)},
		SourceURI:        a.Source,
		PublicationDate:  calendar.Date(a.PublicationDate),
	}
	f.Name = p.name(doc.Name, doc.Description, "Unnamed plan", start, root(doc))
	if f.Period.Start != "" && f.Period.End != "" && f.Period.End < f.Period.Start {
		p.omit(PlanBackwards, start, root(doc)+"/AdministrativeInformation", f.Period.String())
		f.Period = calendar.Period{}
	}
	if f.Period.Valid() {
		p.period = f.Period
	}
	if doc.Vision != nil {
		f.Vision, f.VisionIdentifier = doc.Vision.Description, doc.Vision.Identifier
	}
	if doc.Mission != nil {
		f.Mission, f.MissionIdentifier = doc.Mission.Description, doc.Mission.Identifier
	}
	for _, v := range doc.Values {
		if v != (stratml.Value{}) {
			f.Values = append(f.Values, strategy.Value(v))
		}
	}
	for i, o := range doc.Organizations {
		path := fmt.Sprintf("%s/StrategicPlanCore/Organization[%d]", root(doc), i+1)
		f.Organizations = append(f.Organizations, strategy.Organization{
			Name: o.Name, Acronym: o.Acronym, Identifier: o.Identifier, Description: o.Description,
			Stakeholders: p.stakeholders(o.Stakeholders, start, path),
		})
	}
	if s := doc.Submitter; s != nil && s.GivenName+s.Surname+s.PhoneNumber+s.EmailAddress != "" {
		p.omit(PersonWithheld, start, root(doc)+"/Submitter", "")
	}
	return f
}

// name gives an element the name that the domain asks for, when the document
// has none.
func (p *importPlan) name(name, description, fallback string, at stratml.Place, path string) string {
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
	p.omit(NameAssumed, at, path+"/Name", name)
	return name
}

// stakeholders leaves out forms left blank, and everything that says who a
// person is: what goes into the log in clear stays there for ever.
func (p *importPlan) stakeholders(list []stratml.Stakeholder, at stratml.Place, path string) []strategy.Stakeholder {
	var kept []strategy.Stakeholder
	for i, s := range list {
		if s.Empty() {
			continue
		}
		person := s.Type == string(strategy.PersonStakeholder)
		k := strategy.Stakeholder{Kind: strategy.StakeholderKind(s.Type)}
		if person {
			p.omit(PersonWithheld, at, fmt.Sprintf("%s/Stakeholder[%d]", path, i+1), "")
		} else {
			k.Name, k.Description = s.Name, s.Description
		}
		for _, r := range s.Roles {
			role := strategy.Role{}
			for _, t := range r.Types {
				role.Types = append(role.Types, strategy.RoleType(t))
			}
			if !person {
				role.Name, role.Description = r.Name, r.Description
			}
			if role.Name != "" || role.Description != "" || len(role.Types) > 0 {
				k.Roles = append(k.Roles, role)
			}
		}
		kept = append(kept, k)
	}
	return kept
}
