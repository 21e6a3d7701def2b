package readdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
)

// graceOfRetired is how long a retired generation is kept at least: longer than
// any read transaction may live (see readTimeout).
const graceOfRetired = time.Minute

// rebuild is one run of Rebuild.
type rebuild[D any] struct {
	*Projection[D]
	events  eventlog.Reader
	number  int // the generation being built
	rows    int // how many are folded in memory before they are written
	parked  parking
	tracker *tracker
}

// Rebuild implements projection.Projection.
func (p *Projection[D]) Rebuild(ctx context.Context, log eventlog.Reader, progress func(projection.Progress)) (err error) {
	defer func() {
		if err != nil && !errors.Is(err, projection.ErrRebuilding) {
			err = fmt.Errorf("rebuild of projection %s: %w", p.Name(), err)
		}
	}()
	claim, err := p.claim(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.unclaim(ctx, claim)) }()
	if live, err := p.liveLayout(ctx); err != nil || live > p.model.Layout() {
		return errors.Join(err, p.older(live))
	}
	if err := p.sweep(ctx); err != nil {
		return err
	}
	tracker, err := newTracker(ctx, log, progress)
	if err != nil {
		return err
	}
	r := &rebuild[D]{Projection: p, events: log, tracker: tracker, rows: p.options.RebuildRows}
	if err := r.fill(ctx); err != nil {
		return err
	}
	return r.takeOver(ctx)
}

// fill makes the copy and loads the log into it.
func (r *rebuild[D]) fill(ctx context.Context) error {
	if err := r.create(ctx); err != nil {
		return err
	}
	err := r.load(ctx)
	if isPoison(err) {
		// Some event does not go in, and a fold of everything cannot tell which one.
		// Begin again with an empty copy: catching up, batch by batch, finds and parks it.
		r.log.WarnContext(ctx, "the log holds an event that cannot be applied: rebuilding batch by batch", "err", err)
		r.tracker.begin("load", 0)
		err = r.create(ctx)
	}
	return err
}

// takeOver makes the filled copy the live model.
func (r *rebuild[D]) takeOver(ctx context.Context) error {
	if err := r.finish(ctx); err != nil {
		return err
	}
	if err := r.catchUpAndSwitch(ctx); err != nil {
		return err
	}
	r.tracker.begin("done", r.tracker.done)
	return nil
}

// claim makes this the only rebuild or verification of the projection, in whatever
// process: an advisory lock of a connection of its own, which dies with the
// process. unclaim gives it back.
func (p *Projection[D]) claim(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	var claimed bool
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('strata rebuild ' || $1, 0))`, p.Name()).Scan(&claimed)
	if err == nil && !claimed {
		err = projection.ErrRebuilding
	}
	if err != nil {
		conn.Release()
		return nil, err
	}
	return conn, nil
}

// unclaim gives the lock back. A connection that cannot is closed: the lock goes
// with it, once the server has noticed.
func (p *Projection[D]) unclaim(ctx context.Context, conn *pgxpool.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_unlock(hashtextextended('strata rebuild ' || $1, 0))`, p.Name()); err == nil {
		conn.Release()
		return nil
	}
	return conn.Hijack().Close(ctx)
}

// sweep drops what killed rebuilds and verifications left behind, and retired copies that nobody
// reads any more. Only who holds the claim may: else a copy that is being built
// would look like one left behind.
func (p *Projection[D]) sweep(ctx context.Context) error {
	_, err := p.pool.Exec(ctx, `
		SELECT drop_generation(projection, generation) FROM generations
		WHERE projection = $1 AND (state = 'building' OR state = 'retired' AND switched_at < clock_timestamp() - $2::interval)`,
		p.Name(), graceOfRetired)
	if err != nil {
		return fmt.Errorf("drop old generations: %w", err)
	}
	return nil
}

// Sweep drops what earlier rebuilds left behind: copies that were not finished,
// and replaced ones that no reader can be in any more. A service does so when it
// starts; a rebuild does so by itself. While a rebuild runs there is nothing to do.
func (p *Projection[D]) Sweep(ctx context.Context) (err error) {
	claim, err := p.claim(ctx)
	if errors.Is(err, projection.ErrRebuilding) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep projection %s: %w", p.Name(), err)
	}
	defer func() { err = errors.Join(err, p.unclaim(ctx, claim)) }()
	return p.sweep(ctx)
}

