package plansdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

// Scorecard implements query.Plans.
func (r *Reader) Scorecard(ctx context.Context, ask query.Read, f query.ScorecardFilter) (query.Scorecard, error) {
	ask = ask.Within(f.Paging)
	s, err := spanOf(f, ask.AsOf, f.Paging)
	if err != nil {
		return query.Scorecard{}, err
	}
	switch indicator.Status(f.Health) {
	case "", indicator.Unknown, indicator.OnTrack, indicator.AtRisk, indicator.OffTrack:
	default:
		return query.Scorecard{}, query.ErrInvalid.Detailf("There is no such health.").
			At("#/health", "enum", "must be unknown, on_track, at_risk or off_track")
	}
	if !ask.AsOf.IsNow() {
		return r.pastScorecard(ctx, ask, f, s)
	}
	var card query.Scorecard
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		row, err := one(ctx, tx, strategiesTable, `WHERE strategy_id = $1`, f.StrategyID.String())
		if err != nil {
			return err
		}
		which, err := row.content(f.Content)
		if err != nil {
			return err
		}
		card = row.scorecard(which, at.position)
		q := scorecardQuery{filter: f, which: which, span: s, cut: s.cutAt(at.position)}
		if f.Cursor == "" || f.GoalID != "" {
			if q.goals, err = q.place(ctx, tx, nil); err != nil {
				return err
			}
		}
		if f.Cursor == "" {
			if card.Goals, err = q.rollUp(ctx, tx, at.today); err != nil {
				return err
			}
		}
		if card.Total, err = q.count(ctx, tx); err != nil {
			return err
		}
		return q.lines(ctx, tx, at, &card)
	})
	return card, err
}

func (row *strategyRow) scorecard(which string, position int64) query.Scorecard {
	card := query.Scorecard{
		StrategyID: row.id, Name: row.frame.Name, State: row.state, Version: row.version, Position: position,
		Goals: []query.ScorecardGoal{}, Items: []query.ScorecardLine{},
	}
	if which == query.InForceContent {
		card.Name = row.frameInForce.Name
	}
	return card
}

// scorecardQuery asks for a strategy's scorecard. It costs a page of lookups,
// and for the first page one more per living indicator of the strategy, for the
// roll-up.
type scorecardQuery struct {
	filter query.ScorecardFilter
	which  string // whose content
	span   span
	cut    int64
	goals  map[string]placing // of objectives, by id; nil where only those of the page are needed
}

// placing is where an objective stands.
type placing struct{ goal, name string }

// place reads where objectives stand: all of the plan's, or those named.
func (q *scorecardQuery) place(ctx context.Context, tx pgx.Tx, ids []string) (map[string]placing, error) {
	column := "content"
	if q.which == query.InForceContent {
		column = "in_force"
	}
	sql := fmt.Sprintf(`SELECT element_id, %[1]s->>'goalId', coalesce(%[1]s->>'name', '') FROM elements
		WHERE strategy_id = $1 AND kind = 'objective' AND %[1]s <> 'null' AND %[1]s->'retired' IS NULL`, column)
	args := []any{q.filter.StrategyID.String()}
	if ids != nil {
		sql, args = sql+` AND element_id = ANY($2)`, append(args, ids)
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("objectives: %w", err)
	}
	found := map[string]placing{}
	var id string
	var p placing
	if _, err := pgx.ForEachRow(rows, []any{&id, &p.goal, &p.name}, func() error { found[id] = p; return nil }); err != nil {
		return nil, fmt.Errorf("objectives: %w", err)
	}
	return found, nil
}

// matching are the conditions of the filter; its arguments are $1 to $5.
const matching = ` WHERE (i.strategy_id, i.defined) > ($1, $2) AND (i.strategy_id, i.defined) <= ($1, $3) AND NOT i.retired
	AND ($4 = '' OR i.health = $4) AND ($5::text[] IS NULL OR i.objective_id = ANY($5))`

func (q *scorecardQuery) args(after int64) []any {
	var objectives []string
	if q.filter.GoalID != "" {
		objectives = []string{}
		for id, p := range q.goals {
			if p.goal == q.filter.GoalID {
				objectives = append(objectives, id)
			}
		}
	}
	return []any{q.filter.StrategyID.String(), after, q.cut, q.filter.Health, objectives}
}

func (q *scorecardQuery) count(ctx context.Context, tx pgx.Tx) (*int64, error) {
	return total(ctx, tx, q.filter.Paging, `SELECT count(*) FROM indicators i`+matching, q.args(0)...)
}

