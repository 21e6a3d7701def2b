package proving

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"strata.dev/strata/app/verifier"
	"strata.dev/strata/app/verifier/unzstd"
)

// TheArchive is what the archive is called in reports.
const TheArchive = "the archive"

// Archived is an archive beside the log, read once, in step with it.
type Archived struct {
	Heads []verifier.Head // its checkpoints

	cancel  context.CancelFunc
	batches chan []verifier.Hash
	rest    []verifier.Hash
	done    sync.WaitGroup

	mu      sync.Mutex // of what the reading found
	problem *verifier.Problem
	err     error
}

var errEnough = errors.New("nobody asks for more")

// OpenArchived begins to read an archive. Close ends it, whether it has been read
// to its end or not.
func OpenArchived(ctx context.Context, objects verifier.Objects, s Source, trust verifier.Trust) (*Archived, error) {
	epochs, err := s.Epochs(ctx)
	if err != nil {
		return nil, err
	}
	archive := &verifier.Archive{Objects: objects, Unpack: unzstd.Open}
	a := &Archived{batches: make(chan []verifier.Hash, 2)}
	a.Heads, a.problem, err = archive.Heads(ctx, trust, epochs.Shared)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", TheArchive, err)
	}
	ctx, a.cancel = context.WithCancel(ctx)
	a.done.Go(func() {
		defer close(a.batches)
		problem, err := archive.Walk(ctx, func(_ []verifier.Event, hashes []verifier.Hash) error {
			select {
			case a.batches <- hashes:
				return nil
			case <-ctx.Done():
				return errEnough
			}
		})
		a.mu.Lock()
		defer a.mu.Unlock()
		if problem != nil && (a.problem == nil || problem.Position < a.problem.Position) {
			a.problem = problem
		}
		if err != nil && !errors.Is(err, errEnough) {
			a.err = fmt.Errorf("%s: %w", TheArchive, err)
		}
	})
	return a, nil
}

// Record is the archive as an account of the log. An archive that ends before the
// log has not come that far yet.
func (a *Archived) Record() verifier.Record {
	return verifier.Record{Name: TheArchive, Check: verifier.CheckArchive, Kind: verifier.ArchiveSwap, Leaves: a.leaves}
}

// leaves gives the next hashes: the audit asks for one after the other.
func (a *Archived) leaves(ctx context.Context, _ int64, n int) ([]verifier.Hash, error) {
	for len(a.rest) == 0 {
		select {
		case batch, more := <-a.batches:
			if !more {
				a.mu.Lock()
				defer a.mu.Unlock()
				return nil, a.err
			}
			a.rest = batch
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	next := a.rest[:min(n, len(a.rest))]
	a.rest = a.rest[len(next):]
	return next, nil
}

// Problem is what is wrong with the archive itself, as far as it was read.
func (a *Archived) Problem() *verifier.Problem {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}

// Close ends the reading.
func (a *Archived) Close() {
	a.cancel()
	a.done.Wait()
}
