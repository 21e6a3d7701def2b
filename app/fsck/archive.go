package fsck

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

// ArchiveGroup is the consumer group that writes the archive.
const ArchiveGroup = "archive"

// NewArchive is the Part that reads the whole archive and compares it with the
// log, event by event. cursors tell how far the archive should be.
func NewArchive(store archive.Store, log Log, cursors func(ctx context.Context) ([]Cursor, error)) Part {
	return archived{store, log, cursors}
}

type archived struct {
	store   archive.Store
	log     Log
	cursors func(ctx context.Context) ([]Cursor, error)
}

const (
	mendArchive  = "Restore the object from a copy (a bucket with versions has it), or archive again into an empty place. If it was changed by somebody, find out who."
	whichIsRight = "`strata verify` says whether the log is what was signed; `strata archive verify` says it of the archive. Restore the one that is not."
	// compared is how many events of the log are read at once.
	compared = 2_000
)

// errStop ends the walk: what was found makes the rest meaningless.
var errStop = errors.New("found")

// Name implements Part.
func (archived) Name() string { return ArchiveSection }

// Check implements Part.
func (a archived) Check(ctx context.Context, t *Tally) error {
	claimed, err := a.claimed(ctx)
	if err != nil {
		return err
	}
	c := &comparing{log: a.log, tally: t}
	tip, err := archive.Walk(ctx, a.store, archive.WalkOptions{}, func(e *eventlog.Event) error { return c.event(ctx, e) })
	t.Checked(c.events, "events")
	var damage *archive.SegmentError
	switch {
	case errors.Is(err, errStop):
		return nil
	case errors.As(err, &damage):
		t.Wrong(Wrong{
			Kind: damage.Kind.Error(), Table: "archive", Key: damage.Segment, Position: damage.Position,
			Detail: fmt.Sprintf("%v. What lies behind it was not looked at.", damage.Err), Do: mendArchive,
		})
		return nil
	case err != nil:
		return err
	}
	head, err := a.log.Head(ctx)
	if err != nil {
		return fmt.Errorf("head of the log: %w", err)
	}
	t.Note(fmt.Sprintf("%d of %d events are archived, in %d segments", tip.Last, head, tip.Segments))
	if tip.Last < claimed {
		t.Wrong(Wrong{
			Kind: "missing", Table: "archive", Position: tip.Last + 1,
			Detail: fmt.Sprintf("The group %s has archived up to position %d, and the archive ends at %d.", ArchiveGroup, claimed, tip.Last), Do: mendArchive,
		})
	}
	return nil
}

// claimed is how far the group that writes the archive says it is.
func (a archived) claimed(ctx context.Context) (position int64, err error) {
	all, err := a.cursors(ctx)
	for _, c := range all {
		if c.Group == ArchiveGroup {
			position = c.Position
		}
	}
	return position, err
}

// comparing walks the log beside the archive.
type comparing struct {
	log    Log
	tally  *Tally
	ahead  []eventlog.Event // of the log, not compared yet
	events int64
	leaves [2][]byte
}

func (c *comparing) event(ctx context.Context, e *eventlog.Event) error {
	c.events++
	if len(c.ahead) == 0 {
		var err error
		if c.ahead, err = c.log.Read(ctx, e.Position-1, compared); err != nil {
			return fmt.Errorf("read the log behind %d: %w", e.Position-1, err)
		}
	}
	if len(c.ahead) == 0 {
		c.tally.Wrong(Wrong{
			Kind: "ahead", Table: "archive", Key: fmt.Sprintf("position=%d", e.Position), Stream: e.StreamID, Position: e.Position, Organization: e.OrganizationID.String(),
			Detail: "The archive has this event, and the log has ended before it.", Do: "The log has lost its end: restore it from the archive (strata restore log).",
		})
		return errStop
	}
	own := &c.ahead[0]
	c.ahead = c.ahead[1:]
	c.leaves[0], c.leaves[1] = eventlog.AppendLeaf(c.leaves[0][:0], own), eventlog.AppendLeaf(c.leaves[1][:0], e)
	if !bytes.Equal(c.leaves[0], c.leaves[1]) {
		c.tally.Wrong(Wrong{
			Kind: "differs", Table: "events", Key: fmt.Sprintf("position=%d", e.Position), Stream: e.StreamID, Position: e.Position, Organization: e.OrganizationID.String(),
			Detail: fmt.Sprintf("Log and archive have another event here: %s %s in the log, %s %s in the archive.", own.Type, own.ID, e.Type, e.ID), Do: whichIsRight,
		})
		if own.Position != e.Position {
			return errStop // the log has a gap
		}
	}
	return nil
}
