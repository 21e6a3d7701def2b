package auditdb

import (
	"context"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// History implements query.Audit.
func (r *Reader) History(ctx context.Context, ask query.Read, f query.HistoryFilter) (query.Page[query.Entry], error) {
	if err := checkHistory(f); err != nil {
		return query.Page[query.Entry]{}, err
	}
	found, err := r.pageOf(ctx, ask, f, f.Paging, func(ctx context.Context, tx pgx.Tx, l *list) error { return l.of(ctx, tx, f) })
	if err != nil {
		return query.Page[query.Entry]{}, err
	}
	return query.Page[query.Entry]{Items: entries(found.rows), NextCursor: found.next, Total: found.total, Position: found.position}, nil
}

func entries(rows []*row) []query.Entry {
	list := make([]query.Entry, len(rows))
	for i, r := range rows {
		list[i] = r.entry()
	}
	return list
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
