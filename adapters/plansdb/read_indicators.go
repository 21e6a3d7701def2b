package plansdb

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
)

// standing is an indicator with what its health is judged on.
type standing struct {
	row    *indicatorRow
	latest []*measurementRow // of the headline series, the latest first
	target *targetRow
}

// trendNeeds is how many values the domain looks at.
const trendNeeds = 3

// latestOf and targetOf step down one index per indicator. The target is that of
// the latest value's period, else the nearest earlier one; without any value it
// is the last one set.
var (
	latestOf = measurementsTable.SelectAs("m") + `
	FROM indicators i CROSS JOIN LATERAL (
		SELECT * FROM measurements m
		WHERE m.organization_id = i.organization_id AND m.indicator_id = i.indicator_id AND m.dims_key = i.headline AND NOT m.void
		ORDER BY m.period_end DESC, m.period_start DESC LIMIT ` + strconv.Itoa(trendNeeds) + `) m`
	targetOf = targetsTable.SelectAs("t") + `
	FROM indicators i LEFT JOIN LATERAL (
		SELECT m.period_end, m.period_start FROM measurements m
		WHERE m.organization_id = i.organization_id AND m.indicator_id = i.indicator_id AND m.dims_key = i.headline AND NOT m.void
		ORDER BY m.period_end DESC, m.period_start DESC LIMIT 1) m ON true
	CROSS JOIN LATERAL (
		SELECT * FROM targets t
		WHERE t.organization_id = i.organization_id AND t.indicator_id = i.indicator_id AND t.dims_key = i.headline
		  AND (m.period_end IS NULL OR (t.period_end, t.period_start) <= (m.period_end, m.period_start))
		ORDER BY t.period_end DESC, t.period_start DESC LIMIT 1) t`
)

// readStandings reads the indicators i that meet a condition, in the order of
// their definition.
func readStandings(ctx context.Context, tx pgx.Tx, condition string, args ...any) ([]*standing, error) {
	rows, err := all(ctx, tx, indicatorsTable, indicatorsTable.SelectAs("i")+` FROM indicators i WHERE `+condition+` ORDER BY i.defined`, args...)
	if err != nil {
		return nil, err
	}
	latest, err := all(ctx, tx, measurementsTable, latestOf+` WHERE `+condition+` ORDER BY m.period_end DESC, m.period_start DESC`, args...)
	if err != nil {
		return nil, err
	}
	targets, err := all(ctx, tx, targetsTable, targetOf+` WHERE `+condition, args...)
	if err != nil {
		return nil, err
	}
	found, of := make([]*standing, len(rows)), map[string]*standing{}
	for i, row := range rows {
		found[i] = &standing{row: row}
		of[row.id] = found[i]
	}
	for _, m := range latest {
		of[m.indicatorID].latest = append(of[m.indicatorID].latest, m)
	}
	for _, t := range targets {
		of[t.indicatorID].target = t
	}
	return found, nil
}

// health asks the domain's own function, with a state that holds no more than
// what it looks at.
func (s *standing) health() indicator.Health {
	state := indicator.State{Definition: s.row.definition}
	for _, m := range slices.Backward(s.latest) {
		state.Epoch = int(m.epoch)
		state = state.Apply(fact.Actor{}, indicator.MeasurementRecorded{
			MeasurementID: m.id, Period: calendar.Period{Start: m.start, End: m.end}, Dims: m.dims, Reading: m.reading,
		})
	}
	if t := s.target; t != nil {
		state.Epoch = int(t.epoch)
		state = state.Apply(fact.Actor{}, indicator.TargetSet{
			Period: calendar.Period{Start: t.start, End: t.end}, Dims: t.dims, Reading: t.reading,
		})
	}
	state.Epoch = int(s.row.epoch)
	return state.Health()
}

func (s *standing) status(today calendar.Date) query.IndicatorStatus {
	d, h := s.row.definition, s.health()
	q := query.IndicatorStatus{
		ID: s.row.id, Identifier: d.Identifier, Name: d.Name, Unit: d.Unit, Direction: string(d.Direction),
		Health: s.row.health, Trend: string(h.Trend), Progress: string(h.Progress), Version: s.row.version,
	}
	var latest calendar.Period
	if len(s.latest) > 0 {
		m := s.latest[0]
		latest = calendar.Period{Start: m.start, End: m.end}
		at := m.recordedAt.UTC()
		q.Actual = &query.Point{Period: calendar.Period{Start: m.start, End: m.end}, Dims: m.dims, Reading: m.reading}
		q.MeasuredAt, q.Source = &at, m.origin
	}
	if t := s.target; t != nil {
		q.Target = &query.Point{Period: calendar.Period{Start: t.start, End: t.end}, Dims: t.dims, Reading: t.reading}
	}
	q.Freshness = query.FreshnessOf(latest, d.Frequency, today)
	return q
}

// Indicator implements query.Plans.
func (r *Reader) Indicator(ctx context.Context, ask query.Read, id uuid.UUID) (query.Indicator, error) {
	if !ask.AsOf.IsNow() {
		return r.pastIndicator(ctx, ask, id)
	}
	var answer query.Indicator
	err := r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		found, err := readStandings(ctx, tx, `i.indicator_id = $1`, id.String())
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return query.ErrNotFound
		}
		answer = found[0].answer(at.position, at.today)
		return nil
	})
	return answer, err
}

func (s *standing) answer(position int64, today calendar.Date) query.Indicator {
	row := s.row
	return query.Indicator{
		IndicatorStatus: s.status(today), StrategyID: row.strategyID, ObjectiveID: row.objectiveID, ImportID: row.importID,
		Definition: row.definition, Targets: int(row.targets), Measurements: int(row.measurements),
		Corrections: int(row.corrections), Voided: int(row.voided), Retired: row.retired, ReplacedBy: row.replacedBy, Position: position,
	}
}
