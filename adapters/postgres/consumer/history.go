package consumer

import (
	"context"
	"fmt"

	"strata.dev/strata/app/eventlog"
)

// follow makes sure that what the group has taken up to a position is what the
// log holds, and lets the group remember which history of the log that is.
func (r *reader) follow(ctx context.Context, at, head int64) error {
	r.mu.Lock()
	epochs := r.epochs
	r.mu.Unlock()
	current := epochs.Current().Number
	followed := current
	if r.group.History != nil {
		var err error
		if followed, err = r.group.History.Followed(ctx); err != nil {
			return fmt.Errorf("epoch: %w", err)
		}
	}
	if err := epochs.Check("consumer group "+r.group.Name, eventlog.Place{Position: at, Epoch: followed}, head); err != nil {
		return err
	}
	if followed == current {
		return nil
	}
	if err := r.group.History.Follow(ctx, current); err != nil {
		return fmt.Errorf("epoch: %w", err)
	}
	r.log.InfoContext(ctx, "the log goes on in another epoch", "position", at, "from_epoch", followed, "epoch", current)
	return nil
}
