package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"strata.dev/strata/app"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/ports/rest"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) {
	code := testenv.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

func TestErrorsKeepTheirSecrets(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	a := w.do(request{method: "GET", path: "/v1/indicators/" + uuid.NewString(), token: o.tokens[author]}).want(500, "internal")
	if strings.Contains(string(a.body), "secret_table") || strings.Contains(string(a.body), "SQLSTATE") {
		t.Errorf("the answer tells about the database: %s", a.body)
	}
	logs := w.logs.String()
	if strings.Count(logs, "\n") != 1 || !strings.Contains(logs, "secret_table") || !strings.Contains(logs, a.header.Get("X-Request-Id")) {
		t.Errorf("want one log line with the cause and the request id, got %s", logs)
	}
	if strings.Contains(logs, o.tokens[author]) {
		t.Errorf("a token is in the log")
	}
}

func TestAPanicIsOneRefusedRequest(t *testing.T) {
	w := newWorld(t, func(o *rest.Options) { o.App.Plans = nil }, func(o *rest.Options) { o.App.Plans = panicking{} })
	o := w.register("Examples", author)
	w.do(request{method: "GET", path: "/v1/strategies/" + uuid.NewString(), token: o.tokens[author]}).want(500, "internal")
	if logs := w.logs.String(); !strings.Contains(logs, "ouch") || !strings.Contains(logs, "service_test.go") {
		t.Errorf("the log does not say where it was: %s", logs)
	}
	w.draft(o) // the service goes on
}

type panicking struct{ query.Plans }

func (panicking) Strategy(context.Context, query.Read, query.StrategyAsk) (query.Strategy, error) {
	panic("ouch")
}

func TestRequestAndTraceIDs(t *testing.T) {
	w := newWorld(t)
	const trace = "0af7651916cd43dd8448eb211c80319c"
	a := w.do(request{method: "GET", path: "/v1/nothing", header: http.Header{
		"X-Request-Id": {"check-1"}, "Traceparent": {"00-" + trace + "-b7ad6b7169203331-01"},
	}}).want(404, "not-found")
	if a.header.Get("X-Request-Id") != "check-1" || a.str("traceId") != trace || a.str("instance") != "urn:strata:request:check-1" {
		t.Errorf("%v %s", a.header, a.body)
	}
	a = w.do(request{method: "GET", path: "/v1/nothing", header: http.Header{"X-Request-Id": {"bad\"id\n"}}}).want(404, "not-found")
	if _, err := uuid.Parse(a.header.Get("X-Request-Id")); err != nil {
		t.Errorf("the id of an unfit one is %q", a.header.Get("X-Request-Id"))
	}
}

