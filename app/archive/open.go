package archive

import (
	"context"
	"fmt"
	"time"

	"strata.dev/strata/app/eventlog"
)

// Checkpoint says up to which position the store holds the log. The first time,
// after a failure, and when somebody else has archived, it reads the last segment,
// proves it, and holds it against the log: an archive that the log does not
// continue is refused, with positions and hashes, and is not written to.
func (a *Archiver) Checkpoint(ctx context.Context) (int64, error) {
	a.mu.Lock()
	refused, since := a.status.Refused, a.refused
	a.mu.Unlock()
	if refused != nil && time.Since(since) < refusalAge {
		return 0, refused
	}
	ctx, cancel := a.until(ctx)
	defer cancel()
	position, err := a.open(ctx)
	if err != nil {
		a.tip = nil
		return 0, a.failed(err)
	}
	return position, nil
}

// open finds the end of the archive and makes it the tip.
func (a *Archiver) open(ctx context.Context) (int64, error) {
	if t := a.tip; t != nil {
		newer, err := a.newer(ctx, t)
		if err != nil {
			return 0, err
		}
		if !newer {
			return t.last, nil
		}
	}
	epochs, err := a.options.Epochs.Epochs(ctx)
	if err != nil {
		return 0, fmt.Errorf("epochs of the log: %w", err)
	}
	t, s, err := a.ending(ctx, epochs)
	if err != nil {
		return 0, err
	}
	head, err := a.options.Log.Head(ctx)
	if err != nil {
		return 0, err
	}
	if t.last > head {
		return 0, &eventlog.AheadError{
			Who: "the archive", At: eventlog.Place{Position: t.last, Epoch: t.epoch}, Shared: head,
			Head: eventlog.Place{Position: head, Epoch: epochs.Current().Number}, Remedy: behindRemedy,
		}
	}
	if s != nil {
		if err := a.prove(ctx, s, t); err != nil {
			return 0, err
		}
	}
	a.tip = t
	a.mu.Lock()
	if a.status.Refused != nil {
		a.options.Logger.InfoContext(ctx, "the archive and the log fit again", "position", t.last)
	}
	a.status.Epoch, a.status.Segment, a.status.Refused = t.epoch, t.link, nil
	a.mu.Unlock()
	a.know(t.last)
	if noted, err := a.options.Progress.Archived(ctx); err == nil && noted > t.last {
		a.options.Logger.ErrorContext(ctx, "the archive holds less than was archived: it is another one, or has lost its end; what is missing is archived again",
			"position", t.last, "archived", noted)
	}
	return t.last, nil
}

// newer says whether there is a segment behind the tip that this archiver has not written.
func (a *Archiver) newer(ctx context.Context, t *tip) (bool, error) {
	after := int64(0)
	if t.link != nil && t.link.Epoch == t.epoch {
		after = t.link.First
	}
	ctx, cancel := context.WithTimeout(ctx, a.options.StoreTimeout)
	defer cancel()
	first, err := segmentsOf(a.options.Store, t.epoch).after(ctx, after, 1)
	return len(first) > 0, err
}

// ending finds where the archive of the current epoch ends: with its last segment,
// or, if there is none yet, with what older epochs have in common with it.
func (a *Archiver) ending(ctx context.Context, epochs eventlog.Epochs) (*tip, *Segment, error) {
	current := epochs.Current().Number
	for epoch := current; epoch >= 1; epoch-- {
		shared := epochs.Shared(epoch)
		s, err := lastBefore(ctx, a.options.Store, epoch, shared)
		if err != nil {
			return nil, nil, err
		}
		if s != nil {
			link := s.Link()
			return &tip{epoch: current, last: min(s.Last, shared), link: &link}, s, nil
		}
	}
	return &tip{epoch: current}, nil, nil
}

// lastBefore is the last segment of an epoch that begins at a position or before
// it; nil if there is none.
func lastBefore(ctx context.Context, store Store, epoch int, position int64) (*Segment, error) {
	all := segmentsOf(store, epoch)
	last, err := all.last(ctx)
	if err != nil || last == 0 {
		return nil, err
	}
	if last > position { // the one that holds position begins within MaxEvents before it
		near, err := all.after(ctx, max(0, position-MaxEvents), MaxEvents)
		if err != nil {
			return nil, err
		}
		last = 0
		for _, first := range near {
			if first <= position {
				last = first
			}
		}
		if last == 0 {
			return nil, nil
		}
	}
	return readSegment(ctx, store, epoch, last)
}

// prove reads the segment that the archive ends with, proves it by the one before
// it, compares it with the log up to t.last, and completes t with the frontier there.
func (a *Archiver) prove(ctx context.Context, s *Segment, t *tip) error {
	base, err := frontierBefore(ctx, a.options.Store, s)
	if err != nil {
		return err
	}
	if s.Last == t.last {
		t.frontier, err = a.compare(ctx, s, base, nil)
		return err
	}
	if t.frontier, err = frontierIn(s, base, t.last); err != nil {
		return err
	}
	// What both have in common is what counts; the rest of it is of the history that was left.
	for e, err := range s.Events() {
		if err != nil {
			return err
		}
		if e.Position > t.last {
			break
		}
		page, err := a.options.Log.Read(ctx, e.Position-1, 1)
		if err != nil {
			return err
		}
		if len(page) != 1 || eventlog.LeafHash(&page[0]) != eventlog.LeafHash(&e) {
			return &SegmentError{s.Name, e.Position, ErrDiffers, fmt.Errorf("the log holds another event there, or none")}
		}
	}
	return nil
}

// frontierBefore is the frontier of the log before a segment, by the segment that
// it continues, whose bytes must be those it names.
func frontierBefore(ctx context.Context, store Store, s *Segment) (Frontier, error) {
	if s.Previous == nil {
		return Frontier{}, nil
	}
	before, err := readSegment(ctx, store, s.Previous.Epoch, s.Previous.First)
	if err != nil {
		return Frontier{}, err
	}
	if before.Link() != *s.Previous {
		return Frontier{}, before.wrong(before.First, fmt.Errorf("the one behind it continues %s, and this is %s", describe(s.Previous), describe(new(before.Link()))))
	}
	if before.Last == s.First-1 {
		return NewFrontier(before.Last, before.Frontier)
	}
	base, err := frontierBefore(ctx, store, before)
	if err != nil {
		return Frontier{}, err
	}
	return frontierIn(before, base, s.First-1)
}

// frontierIn is the frontier at a position inside a segment, which is proven on the way.
func frontierIn(s *Segment, base Frontier, position int64) (Frontier, error) {
	at, scratch := base.Clone(), []byte(nil)
	_, err := s.Check(base, func(e *eventlog.Event) error {
		if e.Position <= position {
			at.Append(eventlog.LeafHashIn(&scratch, e))
		}
		return nil
	})
	return at, err
}
