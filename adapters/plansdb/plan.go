package plansdb

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// plan is a strategy with everything below it, as read.
type plan struct {
	row         *strategyRow
	elements    []*elementRow // living ones, in the plan's order
	statuses    []query.IndicatorStatus
	objectiveOf map[string]string // by indicator
}

func readPlan(ctx context.Context, tx pgx.Tx, id uuid.UUID) (*plan, error) {
	p := &plan{objectiveOf: map[string]string{}}
	var err error
	if p.row, err = one(ctx, tx, strategiesTable, `WHERE strategy_id = $1`, id.String()); err != nil {
		return nil, err
	}
	elements, err := list(ctx, tx, elementsTable, `WHERE strategy_id = $1`, id.String())
	if err != nil {
		return nil, err
	}
	for _, e := range elements {
		if e.content != nil && !e.content.Retired {
			p.elements = append(p.elements, e)
		}
	}
	slices.SortFunc(p.elements, func(a, b *elementRow) int { return cmp.Compare(a.content.Ordinal, b.content.Ordinal) })
	standings, err := readStandings(ctx, tx, `i.strategy_id = $1 AND NOT i.retired`, id.String())
	if err != nil {
		return nil, err
	}
	for _, s := range standings {
		p.statuses = append(p.statuses, s.status())
		p.objectiveOf[s.row.id] = s.row.objectiveID
	}
	return p, nil
}

// tree puts indicators under objectives under goals. Indicators whose objective
// is gone are given apart: they are not lost.
func (p *plan) tree() (goals []query.Goal, unattached []query.IndicatorStatus) {
	indicators := map[string][]query.IndicatorStatus{}
	for _, s := range p.statuses {
		o := p.objectiveOf[s.ID]
		indicators[o] = append(indicators[o], s)
	}
	objectives := map[string][]query.Objective{}
	for _, e := range p.elements {
		if e.kind != strategy.ObjectiveElement {
			continue
		}
		o := objectiveOf(e)
		o.Indicators = append(o.Indicators, indicators[e.id]...)
		for _, i := range o.Indicators {
			o.Health = worse(o.Health, i.Health)
		}
		delete(indicators, e.id)
		objectives[e.content.GoalID] = append(objectives[e.content.GoalID], o)
	}
	goals = []query.Goal{}
	for _, e := range p.elements {
		if e.kind != strategy.GoalElement {
			continue
		}
		g := goalOf(e)
		g.Objectives = append(g.Objectives, objectives[e.id]...)
		for _, o := range g.Objectives {
			g.Health = worse(g.Health, o.Health)
		}
		goals = append(goals, g)
	}
	for _, s := range p.statuses { // in their order
		if _, left := indicators[p.objectiveOf[s.ID]]; left {
			unattached = append(unattached, s)
		}
	}
	return goals, unattached
}

func goalOf(e *elementRow) query.Goal {
	c := e.content
	return query.Goal{
		ID: e.id, Identifier: c.Identifier, Sequence: c.Sequence, Name: c.Name, Description: c.Description,
		Stakeholders: c.Stakeholders, OtherInformation: c.OtherInformation,
		Health: string(indicator.Unknown), Objectives: []query.Objective{},
	}
}

func objectiveOf(e *elementRow) query.Objective {
	c := e.content
	return query.Objective{
		ID: e.id, Identifier: c.Identifier, Sequence: c.Sequence, Name: c.Name, Description: c.Description,
		Stakeholders: c.Stakeholders, OtherInformation: c.OtherInformation, Relationships: c.Relationships,
		Health: string(indicator.Unknown), Indicators: []query.IndicatorStatus{},
	}
}

// severity orders healths; what is unknown hides nothing that is known.
func severity(health string) int {
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
	if severity(b) > severity(a) {
		return b
	}
	return a
}

// count adds an indicator's health to its goal's roll-up.
func count(g *query.ScorecardGoal, health string) {
	g.Indicators++
	switch severity(health) {
	case 0:
		return
	case 1:
		g.OnTrack++
	}
	g.Known++
}
