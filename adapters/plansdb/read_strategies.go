package plansdb

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/strategy"
)

// Strategies implements query.Plans.
func (r *Reader) Strategies(ctx context.Context, ask query.Read, f query.StrategyFilter) (query.Page[query.StrategySummary], error) {
	var page query.Page[query.StrategySummary]
	ask = ask.Within(f.Paging)
	s, err := spanOf(f, ask.AsOf, f.Paging)
	if err != nil {
		return page, err
	}
	switch f.State {
	case "", string(strategy.Preparing), string(strategy.Active), string(strategy.OnHold), string(strategy.Ended):
	default:
		return page, query.ErrInvalid.Detailf("There is no such state.").At("#/state", "enum", "must be preparing, active, on_hold or closed")
	}
	before := s.after
	if before == 0 {
		before = math.MaxInt64
	}
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		// The newest first: what was drafted later than the first page is before it, never on the next.
		rows, err := list(ctx, tx, strategiesTable, `WHERE drafted < $1 AND ($2 = '' OR state = $2) ORDER BY drafted DESC LIMIT $3`,
			before, f.State, s.limit+1)
		if err != nil {
			return err
		}
		page.Position, page.Items = at.position, make([]query.StrategySummary, 0, min(len(rows), s.limit))
		for _, row := range rows[:min(len(rows), s.limit)] {
			page.Items = append(page.Items, row.summary())
		}
		if len(rows) > s.limit {
			if page.NextCursor, err = s.next(f, at, rows[s.limit-1].drafted); err != nil {
				return err
			}
		}
		page.Total, err = total(ctx, tx, f.Paging, `SELECT count(*) FROM strategies WHERE drafted <= $1 AND ($2 = '' OR state = $2)`, s.cutAt(at.position), f.State)
		return err
	})
	return page, err
}

func (row *strategyRow) summary() query.StrategySummary {
	s := query.StrategySummary{
		ID: row.id, Name: row.frame.Name, DocumentType: row.documentType, State: row.state,
		Start: string(row.frame.Period.Start), End: string(row.frame.Period.End),
		Goals: int(row.goals), Objectives: int(row.objectives),
		Blockers: row.blockers, Outcome: row.outcome, SuccessorID: row.successorID,
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
func (r *Reader) Strategy(ctx context.Context, ask query.Read, a query.StrategyAsk) (query.Strategy, error) {
	if !ask.AsOf.IsNow() {
		p, m, err := r.pastPlan(ctx, ask, a.ID, a.Content)
		if err != nil {
			return query.Strategy{}, err
		}
		return p.answer(m.position, m.today), nil
	}
	var answer query.Strategy
	err := r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		p, err := readPlan(ctx, tx, a.ID, a.Content)
		if err != nil {
			return err
		}
		answer = p.answer(at.position, at.today)
		return nil
	})
	return answer, err
}
