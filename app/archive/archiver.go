package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/objectstore"
	"strata.dev/strata/app/personal"
)

// Group is the name of the consumer group that archives.
const Group = "archive"

// refusalAge is how long a refusal stands before the store is asked again: to
// find out takes reading a segment and the log beside it.
const refusalAge = 15 * time.Second

// Archiver writes the log's segments, as the handler of one consumer group with
// its own checkpoint. Handle and Checkpoint are for that group's one reader and
// must not run at the same time; everything else is safe for concurrent use.
type Archiver struct {
	options Options
	end     context.CancelFunc
	ended   context.Context

	// Of the group's reader alone.
	tip     *tip // nil = ask the store
	scratch []byte

	mu       sync.Mutex
	status   Status
	refused  time.Time     // since when status.Refused stands
	position int64         // archived up to here, as far as is known here
	moved    chan struct{} // closed when position moves
	asked    time.Time     // when Progress was asked last
	noted    chan struct{} // one token: who asks Progress
	sealed   int64         // tree size of the newest checkpoint that is known to be archived
}

// tip is where the archive ends.
type tip struct {
	epoch    int
	last     int64
	link     *Link
	frontier Frontier
}

// Status is how archiving is.
type Status struct {
	Position   int64     // archived up to here, as far as this instance knows
	Epoch      int       // that is written; 0 = not known yet
	Segment    *Link     // the last one
	Checkpoint int64     // tree size of the newest archived checkpoint this instance knows of
	At         time.Time // of the last success here; zero = none

	Refused         error // why nothing is archived, and will not be until somebody acts; nil = nothing
	CheckpointError error // why a signed checkpoint could not be archived; nil = all are
}

// New makes an archiver. It asks for nothing yet.
func New(o Options) (*Archiver, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &Archiver{options: o, moved: make(chan struct{}), noted: make(chan struct{}, 1)}
	a.ended, a.end = context.WithCancel(context.Background())
	return a, nil
}

// Stop breaks off what is under way, and all that is asked later: it counts for
// nothing, and whoever archives next finds what it left. For an end of the process
// that does not wait for a store that is away.
func (a *Archiver) Stop() { a.end() }

// Status says how archiving is. It asks nobody.
func (a *Archiver) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.status
	st.Position, st.Checkpoint = a.position, a.sealed
	return st
}

// Handle is the group's handler: when it returns nil, the events are archived. An
// error leaves open how much of them is; Checkpoint finds out.
func (a *Archiver) Handle(ctx context.Context, events []eventlog.Event) error {
	ctx, cancel := a.until(ctx)
	defer cancel()
	if err := a.handle(ctx, events); err != nil {
		a.tip = nil
		return a.failed(err)
	}
	return nil
}

func (a *Archiver) handle(ctx context.Context, events []eventlog.Event) error {
	if a.tip == nil {
		if _, err := a.open(ctx); err != nil {
			return err
		}
	}
	for {
		for len(events) > 0 && events[0].Position <= a.tip.last {
			events = events[1:]
		}
		if len(events) == 0 {
			return nil
		}
		if events[0].Position != a.tip.last+1 {
			return fmt.Errorf("the archive ends at position %d, and position %d is to be archived", a.tip.last, events[0].Position)
		}
		if err := a.write(ctx, events[:cut(events)]); err != nil {
			return err
		}
	}
}

// cut says how many events make the next segment.
func cut(events []eventlog.Event) int {
	bytes := 0
	for i := range events {
		e := &events[i]
		if i == MaxEvents || bytes >= MaxEventBytes {
			return i
		}
		bytes += lineBytes(e)
	}
	return len(events)
}

// lineBytes is how long an event's line is, at most.
func lineBytes(e *eventlog.Event) int {
	return len(e.Data) + len(e.Metadata) + 2*len(e.CommandHash) + 6*(len(e.StreamID)+len(e.Type)) + 512
}

// write archives events as one segment, or takes the one that somebody else has
// written in the meantime.
func (a *Archiver) write(ctx context.Context, events []eventlog.Event) error {
	for i := range events {
		if err := a.originals(ctx, &events[i]); err != nil {
			return err
		}
	}
	var object bytes.Buffer
	header, err := WriteSegment(&object, Source{Epoch: a.tip.epoch, Previous: a.tip.link, Base: a.tip.frontier, Events: events})
	if err != nil {
		return err
	}
	key := SegmentKey(header.Epoch, header.First)
	err = a.put(ctx, key, object.Bytes())
	if err != nil && !errors.Is(err, objectstore.ErrExists) {
		return err
	}
	lost := err != nil
	back, err := a.get(ctx, key)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if !lost && !bytes.Equal(back, object.Bytes()) {
		return &SegmentError{key, header.First, ErrDamaged, fmt.Errorf("%d bytes with SHA-256 %x were put, and %d with %x are read back",
			object.Len(), sha256.Sum256(object.Bytes()), len(back), sha256.Sum256(back))}
	}
	segment, err := ReadSegment(key, back)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if segment.Epoch != a.tip.epoch || !sameLink(segment.Previous, a.tip.link) {
		return &SegmentError{key, segment.First, ErrDiffers, fmt.Errorf("it continues %s, and the archive ends with %s", describe(segment.Previous), describe(a.tip.link))}
	}
	frontier, err := a.compare(ctx, segment, a.tip.frontier, events)
	if err != nil {
		return err
	}
	if lost {
		a.options.Logger.InfoContext(ctx, "the segment was there already, and holds what the log holds", "segment", key, "last", segment.Last)
	}
	return a.advance(ctx, segment, frontier)
}

