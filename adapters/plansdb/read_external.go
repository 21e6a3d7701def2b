package plansdb

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
)

// ExternalChanges implements query.Plans.
func (r *Reader) ExternalChanges(ctx context.Context, ask query.Read, f query.ExternalFilter) (query.ExternalChanges, error) {
	answer := query.ExternalChanges{Items: []query.ExternalChange{}}
	ask = ask.Within(f.Paging)
	s, err := spanOf(f, ask.AsOf, f.Paging)
	if err != nil {
		return answer, err
	}
	switch f.Outcome {
	case "", query.ChangeAccepted, query.ChangeCorrected, query.ChangeRejected:
	default:
		return answer, query.ErrInvalid.Detailf("There is no such outcome.").At("#/outcome", "enum", "must be accepted, corrected or rejected")
	}
	q := changesOf(f, f.Outcome)
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		rows, err := all(ctx, tx, externalTable, q.sql(externalTable.SelectAs("x"), s.limit+1), q.between(s.after, s.cutAt(at.position))...)
		if err != nil {
			return err
		}
		answer.Position = at.position
		for _, row := range rows[:min(len(rows), s.limit)] {
			answer.Items = append(answer.Items, row.change())
		}
		if len(rows) > s.limit {
			if answer.NextCursor, err = s.next(f, at, rows[s.limit-1].position); err != nil {
				return err
			}
		}
		if answer.Total, err = total(ctx, tx, f.Paging, q.total(), q.between(0, s.cutAt(at.position))...); err != nil || f.Cursor != "" {
			return err
		}
		answer.Restatements, err = restatements(ctx, tx, f, at.position)
		return err
	})
	return answer, err
}

func changesOf(f query.ExternalFilter, outcome string) walk {
	w := newWalk("external_changes x", "x.", "position")
	if f.SourceID != "" {
		w.along("x.", "source_id", f.SourceID)
	}
	if outcome != "" { // one of three words, as the partial indexes have it
		w.where("x.outcome = '" + outcome + "'")
	}
	if !f.From.IsZero() {
		w.where("x.recorded_at >= " + w.arg(f.From))
	}
	if !f.To.IsZero() {
		w.where("x.recorded_at < " + w.arg(f.To))
	}
	return w
}

// restatements adds up the corrections alone: few of all that is sent.
func restatements(ctx context.Context, tx pgx.Tx, f query.ExternalFilter, position int64) ([]query.Restatement, error) {
	q := changesOf(f, query.ChangeCorrected)
	rows, err := tx.Query(ctx, `SELECT x.source_id, x.period_start, x.period_end, count(*), count(DISTINCT x.indicator_id), max(x.recorded_at)
		FROM `+q.condition()+` GROUP BY x.source_id, x.period_start, x.period_end
		ORDER BY x.period_end DESC, x.period_start DESC, x.source_id LIMIT `+strconv.Itoa(query.MaxRestatements), q.between(0, position)...)
	if err != nil {
		return nil, fmt.Errorf("restatements: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (query.Restatement, error) {
		var r query.Restatement
		err := row.Scan(&r.SourceID, &r.Period.Start, &r.Period.End, &r.Corrections, &r.Indicators, &r.LastAt)
		r.LastAt = r.LastAt.UTC()
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("restatements: %w", err)
	}
	return found, nil
}

func (row *externalRow) change() query.ExternalChange {
	q := query.ExternalChange{
		EventID: row.eventID.String(), Position: row.position, SourceID: row.sourceID, Channel: row.channel, MessageID: row.messageID,
		PayloadSHA256: row.payloadSHA256, Item: int(row.item), Outcome: row.outcome, IndicatorID: row.indicatorID, IndicatorRef: row.indicatorRef,
		MeasurementID: row.measurementID, Dims: row.dims, Old: row.before, New: row.after, ExternalRef: row.externalRef,
		Code: row.code, Detail: row.detail, EvidenceID: row.evidenceID, RecordedAt: row.recordedAt.UTC(),
	}
	if row.end != "" {
		q.Period = &calendar.Period{Start: row.start, End: row.end}
	}
	return q
}
