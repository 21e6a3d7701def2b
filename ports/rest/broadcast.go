package rest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
)

// Bounds of the live streams of one process.
const (
	streamsPerPrincipal    = 8
	streamsPerOrganization = 64
	streamsInAll           = 1024
	// ringBytes bounds the frames kept for the readers of one organization; who
	// is further behind reads the database.
	ringBytes = 1 << 20
)

var errStreams = fault.New(fault.RateLimited, "overloaded", "Too many streams are open. Close one, or try again later.")

// frame is one event as a stream sends it, encoded once for all readers.
type frame struct {
	position int64
	kind     string
	bytes    []byte
	short    []byte // of an entry of the journal, for those who may not read what it says
}

// text is the frame as a reader is sent it.
func (f frame) text(watches bool) []byte {
	if f.short != nil && !watches {
		return f.short
	}
	return f.bytes
}

func (f frame) size() int { return len(f.bytes) + len(f.short) }

// broadcast follows the log for all open streams: one follower per organization
// waits for the read side and hands what it finds to every reader of that
// organization. Readers keep their own place; nothing is queued for them, so a
// slow one costs nobody anything.
type broadcast struct {
	audit  query.Audit
	encode *cloudevents.Encoder
	log    *slog.Logger

	mu         sync.Mutex
	closed     bool
	all        int
	principals map[who]int
	followers  map[uuid.UUID]*follower
	over       chan struct{} // closed when the service drains
}

func newBroadcast(o Options) *broadcast {
	return &broadcast{
		audit: o.App.Audit, encode: o.Events, log: o.Log,
		principals: map[who]int{}, followers: map[uuid.UUID]*follower{}, over: make(chan struct{}),
	}
}

// close ends all streams, and lets none begin any more.
func (b *broadcast) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.over)
	}
}

// join opens a stream for a principal, which ends with leave.
func (b *broadcast) join(w who) (f *follower, leave func(), err error) {
	organization := uuid.UUID(w.organization)
	b.mu.Lock()
	defer b.mu.Unlock()
	f = b.followers[organization]
	switch {
	case b.closed:
		return nil, nil, errUnavailable.Detailf("The service is stopping.")
	case b.all >= streamsInAll, b.principals[w] >= streamsPerPrincipal, f != nil && f.readers >= streamsPerOrganization:
		return nil, nil, errStreams
	}
	if f == nil {
		ctx, cancel := context.WithCancel(context.Background())
		f = &follower{organization: organization, stop: cancel, changed: make(chan struct{}), at: -1, begin: -1}
		b.followers[organization] = f
		go b.follow(ctx, f)
	}
	b.all++
	b.principals[w]++
	f.readers++
	return f, func() { b.leave(f, w) }, nil
}

func (b *broadcast) leave(f *follower, w who) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all--
	f.readers--
	if b.principals[w]--; b.principals[w] == 0 {
		delete(b.principals, w)
	}
	if f.readers == 0 {
		delete(b.followers, f.organization)
		f.stop()
	}
}

// follower reads one organization's events as they come.
type follower struct {
	organization uuid.UUID
	readers      int // under broadcast.mu
	stop         context.CancelFunc

	mu      sync.Mutex
	ring    []frame // the last ones, oldest first
	bytes   int
	begin   int64         // the ring has all events behind this position; −1: nothing is known yet
	at      int64         // up to which the follower has seen the log
	changed chan struct{} // closed when at moves
}

// follow runs until the last reader has left. What goes wrong is logged once
// and tried again: readers notice nothing but that nothing comes.
func (b *broadcast) follow(ctx context.Context, f *follower) {
	read := query.Read{OrganizationID: f.organization, Wait: feedStep}
	ask := query.EventsFilter{Limit: query.MaxLimit}
	failing := false
	for ctx.Err() == nil {
		if f.position() < 0 {
			ask.After, read.MinPosition = lastPosition, 0 // where are we?
		}
		feed, err := b.audit.Events(ctx, read, ask)
		switch {
		case err == nil:
			failing = false
			var frames []frame
			if frames, err = b.frames(feed); err == nil {
				at := max(feed.Position, f.position())
				if feed.More {
					at = feed.Next
				}
				f.add(frames, at)
				ask.After, read.MinPosition = at, at+1
				if feed.More {
					read.MinPosition = 0
				}
				continue
			}
		case errors.Is(err, query.ErrProjectionBehind):
			_ = pause(ctx, feedPause) // nothing has happened yet; an ended ctx ends the loop
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if !failing {
			failing = true
			b.log.WarnContext(ctx, "live streams wait", "organization", f.organization.String(), "err", err)
		}
		_ = pause(ctx, time.Second)
	}
}

// lastPosition is behind every event: asked for events behind it, the read side
// only says where it is.
const lastPosition = int64(1)<<62 - 1

func (b *broadcast) frames(feed query.Feed) ([]frame, error) {
	frames := make([]frame, len(feed.Events))
	for i := range feed.Events {
		e := &feed.Events[i]
		text := append(make([]byte, 0, 1600), "id: "+decimal(e.Position)+"\nevent: "+e.Type+"\ndata: "...)
		text, err := b.encode.Append(text, e) // canonical JSON: no line ends in it
		if err != nil {
			return nil, err
		}
		frames[i] = frame{position: e.Position, kind: e.Type, bytes: append(text, "\n\n"...)}
		if strings.HasPrefix(e.Type, journalTypes) {
			frames[i].short = cut(frames[i].bytes, e)
		}
	}
	return frames, nil
}

func (f *follower) position() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// add appends what came, forgets what is over the bound, and wakes the readers.
func (f *follower) add(frames []frame, at int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begin < 0 {
		f.begin = at
	}
	for _, fr := range frames {
		f.ring = append(f.ring, fr)
		f.bytes += fr.size()
	}
	drop := 0
	for ; f.bytes > ringBytes; drop++ {
		f.begin = f.ring[drop].position
		f.bytes -= f.ring[drop].size()
	}
	if drop > 0 {
		f.ring = slices.Clone(f.ring[drop:]) // and not a slice that keeps what was dropped
	}
	if at != f.at {
		f.at = at
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// after gives the frames behind a position, the position they reach up to, and
// what tells of more. ok = false: the ring begins later than that.
func (f *follower) after(position int64) (frames []frame, at int64, changed <-chan struct{}, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at < 0 || position >= f.at {
		return nil, max(position, f.at), f.changed, true
	}
	if position < f.begin {
		return nil, position, f.changed, false
	}
	i, _ := slices.BinarySearchFunc(f.ring, position+1, func(fr frame, p int64) int { return int(min(max(fr.position-p, -1), 1)) })
	return slices.Clone(f.ring[i:]), f.at, f.changed, true
}
