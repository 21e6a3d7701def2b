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

const (
	// defaultDifferences is how many rows a report names if nobody says otherwise.
	defaultDifferences = 100
	// verifyRows bounds what is folded in memory: a verification runs every so
	// often inside a service, where a rebuild is rare.
	verifyRows = 100_000
)

// verification is one run of Verify.
type verification[D any] struct {
	*rebuild[D]          // the copy
	bound       *bounded // what it reads: never beyond the live model
	whole       eventlog.Reader
	claim       *pgxpool.Conn
	ask         projection.VerifyOptions
	progress    func(projection.Progress)
	report      projection.VerifyReport
}

// Verify implements projection.Projection.
func (p *Projection[D]) Verify(ctx context.Context, log eventlog.Reader, o projection.VerifyOptions, progress func(projection.Progress)) (report projection.VerifyReport, err error) {
	defer func() {
		if err != nil && !errors.Is(err, projection.ErrRebuilding) {
			err = fmt.Errorf("verification of projection %s: %w", p.Name(), err)
		}
	}()
	started := time.Now()
	claim, err := p.claim(ctx)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, p.unclaim(ctx, claim)) }()
	if err := p.sameLayout(ctx); err != nil {
		return report, err
	}
	if err := p.sweep(ctx); err != nil {
		return report, err
	}
	if o.Limit <= 0 {
		o.Limit = defaultDifferences
	}
	v := &verification[D]{claim: claim, whole: log, ask: o, progress: progress}
	v.report.Projection = p.Name()
	at, err := p.Checkpoint(ctx)
	if err != nil {
		return report, err
	}
	if v.rebuild, v.bound, err = p.copyUpTo(ctx, log, at, o.Share, progress); err != nil {
		return report, err
	}
	if err := v.compare(ctx); err != nil {
		return report, err
	}
	err = v.conclude(ctx)
	v.report.Took = time.Since(started)
	return v.report, err
}

// sameLayout refuses a live model that another release has made.
func (p *Projection[D]) sameLayout(ctx context.Context) error {
	live, err := p.liveLayout(ctx)
	if err == nil && live != p.model.Layout() {
		err = &projection.LayoutError{Projection: p.Name(), Live: live, Code: p.model.Layout()}
	}
	return err
}

// copyUpTo makes a copy of the model and loads it with the log up to a position.
func (p *Projection[D]) copyUpTo(ctx context.Context, log eventlog.Reader, end int64, share float64, progress func(projection.Progress)) (*rebuild[D], *bounded, error) {
	b := &bounded{log: log, end: end, share: share}
	tracker, err := newTracker(ctx, b, progress)
	if err != nil {
		return nil, nil, err
	}
	r := &rebuild[D]{Projection: p, events: b, tracker: tracker, rows: min(p.options.RebuildRows, verifyRows)}
	err = r.fill(ctx)
	b.share = 0 // what follows is little, and others may wait for it
	return r, b, err
}

// compare brings both to one position and compares them there, in one snapshot:
// batches go on being applied to the live model, and are not seen.
func (v *verification[D]) compare(ctx context.Context) error {
	work, snapshot, err := v.meet(ctx)
	if err != nil {
		return err
	}
	defer work.Release()
	defer func() { _ = snapshot.Rollback(context.WithoutCancel(ctx)) }() // it only reads
	if err := v.options.Step(ctx, "frozen"); err != nil {
		return err
	}
	v.tracker.begin("compare", v.tracker.done)
	c := &comparison{tx: snapshot, limit: v.ask.Limit, report: &v.report}
	if err := c.enter(ctx, v.Name(), v.report.Generation, v.number); err != nil {
		return err
	}
	for _, table := range v.model.Content() {
		if err := c.table(ctx, table); err != nil {
			return fmt.Errorf("compare %s: %w", table.Table, err)
		}
	}
	return v.options.Step(ctx, "compared")
}

// meet gives a snapshot in which the copy and the live model are at one position.
// A batch that must be done event by event cannot be done under the live row's
// lock: then come closer once more.
func (v *verification[D]) meet(ctx context.Context) (work *pgxpool.Conn, snapshot pgx.Tx, err error) {
	const attempts = 5
	for range attempts {
		if err = v.approach(ctx); err != nil {
			return nil, nil, err
		}
		if work, err = v.pool.Acquire(ctx); err != nil {
			return nil, nil, err
		}
		if snapshot, err = v.freeze(ctx, work); err == nil {
			return work, snapshot, nil
		}
		work.Release()
		if !isPoison(err) {
			break
		}
	}
	return nil, nil, err
}