// create makes the copy to build; one that this run made before goes.
func (r *rebuild[D]) create(ctx context.Context) error {
	err := inTx(ctx, r.pool, func(tx pgx.Tx) error {
		if r.number > 0 {
			if _, err := tx.Exec(ctx, `SELECT drop_generation($1, $2)`, r.Name(), r.number); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(ctx, `SELECT create_generation($1, $2)`, r.Name(), r.model.Layout()).Scan(&r.number); err != nil {
			return err
		}
		// Who was told of one epoch only goes on in that of the live model.
		_, err := tx.Exec(ctx, `UPDATE public.generations SET epoch = CASE WHEN $3 > 1 THEN $3 ELSE
			coalesce((SELECT l.epoch FROM public.generations l WHERE l.projection = $1 AND l.state = 'live'), 1) END
			WHERE projection = $1 AND generation = $2`, r.Name(), r.number, r.options.Epochs.Current().Number)
		return err
	})
	if err != nil {
		return fmt.Errorf("create a generation: %w", err)
	}
	return r.options.Step(ctx, "created")
}

// load folds the whole log in memory and writes the result. What does not fit
// into memory is written in between.
func (r *rebuild[D]) load(ctx context.Context) error {
	r.tracker.begin("load", 0)
	r.parked = parking{}
	w := r.model.Writer(true)
	batches := r.readAhead(ctx)
	defer batches.stop()
	var written, folded int64
	for {
		items, err := batches.next(ctx)
		if err != nil {
			return err
		}
		if len(items) > 0 {
			if err := r.fold(ctx, w, written, items); err != nil {
				return err
			}
			folded = items[len(items)-1].event.Position
			r.tracker.add(int64(len(items)))
		}
		last := len(items) < r.options.RebuildBatch
		if folded > written && (last || w.Weight() > r.rows) {
			if err := r.write(ctx, w, written, folded); err != nil {
				return err
			}
			written = folded
		}
		if last {
			return nil
		}
	}
}

// fold folds a batch into w, which reads back what it has written and let go.
func (r *rebuild[D]) fold(ctx context.Context, w Writer[D], written int64, items []item[D]) error {
	if written > 0 {
		err := inTx(ctx, r.pool, func(tx pgx.Tx) error {
			if _, err := lockBuilding(ctx, tx, r.Name(), r.number); err != nil {
				return err
			}
			return w.Load(ctx, tx, decodedOf(items))
		})
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
	}
	for _, it := range items {
		r.foldOne(w, it, r.parked)
	}
	return r.parked.panicked()
}

// write writes what was folded, with the position it makes the copy complete to.
func (r *rebuild[D]) write(ctx context.Context, w Writer[D], written, folded int64) error {
	if err := r.options.Step(ctx, "before-write"); err != nil {
		return err
	}
	err := inTx(ctx, r.pool, func(tx pgx.Tx) error {
		g, err := lockBuilding(ctx, tx, r.Name(), r.number)
		if err != nil {
			return err
		}
		if g.position != written {
			return fmt.Errorf("the copy is at position %d, not %d", g.position, written)
		}
		if err := w.Flush(ctx, tx); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if err := r.repark(ctx, tx, g); err != nil {
			return err
		}
		return g.moveTo(ctx, tx, r.Name(), folded)
	})
	if err != nil {
		return err
	}
	return r.options.Step(ctx, "written")
}

// repark writes the streams parked so far; their counts have grown since the last time.
func (r *rebuild[D]) repark(ctx context.Context, tx pgx.Tx, g generation) error {
	if g.hasParked {
		if _, err := tx.Exec(ctx, `DELETE FROM public.parked WHERE projection = $1 AND generation = $2`, r.Name(), g.number); err != nil {
			return fmt.Errorf("park again: %w", err)
		}
	}
	return r.park(ctx, tx, g, r.parked)
}

// finish adds the indexes that would have made the load slower, and lets readers in.
func (r *rebuild[D]) finish(ctx context.Context) error {
	r.tracker.begin("index", r.tracker.done)
	if _, err := r.pool.Exec(ctx, `SELECT finish_generation($1, $2)`, r.Name(), r.number); err != nil {
		return fmt.Errorf("finish: %w", err)
	}
	return r.options.Step(ctx, "finished")
}

// catchUpAndSwitch applies what was recorded meanwhile until the copy may take
// over. A batch that must be done event by event cannot be done under the live
// row's lock: then catch up once more.
func (r *rebuild[D]) catchUpAndSwitch(ctx context.Context) error {
	const attempts = 5
	var err error
	for range attempts {
		if err = r.catchUp(ctx); err != nil {
			return err
		}
		if err = r.switchOver(ctx); err == nil || !isPoison(err) {
			return err
		}
	}
	return err
}

func (r *rebuild[D]) catchUp(ctx context.Context) error {
	r.tracker.begin("catch-up", r.tracker.done)
	var at int64
	err := r.pool.QueryRow(ctx, `SELECT position FROM generations WHERE projection = $1 AND generation = $2`, r.Name(), r.number).Scan(&at)
	if err != nil {
		return fmt.Errorf("catch up: %w", err)
	}
	r.tracker.begin("catch-up", at)
	for {
		events, err := r.events.Read(ctx, at, catchUpBatch)
		if err != nil {
			return fmt.Errorf("read the log behind %d: %w", at, err)
		}
		if len(events) > 0 {
			at, err = r.advance(ctx, r.decode(ctx, events), r.lock)
			if err != nil {
				return fmt.Errorf("catch up: %w", err)
			}
			r.tracker.add(int64(len(events)))
		}
		if len(events) < catchUpBatch {
			return r.options.Step(ctx, "caught-up")
		}
	}
}

// catchUpBatch is how many events go into one transaction while catching up.
const catchUpBatch = 5_000

func (r *rebuild[D]) lock(ctx context.Context, tx pgx.Tx, _ *Projection[D]) (generation, error) {
	return lockBuilding(ctx, tx, r.Name(), r.number)
}

// switchOver makes the copy the live model. It holds the live row's lock, so no
// batch is applied to the old model meanwhile, and brings the copy at least as
// far as the live one is: positions never go back for readers, unless what the
// live one holds is not in the log any more (see atLeast).
func (r *rebuild[D]) switchOver(ctx context.Context) error {
	r.tracker.begin("switch", r.tracker.done)
	var reached int64
	err := inTx(ctx, r.pool, func(tx pgx.Tx) error {
		live, err := lockLive(ctx, tx, r.Name())
		if err != nil {
			return err
		}
		if live.layout > r.model.Layout() { // a newer release has switched meanwhile
			return r.older(live.layout)
		}
		if reached, err = r.reach(ctx, tx, r.atLeast(live)); err != nil {
			return err
		}
		if err := r.options.Step(ctx, "before-switch"); err != nil {
			return err
		}
		// One statement could not: of two live rows in between, the unique index would see one.
		if _, err := tx.Exec(ctx, `UPDATE public.generations SET state = 'retired', switched_at = clock_timestamp()
			WHERE projection = $1 AND generation = $2`, r.Name(), live.number); err != nil {
			return err
		}
		// What was just made from the log is as good as compared with it.
		_, err = tx.Exec(ctx, `UPDATE public.generations SET state = 'live', verified_at = clock_timestamp(), verified_position = position
			WHERE projection = $1 AND generation = $2`, r.Name(), r.number)
		return err
	})
	if err != nil {
		return fmt.Errorf("switch: %w", err)
	}
	r.signal.Raise(reached)
	return r.options.Step(ctx, "switched")
}

// reach brings the copy to position, within the switching transaction.
func (r *rebuild[D]) reach(ctx context.Context, tx pgx.Tx, position int64) (int64, error) {
	for {
		g, err := lockBuilding(ctx, tx, r.Name(), r.number)
		if err != nil || g.position >= position {
			return g.position, err
		}
		events, err := r.events.Read(ctx, g.position, catchUpBatch)
		if err != nil {
			return 0, fmt.Errorf("read the log behind %d: %w", g.position, err)
		}
		if len(events) == 0 {
			return 0, fmt.Errorf("the log ends at %d, and the live model is at %d: is this its log?", g.position, position)
		}
		if _, err := r.advanceIn(ctx, tx, g, r.decode(ctx, events), r.foldBatch); err != nil {
			return 0, err
		}
	}
}
