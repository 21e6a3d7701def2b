package plansdb

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// plan is a strategy with everything below it.
type plan struct {
	row        *strategyRow
	which      string        // whose content: query.WorkingContent, query.InForceContent, or "": nobody's
	elements   []*elementRow // living ones of that content, in the plan's order
	indicators []*standing   // living ones, in the order of their definition
}

// newPlan chooses a content of a strategy, and what is living in it.
func newPlan(row *strategyRow, content string, elements []*elementRow, indicators []*standing) (*plan, error) {
	which, err := row.content(content)
	if err != nil {
		return nil, err
	}
	p := &plan{row: row, which: which, indicators: indicators}
	for _, e := range elements {
		if c := p.of(e); c != nil && !c.Retired {
			p.elements = append(p.elements, e)
		}
	}
	slices.SortFunc(p.elements, func(a, b *elementRow) int { return cmp.Compare(p.of(a).Ordinal, p.of(b).Ordinal) })
	return p, nil
}

// content says whose content is meant by what was asked for.
func (row *strategyRow) content(asked string) (string, error) {
	switch {
	case asked != "" && asked != query.WorkingContent && asked != query.InForceContent:
		return "", query.ErrInvalid.Detailf("There is no such content.").At("#/content", "enum", "must be working or in-force")
	case row.working != nil && asked != query.InForceContent:
		return query.WorkingContent, nil
	case row.inForce != nil && asked != query.WorkingContent:
		return query.InForceContent, nil
	case asked == "":
		return "", nil // the only revision was withdrawn
	}
	return "", query.ErrNotFound.Detailf("The strategy has no revision %s.", asked)
}

// of is an element's content in the plan; nil if it is no part of it.
func (p *plan) of(e *elementRow) *content {
	if p.which == query.InForceContent {
		return e.inForce
	}
	return e.content
}

func readPlan(ctx context.Context, tx pgx.Tx, id uuid.UUID, content string) (*plan, error) {
	row, err := one(ctx, tx, strategiesTable, `WHERE strategy_id = $1`, id.String())
	if err != nil {
		return nil, err
	}
	if _, err := row.content(content); err != nil {
		return nil, err
	}
	elements, err := list(ctx, tx, elementsTable, `WHERE strategy_id = $1`, id.String())
	if err != nil {
		return nil, err
	}
	standings, err := readStandings(ctx, tx, `i.strategy_id = $1 AND NOT i.retired`, id.String())
	if err != nil {
		return nil, err
	}
	return newPlan(row, content, elements, standings)
}

// answer is the strategy with its tree.
func (p *plan) answer(position int64, today calendar.Date) query.Strategy {
	row := p.row
	a := query.Strategy{
		StrategySummary: row.summary(), Content: p.which, LineageKey: row.lineageKey, Replaces: row.replaces, ImportID: row.importID,
		Frame: query.FrameOf(row.frame), Position: position,
	}
	if p.which == query.InForceContent {
		a.Frame = query.FrameOf(row.frameInForce)
		a.Name, a.Start, a.End = a.Frame.Name, string(a.Frame.Period.Start), string(a.Frame.Period.End)
		a.Goals, a.Objectives = int(row.goalsInForce), int(row.objectivesInForce)
	}
	a.Tree, a.Unattached = p.tree(today)
	return a
}

// tree puts indicators under objectives under goals. Indicators whose objective
// is gone are given apart: they are not lost.
func (p *plan) tree(today calendar.Date) (goals []query.Goal, unattached []query.IndicatorStatus) {
	indicators := map[string][]query.IndicatorStatus{}
	objectives := map[string][]query.Objective{}
	attached := map[string]bool{}
	for _, s := range p.indicators {
		indicators[s.row.objectiveID] = append(indicators[s.row.objectiveID], s.status(today))
	}
	for _, e := range p.elements {
		if e.kind != strategy.ObjectiveElement {
			continue
		}
		o := objectiveOf(e.id, p.of(e))
		o.Indicators = append(o.Indicators, indicators[e.id]...)
		for _, i := range o.Indicators {
			o.Health = worse(o.Health, i.Health)
		}
		attached[e.id] = true
		objectives[p.of(e).GoalID] = append(objectives[p.of(e).GoalID], o)
	}
	goals = []query.Goal{}
	for _, e := range p.elements {
		if e.kind != strategy.GoalElement {
			continue
		}
		g := goalOf(e.id, p.of(e))
		g.Objectives = append(g.Objectives, objectives[e.id]...)
		for _, o := range g.Objectives {
			g.Health = worse(g.Health, o.Health)
		}
		goals = append(goals, g)
	}
	for _, s := range p.indicators { // in their order
		if !attached[s.row.objectiveID] {
			unattached = append(unattached, s.status(today))
		}
	}
	return goals, unattached
}

func goalOf(id string, c *content) query.Goal {
	return query.Goal{
		ID: id, Identifier: c.Identifier, Sequence: c.Sequence, Name: c.Name, Description: c.Description,
		Stakeholders: query.StakeholdersOf(c.Stakeholders), OtherInformation: c.OtherInformation,
		Health: string(indicator.Unknown), Objectives: []query.Objective{},
	}
}

func objectiveOf(id string, c *content) query.Objective {
	return query.Objective{
		ID: id, Identifier: c.Identifier, Sequence: c.Sequence, Name: c.Name, Description: c.Description,
		Stakeholders: query.StakeholdersOf(c.Stakeholders), OtherInformation: c.OtherInformation, Relationships: c.Relationships,
		Health: string(indicator.Unknown), Indicators: []query.IndicatorStatus{},
	}
}

// gravity orders healths; what is unknown hides nothing that is known.
func gravity(health string) int {
	switch indicator.Status(health) {
	case indicator.OffTrack:
		return 3
	case indicator.AtRisk:
		return 2
	case indicator.OnTrack:
		return 1
	case indicator.Unknown:
	}
	return 0
}

func worse(a, b string) string {
	if gravity(b) > gravity(a) {
		return b
	}
	return a
}
