package plansdb

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
)

// Reader answers query.Plans, and gives commands their command.IndicatorBasis and
// command.FindingIndex.
type Reader struct {
	db        *readdb.Reader
	recaller  recaller // nil if no projection is in this process, as is what follows
	snapshots *snapshots
	past      query.Past
	now       func() time.Time
}

// recaller recalls what an organization's plans were.
type recaller interface {
	Recall(ctx context.Context, organizationID uuid.UUID, c query.Cut, events readdb.Everything) error
}

var _ query.Plans = (*Reader)(nil)

// OpenReader connects as strata_plans_reader. follows is the projection in this
// process, whose commits wake waiting reads at once, or nil. Close it.
func OpenReader(ctx context.Context, url string, follows *Projection) (*Reader, error) {
	var signal *readdb.Signal
	if follows != nil {
		signal = follows.Signal()
	}
	db, err := readdb.OpenReader(ctx, url, Name, layout, signal)
	if err != nil {
		return nil, err
	}
	r := &Reader{db: db, now: time.Now}
	if follows != nil {
		r.recaller, r.snapshots = follows, newSnapshots(follows)
	}
	return r, nil
}

// LookBackIn says where answers about the past come from; without it they are
// refused. Call it before the first question.
func (r *Reader) LookBackIn(past query.Past) { r.past = past }

// read runs fn where it can read an organization's rows: the live ones, or those
// recalled of the moment that is asked for.
func (r *Reader) read(ctx context.Context, ask query.Read, fn func(ctx context.Context, tx pgx.Tx, at moment) error) error {
	if ask.AsOf.IsNow() {
		return r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
			now := r.now()
			return fn(ctx, tx, moment{position: position, today: calendar.Of(now), at: now})
		})
	}
	if r.past == nil || r.recaller == nil {
		return errNoPast
	}
	cut, err := r.past.Moment(ctx, ask)
	if err != nil {
		return err
	}
	ask.AsOf = cut.Moment()
	events := func(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
		return r.past.Everything(ctx, ask, after, limit)
	}
	return r.db.InRecalledTx(ctx, ask, cut,
		func(ctx context.Context) error { return r.recaller.Recall(ctx, ask.OrganizationID, cut, events) },
		func(ctx context.Context, tx pgx.Tx) error { return fn(ctx, tx, momentOf(cut)) })
}

var errNoPast = query.ErrUnavailable.Detailf("This service has nothing to look back in.")

// Close ends the connections. The projection that it follows must still be open.
func (r *Reader) Close() {
	if r.snapshots != nil {
		r.snapshots.close()
	}
	r.db.Close()
}

// Position is how far the plans database is.
func (r *Reader) Position(ctx context.Context) (int64, error) { return r.db.Position(ctx) }

// all runs a query that gives rows of a table. The organization is never among
// the conditions: row-level security adds it.
func all[R any](ctx context.Context, tx pgx.Tx, t readdb.Table[R], sql string, args ...any) ([]*R, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name(), err)
	}
	found, err := pgx.CollectRows(rows, t.Scan)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name(), err)
	}
	return found, nil
}

// list is all for whole rows of one table that meet a condition.
func list[R any](ctx context.Context, tx pgx.Tx, t readdb.Table[R], behind string, args ...any) ([]*R, error) {
	return all(ctx, tx, t, t.Select()+" "+behind, args...)
}

// one is list for a row that must be there, else query.ErrNotFound.
func one[R any](ctx context.Context, tx pgx.Tx, t readdb.Table[R], behind string, args ...any) (*R, error) {
	found, err := list(ctx, tx, t, behind, args...)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, query.ErrNotFound
	case len(found) > 1:
		return nil, errors.New(t.Name() + ": more than one row where one was expected")
	}
	return found[0], nil
}

// total counts a list for those who want it counted.
func total(ctx context.Context, tx pgx.Tx, p query.Paging, sql string, args ...any) (*int64, error) {
	if !p.Count {
		return nil, nil
	}
	var n int64
	if err := tx.QueryRow(ctx, sql, args...).Scan(&n); err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	return &n, nil
}

// span is where a page of a list by position begins and ends.
type span struct {
	limit int
	cut   int64 // rows that came later are on no page; 0 on the first page
	after int64 // the last key of the page before; 0 on the first page
}

func spanOf(filter any, asOf query.Moment, p query.Paging) (span, error) {
	limit, err := p.Size()
	if err != nil || p.Cursor == "" {
		return span{limit: limit}, err
	}
	cut, after, err := query.DecodeCursor(filter, asOf, p.Cursor)
	if err != nil {
		return span{}, err
	}
	n, err := strconv.ParseInt(after, 10, 64)
	if err != nil || n <= 0 || cut <= 0 {
		return span{}, query.ErrInvalidCursor.Because(err)
	}
	return span{limit, cut, n}, nil
}

// cutAt is the cut, or the position of the answer for a first page.
func (s span) cutAt(position int64) int64 {
	if s.cut == 0 {
		return position
	}
	return s.cut
}

// next is the cursor behind the key of a page's last row.
func (s span) next(filter any, at moment, last int64) (string, error) {
	return query.EncodeCursor(filter, at.asOf, s.cutAt(at.position), strconv.FormatInt(last, 10))
}
