package plansdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
)

// moment is what an answer about the past is as of.
type moment struct {
	position int64
	today    calendar.Date // of then
	at       time.Time
	asOf     query.Moment // settled; zero for the present
}

func momentOf(c query.Cut) moment { return moment{c.Position, calendar.Of(c.At), c.At, c.Moment()} }

// recall folds what was recorded of a stream up to ask.AsOf into rows in memory,
// by the same writer that folds the live model: an answer about the past is the
// one that was given then. It begins with a snapshot if there is one.
func (r *Reader) recall(ctx context.Context, ask query.Read, streamID string) (*writer, moment, error) {
	if r.past == nil {
		return nil, moment{}, errNoPast
	}
	cut, err := r.past.Moment(ctx, ask)
	if err != nil {
		return nil, moment{}, err
	}
	at := momentOf(cut)
	ask.AsOf = at.asOf
	w, from, err := r.begin(ctx, ask, streamID, cut.Last)
	if err != nil {
		return nil, at, err
	}
	after := int64(0)
	if from != nil {
		after = from.Position
	}
	past, err := r.past.Recorded(ctx, ask, streamID, after)
	if err != nil {
		return nil, at, err
	}
	if from != nil && past.Anchor != from.LastEvent {
		r.snapshots.throwAway(ctx, from, fmt.Errorf("event %s is not the one at its position", from.LastEvent))
	}
	if from != nil && (past.Anchor != from.LastEvent || past.Joined > 0) {
		w, from = newWriter(true), nil
		if past, err = r.past.Recorded(ctx, ask, streamID, 0); err != nil {
			return nil, at, err
		}
	}
	if err := foldInto(w, past.Events); err != nil {
		return nil, at, err
	}
	r.folded(ask, streamID, from, len(past.Events))
	return w, at, nil
}

// foldInto folds events. One that cannot be applied leaves nothing to be said.
func foldInto(w *writer, events []eventlog.Event) error {
	changes, errs := make([]*change, len(events)), make([]error, len(events))
	const share = 128 // below this a goroutine costs more than it brings
	var wg sync.WaitGroup
	for i := 0; i < len(events); i += share {
		to := min(i+share, len(events))
		decode := func() {
			for n := i; n < to; n++ {
				changes[n], errs[n] = model{}.Decode(events[n])
			}
		}
		if to == len(events) {
			decode()
			break
		}
		wg.Go(decode)
	}
	wg.Wait()
	for n, c := range changes {
		err := errs[n]
		if err == nil {
			err = w.Fold(c)
		}
		if err != nil {
			return query.ErrIncomplete.Detailf("The event at position %d cannot be applied.", events[n].Position).Because(err)
		}
	}
	return nil
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
	return p, at, errors.Join(err, w.unpacked())
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
	for m := range w.measurements.Peek() {
		if s := of[m.indicatorID]; s != nil && !m.void && m.dimsKey == s.row.headline {
			s.add(m)
		}
	}
	for _, s := range all {
		for _, m := range s.latest {
			w.measurements.Warm(m)
		}
	}
	for t := range w.targets.Peek() {
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
	for _, s := range all {
		if s.target != nil {
			w.targets.Warm(s.target)
		}
	}
	return all
}

// add keeps the latest values, as many as are needed, the latest first.
func (s *standing) add(m *measurementRow) {
	at := len(s.latest)
	for at > 0 && (calendar.Period{Start: m.start, End: m.end}).After(calendar.Period{Start: s.latest[at-1].start, End: s.latest[at-1].end}) {
		at--
	}
	if at < trendNeeds {
		s.latest = slices.Insert(s.latest, at, m)
		s.latest = s.latest[:min(len(s.latest), trendNeeds)]
	}
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
		if card.NextCursor, err = s.next(f, at, lines[s.limit-1].row.defined); err != nil {
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
	return found[0].answer(at.position, at.today), w.unpacked()
}

// pastPoint is a point that is read when it is wanted.
type pastPoint struct {
	key  seriesKey
	read func() seriesPoint
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
	var found []pastPoint
	var total int64
	add := func(key seriesKey, first int64, void bool, point func() seriesPoint) {
		if !p.takes(key, first, void) {
			return
		}
		if total++; key.compare(p.after) > 0 {
			found = append(found, pastPoint{key, point})
		}
	}
	for t := range w.targets.Peek() {
		add(t.key(), t.first, false, func() seriesPoint { w.targets.Warm(t); return t.point() })
	}
	for m := range w.measurements.Peek() {
		add(m.key(), m.first, m.void, func() seriesPoint { w.measurements.Warm(m); return m.point() })
	}
	answer := row.series(at.position)
	if p.filter.Count {
		answer.Total = &total
	}
	slices.SortFunc(found, func(a, b pastPoint) int { return a.key.compare(b.key) })
	points := make([]seriesPoint, min(len(found), p.limit+1))
	for i := range points {
		points[i] = found[i].read()
	}
	err = p.fill(&answer, points, at.asOf)
	return answer, errors.Join(err, w.unpacked())
}
