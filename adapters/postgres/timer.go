package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/process"
)

// timerConnections is how many statements about timers run at the same moment.
const timerConnections = 2

// Timers keeps the timers of processes beside the log in its database. It is
// safe for concurrent use, also by several processes.
type Timers struct {
	pool *pgxpool.Pool
}

var _ process.Timers = (*Timers)(nil)

// OpenTimers connects to the log database that url names, as the role that
// writes the log. It fails if the database cannot be reached now. Close ends it.
func OpenTimers(ctx context.Context, url string) (*Timers, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("timers: %w", err)
	}
	cfg.MaxConns = timerConnections
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	cfg.ConnConfig.RuntimeParams["application_name"] = "strata timers"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = "10000"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("timers: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("timers: %w", err)
	}
	return &Timers{pool}, nil
}

// Close waits for what is under way and closes the connections.
func (t *Timers) Close() { t.pool.Close() }

// Set implements process.Timers. Inserting and cancelling what is outdated are
// one transaction, so that no other process fires a timer in between.
func (t *Timers) Set(ctx context.Context, timers []process.Timer) error {
	if len(timers) == 0 {
		return nil
	}
	var c timerColumns
	for _, timer := range timers {
		c.add(timer)
	}
	err := pgx.BeginFunc(ctx, t.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
INSERT INTO public.timers (organization_id, timer_id, kind, subject, due_at, try_at, cause_event_id, cause_position, correlation_id)
SELECT o, i, k, s, d, d, e, p, c FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[], $7::bigint[], $8::text[])
	AS n (o, i, k, s, d, e, p, c)
ON CONFLICT (organization_id, timer_id) DO NOTHING`,
			c.organizations, c.ids, c.kinds, c.subjects, c.due, c.causes, c.positions, c.correlations); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
UPDATE public.timers t SET state = 'cancelled'
FROM (SELECT DISTINCT * FROM unnest($1::uuid[], $2::text[], $3::text[])) AS n (o, k, s)
WHERE t.organization_id = n.o AND t.subject = n.s AND t.kind = n.k AND t.state = 'pending' AND EXISTS (
	SELECT FROM public.timers later WHERE later.organization_id = n.o AND later.subject = n.s AND later.kind = n.k
		AND later.cause_position > t.cause_position)`, c.organizations, c.kinds, c.subjects)
		return err
	})
	return t.failed(err, "set timers")
}

// timerColumns are timers as columns.
type timerColumns struct {
	organizations, ids, causes    []uuid.UUID
	kinds, subjects, correlations []string
	due                           []time.Time
	positions                     []int64
}

func (c *timerColumns) add(t process.Timer) {
	c.organizations, c.ids, c.causes = append(c.organizations, t.OrganizationID), append(c.ids, t.ID), append(c.causes, t.CauseID)
	c.kinds, c.subjects, c.correlations = append(c.kinds, t.Kind), append(c.subjects, t.Subject), append(c.correlations, t.CorrelationID)
	c.due, c.positions = append(c.due, t.DueAt), append(c.positions, t.CausePosition)
}

// Cancel implements process.Timers.
func (t *Timers) Cancel(ctx context.Context, keys []process.Cancellation) error {
	if len(keys) == 0 {
		return nil
	}
	var organizations []uuid.UUID
	var kinds, subjects []string
	var before []int64
	for _, k := range keys {
		organizations, kinds = append(organizations, k.OrganizationID), append(kinds, k.Kind)
		subjects, before = append(subjects, k.Subject), append(before, k.Before)
	}
	_, err := t.pool.Exec(ctx, `
UPDATE public.timers t SET state = 'cancelled'
FROM (SELECT o, k, s, max(p) FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS u (o, k, s, p) GROUP BY o, k, s) AS n (o, k, s, p)
WHERE t.organization_id = n.o AND t.subject = n.s AND t.kind = n.k AND t.cause_position < n.p AND t.state = 'pending'`,
		organizations, kinds, subjects, before)
	return t.failed(err, "cancel timers")
}

// Due implements process.Timers.
func (t *Timers) Due(ctx context.Context, now time.Time, limit int) ([]process.Timer, error) {
	rows, _ := t.pool.Query(ctx, `
SELECT organization_id, timer_id, kind, subject, due_at, cause_event_id, cause_position, correlation_id, attempts
FROM public.timers WHERE state = 'pending' AND try_at <= $1 ORDER BY try_at, cause_position, timer_id LIMIT $2`, now, limit) // CollectRows returns its error
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t process.Timer, err error) {
		err = row.Scan(&t.OrganizationID, &t.ID, &t.Kind, &t.Subject, &t.DueAt, &t.CauseID, &t.CausePosition, &t.CorrelationID, &t.Attempts)
		t.DueAt = t.DueAt.UTC()
		return t, err
	})
	return due, t.failed(err, "read due timers")
}

// Fired implements process.Timers.
func (t *Timers) Fired(ctx context.Context, timer process.Timer, at time.Time) error {
	_, err := t.pool.Exec(ctx, `UPDATE public.timers SET state = 'fired', fired_at = $3, failure = NULL
WHERE organization_id = $1 AND timer_id = $2 AND state = 'pending'`, timer.OrganizationID, timer.ID, at)
	return t.failed(err, "end timer "+timer.ID.String())
}

// Postpone implements process.Timers.
func (t *Timers) Postpone(ctx context.Context, timer process.Timer, until time.Time, reason string) error {
	_, err := t.pool.Exec(ctx, `UPDATE public.timers SET try_at = $3, attempts = attempts + 1, failure = left($4, 4000)
WHERE organization_id = $1 AND timer_id = $2 AND state = 'pending'`, timer.OrganizationID, timer.ID, until, reason)
	return t.failed(err, "postpone timer "+timer.ID.String())
}

// Counts implements process.Timers.
func (t *Timers) Counts(ctx context.Context, now time.Time) (c process.TimerCounts, err error) {
	var next *time.Time
	err = t.pool.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE due_at <= $1), min(try_at) FROM public.timers WHERE state = 'pending'`, now).
		Scan(&c.Pending, &c.Due, &next)
	if next != nil {
		c.Next = next.UTC()
	}
	return c, t.failed(err, "count timers")
}

// failed makes every failure of the database one of the log: nothing was
// stored, or it may be stored once more.
func (t *Timers) failed(err error, doing string) error {
	if err == nil {
		return nil
	}
	return eventlog.ErrUnavailable.Because(fmt.Errorf("%s: %w", doing, err))
}
