package readdb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
)

// Limits of recalled copies: of one organization, in all, and of their events
// together. The one that nobody has asked for longest goes first.
const (
	recalledPerOrganization = 4
	recalledInAll           = 12
	recalledEvents          = 3_000_000
	recalledIdle            = 15 * time.Minute

	// MaxRecalledEvents is how many events one copy may be made of.
	MaxRecalledEvents = 1_000_000

	recallsAtOnce  = 2
	recallTime     = 2 * time.Minute // that making one may take
	recallPatience = 10 * time.Second
	recallBatch    = 5_000
	touchEvery     = time.Minute
)

// Everything gives at most limit of one organization's events behind a position
// up to the moment that is recalled, in log order.
type Everything func(ctx context.Context, after int64, limit int) ([]eventlog.Event, error)

// Recalls keeps copies of one organization's rows as they were: the model's own
// writer folds the events of the organization into tables beside the live ones,
// which the live model's own queries read. Safe for concurrent use.
//
// A copy is made in one transaction. Whoever dies over it leaves nothing; of two
// who make the same one, in whatever process, the second waits and finds it. It is
// never changed, belongs to one organization (row-level security holds in it, too),
// and is known by the last event in it: of another history it is another one.
// Nothing rests on it: dropped, it is made again.
type Recalls[D any] struct {
	p     *Projection[D]
	ctx   context.Context // ends with Close
	end   context.CancelFunc
	slots chan struct{}

	mu      sync.Mutex
	running map[recalledKey]*recalling
	tending bool
	wg      sync.WaitGroup
}

type recalledKey struct{ organization, last uuid.UUID }

// recalling is a copy that is being made.
type recalling struct {
	done chan struct{}
	err  error
}

// NewRecalls makes copies by a projection's writer and connections. Close it first.
func NewRecalls[D any](p *Projection[D]) *Recalls[D] {
	ctx, end := context.WithCancel(context.Background())
	return &Recalls[D]{p: p, ctx: ctx, end: end, slots: make(chan struct{}, recallsAtOnce), running: map[recalledKey]*recalling{}}
}

// Close ends what is being made, and waits for it.
func (r *Recalls[D]) Close() {
	r.mu.Lock()
	r.end()
	r.mu.Unlock()
	r.wg.Wait()
}

// Drop drops all copies: what another process is reading it will make again.
func (r *Recalls[D]) Drop(ctx context.Context) error {
	if _, err := r.p.pool.Exec(ctx, `SELECT drop_recalled(schema_name) FROM recalled`); err != nil {
		return fmt.Errorf("drop recalled copies: %w", err)
	}
	return nil
}

// Recall sees to it that there is a copy as of c and that it stays for a while.
// It waits for it, and is query.ErrUnavailable if that takes long: it goes on
// being made, so it pays to come again. More than MaxRecalledEvents are
// query.ErrInvalid; an event that cannot be applied is query.ErrIncomplete.
func (r *Recalls[D]) Recall(ctx context.Context, organizationID uuid.UUID, c query.Cut, events Everything) error {
	k := recalledKey{organizationID, c.LastID}
	used, err := r.p.pool.Exec(ctx, `UPDATE recalled SET used_at = clock_timestamp() WHERE organization_id = $1 AND last_event = $2 AND layout = $3`,
		k.organization, k.last, r.p.model.Layout())
	if err != nil {
		return fmt.Errorf("look for a recalled copy: %w", err)
	}
	if used.RowsAffected() > 0 {
		return nil
	}
	at := r.start(k, c, events)
	if at == nil {
		return query.ErrUnavailable.Detailf("The service is closing.")
	}
	patience := time.NewTimer(recallPatience)
	defer patience.Stop()
	select {
	case <-at.done:
		return at.err
	case <-patience.C:
		return query.ErrUnavailable.Detailf("What was known then is being put together. Try again.")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start begins to make a copy, or joins who is at it. It does not end with the
// question: the next one will be glad of it.
func (r *Recalls[D]) start(k recalledKey, c query.Cut, events Everything) *recalling {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := r.running[k]; at != nil {
		return at
	}
	if r.ctx.Err() != nil {
		return nil
	}
	at := &recalling{done: make(chan struct{})}
	r.running[k] = at
	r.wg.Go(func() {
		at.err = r.make(k, c, events)
		r.mu.Lock()
		delete(r.running, k)
		r.mu.Unlock()
		close(at.done)
		if at.err == nil {
			r.tend()
		}
	})
	return at
}

func (r *Recalls[D]) make(k recalledKey, c query.Cut, events Everything) error {
	ctx, cancel := context.WithTimeout(r.ctx, recallTime)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return query.ErrUnavailable.Because(ctx.Err())
	}
	total, err := r.size(ctx, c, events)
	if err != nil {
		return err
	}
	began := time.Now()
	err = inTx(ctx, r.p.pool, func(tx pgx.Tx) error { return r.makeIn(ctx, tx, k, c, total, events) })
	if err != nil {
		return fmt.Errorf("recall position %d: %w", c.Position, err)
	}
	r.p.log.InfoContext(ctx, "the past of an organization was recalled", "organization", k.organization, "position", c.Position,
		"events", total, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// size is how many events there are: the last one's number in the organization.
func (r *Recalls[D]) size(ctx context.Context, c query.Cut, events Everything) (int64, error) {
	if c.Last == 0 {
		return 0, nil
	}
	last, err := events(ctx, c.Last-1, 1)
	if err != nil {
		return 0, err
	}
	if len(last) != 1 || last[0].ID != c.LastID {
		return 0, query.ErrUnavailable.Because(fmt.Errorf("the event at position %d is not %s any more", c.Last, c.LastID))
	}
	if n := last[0].OrganizationSequence; n <= MaxRecalledEvents {
		return n, nil
	}
	return 0, query.ErrInvalid.Detailf("More than %d events were recorded until then: ask about one strategy or indicator, or about the events.", MaxRecalledEvents)
}

func (r *Recalls[D]) makeIn(ctx context.Context, tx pgx.Tx, k recalledKey, c query.Cut, total int64, events Everything) error {
	// Of those who make the same copy one goes on; the others then find it.
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('strata recall ' || $1::text || $2::text, 0))`, k.organization, k.last); err != nil {
		return err
	}
	var there bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM recalled WHERE organization_id = $1 AND last_event = $2 AND layout = $3)`,
		k.organization, k.last, r.p.model.Layout()).Scan(&there)
	if err != nil || there {
		return err
	}
	var target string
	if err := tx.QueryRow(ctx, `SELECT create_recalled()`).Scan(&target); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `SELECT set_config('search_path', quote_ident($1) || ', pg_temp', true)`, target); err != nil {
		return err
	}
	if err := r.p.options.Step(ctx, "recall-created"); err != nil {
		return err
	}
	if err := r.fill(ctx, tx, total, events); err != nil {
		return err
	}
	if err := r.p.options.Step(ctx, "recall-filled"); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `SELECT public.finish_recalled($1, $2, $3, $4, $5, $6)`, target, k.organization, k.last, r.p.model.Layout(), c.Last, total)
	return err
}

