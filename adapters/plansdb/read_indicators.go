package plansdb

import (
	"context"
	"encoding/json"
	"fmt"
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

func (s *standing) status() query.IndicatorStatus {
	d, h := s.row.definition, s.health()
	q := query.IndicatorStatus{
		ID: s.row.id, Identifier: d.Identifier, Name: d.Name, Unit: d.Unit, Direction: string(d.Direction),
		Health: s.row.health, Trend: string(h.Trend), Progress: string(h.Progress), Version: s.row.version,
	}
	if len(s.latest) > 0 {
		m := s.latest[0]
		at := m.recordedAt.UTC()
		q.Actual = &query.Point{Period: calendar.Period{Start: m.start, End: m.end}, Dims: m.dims, Reading: m.reading}
		q.MeasuredAt, q.Source = &at, m.origin
	}
	if t := s.target; t != nil {
		q.Target = &query.Point{Period: calendar.Period{Start: t.start, End: t.end}, Dims: t.dims, Reading: t.reading}
	}
	return q
}

// Indicator implements query.Plans.
func (r *Reader) Indicator(ctx context.Context, ask query.Read, id uuid.UUID) (query.Indicator, error) {
	var answer query.Indicator
	err := r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		found, err := readStandings(ctx, tx, `i.indicator_id = $1`, id.String())
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return query.ErrNotFound
		}
		row := found[0].row
		answer = query.Indicator{
			IndicatorStatus: found[0].status(), StrategyID: row.strategyID, ObjectiveID: row.objectiveID, ImportID: row.importID,
			Definition: row.definition, Targets: int(row.targets), Measurements: int(row.measurements),
			Corrections: int(row.corrections), Voided: int(row.voided), Retired: row.retired, ReplacedBy: row.replacedBy, Position: position,
		}
		return nil
	})
	return answer, err
}

// seriesKey is the order of a series.
type seriesKey struct{ Start, End, Dims, Kind, ID string }

// Series implements query.Plans.
func (r *Reader) Series(ctx context.Context, ask query.Read, f query.SeriesFilter) (query.Series, error) {
	var answer query.Series
	limit, err := f.Size()
	if err != nil {
		return answer, err
	}
	for member, date := range map[string]string{"from": f.From, "to": f.To} {
		if date != "" && !calendar.Date(date).Valid() {
			return answer, query.ErrInvalid.Detailf("%s is not a day.", member).At("#/"+member, "format", "must be YYYY-MM-DD")
		}
	}
	var cut int64
	var after seriesKey
	if f.Cursor != "" {
		var key string
		if cut, key, err = query.DecodeCursor(f, f.Cursor); err != nil {
			return answer, err
		}
		if err := json.Unmarshal([]byte(key), &after); err != nil {
			return answer, query.ErrInvalidCursor.Because(err)
		}
	}
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		row, err := one(ctx, tx, indicatorsTable, `WHERE indicator_id = $1`, f.IndicatorID.String())
		if err != nil {
			return err
		}
		if cut == 0 {
			cut = position
		}
		answer = query.Series{
			IndicatorID: row.id, Name: row.definition.Name, Unit: row.definition.Unit,
			Items: []query.SeriesPoint{}, Version: row.version, Position: position,
		}
		return readSeries(ctx, tx, f, cut, after, limit, &answer)
	})
	return answer, err
}

// selectSeries is a page of targets and living measurements, one list.
const selectSeries = `
	SELECT kind, period_start, period_end, dims_key, id, dims, reading, note, observed_at, external_ref, origin, corrections, epoch, at, by
	FROM (
		SELECT 'target' COLLATE "C" AS kind, period_start, period_end, dims_key, '' COLLATE "C" AS id, dims, reading, note,
		       NULL::timestamptz AS observed_at, '' AS external_ref, origin, changes AS corrections, epoch, set_at AS at, set_by AS by
		FROM targets WHERE indicator_id = $1 AND first <= $2
		UNION ALL
		SELECT 'measurement', period_start, period_end, dims_key, measurement_id, dims, reading, note,
		       observed_at, external_ref, origin, corrections, epoch, recorded_at, recorded_by
		FROM measurements WHERE indicator_id = $1 AND first <= $2 AND NOT void) s
	WHERE ($3 = '' OR period_end >= $3) AND ($4 = '' OR period_start <= $4)
	  AND (period_start, period_end, dims_key, kind, id) > ($5, $6, $7, $8, $9)
	ORDER BY period_start, period_end, dims_key, kind, id LIMIT $10`

func readSeries(ctx context.Context, tx pgx.Tx, f query.SeriesFilter, cut int64, after seriesKey, limit int, into *query.Series) error {
	rows, err := tx.Query(ctx, selectSeries, f.IndicatorID.String(), cut, f.From, f.To,
		after.Start, after.End, after.Dims, after.Kind, after.ID, limit+1)
	if err != nil {
		return fmt.Errorf("series: %w", err)
	}
	var last seriesKey
	more := false
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var p query.SeriesPoint
		var k seriesKey
		err := row.Scan(&k.Kind, &k.Start, &k.End, &k.Dims, &k.ID, &p.Dims, &p.Reading, &p.Note, &p.ObservedAt, &p.ExternalRef,
			&p.Source, &p.Corrections, &p.Epoch, &p.RecordedAt, &p.RecordedBy)
		if more = len(into.Items) == limit; more || err != nil {
			return struct{}{}, err
		}
		p.Kind, p.MeasurementID = k.Kind, k.ID
		p.Period = calendar.Period{Start: calendar.Date(k.Start), End: calendar.Date(k.End)}
		p.RecordedAt, last = p.RecordedAt.UTC(), k
		into.Items = append(into.Items, p)
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("series: %w", err)
	}
	if !more {
		return nil
	}
	key, err := json.Marshal(last)
	if err != nil {
		return fmt.Errorf("series: %w", err)
	}
	into.NextCursor, err = query.EncodeCursor(f, cut, string(key))
	return err
}
