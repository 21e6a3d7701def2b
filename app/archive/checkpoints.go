package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"strata.dev/strata/app/objectstore"
)

// checkpointEvery is how often one looks for a checkpoint to archive.
const checkpointEvery = time.Second

// RunCheckpoints archives signed checkpoints beside the segments they cover, while
// leads says that this instance archives. It returns when ctx ends. That a
// checkpoint cannot be archived holds up no segment: Status tells.
func (a *Archiver) RunCheckpoints(ctx context.Context, leads func() bool) {
	if a.options.Checkpoints == nil {
		return
	}
	ctx, cancel := a.until(ctx)
	defer cancel()
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !leads() {
			continue
		}
		err := a.ArchiveCheckpoint(ctx)
		if ctx.Err() != nil {
			return
		}
		a.mu.Lock()
		first := err != nil && a.status.CheckpointError == nil
		a.status.CheckpointError = err
		a.mu.Unlock()
		if err != nil {
			a.options.Failed()
		}
		if first {
			a.options.Logger.ErrorContext(ctx, "a signed checkpoint could not be archived; trying until it can", "err", err)
		}
	}
}

// ArchiveCheckpoint archives the newest signed checkpoint that the archived
// segments cover, if it is not there yet.
func (a *Archiver) ArchiveCheckpoint(ctx context.Context) error {
	a.mu.Lock()
	epoch, position, sealed := a.status.Epoch, a.position, a.sealed
	a.mu.Unlock()
	if epoch == 0 || position == 0 {
		return nil
	}
	size, note, ok, err := a.options.Checkpoints.Signed(ctx, epoch, position)
	if err != nil || !ok || size <= sealed {
		return err
	}
	key := CheckpointKey(epoch, size)
	if err := a.put(ctx, key, note); err != nil && !errors.Is(err, objectstore.ErrExists) {
		return err
	}
	back, err := a.get(ctx, key)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	// A key or a witness more is another signature under the same text.
	if !bytes.Equal(textOf(back), textOf(note)) {
		return fmt.Errorf("archive: checkpoint %s: %w: %q was signed, and %q is in the archive", key, ErrDiffers, textOf(note), textOf(back))
	}
	a.mu.Lock()
	a.sealed = max(a.sealed, size)
	a.mu.Unlock()
	return nil
}

// textOf is what a signed note signs.
func textOf(note []byte) []byte {
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	return text
}