// compare proves a segment and that the log holds the same. known are events of the
// log from the segment's first position on; what they lack is read.
func (a *Archiver) compare(ctx context.Context, s *Segment, base Frontier, known []eventlog.Event) (Frontier, error) {
	return s.Check(base, func(e *eventlog.Event) error {
		if len(known) == 0 {
			page, err := a.options.Log.Read(ctx, e.Position-1, pageSize)
			if err != nil {
				return err
			}
			if known = page; len(page) == 0 {
				return &eventlog.AheadError{
					Who: "the archive", At: eventlog.Place{Position: s.Last, Epoch: s.Epoch}, Shared: e.Position - 1,
					Head: eventlog.Place{Position: e.Position - 1, Epoch: s.Epoch}, Remedy: behindRemedy,
				}
			}
		}
		if archived, logged := eventlog.LeafHashIn(&a.scratch, e), eventlog.LeafHashIn(&a.scratch, &known[0]); archived != logged {
			return &SegmentError{s.Name, e.Position, ErrDiffers, fmt.Errorf("its leaf hash is %x in the archive and %x in the log", archived, logged)}
		}
		known = known[1:]
		return nil
	})
}

const behindRemedy = "the log has lost its end, and nothing is archived: restore the log from the archive (strata restore log), or begin an epoch (strata epoch start)"

// advance takes a proven segment as the end of the archive.
func (a *Archiver) advance(ctx context.Context, s *Segment, frontier Frontier) error {
	link := s.Link()
	a.tip = &tip{epoch: a.tip.epoch, last: s.Last, link: &link, frontier: frontier}
	a.mu.Lock()
	a.status.Epoch, a.status.Segment, a.status.At, a.status.Refused = s.Epoch, &link, time.Now().UTC(), nil
	a.mu.Unlock()
	a.know(s.Last)
	if err := a.options.Progress.NoteArchived(ctx, s.Last); err != nil {
		return fmt.Errorf("note that position %d is archived: %w", s.Last, err)
	}
	return nil
}

// originals archives the documents that an event refers to.
func (a *Archiver) originals(ctx context.Context, e *eventlog.Event) error {
	sums, err := OriginalsOf(e)
	if err != nil {
		return err
	}
	for _, sum := range sums {
		document, err := a.options.Originals.Stored(ctx, e.OrganizationID, sum)
		if errors.Is(err, personal.ErrErased) {
			continue // nothing is left of it that anybody could read, here or in the archive
		}
		if err != nil {
			return fmt.Errorf("document %s, which position %d refers to: %w", sum, e.Position, err)
		}
		key := OriginalKey(e.OrganizationID, sum)
		if err := a.put(ctx, key, document); err != nil && !errors.Is(err, objectstore.ErrExists) {
			return err
		}
		back, err := a.get(ctx, key)
		if err != nil {
			return fmt.Errorf("read back: %w", err)
		}
		// Archived in clear before there was a key store, it is still what it is called.
		if !bytes.Equal(back, document) && fmt.Sprintf("%x", sha256.Sum256(back)) != sum {
			return fmt.Errorf("archive: %s: %w: %d bytes with SHA-256 %x are stored beside the log, and %d with %x in the archive",
				key, ErrDiffers, len(document), sha256.Sum256(document), len(back), sha256.Sum256(back))
		}
	}
	return nil
}

func (a *Archiver) put(ctx context.Context, key string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, a.options.StoreTimeout)
	defer cancel()
	return a.options.Store.Put(ctx, key, body)
}

func (a *Archiver) get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, a.options.StoreTimeout)
	defer cancel()
	return a.options.Store.Get(ctx, key)
}

// until is ctx, ended by Stop, too.
func (a *Archiver) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.ended, cancel)
	return ctx, func() { stop(); cancel() }
}

// failed counts a failure, and remembers one that only an operator can end.
func (a *Archiver) failed(err error) error {
	a.options.Failed()
	if isRefusal(err) {
		a.mu.Lock()
		a.status.Refused, a.refused = err, time.Now()
		a.mu.Unlock()
	}
	return err
}

func isRefusal(err error) bool {
	var behind *eventlog.AheadError
	return errors.Is(err, ErrDiffers) || errors.As(err, &behind)
}
