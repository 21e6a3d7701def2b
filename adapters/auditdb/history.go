package auditdb

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// History implements query.Audit.
func (r *Reader) History(ctx context.Context, ask query.Read, f query.HistoryFilter) (query.Page[query.Entry], error) {
	var page query.Page[query.Entry]
	limit, err := f.Size()
	if err != nil {
		return page, err
	}
	if err := checkHistory(f); err != nil {
		return page, err
	}
	if err := query.RefuseAsOf(ask); err != nil {
		return page, err
	}
	var cut, after int64 // cut: of the first page; what was recorded later is on no page
	if f.Cursor != "" {
		var key string
		if cut, key, err = query.DecodeCursor(f, f.Cursor); err != nil {
			return page, err
		}
		if after, err = strconv.ParseInt(key, 10, 64); err != nil {
			return page, query.ErrInvalidCursor.Because(err)
		}
	}
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		if f.Cursor == "" {
			cut = position
		}
		l := list{after: after, upTo: min(cut, position)}
		if err := l.of(ctx, tx, f); err != nil {
			return err
		}
		found, err := l.page(ctx, tx, limit+1)
		if err != nil {
			return fmt.Errorf("audit history: %w", err)
		}
		page.Position = position
		page.Items = make([]query.Entry, 0, min(len(found), limit))
		for _, e := range found[:min(len(found), limit)] {
			page.Items = append(page.Items, e.entry())
		}
		if len(found) > limit {
			if page.NextCursor, err = query.EncodeCursor(f, cut, strconv.FormatInt(page.Items[limit-1].Position, 10)); err != nil {
				return err
			}
		}
		if !f.Count {
			return nil
		}
		whole := list{upTo: min(cut, position)}
		if err := whole.of(ctx, tx, f); err != nil {
			return err
		}
		n, err := whole.count(ctx, tx)
		if err != nil {
			return fmt.Errorf("audit history: count: %w", err)
		}
		page.Total = &n
		return nil
	})
	return page, err
}

func checkHistory(f query.HistoryFilter) error {
	for _, c := range []struct{ member, value string }{
		{"streamId", f.StreamID}, {"strategyId", f.StrategyID}, {"subjectId", f.SubjectID}, {"actorId", f.ActorID}, {"role", f.Role},
	} {
		if err := checkText("#/"+c.member, c.value); err != nil {
			return err
		}
	}
	if f.SubjectID != "" && f.StreamID == "" {
		return query.ErrInvalid.Detailf("What an event is about can be asked for within one aggregate.").
			At("#/subjectId", "dependentRequired", "needs streamId")
	}
	return checkTypes(f.Types)
}
