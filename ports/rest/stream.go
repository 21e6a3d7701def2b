package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"strata.dev/strata/app/query"
	"strata.dev/strata/ports/rest/gen"
)

const (
	// streamTime is how long a stream lasts: who reads is asked again each time
	// it is opened, so a token that has ended is good for this much longer.
	streamTime = 15 * time.Minute
	heartbeat  = 15 * time.Second
	// readerTime is how long a reader may take to take what is sent.
	readerTime = 10 * time.Second
)

// StreamEvents handles GET /v1/events/stream.
func (s *server) StreamEvents(ctx context.Context, r gen.StreamEventsRequestObject) (gen.StreamEventsResponseObject, error) {
	x, p := of(ctx), r.Params
	after, err := number("after", value(p.After))
	if err != nil {
		return nil, err
	}
	resumed := p.After != nil
	if p.LastEventID != nil {
		if after, err = number("Last-Event-ID", *p.LastEventID); err != nil {
			return nil, err
		}
		resumed = true
	}
	// Where the read side is. It is also the first question to the database: what
	// cannot be answered is refused while there is still a status to say so.
	feed, err := s.options.App.Audit.Events(ctx, x.read(), query.EventsFilter{After: lastPosition, Limit: 1})
	if err != nil {
		return nil, err
	}
	if !resumed {
		after = feed.Position
	}
	x.shown(0, after, 0) // from there on
	return &eventStream{server: s, ctx: ctx, x: x, at: after, head: feed.Position, types: value(p.Types)}, nil
}

// eventStream is an answer that goes on.
type eventStream struct {
	server *server
	ctx    context.Context // of the request: a response is written within it
	x      *exchange
	types  []string
	at     int64 // up to which the reader has everything
	head   int64
	told   int64 // the id the reader has

	watches bool // may read what the journal says
}

// VisitStreamEventsResponse implements gen.StreamEventsResponseObject.
func (e *eventStream) VisitStreamEventsResponse(w http.ResponseWriter) error {
	follower, leave, err := e.server.broadcast.join(whoIs(e.x.principal))
	if err != nil {
		return err
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	h.Set(headerPosition, decimal(e.head))
	if e.x.method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	out := &streamWriter{w: w, connection: http.NewResponseController(w), patience: readerTime}
	w.WriteHeader(http.StatusOK)
	_ = out.write([]byte("retry: 3000\n\n")) // fails only if the caller has gone, which run finds out
	e.told = e.at
	_ = e.run(follower, out) // whatever ended it, the answer has begun and the reader comes back
	return nil
}

func (e *eventStream) run(f *follower, out *streamWriter) error {
	ctx, cancel := context.WithTimeout(e.ctx, streamTime)
	defer cancel()
	beat := time.NewTicker(e.server.options.Heartbeat)
	defer beat.Stop()
	var err error
	if e.watches, err = e.server.watches(ctx, e.x); err != nil {
		return err
	}
	for asked := time.Now(); ; {
		// Who may read no more is told nothing more, however busy the stream is.
		if time.Since(asked) >= e.server.options.Heartbeat {
			if err := e.server.options.App.Organizations.MayRead(ctx, e.x.principal); err != nil {
				return err
			}
			if e.watches, err = e.server.watches(ctx, e.x); err != nil {
				return err
			}
			asked = time.Now()
		}
		frames, at, changed, ok := f.after(e.at)
		if !ok {
			if err := e.catchUp(ctx, out); err != nil {
				return err
			}
			continue
		}
		if err := e.send(out, frames); err != nil {
			return err
		}
		e.at = at
		if len(frames) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-beat.C:
			if err := e.beat(out); err != nil {
				return err
			}
		case <-e.server.broadcast.over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// catchUp sends a page from the database.
func (e *eventStream) catchUp(ctx context.Context, out *streamWriter) error {
	feed, err := e.server.options.App.Audit.Events(ctx, query.Read{OrganizationID: e.x.principal.OrganizationID},
		query.EventsFilter{After: e.at, Limit: query.MaxLimit, Types: e.types})
	if err != nil {
		return err
	}
	frames, err := e.server.broadcast.frames(feed)
	if err != nil {
		return err
	}
	if err := e.send(out, frames); err != nil {
		return err
	}
	e.at = feed.Next
	if !feed.More {
		e.at = max(feed.Next, feed.Position)
	}
	select {
	case <-e.server.broadcast.over:
		return errUnavailable
	default:
		return ctx.Err()
	}
}

// send writes those of the frames that the reader asked for.
func (e *eventStream) send(out *streamWriter, frames []frame) error {
	for _, fr := range frames {
		if len(e.types) > 0 && !slices.Contains(e.types, fr.kind) {
			continue
		}
		if err := out.buffer(fr.text(e.watches)); err != nil {
			return err
		}
		e.told = fr.position
	}
	return out.flush()
}

// beat shows that the connection lives, and moves the reader's id past events
// that did not match, so that they are not looked at again when it comes back.
func (e *eventStream) beat(out *streamWriter) error {
	var b strings.Builder
	b.WriteString(": " + e.server.options.Now().UTC().Format(time.RFC3339) + "\n")
	if e.at > e.told {
		b.WriteString("id: " + decimal(e.at) + "\n")
		e.told = e.at
	}
	b.WriteString("\n")
	return out.write([]byte(b.String()))
}

// streamWriter sends in few writes, each of which the reader must take in time.
type streamWriter struct {
	w          http.ResponseWriter
	connection *http.ResponseController
	patience   time.Duration
	pending    []byte
}

const streamBuffer = 64 << 10

func (s *streamWriter) buffer(b []byte) error {
	s.pending = append(s.pending, b...)
	if len(s.pending) < streamBuffer {
		return nil
	}
	return s.flush()
}

func (s *streamWriter) write(b []byte) error {
	s.pending = append(s.pending, b...)
	return s.flush()
}

func (s *streamWriter) flush() error {
	if len(s.pending) == 0 {
		return nil
	}
	if err := s.connection.SetWriteDeadline(time.Now().Add(s.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("stream: %w", err)
	}
	if _, err := s.w.Write(s.pending); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	s.pending = s.pending[:0]
	if err := s.connection.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("stream: %w", err)
	}
	return nil
}
