package fsck

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/gowebpki/jcs"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
)

// Entry is an event of the log with what it says.
type Entry struct {
	eventlog.Event
	Body     any // nil if it cannot be read
	Metadata eventlog.Metadata
	By       fact.Actor // who recorded it, as folds take it

	unreadable error // why Body or Metadata cannot be read
	loose      bool  // data or metadata is not canonical JSON
}

// Organization is the event's organization as a report names it.
func (e *Entry) Organization() string { return e.OrganizationID.String() }

// wrong is something about the event.
func (e *Entry) wrong(kind, detail, do string) Wrong {
	return Wrong{
		Kind: kind, Table: "events", Key: fmt.Sprintf("position=%d", e.Position), Stream: e.StreamID, Position: e.Position,
		Organization: e.Organization(), Detail: detail, Do: do,
	}
}

// scan reads the log once for all followers that were asked for.
func (r *run) scan(ctx context.Context) {
	var following []*following
	for _, f := range r.followers() {
		if r.options.wants(f.Name()) {
			following = append(following, r.follow(ctx, f))
		}
	}
	if len(following) == 0 {
		return
	}
	total, err := r.options.Log.Head(ctx)
	if err == nil {
		err = readAll(ctx, r.options, func(batch []*Entry) {
			for _, f := range following {
				f.batch(ctx, batch)
			}
			r.report.Head = batch[len(batch)-1].Position
			r.options.Progress(Progress{LogSection, r.report.Head, max(total, r.report.Head)})
		})
	}
	for _, f := range following {
		f.end(ctx, r.report.Head, err)
	}
}

// followers are those of the log itself and those beside it.
func (r *run) followers() []Follower {
	streams := newStreams(r.options)
	streams.digest = func(sum string) { r.report.States = sum }
	all := []Follower{newNumbers(), streams}
	if r.options.Beside != nil {
		all = append(all, newBeside(r.options.Beside))
	}
	return append(all, r.options.Followers...)
}

// following is a follower at work.
type following struct {
	run  *run
	it   Follower
	to   *Tally
	over bool // it failed
}

func (r *run) follow(ctx context.Context, it Follower) *following {
	f := &following{run: r, it: it, to: r.tally(it.Name())}
	f.do(func() error { return it.Begin(ctx, f.to) })
	return f
}

func (f *following) batch(ctx context.Context, batch []*Entry) {
	f.do(func() error {
		for _, e := range batch {
			if err := f.it.Event(ctx, e, f.to); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *following) end(ctx context.Context, head int64, unread error) {
	f.do(func() error {
		if unread != nil {
			return unread
		}
		return f.it.End(ctx, head, f.to)
	})
}

func (f *following) do(work func() error) {
	if f.over {
		return
	}
	defer f.to.time(time.Now())
	if err := work(); err != nil {
		f.over = true
		f.run.judge(f.to, err)
	}
}

// readAll gives the whole log, batch by batch, each decoded by all processors.
func readAll(ctx context.Context, o Options, take func(batch []*Entry)) error {
	for after := int64(0); ; {
		events, err := o.Log.Read(ctx, after, o.Batch)
		if err != nil {
			return fmt.Errorf("read the log behind %d: %w", after, err)
		}
		if len(events) > 0 {
			take(decodeAll(events))
			after = events[len(events)-1].Position
		}
		if len(events) < o.Batch {
			return nil
		}
	}
}

func decodeAll(events []eventlog.Event) []*Entry {
	entries := make([]*Entry, len(events))
	const share = 128 // below this a goroutine costs more than it brings
	workers := min(runtime.GOMAXPROCS(0), (len(events)+share-1)/share)
	var wg sync.WaitGroup
	for w := range workers {
		from, to := len(events)*w/workers, len(events)*(w+1)/workers
		wg.Go(func() {
			for i := from; i < to; i++ {
				entries[i] = decode(events[i])
			}
		})
	}
	wg.Wait()
	return entries
}

// decode reads an event, and looks at how its bytes are written.
func decode(event eventlog.Event) *Entry {
	e := decodeOnly(event)
	e.loose = !canonical(e.Data) || !canonical(e.Event.Metadata)
	return e
}

// decodeOnly reads an event.
func decodeOnly(event eventlog.Event) *Entry {
	e := &Entry{Event: event}
	e.Body, e.unreadable = eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
	metadata, err := eventlog.DecodeMetadata(e.Event.Metadata)
	if err != nil && e.unreadable == nil {
		e.unreadable = err
	}
	e.Metadata = metadata
	e.By = fact.Actor{ID: metadata.Actor.ID, Kind: fact.Kind(metadata.Actor.Kind), Roles: metadata.Actor.Roles, At: e.RecordedAt.UTC()}
	if metadata.Actor.AuthAt != nil {
		e.By.AuthAt = metadata.Actor.AuthAt.UTC()
	}
	return e
}

// canonical says whether b is what RFC 8785 makes of it. What is no JSON at all
// is unreadable, and reported as that.
func canonical(b []byte) bool {
	c, err := jcs.Transform(b)
	return err != nil || bytes.Equal(b, c)
}
