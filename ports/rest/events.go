package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
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
	after, err := position(value(p.After))
	if err != nil {
		return nil, err
	}
	types := value(p.Types)
	feed, err := s.nextEvents(ctx, x, query.EventsFilter{After: after, Limit: int(value(p.Limit)), Types: types})
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, 2+1500*len(feed.Events))
	body = append(body, '[')
	for i := range feed.Events {
		if i > 0 {
			body = append(body, ',')
		}
		if body, err = s.options.Events.Append(body, &feed.Events[i]); err != nil {
			return nil, fmt.Errorf("feed: %w", err)
		}
	}
	link := nextLink(x.path, limitOf(p.Limit, "types", strings.Join(types, ",")), "after", decimal(feed.Next))
	return feedAnswer{body: append(body, ']'), position: feed.Position, link: *link}, nil
}

// nextEvents asks once, and again while the answer is empty and the caller
// prefers to wait: each time for what the read side has not seen yet.
func (s *server) nextEvents(ctx context.Context, x *exchange, f query.EventsFilter) (query.Feed, error) {
	read, until := x.read(), time.Now().Add(min(x.prefer.wait, maxFeedWait))
	feed, err := s.options.App.Audit.Events(ctx, read, f)
	for err == nil && len(feed.Events) == 0 && !s.options.Draining() {
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
			err = pause(ctx) // nothing has happened yet
		}
	}
	return feed, err
}

// pause keeps a long poll from turning into a busy loop should the read side
// refuse to wait.
func pause(ctx context.Context) error {
	timer := time.NewTimer(feedPause)
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

// GetEvent handles GET /v1/events/{id}.
func (s *server) GetEvent(ctx context.Context, r gen.GetEventRequestObject) (gen.GetEventResponseObject, error) {
	entry, err := s.options.App.Audit.Event(ctx, of(ctx).read(), r.ID)
	if err != nil {
		return nil, err
	}
	return gen.GetEvent200JSONResponse{Body: entry, Headers: gen.GetEvent200ResponseHeaders{StrataPosition: decimal(entry.Position)}}, nil
}

// GetStrategyHistory handles GET /v1/strategies/{id}/events.
func (s *server) GetStrategyHistory(ctx context.Context, r gen.GetStrategyHistoryRequestObject) (gen.GetStrategyHistoryResponseObject, error) {
	p := r.Params
	page, link, err := s.history(ctx, "strategy-"+r.ID.String(), p.Types, p.Limit, p.Cursor)
	return gen.GetStrategyHistory200JSONResponse{Body: page, Headers: gen.GetStrategyHistory200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: link,
	}}, err
}

// GetIndicatorHistory handles GET /v1/indicators/{id}/events.
func (s *server) GetIndicatorHistory(ctx context.Context, r gen.GetIndicatorHistoryRequestObject) (gen.GetIndicatorHistoryResponseObject, error) {
	p := r.Params
	page, link, err := s.history(ctx, "indicator-"+r.ID.String(), p.Types, p.Limit, p.Cursor)
	return gen.GetIndicatorHistory200JSONResponse{Body: page, Headers: gen.GetIndicatorHistory200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: link,
	}}, err
}

// history is a page of one aggregate's events. An aggregate has at least one,
// so nothing at all means that there is no such aggregate here.
func (s *server) history(ctx context.Context, stream string, types *gen.Types, limit *int32, cursor *string) (query.Page[query.Entry], *string, error) {
	x := of(ctx)
	page, err := s.options.App.Audit.History(ctx, x.read(), query.HistoryFilter{StreamID: stream, Types: value(types), Paging: paging(limit, cursor)})
	if err != nil {
		return page, nil, err
	}
	if len(page.Items) == 0 && types == nil && cursor == nil {
		return page, nil, query.ErrNotFound
	}
	return page, nextLink(x.path, limitOf(limit, "types", strings.Join(value(types), ",")), "cursor", page.NextCursor), nil
}

// position reads what the contract has found to be digits.
func position(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errValidation.At("#/after", "maximum", "is no position")
	}
	return n, nil
}
