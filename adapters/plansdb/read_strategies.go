package plansdb

import (
	"context"
	"math"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/strategy"
)

// Strategies implements query.Plans.
func (r *Reader) Strategies(ctx context.Context, ask query.Read, f query.StrategyFilter) (query.Page[query.StrategySummary], error) {
	var page query.Page[query.StrategySummary]
	s, err := spanOf(f, f.Paging)
	if err != nil {
		return page, err
	}
	switch f.State {
	case "", string(strategy.Preparing), string(strategy.Active), "on_hold", "closed":
	default:
		return page, query.ErrInvalid.Detailf("There is no such state.").At("#/state", "enum", "must be preparing, active, on_hold or closed")
	}
	before := s.after
	if before == 0 {
		before = math.MaxInt64
	}
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		// The newest first: what was drafted later than the first page is before it, never on the next.
		rows, err := list(ctx, tx, strategiesTable, `WHERE drafted < $1 AND ($2 = '' OR state = $2) ORDER BY drafted DESC LIMIT $3`,
			before, f.State, s.limit+1)
		if err != nil {
			return err
		}
		page.Position, page.Items = position, make([]query.StrategySummary, 0, min(len(rows), s.limit))
		for _, row := range rows[:min(len(rows), s.limit)] {
			page.Items = append(page.Items, row.summary())
		}
		if len(rows) > s.limit {
			page.NextCursor, err = s.next(f, position, rows[s.limit-1].drafted)
		}
		return err
	})
	return page, err
}

func (row *strategyRow) summary() query.StrategySummary {
	s := query.StrategySummary{
		ID: row.id, Name: row.frame.Name, DocumentType: row.documentType, State: row.state,
		Start: string(row.frame.Period.Start), End: string(row.frame.Period.End),
		Goals: int(row.goals), Objectives: int(row.objectives),
		DraftedAt: row.draftedAt.UTC(), ChangedAt: row.changedAt.UTC(), Version: row.version,
	}
	if row.working != nil {
		s.Working = &row.working.Revision
	}
	if row.inForce != nil {
		s.InForce = &row.inForce.Revision
	}
	return s
}

// Strategy implements query.Plans.
func (r *Reader) Strategy(ctx context.Context, ask query.Read, id uuid.UUID) (query.Strategy, error) {
	var answer query.Strategy
	err := r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		p, err := readPlan(ctx, tx, id)
		if err != nil {
			return err
		}
		row := p.row
		answer = query.Strategy{
			StrategySummary: row.summary(), LineageKey: row.lineageKey, Replaces: row.replaces, ImportID: row.importID,
			Frame: row.frame, Position: position,
		}
		answer.Tree, answer.Unattached = p.tree()
		return nil
	})
	return answer, err
}

// Scorecard implements query.Plans.
func (r *Reader) Scorecard(ctx context.Context, ask query.Read, id uuid.UUID) (query.Scorecard, error) {
	var card query.Scorecard
	err := r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		p, err := readPlan(ctx, tx, id)
		if err != nil {
			return err
		}
		card = query.Scorecard{
			StrategyID: p.row.id, Name: p.row.frame.Name, State: p.row.state, Version: p.row.version, Position: position,
			Goals: []query.ScorecardGoal{}, Items: []query.ScorecardLine{},
		}
		goals, unattached := p.tree()
		for _, g := range goals {
			roll := query.ScorecardGoal{GoalID: g.ID, Name: g.Name, Health: g.Health}
			for _, o := range g.Objectives {
				for _, i := range o.Indicators {
					count(&roll, i.Health)
					card.Items = append(card.Items, query.ScorecardLine{GoalID: g.ID, ObjectiveID: o.ID, ObjectiveName: o.Name, IndicatorStatus: i})
				}
			}
			card.Goals = append(card.Goals, roll)
		}
		for _, i := range unattached {
			card.Items = append(card.Items, query.ScorecardLine{ObjectiveID: p.objectiveOf[i.ID], IndicatorStatus: i})
		}
		return nil
	})
	return card, err
}