// fill folds the events into the empty tables that the transaction has entered.
func (r *Recalls[D]) fill(ctx context.Context, tx pgx.Tx, total int64, events Everything) error {
	w := r.p.model.Writer(true)
	written, folded := false, int64(0)
	for after := int64(0); folded < total; {
		batch, err := events(ctx, after, recallBatch)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return query.ErrUnavailable.Because(fmt.Errorf("%d of %d events are there", folded, total))
		}
		items := r.p.decode(ctx, batch)
		if written {
			if err := w.Load(ctx, tx, decodedOf(items)); err != nil {
				return fmt.Errorf("load: %w", err)
			}
		}
		for _, it := range items {
			err := it.poison
			if err == nil {
				err = guarded(func() error { return w.Fold(it.decoded) })
			}
			if err != nil {
				return query.ErrIncomplete.Detailf("The event at position %d cannot be applied.", it.event.Position).Because(err)
			}
		}
		after, folded = batch[len(batch)-1].Position, folded+int64(len(batch))
		if w.Weight() > verifyRows || folded >= total {
			if err := w.Flush(ctx, tx); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			written = true
		}
	}
	return nil
}

// tend drops the copies that are too many now, and those that nobody asks for as
// long as there are any.
func (r *Recalls[D]) tend() {
	r.drop()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tending || r.ctx.Err() != nil {
		return
	}
	r.tending = true
	r.wg.Go(func() {
		for {
			pause := time.NewTimer(touchEvery)
			select {
			case <-pause.C:
			case <-r.ctx.Done():
				pause.Stop()
				return
			}
			if r.drop() {
				break
			}
		}
		r.mu.Lock()
		r.tending = false
		r.mu.Unlock()
	})
}

// drop evicts, and says whether nothing is left to look after.
func (r *Recalls[D]) drop() bool {
	left, err := r.evict(r.ctx)
	if err != nil && r.ctx.Err() == nil {
		r.p.log.WarnContext(r.ctx, "recalled copies cannot be dropped now", "err", err)
	}
	return err == nil && left == 0
}

// evict drops what is too much, and tells how many copies are left.
func (r *Recalls[D]) evict(ctx context.Context) (left int, err error) {
	rows, err := r.p.pool.Query(ctx, `
		SELECT schema_name, per > $1 OR n > $2 OR n > 1 AND total > $3 OR used_at < clock_timestamp() - $4::interval OR layout < $5 FROM (
			SELECT schema_name, layout, used_at, row_number() OVER (PARTITION BY organization_id ORDER BY used_at DESC) AS per,
			       row_number() OVER (ORDER BY used_at DESC) AS n, sum(events) OVER (ORDER BY used_at DESC) AS total FROM recalled) c`,
		recalledPerOrganization, recalledInAll, recalledEvents, recalledIdle, r.p.model.Layout())
	if err != nil {
		return 0, err
	}
	type copied struct {
		Schema string
		Over   bool
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[copied])
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, c := range all {
		if !c.Over {
			left++
			continue
		}
		errs = append(errs, inTx(ctx, r.p.pool, func(tx pgx.Tx) error {
			// Whoever reads it is not kept waiting: then the next time.
			if _, err := tx.Exec(ctx, `SELECT set_config('lock_timeout', '500ms', true)`); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `SELECT drop_recalled($1)`, c.Schema)
			return err
		}))
	}
	return left, errors.Join(errs...)
}
