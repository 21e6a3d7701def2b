package plansdb

import (
	"context"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/source"
)

// Imports implements query.Plans.
func (r *Reader) Imports(ctx context.Context, ask query.Read, f query.ImportFilter) (query.Page[query.Import], error) {
	var page query.Page[query.Import]
	ask = ask.Within(f.Paging)
	s, err := spanOf(f, ask.AsOf, f.Paging)
	if err != nil {
		return page, err
	}
	switch f.Status {
	case "", query.ImportAccepted, query.ImportRefused:
	default:
		return page, query.ErrInvalid.Detailf("There is no such status.").At("#/status", "enum", "must be accepted or refused")
	}
	const where = `WHERE imported > $1 AND imported <= $2 AND ($3 = '' OR status = $3) AND ($4 = '' OR strategy_id = $4)`
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		rows, err := list(ctx, tx, importsTable, where+` ORDER BY imported LIMIT `+strconv.Itoa(s.limit+1),
			s.after, s.cutAt(at.position), f.Status, f.StrategyID)
		if err != nil {
			return err
		}
		page.Position, page.Items = at.position, []query.Import{}
		for _, row := range rows[:min(len(rows), s.limit)] {
			page.Items = append(page.Items, row.summary())
		}
		if len(rows) > s.limit {
			if page.NextCursor, err = s.next(f, at, rows[s.limit-1].imported); err != nil {
				return err
			}
		}
		page.Total, err = total(ctx, tx, f.Paging, `SELECT count(*) FROM imports `+where, int64(0), s.cutAt(at.position), f.Status, f.StrategyID)
		return err
	})
	return page, err
}

// Import implements query.Plans.
func (r *Reader) Import(ctx context.Context, ask query.Read, id uuid.UUID) (query.ImportDetail, error) {
	var answer query.ImportDetail
	err := r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		row, err := one(ctx, tx, importsTable, `WHERE import_id = $1`, id.String())
		if err != nil {
			return err
		}
		d := row.details
		answer = query.ImportDetail{
			Import: row.summary(), ContentHash: d.ContentHash, DocumentType: d.DocumentType, TypeAssumed: d.TypeAssumed,
			Again: d.Again, Reason: d.Reason, AuthorizedBy: d.AuthorizedBy,
			DeviationCounts: append([]source.CodeCount{}, d.DeviationCounts...), DeviationList: append([]source.Deviation{}, d.Deviations...),
			Matched: d.Matched, Position: at.position, FileName: d.FileName, Submitter: d.Submitter,
		}
		return nil
	})
	return answer, err
}

func (row *importRow) summary() query.Import {
	return query.Import{
		ID: row.id, Status: row.status, StrategyID: row.strategyID, Plan: row.plan, Format: row.format,
		DocumentSHA256: row.sha256, Size: row.details.Size, Counts: row.counts, Deviations: int(row.deviations), Code: row.code,
		Line: row.details.Line, Column: row.details.Column, ImportedBy: row.importedBy, ImportedAt: row.importedAt.UTC(),
	}
}
