package plansdb

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
)

// moment is what an answer about the past is as of.
type moment struct {
	position int64
	today    calendar.Date // of then
	at       time.Time
}

// recall folds what was recorded of a stream up to ask.AsOf into rows in memory,
// by the same writer that folds the live model: an answer about the past is the
// one that was given then.
func (r *Reader) recall(ctx context.Context, ask query.Read, streamID string) (*writer, moment, error) {
	if r.past == nil {
		return nil, moment{}, query.ErrUnavailable.Detailf("This service has nothing to look back in.")
	}
	past, err := r.past.Recorded(ctx, ask, streamID)
	if err != nil {
		return nil, moment{}, err
	}
	at := moment{past.Position, calendar.Of(past.At), past.At}
	w := newWriter(true)
	for _, e := range past.Events {
		c, err := model{}.Decode(e)
		if err == nil {
			err = w.Fold(c)
		}
		if err != nil {
			return nil, at, query.ErrIncomplete.Detailf("The event at position %d cannot be applied.", e.Position).Because(err)
		}
	}
	return w, at, nil
}

// pastPlan is readPlan for a moment of the past.
func (r *Reader) pastPlan(ctx context.Context, ask query.Read, id uuid.UUID, content string) (*plan, moment, error) {
	w, at, err := r.recall(ctx, ask, "strategy-"+id.String())
	if err != nil {
		return nil, at, err
	}
	row := w.strategies.Get(ref{ask.OrganizationID, id.String()})
	if row == nil {
		return nil, at, query.ErrNotFound
	}
	standings := w.standings(func(i *indicatorRow) bool { return i.strategyID == row.id && !i.retired })
	p, err := newPlan(row, content, slices.Collect(w.elements.All()), standings)
	return p, at, err
}

// standings is readStandings over the rows in memory.
func (w *writer) standings(wanted func(*indicatorRow) bool) []*standing {
	var all []*standing
	of := map[string]*standing{}
	for row := range w.indicators.All() {
		if wanted(row) {
			s := &standing{row: row}
			all, of[row.id] = append(all, s), s
		}
	}
	slices.SortFunc(all, func(a, b *standing) int { return cmp.Compare(a.row.defined, b.row.defined) })
	for m := range w.measurements.All() {
		if s := of[m.indicatorID]; s != nil && !m.void && m.dimsKey == s.row.headline {
			s.latest = append(s.latest, m)
		}
	}
	for _, s := range all {
		slices.SortFunc(s.latest, func(a, b *measurementRow) int {
			return cmp.Or(cmp.Compare(b.end, a.end), cmp.Compare(b.start, a.start))
		})
		s.latest = s.latest[:min(len(s.latest), trendNeeds)]
	}
	for t := range w.targets.All() {
		s := of[t.indicatorID]
		if s == nil || t.dimsKey != s.row.headline {
			continue
		}
		period := calendar.Period{Start: t.start, End: t.end}
		if len(s.latest) > 0 && period.After(calendar.Period{Start: s.latest[0].start, End: s.latest[0].end}) {
			continue
		}
		if s.target == nil || period.After(calendar.Period{Start: s.target.start, End: s.target.end}) {
			s.target = t
		}
	}
	return all
}

// pastScorecard is Scorecard for a moment of the past.
func (r *Reader) pastScorecard(ctx context.Context, ask query.Read, f query.ScorecardFilter, s span) (query.Scorecard, error) {
	p, at, err := r.pastPlan(ctx, ask, f.StrategyID, f.Content)
	if err != nil {
		return query.Scorecard{}, err
	}
	card := p.row.scorecard(p.which, at.position)
	rolls := newRollUp(p, p.elements)
	objectives := map[string]*content{}
	for _, e := range p.elements {
		objectives[e.id] = p.of(e)
	}
	var lines []*standing
	var total int64
	for _, i := range p.indicators {
		goal := goalAbove(objectives, i.row.objectiveID)
		rolls.add(goal, i.row.health, i.status(at.today).Freshness)
		if f.Health != "" && f.Health != i.row.health || f.GoalID != "" && f.GoalID != goal {
			continue
		}
		total++
		if i.row.defined > s.after {
			lines = append(lines, i)
		}
	}
	if len(lines) > s.limit {
		lines = lines[:s.limit]
		if card.NextCursor, err = s.next(f, at.position, lines[s.limit-1].row.defined); err != nil {
			return card, err
		}
	}
	for _, i := range lines {
		name := ""
		if o := objectives[i.row.objectiveID]; o != nil {
			name = o.Name
		}
		card.Items = append(card.Items, i.line(goalAbove(objectives, i.row.objectiveID), name, at.today))
	}
	if f.Cursor == "" {
		card.Goals = rolls.goals
	}
	if f.Count {
		card.Total = &total
	}
	return card, nil
}

func goalAbove(objectives map[string]*content, id string) string {
	if o := objectives[id]; o != nil {
		return o.GoalID
	}
	return ""
}

// pastIndicator is Indicator for a moment of the past.
func (r *Reader) pastIndicator(ctx context.Context, ask query.Read, id uuid.UUID) (query.Indicator, error) {
	w, at, err := r.recall(ctx, ask, "indicator-"+id.String())
	if err != nil {
		return query.Indicator{}, err
	}
	found := w.standings(func(*indicatorRow) bool { return true })
	if len(found) == 0 {
		return query.Indicator{}, query.ErrNotFound
	}
	return found[0].answer(at.position, at.today), nil
}

// pastSeries is Series for a moment of the past.
func (r *Reader) pastSeries(ctx context.Context, ask query.Read, p *seriesPage) (query.Series, error) {
	w, at, err := r.recall(ctx, ask, "indicator-"+p.filter.IndicatorID.String())
	if err != nil {
		return query.Series{}, err
	}
	row := w.indicators.Get(ref{ask.OrganizationID, p.filter.IndicatorID.String()})
	if row == nil {
		return query.Series{}, query.ErrNotFound
	}
	if p.cut == 0 {
		p.cut = at.position
	}
	var points []seriesPoint
	var total int64
	add := func(q seriesPoint, first int64, void bool) {
		if !p.takes(q.key, first, void) {
			return
		}
		if total++; q.key.compare(p.after) > 0 {
			points = append(points, q)
		}
	}
	for t := range w.targets.All() {
		add(t.point(), t.first, false)
	}
	for m := range w.measurements.All() {
		add(m.point(), m.first, m.void)
	}
	answer := row.series(at.position)
	if p.filter.Count {
		answer.Total = &total
	}
	err = p.fill(&answer, points)
	return answer, err
}
