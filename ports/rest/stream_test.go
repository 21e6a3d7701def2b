package rest_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/ports/rest"
	"strata.dev/strata/ports/rest/resttest"
)

// streams is a world behind a real server: streams do not end by themselves.
type streams struct {
	*world
	server *httptest.Server
	client *http.Client
}

func newStreams(t *testing.T, change ...func(*rest.Options)) *streams {
	t.Helper()
	s := &streams{world: newWorld(t, change...)}
	s.server = httptest.NewUnstartedServer(s.api)
	s.server.Config = rest.NewServer(t.Context(), "", s.api, s.options.Log)
	s.server.Start()
	s.client = resttest.Client(t)
	t.Cleanup(func() {
		s.api.Drain()
		s.server.Close()
	})
	return s
}

// live is an open stream.
type live struct {
	t    *testing.T
	body io.Closer
	read *bufio.Reader
	last string // the id that a browser would come back with
}

// message is one block of a stream.
type message struct{ id, event, data, comment, retry string }

func (s *streams) open(t *testing.T, token, query, last string) *live {
	t.Helper()
	res := s.ask(t, token, query, last)
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	l := &live{t: t, body: res.Body, read: bufio.NewReader(res.Body), last: last}
	if m := l.next(); m.retry != "3000" {
		t.Fatalf("it begins with %+v", m)
	}
	return l
}

func (s *streams) ask(t *testing.T, token, query, last string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL+"/v1/events/stream"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// next is the next block of whatever kind.
func (l *live) next() message {
	l.t.Helper()
	m, err := l.block()
	if err != nil {
		l.t.Fatalf("the stream ended: %v", err)
	}
	return m
}

// event is the next event.
func (l *live) event() message {
	l.t.Helper()
	for {
		if m := l.next(); m.data != "" {
			return m
		}
	}
}

func (l *live) block() (m message, err error) {
	for {
		line, err := l.read.ReadString('\n')
		if err != nil {
			return m, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n":
			return m, nil
		case name == "id":
			m.id, l.last = value, value
		case name == "event":
			m.event = value
		case name == "data":
			m.data = value
		case name == "retry":
			m.retry = value
		case name == "":
			m.comment = value
		default:
			l.t.Fatalf("a line that is none: %q", line)
		}
	}
}

func TestAStreamTellsWhatHappens(t *testing.T) {
	s := newStreams(t)
	ours, theirs := s.register("Ours", author), s.register("Theirs", author)
	l := s.open(t, ours.tokens[author], "", "")
	s.draft(theirs)
	plan := strings.TrimPrefix(s.draft(ours), "/v1/strategies/")
	m := l.event()
	if m.event != "strategy.drafted" || !strings.Contains(m.data, plan) || !strings.Contains(m.data, `"specversion":"1.0"`) {
		t.Errorf("%+v", m)
	}
	if head, err := s.log.Head(t.Context()); err != nil || m.id != strconv.FormatInt(head, 10) {
		t.Errorf("id %s, the head is %d (%v)", m.id, head, err)
	}
	// What a feed reader gets is the same, byte for byte.
	feed := s.do(request{method: "GET", path: "/v1/events", token: ours.tokens[author]}).want(200, "")
	if !strings.HasSuffix(string(feed.body), ","+m.data+"]") {
		t.Errorf("the stream has %s\nthe feed %s", m.data, feed.body)
	}
}

// Whoever is cut off after every single event and comes back with the id it has
// sees each event once and in order.
func TestAStreamResumesWithoutGapOrRepeat(t *testing.T) {
	s := newStreams(t)
	o := s.register("Examples", author)
	s.indicator(o)
	s.indicator(o)
	var want []int64
	all, err := s.log.Read(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		want = append(want, e.Position)
	}
	var got []int64
	last := "0"
	for range want {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		l := s.open(t, o.tokens[author], "", last)
		stop := context.AfterFunc(ctx, func() { l.body.Close() })
		m := l.event()
		position, err := strconv.ParseInt(m.id, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		got, last = append(got, position), l.last
		stop()
		cancel()
		l.body.Close()
	}
	if !slices.Equal(got, want) {
		t.Errorf("positions %v, want %v", got, want)
	}
	// And in one go, from the start and from a place given in the query.
	for _, query := range []string{"?after=0", "?after=" + strconv.FormatInt(want[4], 10)} {
		l := s.open(t, o.tokens[author], query, "")
		rest := want
		if query != "?after=0" {
			rest = want[5:]
		}
		for _, position := range rest {
			if m := l.event(); m.id != strconv.FormatInt(position, 10) {
				t.Fatalf("%s: id %s, want %d", query, m.id, position)
			}
		}
		l.body.Close()
	}
}

func TestAStreamShowsThatItLives(t *testing.T) {
	s := newStreams(t, func(o *rest.Options) { o.Heartbeat = 10 * time.Millisecond })
	o := s.register("Examples", author)
	l := s.open(t, o.tokens[author], "?types=indicator.retired", "")
	if m := l.next(); m.comment == "" || m.id != "" || m.data != "" {
		t.Errorf("%+v", m)
	}
	s.draft(o) // which was not asked for
	head, err := s.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for {
		m := l.next()
		if m.data != "" {
			t.Fatalf("it was not asked for: %+v", m)
		}
		if m.id == strconv.FormatInt(head, 10) {
			break // it need not be looked at again
		}
	}
	if res := s.ask(t, o.tokens[author], "?types=nonsense", ""); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("%d", res.StatusCode)
	}
	if res := s.ask(t, o.tokens[author], "", "soon"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s := newStreams(t)
	o := s.register("Examples", author, owner)
	var open []*live
	for range 8 {
		open = append(open, s.open(t, o.tokens[author], "", ""))
	}
	res := s.ask(t, o.tokens[author], "", "")
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the ninth: %d %v", res.StatusCode, res.Header)
	}
	s.open(t, o.tokens[owner], "", "") // somebody else's are their own
	open[0].body.Close()
	deadline := time.Now().Add(10 * time.Second)
	for {
		res := s.ask(t, o.tokens[author], "", "")
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a place that is free is not given again")
		}
	}
}

func TestStreamsEndWhenTheServiceStops(t *testing.T) {
	s := newStreams(t)
	o := s.register("Examples", author)
	l := s.open(t, o.tokens[author], "", "")
	waiting := make(chan answer, 1)
	go func() {
		waiting <- s.do(request{method: "GET", path: "/v1/events?after=1000", token: o.tokens[author], header: http.Header{"Prefer": {"wait=30"}}})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.server.Config.Shutdown(ctx); err != nil {
		t.Fatalf("the server waits for its streams: %v", err)
	}
	if m, err := l.block(); err == nil {
		t.Errorf("the stream goes on with %+v", m)
	}
	if a := <-waiting; a.status != 200 {
		t.Errorf("a long poll was answered %d", a.status)
	}
	s.do(request{method: "GET", path: "/v1/events/stream", token: o.tokens[author]}).want(503, "unavailable")
	if a := s.do(request{method: "HEAD", path: "/v1/events", token: o.tokens[author]}); a.header.Get("Connection") != "close" {
		t.Errorf("connections are kept: %v", a.header)
	}
}
