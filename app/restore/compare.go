package restore

import (
	"context"
	"fmt"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

// archived is who holds what the archive does.
const archived = "the archive"

// Compare holds a log against the end of its archive. It is a *BehindError if the
// archive holds more of the log's history than the log does, knows a later epoch,
// or holds something else; nil if the log may go on. An archive that cannot be
// read is another error, and nothing is known then.
//
// It compares the last segment of the newest epoch event by event. That the
// segments before it are what the log holds is for `strata verify` to show.
func Compare(ctx context.Context, log interface {
	eventlog.Reader
	eventlog.EpochReader
}, store archive.Store,
) error {
	newest, err := archive.LastEpoch(ctx, store)
	if err != nil {
		return fmt.Errorf("compare with the archive: %w", err)
	}
	if newest == 0 {
		return nil
	}
	last, ok, err := archive.LastSegment(ctx, store, newest)
	if err != nil || !ok {
		return fmt.Errorf("compare with the archive: %w", err)
	}
	epochs, err := log.Epochs(ctx)
	if err != nil {
		return err
	}
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	at := eventlog.Place{Position: head, Epoch: epochs.Current().Number}
	shared := epochs.Shared(newest)
	if _, known := epochs.Number(newest); !known && newest > at.Epoch || last.Last > head && shared > head {
		return &BehindError{Head: at, Holder: archived, At: last.Last}
	}
	var page []eventlog.Event
	for e, err := range last.Events() {
		if err != nil {
			return fmt.Errorf("compare with the archive: %w", err)
		}
		if e.Position > shared {
			return nil
		}
		if len(page) == 0 {
			if page, err = log.Read(ctx, e.Position-1, comparePage); err != nil {
				return err
			}
		}
		if len(page) == 0 || !same(&page[0], &e) {
			return &BehindError{Head: at, Holder: archived, At: last.Last, Fork: e.Position}
		}
		page = page[1:]
	}
	return nil
}
