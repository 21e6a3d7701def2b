package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

// MendFrom makes Options.Mend of a log that has what the archive lacks, such as a
// standby.
func MendFrom(log eventlog.Reader) func(ctx context.Context, epoch int, first, last int64, cause error) ([]eventlog.Event, error) {
	return func(ctx context.Context, _ int, first, last int64, _ error) ([]eventlog.Event, error) {
		var events []eventlog.Event
		for at := first - 1; last == 0 || at < last; {
			limit := comparePage
			if last > 0 {
				limit = int(min(comparePage, last-at))
			}
			page, err := log.Read(ctx, at, limit)
			if err != nil {
				return nil, fmt.Errorf("merge: %w", err)
			}
			if len(page) == 0 {
				break
			}
			events = append(events, page...)
			at = page[len(page)-1].Position
		}
		if len(events) == 0 {
			return nil, fmt.Errorf("merge: positions from %d on are not there either", first)
		}
		return events, nil
	}
}

// MendFromArchive is MendFrom of another archive.
func MendFromArchive(store archive.Store) func(ctx context.Context, epoch int, first, last int64, cause error) ([]eventlog.Event, error) {
	return func(ctx context.Context, epoch int, first, last int64, _ error) ([]eventlog.Event, error) {
		var events []eventlog.Event
		_, err := archive.Walk(ctx, store, archive.WalkOptions{Epoch: epoch, Through: last}, func(e *eventlog.Event) error {
			if e.Position >= first {
				events = append(events, *e)
			}
			return nil
		})
		if err != nil && len(events) == 0 {
			return nil, fmt.Errorf("merge: %w", err)
		}
		return events, nil
	}
}

// Lines are events that were exported line by line, as `strata restore stream` and
// the segments of an archive have them.
type Lines []eventlog.Event

// Head implements eventlog.Reader.
func (l Lines) Head(context.Context) (int64, error) {
	if len(l) == 0 {
		return 0, nil
	}
	return l[len(l)-1].Position, nil
}

// Read implements eventlog.Reader, as far as the lines go without a gap.
func (l Lines) Read(_ context.Context, after int64, limit int) ([]eventlog.Event, error) {
	from, _ := slices.BinarySearchFunc(l, after+1, func(e eventlog.Event, p int64) int { return cmp.Compare(e.Position, p) })
	to := from
	for to < len(l) && to-from < limit && l[to].Position == after+1+int64(to-from) {
		to++
	}
	return l[from:to], nil
}

// ParseLines reads events of lines, in order of their positions. A first line that
// is the header of a segment is passed over.
func ParseLines(lines [][]byte) (Lines, error) {
	var out Lines
	for i, line := range lines {
		if len(line) == 0 {
			continue
		}
		e, err := archive.ParseEvent(line)
		if err != nil && i == 0 {
			continue // the header
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if n := len(out); n > 0 && e.Position <= out[n-1].Position {
			return nil, fmt.Errorf("line %d: position %d is not above %d", i+1, e.Position, out[n-1].Position)
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, errors.New("there is no event in it")
	}
	return out, nil
}
