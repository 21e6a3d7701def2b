package plansdb

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// Series implements query.Plans.
func (r *Reader) Series(ctx context.Context, ask query.Read, f query.SeriesFilter) (query.Series, error) {
	ask = ask.Within(f.Paging)
	p, err := newSeriesPage(f, ask.AsOf)
	if err != nil {
		return query.Series{}, err
	}
	if !ask.AsOf.IsNow() {
		return r.pastSeries(ctx, ask, p)
	}
	var answer query.Series
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		row, err := one(ctx, tx, indicatorsTable, `WHERE indicator_id = $1`, f.IndicatorID.String())
		if err != nil {
			return err
		}
		if p.cut == 0 {
			p.cut = at.position
		}
		answer = row.series(at.position)
		if f.Count {
			if answer.Total, err = p.count(ctx, tx); err != nil {
				return err
			}
		}
		points, err := p.read(ctx, tx)
		if err != nil {
			return err
		}
		return p.fill(&answer, points, at.asOf)
	})
	return answer, err
}

// The two branches of a series. Each walks one index, from behind the key of the
// page before, to no more rows than the page can take: $1 the indicator, $2 to
// $4 where to begin, $5 the last start of a period. The rest are conditions.
const (
	targetsFrom = ` WHERE (indicator_id, period_start, period_end, dims_key) >= ($1, $2, $3, $4) AND (indicator_id, period_start) <= ($1, $5)` + seriesRest
	targetsPage = targetsFrom + ` AND (period_start, period_end, dims_key, 'target' COLLATE "C") > ($2, $3, $4, $9 COLLATE "C")
	ORDER BY indicator_id, period_start, period_end, dims_key LIMIT $10`
	measurementsFrom = ` WHERE (indicator_id, period_start, period_end, dims_key) >= ($1, $2, $3, $4) AND (indicator_id, period_start) <= ($1, $5)` + seriesRest +
		` AND ($9 OR NOT void)`
	measurementsPage = measurementsFrom + ` AND (period_start, period_end, dims_key, 'measurement' COLLATE "C", measurement_id) > ($2, $3, $4, $10 COLLATE "C", $11)
	ORDER BY indicator_id, period_start, period_end, dims_key, measurement_id LIMIT $12`
	seriesRest = ` AND first <= $6 AND ($7 = '' OR period_end >= $7) AND ($8::text IS NULL OR dims_key = $8)`
)

// behindAllDays is behind every date, as text.
const behindAllDays = "~"

func (p *seriesPage) args(after seriesKey) []any {
	to := p.filter.To
	if to == "" {
		to = behindAllDays
	}
	var dims *string
	if len(p.filter.Dims) > 0 {
		dims = &p.dims
	}
	return []any{p.filter.IndicatorID.String(), after.Start, after.End, after.Dims, to, p.cut, p.filter.From, dims}
}

func (p *seriesPage) read(ctx context.Context, tx pgx.Tx) ([]seriesPoint, error) {
	var points []seriesPoint
	if p.filter.Kind != measurementKind {
		rows, err := list(ctx, tx, targetsTable, targetsPage, append(p.args(p.after), p.after.Kind, p.limit+1)...)
		if err != nil {
			return nil, err
		}
		for _, t := range rows {
			points = append(points, t.point())
		}
	}
	if p.filter.Kind != targetKind {
		rows, err := list(ctx, tx, measurementsTable, measurementsPage,
			append(p.args(p.after), p.filter.Voided, p.after.Kind, p.after.ID, p.limit+1)...)
		if err != nil {
			return nil, err
		}
		for _, m := range rows {
			points = append(points, m.point())
		}
	}
	return points, nil
}

func (p *seriesPage) count(ctx context.Context, tx pgx.Tx) (*int64, error) {
	var targets, measurements int64
	if p.filter.Kind != measurementKind {
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM targets`+targetsFrom, p.args(seriesKey{})...).Scan(&targets); err != nil {
			return nil, fmt.Errorf("series: count: %w", err)
		}
	}
	if p.filter.Kind != targetKind {
		err := tx.QueryRow(ctx, `SELECT count(*) FROM measurements`+measurementsFrom, append(p.args(seriesKey{}), p.filter.Voided)...).Scan(&measurements)
		if err != nil {
			return nil, fmt.Errorf("series: count: %w", err)
		}
	}
	n := targets + measurements
	return &n, nil
}
