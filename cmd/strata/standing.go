package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
	"strata.dev/strata/app/restore"
)

// standing is whether the log is the one that the others have followed. Safe for
// concurrent use.
type standing struct {
	events *postgres.Log
	log    *slog.Logger

	mu       sync.Mutex
	behind   error                // why no commands are taken
	diverged []restore.Divergence // who holds what the log does not
	unasked  error                // why the archive could not be asked yet
}

// placesOf asks those who keep a place in the log. What does not answer is named
// in the error; the others are given all the same.
func placesOf(ctx context.Context, events *postgres.Log, projections []projection.Projection) ([]restore.Follower, error) {
	var all []restore.Follower
	var errs []error
	own := map[string]bool{}
	for _, p := range projections {
		own[p.Name()] = true
		f, err := followerOf(ctx, p)
		all, errs = append(all, f...), append(errs, err)
	}
	cursors, err := events.Cursors(ctx)
	if err != nil {
		return all, errors.Join(append(errs, err)...)
	}
	for group, at := range cursors {
		if !own[group] { // those are hints only
			all = append(all, restore.Follower{Name: "consumer group " + group, At: at, Remedy: "strata epoch start --reason … (it sets the cursor back)"})
		}
	}
	return all, errors.Join(errs...)
}

// followerOf is where a read model stands; none if it does not answer.
func followerOf(ctx context.Context, p projection.Projection) ([]restore.Follower, error) {
	st, err := p.Status(ctx)
	if err != nil {
		return nil, err
	}
	return []restore.Follower{{
		Name: "read model " + p.Name(), At: eventlog.Place{Position: st.Generation.Position, Epoch: st.Generation.Epoch},
		Remedy: "strata projections rebuild " + p.Name(),
	}}, nil
}

// look compares the log with what the read models and the consumer groups have
// taken of it. If they have taken more of its present history than it holds, it
// has lost its end, and takes no commands from here on.
func (st *standing) look(ctx context.Context, epochs eventlog.Epochs, projections []projection.Projection) error {
	// Places first: what is recorded meanwhile does no harm.
	places, err := placesOf(ctx, st.events, projections)
	if err != nil {
		st.log.WarnContext(ctx, "not everybody could say up to where they have followed the log", "err", err)
	}
	head, err := st.events.Head(ctx)
	if err != nil {
		return err
	}
	diverged := restore.Diverged(epochs, head, places)
	for _, d := range diverged {
		st.log.ErrorContext(ctx, "holds what the log does not", "who", d.Who, "position", d.At, "epoch", d.Epoch, "shared", d.Shared, "remedy", d.Remedy)
	}
	st.mu.Lock()
	st.diverged = diverged
	st.mu.Unlock()
	if behind := restore.Behind(epochs, head, places); behind != nil {
		st.refuse(ctx, behind)
	}
	return nil
}

// compareTimeout is for the archive to give the end of what it holds; comparePause
// is between attempts while it does not.
const (
	compareTimeout = 10 * time.Second
	comparePause   = 5 * time.Second
)

// compare holds the log against its archive. If the archive holds more of
// its history, or another one, the log takes no commands from here on. An archive that
// does not answer is asked again by watch; until then commands are taken.
func (st *standing) compare(ctx context.Context, store archive.Store) {
	limited, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	err := restore.Compare(limited, st.events, store)
	if _, behind := errors.AsType[*restore.BehindError](err); behind {
		st.refuse(ctx, err)
		err = nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if err != nil && st.unasked == nil {
		st.log.WarnContext(ctx, "the log could not be compared with its archive yet", "err", err)
	}
	st.unasked = err
}

// watch compares until the archive has answered once, or ctx ends.
func (st *standing) watch(ctx context.Context, store archive.Store) {
	for {
		st.mu.Lock()
		asked := st.unasked == nil
		st.mu.Unlock()
		if asked || !wait(ctx, comparePause) {
			return
		}
		st.compare(ctx, store)
	}
}

// refuse lets the log take no commands.
func (st *standing) refuse(ctx context.Context, why error) {
	st.log.ErrorContext(ctx, "no commands are taken", "err", why)
	st.events.Refuse(why)
	st.mu.Lock()
	defer st.mu.Unlock()
	st.behind = why
}

// probe is a check of the service's health.
func (st *standing) probe(ctx context.Context, epochs eventlog.Epochs, projections []projection.Projection) error {
	st.mu.Lock()
	behind, diverged, unasked := st.behind, len(st.diverged) > 0, st.unasked
	st.mu.Unlock()
	if behind != nil {
		return behind
	}
	if !diverged {
		return unasked
	}
	// Whoever had diverged may have been rebuilt since.
	places, err := placesOf(ctx, st.events, projections)
	if err != nil {
		return err
	}
	head, err := st.events.Head(ctx)
	if err != nil {
		return err
	}
	still := restore.Diverged(epochs, head, places)
	st.mu.Lock()
	st.diverged = still
	st.mu.Unlock()
	errs := []error{unasked}
	for _, d := range still {
		errs = append(errs, fmt.Errorf("%s is at position %d of epoch %d, of which the log has kept %d: %s", d.Who, d.At, d.Epoch, d.Shared, d.Remedy))
	}
	return errors.Join(errs...)
}