func (q *scorecardQuery) lines(ctx context.Context, tx pgx.Tx, at moment, card *query.Scorecard) error {
	rows, err := tx.Query(ctx, `SELECT i.indicator_id FROM indicators i`+matching+` ORDER BY i.strategy_id, i.defined LIMIT `+strconv.Itoa(q.span.limit+1),
		q.args(q.span.after)...)
	if err != nil {
		return fmt.Errorf("scorecard: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("scorecard: %w", err)
	}
	more := len(ids) > q.span.limit
	standings, err := readStandings(ctx, tx, `i.indicator_id = ANY($1)`, ids[:min(len(ids), q.span.limit)])
	if err != nil {
		return err
	}
	placed := q.goals
	if placed == nil {
		objectives := make([]string, len(standings))
		for i, s := range standings {
			objectives[i] = s.row.objectiveID
		}
		if placed, err = q.place(ctx, tx, objectives); err != nil {
			return err
		}
	}
	for _, s := range standings { // in the order of definition, as the page is
		p := placed[s.row.objectiveID]
		card.Items = append(card.Items, s.line(p.goal, p.name, at.today))
	}
	if more {
		card.NextCursor, err = q.span.next(q.filter, at, standings[len(standings)-1].row.defined)
	}
	return err
}

func (s *standing) line(goalID, objective string, today calendar.Date) query.ScorecardLine {
	return query.ScorecardLine{GoalID: goalID, ObjectiveID: s.row.objectiveID, ObjectiveName: objective, IndicatorStatus: s.status(today)}
}

// rollUp reads the goals, and of every living indicator what is counted.
func (q *scorecardQuery) rollUp(ctx context.Context, tx pgx.Tx, today calendar.Date) ([]query.ScorecardGoal, error) {
	goals, err := list(ctx, tx, elementsTable, `WHERE strategy_id = $1 AND kind = 'goal'`, q.filter.StrategyID.String())
	if err != nil {
		return nil, err
	}
	p := &plan{which: q.which}
	goals = slices.DeleteFunc(goals, func(e *elementRow) bool { return p.of(e) == nil || p.of(e).Retired })
	slices.SortFunc(goals, func(a, b *elementRow) int { return cmp.Compare(p.of(a).Ordinal, p.of(b).Ordinal) })
	rolls := newRollUp(p, goals)
	rows, err := tx.Query(ctx, `
		SELECT i.objective_id, i.health, i.definition->>'frequency', coalesce(m.period_start, ''), coalesce(m.period_end, '')
		FROM indicators i LEFT JOIN LATERAL (
			SELECT m.period_start, m.period_end FROM measurements m
			WHERE m.organization_id = i.organization_id AND m.indicator_id = i.indicator_id AND m.dims_key = i.headline AND NOT m.void
			ORDER BY m.period_end DESC, m.period_start DESC LIMIT 1) m ON true
		WHERE i.strategy_id = $1 AND NOT i.retired`, q.filter.StrategyID.String())
	if err != nil {
		return nil, fmt.Errorf("roll-up: %w", err)
	}
	var objective, health, frequency, start, end string
	if _, err = pgx.ForEachRow(rows, []any{&objective, &health, &frequency, &start, &end}, func() error {
		latest := calendar.Period{Start: calendar.Date(start), End: calendar.Date(end)}
		rolls.add(q.goals[objective].goal, health, query.FreshnessOf(latest, calendar.Frequency(frequency), today))
		return nil
	}); err != nil {
		return nil, fmt.Errorf("roll-up: %w", err)
	}
	return rolls.goals, nil
}

// rollUp counts indicators under their goals.
type rollUp struct {
	goals []query.ScorecardGoal
	at    map[string]int
}

// newRollUp begins with the goals of a plan, in its order.
func newRollUp(p *plan, goals []*elementRow) *rollUp {
	r := &rollUp{goals: []query.ScorecardGoal{}, at: map[string]int{}}
	for _, e := range goals {
		if e.kind == strategy.GoalElement {
			r.at[e.id] = len(r.goals)
			r.goals = append(r.goals, query.ScorecardGoal{GoalID: e.id, Name: p.of(e).Name, Health: string(indicator.Unknown)})
		}
	}
	return r
}

// add counts an indicator; one of no goal counts nowhere.
func (r *rollUp) add(goalID, health string, f query.Freshness) {
	i, ok := r.at[goalID]
	if !ok {
		return
	}
	g := &r.goals[i]
	g.Indicators++
	g.Health = worse(g.Health, health)
	if f.Status == query.Stale {
		g.Stale++
	}
	switch gravity(health) {
	case 0:
		return
	case 1:
		g.OnTrack++
	}
	g.Known++
}