// approach catches up with the live model until what is left is little.
func (v *verification[D]) approach(ctx context.Context) error {
	const laps, little = 20, 100
	for range laps {
		at, err := v.Checkpoint(ctx)
		if err != nil {
			return err
		}
		behind := at - v.bound.end
		v.bound.end = max(v.bound.end, at)
		if err := v.catchUp(ctx); err != nil {
			return err
		}
		if behind <= little {
			break
		}
	}
	return nil
}

// freeze holds the live row's lock for as long as it takes to bring the copy to
// the live position and to take a snapshot of both.
func (v *verification[D]) freeze(ctx context.Context, work *pgxpool.Conn) (snapshot pgx.Tx, err error) {
	// Both connections are there already: nobody waits for one with the lock in hand,
	// while those who have the others wait for the lock.
	hold, err := v.claim.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, hold.Rollback(context.WithoutCancel(ctx))) }()
	live, err := lockLiveOf(ctx, hold, v.Projection)
	if err != nil {
		return nil, err
	}
	v.bound.end = max(v.bound.end, live.position)
	var reached int64
	err = pgx.BeginFunc(ctx, work, func(tx pgx.Tx) (err error) {
		reached, err = v.reach(ctx, tx, live.position)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("come level: %w", err)
	}
	if reached != live.position {
		return nil, fmt.Errorf("the live model is at position %d and was at %d: somebody has moved its checkpoint back", live.position, reached)
	}
	v.report.Generation, v.report.Position = live.number, live.position
	snapshot, err = work.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	// The first statement takes the snapshot. Rows are compared in the order of their
	// keys, one after the other: that takes little memory, however many there are.
	_, err = snapshot.Exec(ctx, `SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_nestloop', 'off', true)`)
	return snapshot, err
}

// conclude does what is to be done about the result, and lets go of the copy.
func (v *verification[D]) conclude(ctx context.Context) error {
	if v.report.Differing() == 0 {
		if err := v.drop(ctx); err != nil {
			return err
		}
		return v.noteVerified(ctx)
	}
	if err := v.blame(ctx); err != nil {
		return err
	}
	if v.ask.Found != nil {
		if err := v.ask.Found(ctx, v.report); err != nil {
			return err
		}
	}
	if !v.ask.Repair {
		return v.drop(ctx)
	}
	v.events = v.whole
	if err := v.takeOver(ctx); err != nil {
		return err
	}
	v.report.Repaired = true
	return nil
}

// blame tells what the differences may come from.
func (v *verification[D]) blame(ctx context.Context) error {
	v.report.Cause = projection.Tampered
	if len(v.report.Parked) > 0 {
		v.report.Cause = projection.SetAside
	}
	if !v.ask.Twice {
		return nil
	}
	second, _, err := v.copyUpTo(ctx, v.whole, v.report.Position, v.ask.Share, v.progress)
	if err != nil {
		return err
	}
	if err := second.catchUp(ctx); err != nil { // does something only if it could not be loaded at once
		return err
	}
	var found projection.VerifyReport
	err = pgx.BeginTxFunc(ctx, v.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		c := &comparison{tx: tx, limit: 1, report: &found}
		if err := c.enter(ctx, v.Name(), second.number, v.number); err != nil {
			return err
		}
		for _, table := range v.model.Content() {
			if err := c.table(ctx, table); err != nil {
				return fmt.Errorf("compare %s of two copies: %w", table.Table, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found.Differing() > 0 {
		v.report.Cause = projection.Projector
	}
	return second.drop(ctx)
}

// drop lets go of the copy.
func (r *rebuild[D]) drop(ctx context.Context) error {
	if _, err := r.pool.Exec(ctx, `SELECT drop_generation($1, $2)`, r.Name(), r.number); err != nil {
		return fmt.Errorf("drop the copy: %w", err)
	}
	return nil
}

// noteVerified keeps for operators when the live model was found to be right.
func (v *verification[D]) noteVerified(ctx context.Context) error {
	_, err := v.pool.Exec(ctx, `UPDATE public.generations SET verified_at = clock_timestamp(), verified_position = $3
		WHERE projection = $1 AND generation = $2`, v.Name(), v.report.Generation, v.report.Position)
	if err != nil {
		return fmt.Errorf("note the verification: %w", err)
	}
	v.tracker.begin("done", v.tracker.done)
	return nil
}
