package readdb

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
)

// locker locks the generation that a batch goes into.
type locker[D any] func(ctx context.Context, tx pgx.Tx, p *Projection[D]) (generation, error)

// folder folds items into a locked generation.
type folder[D any] func(ctx context.Context, tx pgx.Tx, g generation, items []item[D]) error

func lockLiveOf[D any](ctx context.Context, tx pgx.Tx, p *Projection[D]) (generation, error) {
	g, err := lockLive(ctx, tx, p.Name())
	if err == nil && g.layout != p.model.Layout() {
		err = &projection.LayoutError{Projection: p.Name(), Live: g.layout, Code: p.model.Layout()}
	}
	return g, err
}

// decode reads the events with all processors, in order of the input.
func (p *Projection[D]) decode(ctx context.Context, events []eventlog.Event) []item[D] {
	items := make([]item[D], len(events))
	const share = 256 // below this a goroutine costs more than it brings
	workers := min(runtime.GOMAXPROCS(0), (len(events)+share-1)/share)
	var wg sync.WaitGroup
	for w := range workers {
		from, to := len(events)*w/workers, len(events)*(w+1)/workers
		wg.Go(func() {
			for i := from; i < to; i++ {
				items[i].event = events[i]
				items[i].poison = guarded(func() (err error) {
					items[i].decoded, err = p.model.Decode(events[i])
					return err
				})
			}
		})
	}
	wg.Wait()
	return items
}

// advance applies a batch in one transaction and gives the checkpoint after it.
// What the batch as a whole cannot do is done again event by event, so that the
// one to blame is found.
func (p *Projection[D]) advance(ctx context.Context, items []item[D], lock locker[D]) (reached int64, err error) {
	for _, one := range []folder[D]{p.foldBatch, p.foldEach} {
		err = inTx(ctx, p.pool, func(tx pgx.Tx) error {
			g, err := lock(ctx, tx, p)
			if err != nil {
				return err
			}
			reached, err = p.advanceIn(ctx, tx, g, items, one)
			return err
		})
		if err == nil {
			return reached, p.options.Step(ctx, "after-commit")
		}
		if !isPoison(err) {
			return 0, err
		}
		p.log.WarnContext(ctx, "a batch holds an event that cannot be applied: going through it one by one", "err", err)
	}
	return 0, err
}

// advanceIn applies what of the batch lies behind the locked generation's checkpoint.
func (p *Projection[D]) advanceIn(ctx context.Context, tx pgx.Tx, g generation, items []item[D], fold folder[D]) (int64, error) {
	for len(items) > 0 && items[0].event.Position <= g.position {
		items = items[1:]
	}
	if len(items) == 0 {
		return g.position, nil
	}
	if got := items[0].event.Position; got != g.position+1 {
		return 0, &projection.GapError{Projection: p.Name(), Checkpoint: g.position, Got: got}
	}
	last := items[len(items)-1].event.Position
	if g.hasParked {
		var err error
		if items, err = skipParked(ctx, tx, p.Name(), g, items); err != nil {
			return 0, err
		}
	}
	if err := fold(ctx, tx, g, items); err != nil {
		return 0, err
	}
	if err := p.options.Step(ctx, "before-checkpoint"); err != nil {
		return 0, err
	}
	if err := g.moveTo(ctx, tx, p.Name(), last); err != nil {
		return 0, err
	}
	return last, p.options.Step(ctx, "before-commit")
}

// foldBatch is the fast way: one load, one fold, one flush.
func (p *Projection[D]) foldBatch(ctx context.Context, tx pgx.Tx, g generation, items []item[D]) error {
	if len(items) == 0 {
		return nil
	}
	w := p.model.Writer(false)
	if err := w.Load(ctx, tx, decodedOf(items)); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	park := parking{}
	for _, it := range items {
		p.foldOne(w, it, park)
	}
	if err := park.panicked(); err != nil {
		return err // the rows in memory may be half folded
	}
	if err := w.Flush(ctx, tx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return p.park(ctx, tx, g, park)
}

// foldOne folds an event, or parks its stream, or skips what is parked.
func (p *Projection[D]) foldOne(w Writer[D], it item[D], park parking) {
	if park.skips(it.event) {
		return
	}
	err := it.poison
	if err == nil {
		err = guarded(func() error { return w.Fold(it.decoded) })
	}
	if err != nil {
		park.add(it.event, err)
	}
}

// foldEach is the slow way: each event under a savepoint of its own.
func (p *Projection[D]) foldEach(ctx context.Context, tx pgx.Tx, g generation, items []item[D]) error {
	park := parking{}
	for _, it := range items {
		if park.skips(it.event) {
			continue
		}
		err := it.poison
		if err == nil {
			err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return p.foldSingle(ctx, tx, it) })
		}
		var refused *foldError
		if err != nil && it.poison == nil && !isPoison(err) && !errors.As(err, &refused) {
			return err // the connection's fault, not the event's
		}
		if err != nil {
			park.add(it.event, err)
		}
	}
	return p.park(ctx, tx, g, park)
}

func (p *Projection[D]) foldSingle(ctx context.Context, tx pgx.Tx, it item[D]) error {
	w := p.model.Writer(false)
	if err := w.Load(ctx, tx, []D{it.decoded}); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if err := guarded(func() error { return w.Fold(it.decoded) }); err != nil {
		return &foldError{err}
	}
	return w.Flush(ctx, tx)
}

func decodedOf[D any](items []item[D]) []D {
	out := make([]D, 0, len(items))
	for _, it := range items {
		if it.poison == nil {
			out = append(out, it.decoded)
		}
	}
	return out
}
