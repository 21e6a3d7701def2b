package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"strata.dev/strata/app/query"
	"strata.dev/strata/ports/rest/gen"
)

const (
	maxFeedWait = 30 * time.Second
	// feedStep is how long one question of a long poll may wait, so that a
	// poller notices soon that the service is draining.
	feedStep = 5 * time.Second
	// feedPause is between two questions of which the first found nothing new.
	feedPause = 20 * time.Millisecond
)

// ListEvents handles GET /v1/events.
func (s *server) ListEvents(ctx context.Context, r gen.ListEventsRequestObject) (gen.ListEventsResponseObject, error) {
	x, p := of(ctx), r.Params
	after, err := number("after", value(p.After))
	if err != nil {
		return nil, err
	}
	feed, err := s.nextEvents(ctx, x, query.EventsFilter{After: after, Limit: int(value(p.Limit)), Types: value(p.Types)})
	if err != nil {
		return nil, err
	}
	first, last := positions(feed.Events)
	x.shown(len(feed.Events), first, last)
	watches := false
	if anyOfJournal(feed.Events) {
		if watches, err = s.watches(ctx, x); err != nil {
			return nil, err
		}
	}
	body := make([]byte, 0, 2+1500*len(feed.Events))
	body = append(body, '[')
	for i := range feed.Events {
		if i > 0 {
			body = append(body, ',')
		}
		if body, err = s.appendEvent(body, &feed.Events[i], watches); err != nil {
			return nil, fmt.Errorf("feed: %w", err)
		}
	}
	return feedAnswer{body: append(body, ']'), position: feed.Position, link: *x.next("after", decimal(feed.Next))}, nil
}

// nextEvents asks once, and again while the answer is empty and the caller
// prefers to wait: each time for what the read side has not seen yet.
func (s *server) nextEvents(ctx context.Context, x *exchange, f query.EventsFilter) (query.Feed, error) {
	read, until := x.read(), time.Now().Add(min(x.prefer.wait, maxFeedWait))
	if !read.AsOf.IsNow() {
		until = time.Time{} // nothing will happen there any more
	}
	feed, err := s.options.App.Audit.Events(ctx, read, f)
	for err == nil && len(feed.Events) == 0 && !s.draining() {
		left := time.Until(until)
		if left <= 0 {
			break
		}
		f.After, read.MinPosition, read.Wait = feed.Next, feed.Position+1, min(left, feedStep)
		var more query.Feed
		switch more, err = s.options.App.Audit.Events(ctx, read, f); {
		case err == nil:
			feed = more
		case errors.Is(err, query.ErrProjectionBehind):
			err = pause(ctx, feedPause) // nothing has happened yet
		}
	}
	return feed, err
}

// pause keeps a loop that waits for events from turning into a busy one should
// the read side refuse to wait.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// feedAnswer sends the documents as they were encoded: through a JSON encoder
// their data would no longer be the bytes that are hashed.
type feedAnswer struct {
	body     []byte
	position int64
	link     string
}

// VisitListEventsResponse implements gen.ListEventsResponseObject.
func (a feedAnswer) VisitListEventsResponse(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", mediaBatch)
	h.Set(headerPosition, decimal(a.position))
	h.Set(headerLink, a.link)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(a.body)
	return err
}