func TestTheFeedHoldsBackEmptyAnswers(t *testing.T) {
	waits := make(chan struct{}, 1)
	w := newWorld(t, func(o *rest.Options) {
		a := o.App.Audit.(audit)
		a.waits = waits
		o.App.Audit = a
	})
	o := w.register("Examples", author)
	all := w.do(request{method: "GET", path: "/v1/events", token: o.tokens[author]}).want(200, "")
	if !strings.HasPrefix(string(all.body), `[{"authid":`) {
		t.Errorf("no CloudEvents: %s", all.body)
	}
	next := strings.TrimSuffix(strings.TrimPrefix(all.header.Get("Link"), "<"), `>; rel="next"`)
	if next != "/v1/events?after="+all.header.Get("Strata-Position") {
		t.Fatalf("Link %q", all.header.Get("Link"))
	}
	if a := w.do(request{method: "GET", path: next, token: o.tokens[author]}).want(200, ""); string(a.body) != "[]" {
		t.Errorf("the end of the log is not empty: %s", a.body)
	}
	done := make(chan answer)
	go func() {
		done <- w.do(request{method: "GET", path: next, token: o.tokens[author], header: http.Header{"Prefer": {"wait=30"}}})
	}()
	select {
	case <-waits:
	case a := <-done:
		t.Fatalf("answered at once: %d %s", a.status, a.body)
	}
	plan := w.draft(o)
	a := <-done
	if a.status != 200 || !strings.Contains(string(a.body), strings.TrimPrefix(plan, "/v1/strategies/")) {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.do(request{method: "GET", path: "/v1/events?types=nonsense", token: o.tokens[author]}).want(422, "validation-failed")
	w.do(request{method: "GET", path: "/v1/events?after=-1", token: o.tokens[author]}).want(422, "validation-failed")
	behind := w.do(request{
		method: "GET", path: "/v1/events", token: o.tokens[author],
		header: http.Header{"Strata-Min-Position": {"1000000"}, "Prefer": {"wait=0"}},
	}).want(503, "projection-behind")
	if behind.header.Get("Retry-After") != "1" || behind.str("wanted") != "1000000" || behind.header.Get("Strata-Position") != behind.str("reached") {
		t.Errorf("%v %s", behind.header, behind.body)
	}
	w.do(request{
		method: "GET", path: "/v1/events", token: o.tokens[author],
		header: http.Header{"Strata-Min-Position": {"soon"}},
	}).want(400, "malformed-request")
}

func TestALostCommitIsUnknown(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	lossy := &lossyLog{Log: w.log}
	w.options.App = app.New(command.New(command.Options{Log: lossy}), w.options.App.Plans, w.options.App.Audit, w.options.App.Documents)
	handler, err := rest.New(w.options)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = handler
	r := request{path: "/v1/strategies", token: o.tokens[author], key: "lost-1", body: `{"frame":{"name":"x"}}`}
	w.do(r).want(504, "outcome-unknown")
	before, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.do(r).want(201, "")
	if after, err := w.log.Head(t.Context()); err != nil || after != before {
		t.Errorf("the repetition recorded %d events (%v)", after-before, err)
	}
}

// lossyLog records the first append and loses its answer.
type lossyLog struct {
	eventlog.Log
	lost atomic.Bool
}

func (l *lossyLog) Append(ctx context.Context, c eventlog.Command) (eventlog.Receipt, error) {
	r, err := l.Log.Append(ctx, c)
	if err == nil && l.lost.CompareAndSwap(false, true) {
		return eventlog.Receipt{}, eventlog.ErrOutcomeUnknown
	}
	return r, err
}

func TestAllowancesAreEachPrincipalsOwn(t *testing.T) {
	now := time.Now()
	w := newWorld(t, func(o *rest.Options) {
		o.Rate, o.Now = rest.Rate{Requests: 3, Window: time.Minute}, func() time.Time { return now }
	})
	o := w.register("Examples")
	ask := func(token string) answer { return w.do(request{method: "GET", path: "/v1/events", token: token}) }
	for left := 2; left >= 0; left-- {
		a := ask(o.tokens["admin"]).want(200, "")
		if got, want := a.header.Get("Ratelimit"), fmt.Sprintf(`"default";r=%d;t=%d`, left, 20*(3-left)); got != want {
			t.Errorf("RateLimit %q, want %q", got, want)
		}
	}
	a := ask(o.tokens["admin"]).want(429, "rate-limited")
	if a.header.Get("Retry-After") != "20" || a.header.Get("Ratelimit-Policy") != `"default";q=3;w=60` {
		t.Errorf("%v", a.header)
	}
	ask(o.tokens["officer"]).want(200, "")
	now = now.Add(20 * time.Second)
	ask(o.tokens["admin"]).want(200, "")
}

func TestProbes(t *testing.T) {
	var broker, database error
	draining := false
	w := newWorld(t, func(o *rest.Options) {
		o.Draining = func() bool { return draining }
		o.Checks = []rest.Check{
			{Name: "broker", Probe: func(context.Context) error { return broker }},
			{Name: "log", Critical: true, Probe: func(context.Context) error { return database }},
		}
	})
	// The last answer is remembered for a second, so each state gets its own handler.
	state := func(status int, body string) {
		t.Helper()
		handler, err := rest.New(w.options)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRecorder()
		handler.ServeHTTP(r, httptest.NewRequest("GET", "/healthz", nil))
		if r.Code != status || strings.TrimSpace(r.Body.String()) != body {
			t.Errorf("%d %s, want %d %s", r.Code, r.Body, status, body)
		}
		if r := httptest.NewRecorder(); true {
			handler.ServeHTTP(r, httptest.NewRequest("GET", "/readyz", nil))
			if r.Code != status {
				t.Errorf("readyz %d, want %d", r.Code, status)
			}
		}
	}
	state(200, `{"checks":{"broker":"ok","log":"ok"},"status":"ok"}`)
	broker = errors.New("connection refused to amqp://user:secret@host")
	state(200, `{"checks":{"broker":"failing","log":"ok"},"status":"degraded"}`)
	database = errors.New("down")
	state(503, `{"checks":{"broker":"failing","log":"failing"},"status":"unavailable"}`)
	database, broker, draining = nil, nil, true
	state(503, `{"checks":{"broker":"ok","log":"ok"},"status":"draining"}`)
	w.do(request{method: "GET", path: "/livez"}).want(200, "")
}

func TestMetricsCountByOperation(t *testing.T) {
	registry := prometheus.NewRegistry()
	w := newWorld(t, func(o *rest.Options) { o.Registry = registry })
	w.do(request{method: "GET", path: "/livez"}).want(200, "")
	w.do(request{method: "GET", path: "/nothing"}).want(404, "")
	r := httptest.NewRecorder()
	rest.NewAdmin(registry).ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`strata_http_request_duration_seconds_count{operation="livez"} 1`, `strata_http_requests_total{operation="livez",status="2xx"} 1`,
		`strata_http_requests_total{operation="none",status="4xx"} 1`,
	} {
		if !strings.Contains(r.Body.String(), line) {
			t.Errorf("%s is missing", line)
		}
	}
}

