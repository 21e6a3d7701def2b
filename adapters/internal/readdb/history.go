package readdb

import (
	"context"
	"fmt"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
)

// Followed is the epoch of the log in which the live model's position counts.
func (p *Projection[D]) Followed(ctx context.Context) (epoch int, err error) {
	err = p.pool.QueryRow(ctx, `SELECT epoch FROM public.generations WHERE projection = $1 AND state = 'live'`, p.Name()).Scan(&epoch)
	if err != nil {
		return 0, fmt.Errorf("epoch of %s: %w", p.Name(), err)
	}
	return epoch, nil
}

// Follow notes that the live model goes on in another epoch of the log: all that
// it holds is in that one, too. Repeating it changes nothing.
func (p *Projection[D]) Follow(ctx context.Context, epoch int) error {
	_, err := p.pool.Exec(ctx, `UPDATE public.generations SET epoch = $2 WHERE projection = $1 AND state = 'live' AND epoch <> $2`, p.Name(), epoch)
	if err != nil {
		return fmt.Errorf("let %s follow epoch %d: %w", p.Name(), epoch, err)
	}
	return nil
}

// atLeast is how far a copy has to be before it may take the place of the live
// model: as far as that, or, if that holds what is not in the log any more, as
// far as the log.
func (p *Projection[D]) atLeast(live generation) int64 {
	if shared, left := left(p.options.Epochs, live.epoch); left && live.position > shared {
		return 0
	}
	return live.position
}

// left says whether the log has left the history that a model has followed, and up
// to where both are the same.
func left(epochs eventlog.Epochs, followed int) (shared int64, yes bool) {
	return epochs.Shared(followed), followed != epochs.Current().Number && epochs.Current().Number > 1
}

// lostHistory refuses to answer out of a model that holds what the log, which was
// restored, does not.
func lostHistory(projection string, position int64, epoch int, shared int64) error {
	return query.ErrUnavailable.Detailf(
		"The read database %s is at position %d of epoch %d, of which the log has kept the positions up to %d: it has to be rebuilt (strata projections rebuild %s).",
		projection, position, epoch, shared, projection)
}
