package auditdb

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/app/query/diff"
	"strata.dev/strata/domain/indicator"
)

// Diff implements query.Audit.
func (r *Reader) Diff(ctx context.Context, ask query.Read, f query.DiffFilter) (query.Diff, error) {
	limit, err := f.Size()
	if err != nil {
		return query.Diff{}, err
	}
	if err := checkDiff(f); err != nil {
		return query.Diff{}, err
	}
	if err := query.RefuseAsOf(ask); err != nil {
		return query.Diff{}, err
	}
	// Both ends are at or before the first page's position, so the pages are those of one list.
	var cut int64
	skip := 0
	if f.Cursor != "" {
		var key string
		if cut, key, err = query.DecodeCursor(f, f.Cursor); err != nil {
			return query.Diff{}, err
		}
		if skip, err = strconv.Atoi(key); err != nil || skip < 0 {
			return query.Diff{}, query.ErrInvalidCursor.Because(err)
		}
	}
	var answer query.Diff
	ask.MinPosition = max(ask.MinPosition, f.From.Position, f.To.Position, cut)
	err = r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
		if f.Cursor == "" {
			cut = position
		}
		var items []query.DiffItem
		if answer, items, err = compare(ctx, tx, f, cut); err != nil {
			return err
		}
		answer.Position = position
		skip = min(skip, len(items))
		answer.Items = items[skip:min(skip+limit, len(items))]
		if skip+limit < len(items) {
			if answer.NextCursor, err = query.EncodeCursor(f, cut, strconv.Itoa(skip+limit)); err != nil {
				return err
			}
		}
		if n := int64(len(items)); f.Count {
			answer.Total = &n
		}
		return nil
	})
	return answer, err
}

func checkDiff(f query.DiffFilter) error {
	if (f.StrategyID == uuid.Nil) == (f.IndicatorID == uuid.Nil) {
		return query.ErrInvalid.Detailf("Name one strategy or one indicator.").At("#", "oneOf", "needs strategyId or indicatorId")
	}
	for at, m := range map[string]query.Mark{"from": f.From, "to": f.To} {
		named := 0
		for _, given := range []bool{m.Position != 0, !m.Instant.IsZero(), m.Revision != 0} {
			if given {
				named++
			}
		}
		switch {
		case m.Position < 0 || m.Revision < 0:
			return query.ErrInvalid.Detailf("Positions and revisions are not negative.").At("#/"+at, "minimum", "must be 0 or more")
		case named > 1:
			return query.ErrInvalid.Detailf("Name a position, an instant or a revision.").At("#/"+at, "maxProperties", "names more than one")
		case m.Revision != 0 && f.StrategyID == uuid.Nil:
			return query.ErrInvalid.Detailf("Only strategies have revisions.").At("#/"+at, "type", "is a revision")
		}
	}
	if (f.From.Revision == 0) != (f.To.Revision == 0) && f.From != (query.Mark{}) && f.To != (query.Mark{}) {
		return query.ErrInvalid.Detailf("Compare revisions with revisions, or moments with moments.").At("#/to", "type", "is of another kind than from")
	}
	return nil
}

// compare folds both ends and compares them.
func compare(ctx context.Context, tx pgx.Tx, f query.DiffFilter, cut int64) (query.Diff, []query.DiffItem, error) {
	from, err := upTo(ctx, tx, f.From, cut, 0)
	if err != nil {
		return query.Diff{}, nil, err
	}
	to, err := upTo(ctx, tx, f.To, cut, cut)
	if err != nil {
		return query.Diff{}, nil, err
	}
	stream, answer := strategyStream+f.StrategyID.String(), query.Diff{StrategyID: f.StrategyID.String()}
	if f.StrategyID == uuid.Nil {
		stream, answer = indicatorStream+f.IndicatorID.String(), query.Diff{IndicatorID: f.IndicatorID.String()}
	}
	whole := list{upTo: max(from, to), column: "stream_id", values: []string{stream}}
	rows, err := whole.page(ctx, tx, 0)
	if err != nil {
		return answer, nil, fmt.Errorf("events to compare: %w", err)
	}
	if len(rows) == 0 {
		return answer, nil, query.ErrNotFound
	}
	events := make([]*past, len(rows))
	for i, r := range rows {
		if events[i], err = pastOf(r); err != nil {
			return answer, nil, err
		}
	}
	var items []query.DiffItem
	if f.StrategyID == uuid.Nil {
		var a, b indicator.State
		if a, answer.From, err = foldIndicator(events, from); err != nil {
			return answer, nil, err
		}
		if b, answer.To, err = foldIndicator(events, to); err != nil {
			return answer, nil, err
		}
		items, err = diff.Indicators(a, b)
	} else {
		var a, b diff.Content
		if a, answer.From, err = contentAt(events, f.From, from); err != nil {
			return answer, nil, err
		}
		if b, answer.To, err = contentAt(events, f.To, to); err != nil {
			return answer, nil, err
		}
		if f.From.Revision+f.To.Revision > 0 {
			a.Lifecycle, b.Lifecycle = nil, nil
		}
		items, err = diff.Strategies(f.StrategyID.String(), a, b)
	}
	return answer, items, err
}

// upTo is the position that a mark stands for; of a revision, and of none, what is given.
func upTo(ctx context.Context, tx pgx.Tx, m query.Mark, cut, none int64) (int64, error) {
	switch {
	case m.Position > 0:
		return min(m.Position, cut), nil
	case !m.Instant.IsZero():
		return positionAt(ctx, tx, m.Instant, cut)
	case m.Revision > 0:
		return cut, nil
	}
	return none, nil
}

// positionAt is the last position recorded at an instant or before, at most cut.
func positionAt(ctx context.Context, tx pgx.Tx, at time.Time, cut int64) (int64, error) {
	// Times are kept to the microsecond: what comes after one is at least one later.
	later, err := firstSince(ctx, tx, at.Truncate(time.Microsecond).Add(time.Microsecond))
	if err != nil || later == 0 {
		return cut, err
	}
	return min(later-1, cut), nil
}