func TestPagesAreServed(t *testing.T) {
	w := newWorld(t)
	a := w.do(request{method: "GET", path: "/problems/stale-revision", header: http.Header{"Accept": {"text/html,*/*"}}}).want(200, "")
	if !strings.Contains(string(a.body), "<h1>stale-revision</h1>") || !strings.Contains(string(a.body), "<pre>") {
		t.Errorf("%s", a.body)
	}
	if a := w.do(request{method: "GET", path: "/problems/stale-revision"}).want(200, ""); !strings.HasPrefix(string(a.body), "stale-revision\n") {
		t.Errorf("%s", a.body)
	}
	w.do(request{method: "GET", path: "/problems/nothing"}).want(404, "not-found")
	w.do(request{method: "GET", path: "/v1/schemas/strategy.nothing.v1.json"}).want(404, "not-found")
	for _, name := range eventcodec.Types() {
		w.do(request{method: "GET", path: "/v1/schemas/" + name + ".v1.json"}).want(200, "")
	}
	w.do(request{method: "GET", path: "/v1/schemas/..%2fopenapi.yaml"}).want(404, "not-found")
	if a := w.do(request{method: "GET", path: "/openapi.json"}).want(200, ""); a.str("openapi") != "3.1.0" {
		t.Errorf("openapi %q", a.str("openapi"))
	}
}

func TestSlowHeadersLoseTheConnection(t *testing.T) {
	w := newWorld(t)
	server := rest.NewServer(t.Context(), "", w.handler, w.options.Log)
	server.ReadHeaderTimeout = 50 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
	if err := errors.Join(conn.Close(), server.Close()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// A long poll outlives the deadlines that other requests have.
func TestLongOperationsMoveTheirDeadlines(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples")
	handler, err := rest.New(w.options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config = rest.NewServer(t.Context(), "", handler, w.options.Log)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	defer server.Close()
	head, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/events?after="+decimal(head), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+o.tokens["admin"])
	r.Header.Set("Prefer", "wait=1")
	began := time.Now()
	got, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err := errors.Join(err, got.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if got.StatusCode != http.StatusOK || string(body) != "[]" || time.Since(began) < time.Second {
		t.Errorf("%d %s after %v", got.StatusCode, body, time.Since(began))
	}
}
