package archive

import (
	"context"
	"errors"
	"fmt"
	"math"

	"strata.dev/strata/app/eventlog"
)

// WalkOptions say what to read of an archive.
type WalkOptions struct {
	Epoch   int   // whose history; 0 = the newest of which there are segments
	Through int64 // last position that is visited; 0 = to the end

	// Mend, if not nil, is asked for the events of positions that the archive should
	// hold and does not, or not whole: first to last, where last is the one before
	// the next segment, or 0 if there is none; cause says what is wrong. What it
	// gives counts if the root of the next segment proves it; at the end of the
	// archive nothing can, and Tip says so.
	Mend func(ctx context.Context, epoch int, first, last int64, cause error) ([]eventlog.Event, error)
}

// Tip is where a reading of the archive ended.
type Tip struct {
	Epoch    int
	Last     int64    // position; 0 of an empty archive
	Frontier Frontier // of the log up to Last
	Link     *Link    // of the segment that holds Last; nil if there is none
	Segments int      // that were read
	Bytes    int64    // of their objects
	Unproven int64    // the first position that no root of the archive proves; 0 = all are proven
}

// Walk reads an epoch's history from position 1 on, through the folders of the
// epochs before it up to where each was left, and proves it as it goes: form and
// hash of every segment, the chain from one to the next, positions without a gap,
// and the root behind each. visit gets the events of a segment in order, once the
// segment is proven as the continuation of all before it; an error of visit ends
// the walk and is returned as it is. Errors about the archive are *SegmentError and
// name the first position that is concerned; Tip then is what was proven before.
func Walk(ctx context.Context, store Store, o WalkOptions, visit func(*eventlog.Event) error) (Tip, error) {
	if o.Epoch == 0 {
		newest, err := LastEpoch(ctx, store)
		if err != nil || newest == 0 {
			return Tip{}, err
		}
		o.Epoch = newest
	}
	w := walker{store: store, options: o, visit: visit, tip: Tip{Epoch: o.Epoch}}
	ends, err := w.ends(ctx)
	if err != nil {
		return w.tip, err
	}
	for i, end := range ends {
		if w.tip.Last >= end {
			continue // of this epoch nothing has stayed
		}
		if err := w.epoch(ctx, i+1, end); err != nil {
			return w.tip, err
		}
	}
	return w.tip, w.unproven(ends[len(ends)-1])
}

type walker struct {
	store   Store
	options WalkOptions
	visit   func(*eventlog.Event) error
	tip     Tip

	pending []eventlog.Event // mended, and not proven yet
}

// ends gives, for each epoch from 1, the last position that is read of it.
func (w *walker) ends(ctx context.Context) ([]int64, error) {
	ends := make([]int64, w.options.Epoch)
	end := int64(math.MaxInt64)
	if w.options.Through > 0 {
		end = w.options.Through
	}
	for epoch := w.options.Epoch; epoch >= 1; epoch-- {
		ends[epoch-1] = end
		first, err := segmentsOf(w.store, epoch).after(ctx, 0, 1)
		if err != nil {
			return nil, err
		}
		if len(first) > 0 {
			end = min(end, first[0]-1)
		}
	}
	return ends, nil
}

// epoch reads the segments of one epoch up to position end.
func (w *walker) epoch(ctx context.Context, epoch int, end int64) error {
	segments, at := segmentsOf(w.store, epoch), int64(0)
	for w.reached() < end {
		page, err := segments.after(ctx, at, pageSize)
		if err != nil {
			return err
		}
		for _, first := range page {
			if first > end || w.reached() >= end {
				break
			}
			if first > w.reached()+1 {
				gap := &SegmentError{
					SegmentKey(epoch, w.reached()+1), w.reached() + 1, ErrMissing,
					fmt.Errorf("the next segment begins with position %d", first),
				}
				if err := w.mend(ctx, epoch, first-1, gap); err != nil {
					return err
				}
			}
			if err := w.segment(ctx, epoch, first, end); err != nil {
				var about *SegmentError
				if !errors.As(err, &about) || len(w.pending) > 0 && errors.Is(err, errRoot) {
					return err // what was to mend the log before it does not
				}
				next, err := segments.after(ctx, first, 1)
				if err != nil {
					return err
				}
				last := int64(0)
				if len(next) > 0 {
					last = next[0] - 1
				}
				if err := w.mend(ctx, epoch, last, about); err != nil {
					return err
				}
			}
			at = first
		}
		if len(page) < pageSize {
			break
		}
	}
	if over := w.reached() - end; over > 0 && len(w.pending) > 0 {
		w.pending = w.pending[:max(0, int64(len(w.pending))-over)]
	}
	if end != math.MaxInt64 && end != w.options.Through && w.reached() < end {
		return &SegmentError{SegmentKey(epoch, w.tip.Last+1), w.tip.Last + 1, ErrMissing, fmt.Errorf("the next epoch begins with position %d", end+1)}
	}
	return nil
}

