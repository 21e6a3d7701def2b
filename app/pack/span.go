package pack

import (
	"context"
	"fmt"
	"sort"

	"strata.dev/strata/app/eventlog"
)

// readBatch is how many events are read at once.
const readBatch = 500

// span is what was asked for, as numbers without gaps: of the organization's
// events, or of the stream's.
type span struct {
	log         Log
	ask         Ask
	first, last int64 // both included
	head, tail  eventlog.Event
}

// read gives events behind a number.
func (s *span) read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	if s.ask.StreamID != "" {
		return s.log.ReadStream(ctx, s.ask.OrganizationID, s.ask.StreamID, after, limit)
	}
	return s.log.ReadOrganization(ctx, s.ask.OrganizationID, after, limit)
}

// number is the one that has no gaps in what was asked for.
func (s *span) number(e *eventlog.Event) int64 {
	if s.ask.StreamID != "" {
		return e.Version
	}
	return e.OrganizationSequence
}

// find resolves what was asked for.
func (p *Packer) find(ctx context.Context, ask Ask) (*span, error) {
	s := &span{log: p.o.Log, ask: ask}
	count, err := s.count(ctx)
	if err != nil {
		return nil, err
	}
	before := func(e *eventlog.Event) bool { // lies in front of the span
		return e.Position < ask.FromPosition || !ask.From.IsZero() && e.RecordedAt.Before(ask.From)
	}
	behind := func(e *eventlog.Event) bool {
		return ask.ToPosition > 0 && e.Position > ask.ToPosition || !ask.To.IsZero() && !e.RecordedAt.Before(ask.To)
	}
	if s.first, err = s.search(ctx, count, func(e *eventlog.Event) bool { return !before(e) }); err != nil {
		return nil, err
	}
	if s.last, err = s.search(ctx, count, behind); err != nil {
		return nil, err
	}
	s.last--
	switch {
	case s.first > s.last:
		return nil, ErrNothing.Detailf("Nothing was recorded of it in this span.")
	case s.last-s.first >= MaxEvents:
		return nil, ErrTooLarge.Detailf("%d events are in this span, and a pack has at most %d.", s.last-s.first+1, MaxEvents)
	}
	if s.head, err = s.at(ctx, s.first); err != nil {
		return nil, err
	}
	s.tail, err = s.at(ctx, s.last)
	return s, err
}

// count finds the number of the last event: by doubling, then by halves.
func (s *span) count(ctx context.Context) (int64, error) {
	there := func(n int64) (bool, error) {
		found, err := s.read(ctx, n-1, 1)
		return len(found) > 0, err
	}
	low, high := int64(0), int64(1) // low is there (or 0), high may be
	for {
		ok, err := there(high)
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		low, high = high, high*2
	}
	var failed error
	n := sort.Search(int(high-low-1), func(i int) bool {
		ok, err := there(low + int64(i) + 1)
		if err != nil {
			failed = err
		}
		return !ok
	})
	return low + int64(n), failed
}

// search finds the first number of 1 to count whose event is what is looked for,
// count+1 if none is. Positions and times grow with the numbers.
func (s *span) search(ctx context.Context, count int64, is func(*eventlog.Event) bool) (int64, error) {
	var failed error
	n := sort.Search(int(count), func(i int) bool {
		if failed != nil {
			return true
		}
		e, err := s.at(ctx, int64(i)+1)
		if err != nil {
			failed = err
			return true
		}
		return is(&e)
	})
	return int64(n) + 1, failed
}

func (s *span) at(ctx context.Context, n int64) (eventlog.Event, error) {
	found, err := s.read(ctx, n-1, 1)
	switch {
	case err != nil:
		return eventlog.Event{}, err
	case len(found) == 0 || s.number(&found[0]) != n:
		return eventlog.Event{}, fmt.Errorf("pack: number %d is not there", n)
	}
	return found[0], nil
}

// each gives the events in order. One that does not follow, or is another
// organization's, ends it: nothing else may get into a pack.
func (s *span) each(ctx context.Context, take func(e *eventlog.Event) error) error {
	for after := s.first - 1; after < s.last; {
		events, err := s.read(ctx, after, int(min(readBatch, s.last-after)))
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return fmt.Errorf("pack: number %d is not there any more", after+1)
		}
		for i := range events {
			e := &events[i]
			if s.number(e) != after+1 || e.OrganizationID != s.ask.OrganizationID {
				return fmt.Errorf("pack: number %d does not follow %d", s.number(e), after)
			}
			if err := take(e); err != nil {
				return err
			}
			after++
		}
	}
	return nil
}
