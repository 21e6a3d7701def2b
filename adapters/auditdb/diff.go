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
	ask = ask.Within(f.Paging)
	// Both ends are at or before the first page's position, so the pages are those of one list.
	var cut int64
	skip := 0
	if f.Cursor != "" {
		var key string
		if cut, key, err = query.DecodeCursor(f, ask.AsOf, f.Cursor); err != nil {
			return query.Diff{}, err
		}
		if skip, err = strconv.Atoi(key); err != nil || skip < 0 {
			return query.Diff{}, query.ErrInvalidCursor.Because(err)
		}
	}
	var answer query.Diff
	ask.MinPosition = max(ask.MinPosition, f.From.Position, f.To.Position, cut)
	err = r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, position, known int64) error {
		if f.Cursor == "" {
			cut = position
		}
		c, err := compare(ctx, tx, ask.OrganizationID, f, cut)
		if err != nil {
			return err
		}
		items := c.items
		answer = c.answer
		answer.Position = position
		skip = min(skip, len(items))
		answer.Items = items[skip:min(skip+limit, len(items))]
		if err := c.attribute(answer.Items); err != nil {
			return err
		}
		if skip+limit < len(items) {
			then, err := settled(ctx, tx, ask.AsOf, position, known)
			if err != nil {
				return err
			}
			if answer.NextCursor, err = query.EncodeCursor(f, then, cut, strconv.Itoa(skip+limit)); err != nil {
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
	named := 0
	for _, given := range []bool{
		f.StrategyID != uuid.Nil, f.IndicatorID != uuid.Nil, f.FindingID != uuid.Nil, f.EvidenceID != uuid.Nil, f.SourceID != uuid.Nil, f.Organization,
	} {
		if given {
			named++
		}
	}
	if named != 1 {
		return query.ErrInvalid.Detailf("Name one thing to compare.").At("#", "oneOf", "needs one of strategyId, indicatorId, findingId, evidenceId, sourceId and organization")
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
func compare(ctx context.Context, tx pgx.Tx, organizationID uuid.UUID, f query.DiffFilter, cut int64) (*comparison, error) {
	from, err := upTo(ctx, tx, f.From, cut, 0)
	if err != nil {
		return nil, err
	}
	to, err := upTo(ctx, tx, f.To, cut, cut)
	if err != nil {
		return nil, err
	}
	of := comparedOf(organizationID, f)
	whole := list{upTo: max(from, to), column: "stream_id", values: []string{of.stream}}
	rows, err := whole.page(ctx, tx, query.MaxRecalled+1)
	if err != nil {
		return nil, fmt.Errorf("events to compare: %w", err)
	}
	if len(rows) == 0 {
		return nil, query.ErrNotFound
	}
	if len(rows) > query.MaxRecalled {
		return nil, query.ErrInvalid.Detailf("More than %d events were recorded until then.", query.MaxRecalled)
	}
	c := &comparison{answer: of.answer, id: of.id, rows: rows}
	events := make([]*past, len(rows))
	for i, r := range rows {
		if events[i], err = pastOf(r); err != nil {
			return nil, err
		}
	}
	if c.steps, err = of.fold(events); err != nil {
		return nil, err
	}
	before, after := c.at(from, &c.answer.From), c.at(to, &c.answer.To)
	if f.From.Revision+f.To.Revision > 0 { // whose content was compared, without where the strategy stood
		var a, b diff.Content
		if a, c.answer.From, err = contentAt(events, f.From, from); err != nil {
			return nil, err
		}
		if b, c.answer.To, err = contentAt(events, f.To, to); err != nil {
			return nil, err
		}
		a.Lifecycle, b.Lifecycle = nil, nil
		before, after = diff.OfStrategy(of.id, a), diff.OfStrategy(of.id, b)
	}
	c.items, err = diff.Between(before, after)
	return c, err
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