// reached is the last position that there is something for, proven or not.
func (w *walker) reached() int64 {
	return w.tip.Last + int64(len(w.pending))
}

// segment reads one segment, proves it with what was mended before it, and visits.
func (w *walker) segment(ctx context.Context, epoch int, first, end int64) error {
	s, err := readSegment(ctx, w.store, epoch, first)
	if err != nil {
		return err
	}
	if first != w.reached()+1 {
		return s.wrong(first, fmt.Errorf("position %d was to come", w.reached()+1))
	}
	if len(w.pending) == 0 && !sameLink(s.Previous, w.tip.Link) {
		return s.wrong(first, fmt.Errorf("it continues %s, and before it there is %s", describe(s.Previous), describe(w.tip.Link)))
	}
	base, scratch := w.tip.Frontier.Clone(), []byte(nil)
	for i := range w.pending {
		base.Append(eventlog.LeafHashIn(&scratch, &w.pending[i]))
	}
	events := make([]eventlog.Event, 0, s.Last-s.First+1)
	if _, err := s.Check(base, func(e *eventlog.Event) error {
		events = append(events, *e)
		return nil
	}); err != nil {
		return err
	}
	link := s.Link()
	for _, proven := range [][]eventlog.Event{w.pending, events} {
		if err := w.take(proven, end); err != nil {
			return err
		}
	}
	w.pending = nil
	w.tip.Link, w.tip.Segments, w.tip.Bytes = &link, w.tip.Segments+1, w.tip.Bytes+int64(len(s.object))
	return nil
}

// take visits events up to end and moves the tip behind them.
func (w *walker) take(events []eventlog.Event, end int64) error {
	var scratch []byte
	for i := range events {
		e := &events[i]
		if e.Position > end {
			break
		}
		if err := w.visit(e); err != nil {
			return err
		}
		w.tip.Frontier.Append(eventlog.LeafHashIn(&scratch, e))
		w.tip.Last = e.Position
	}
	return nil
}

// mend asks for what the archive does not give. What was wrong is the answer if
// nobody can.
func (w *walker) mend(ctx context.Context, epoch int, last int64, cause *SegmentError) error {
	if w.options.Mend == nil {
		return cause
	}
	first := w.reached() + 1
	events, err := w.options.Mend(ctx, epoch, first, last, cause)
	if err != nil {
		return errors.Join(cause, err)
	}
	for i := range events {
		if events[i].Position != first+int64(i) {
			return errors.Join(cause, fmt.Errorf("what was to mend it has position %d in the place of %d", events[i].Position, first+int64(i)))
		}
	}
	if w.pending = append(w.pending, events...); last > 0 && w.reached() != last {
		return errors.Join(cause, fmt.Errorf("what was to mend it ends with position %d", w.reached()))
	}
	return nil
}

// unproven visits what was mended at the end of the archive, if anything.
func (w *walker) unproven(end int64) error {
	if len(w.pending) == 0 {
		return nil
	}
	w.tip.Unproven = w.tip.Last + 1
	pending := w.pending
	w.pending = nil
	return w.take(pending, end)
}

func sameLink(a, b *Link) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func describe(l *Link) string {
	if l == nil {
		return "nothing"
	}
	return fmt.Sprintf("positions %d to %d of epoch %d, SHA-256 %s", l.First, l.Last, l.Epoch, l.SHA256)
}
