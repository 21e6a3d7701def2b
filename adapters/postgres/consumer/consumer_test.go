package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

const patience = 15 * time.Second

// sink is a handler that remembers what it was given.
type sink struct {
	mu        sync.Mutex
	positions []int64
	before    func(ctx context.Context, events []eventlog.Event) error // may refuse a batch
}

func (s *sink) handle(ctx context.Context, events []eventlog.Event) error {
	if s.before != nil {
		if err := s.before(ctx, events); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		s.positions = append(s.positions, e.Position)
	}
	return nil
}

func (s *sink) seen() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.positions)
}

func (s *sink) await(t testing.TB, want []int64) {
	t.Helper()
	testenv.Eventually(t, patience, "the handler saw its events", func() error {
		if got := s.seen(); !slices.Equal(got, want) {
			return fmt.Errorf("saw %d events, %s; want %d", len(got), ends(got), len(want))
		}
		return nil
	})
}

func ends(p []int64) string {
	if len(p) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d to %d", p[0], p[len(p)-1])
}

func upTo(n int64) []int64 { return between(1, n) }

func between(from, to int64) (p []int64) {
	for i := from; i <= to; i++ {
		p = append(p, i)
	}
	return p
}

// started is a running set of consumers.
type started struct {
	*consumer.Consumers
	stop func() error // ends Run and gives its error; runs by itself at the end of the test
	logs *logs
}

func start(t testing.TB, url string, groups ...consumer.Group) *started {
	t.Helper()
	l := &logs{}
	c, err := consumer.New(url, groups, consumer.Options{Logger: slog.New(slog.NewTextHandler(l, nil)), Standby: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	s := &started{Consumers: c, logs: l, stop: sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("Run does not end")
		}
	})}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", l)
		}
	})
	return s
}

func (s *started) awaitStatus(t testing.TB, what string, ok func(consumer.GroupStatus) bool) consumer.GroupStatus {
	t.Helper()
	var last consumer.GroupStatus
	testenv.Eventually(t, patience, what, func() error {
		if last = s.Status()[0]; !ok(last) {
			return fmt.Errorf("status is %+v", last)
		}
		return nil
	})
	return last
}

type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) count(part string) int { return strings.Count(l.String(), part) }

func cursor(t testing.TB, pool *pgxpool.Pool, group string) (at int64) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `SELECT position FROM cursors WHERE consumer_group = $1`, group).Scan(&at); err != nil {
		t.Fatal(err)
	}
	return at
}

func TestEveryEventOnceAndInOrder(t *testing.T) {
	defer goleak.VerifyNone(t, append(testenv.LeakOptions(), goleak.IgnoreCurrent())...)
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 2500)

	var s sink
	s.before = func(_ context.Context, events []eventlog.Event) error {
		e := events[0]
		want := eventlog.Event{
			Position: e.Position, OrganizationSequence: e.Position, Version: (e.Position-1)/logfill.Streams + 1,
			OrganizationID: logfill.Organization, StreamID: logfill.Stream(e.Position), ID: logfill.ID(e.Position),
			Type: "strategy.goal-added", SchemaVersion: 1, RecordedAt: e.RecordedAt, Metadata: e.Metadata,
			Data: fmt.Appendf(nil, `{"n":"%d","text":"%s"}`, e.Position, strings.Repeat("x", 500)),
		}
		if diff := cmp.Diff(want, e); diff != "" || e.RecordedAt.Location() != time.UTC || time.Since(e.RecordedAt) > time.Hour {
			t.Errorf("event differs (recorded %s): %s", e.RecordedAt, diff)
		}
		return nil
	}
	c := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle, BatchRows: 300})
	s.await(t, upTo(2500))

	// From here on only the notification wakes the group; the poll is a minute away for what is asked.
	for range 20 {
		logfill.Append(t, pool, 3)
	}
	s.await(t, upTo(2560))
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	if at := cursor(t, pool, "all"); at != 2560 {
		t.Errorf("cursor is at %d", at)
	}
	pool.Close()
}

func TestLargeEventsEndABatchEarly(t *testing.T) {
	log := testenv.Log(t)
	logfill.Append(t, testenv.Pool(t, log.App), 400)
	var s sink
	var largest atomic.Int64
	s.before = func(_ context.Context, events []eventlog.Event) error {
		largest.Store(max(largest.Load(), int64(len(events))))
		return nil
	}
	start(t, log.App, consumer.Group{Name: "all", Handler: s.handle, BatchBytes: 10_000})
	s.await(t, upTo(400))
	if n := largest.Load(); n < 5 || n > 20 { // about 800 bytes each
		t.Errorf("largest batch had %d events", n)
	}
}

func TestNothingIsHeldWhileAHandlerWorks(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.Admin)
	logfill.Append(t, pool, 10)
	working, release := make(chan struct{}), make(chan struct{})
	var s sink
	var once sync.Once
	s.before = func(context.Context, []eventlog.Event) error {
		once.Do(func() { close(working) })
		<-release
		return nil
	}
	start(t, log.App, consumer.Group{Name: "all", Handler: s.handle})
	<-working
	defer s.await(t, upTo(10))
	defer close(release)

	held, err := logfill.Held(t.Context(), pool)
	if err != nil || len(held) != 0 {
		t.Errorf("held: %v, %v", held, err)
	}
}

func TestAGapStopsTheGroupVisibly(t *testing.T) {
	log := testenv.Log(t)
	admin := testenv.Pool(t, log.Admin)
	logfill.Append(t, admin, 100)
	if _, err := admin.Exec(t.Context(), `ALTER TABLE events DISABLE TRIGGER events_append_only`); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), `DELETE FROM events WHERE position = 51`); err != nil {
		t.Fatal(err)
	}
	var s sink
	c := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle, BatchRows: 50})
	s.await(t, upTo(50))
	status := c.awaitStatus(t, "the gap shows", func(s consumer.GroupStatus) bool { return strings.Contains(s.LastError, "gap in the log") })
	if !strings.Contains(status.LastError, "position 51 should come next, 52 came") {
		t.Error(status.LastError)
	}
	if got := s.seen(); len(got) != 50 {
		t.Errorf("events behind the gap were handed over: %s", ends(got))
	}
}

func TestACursorBehindTheEndOfTheLogStopsTheGroup(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 5)
	if _, err := pool.Exec(t.Context(), `INSERT INTO cursors (consumer_group, position) VALUES ('all', 9)`); err != nil {
		t.Fatal(err)
	}
	var s sink
	c := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle})
	c.awaitStatus(t, "the cursor is refused", func(s consumer.GroupStatus) bool {
		return strings.Contains(s.LastError, "all is at position 9 of epoch 1; the log ends at position 5 of epoch 1")
	})
	logfill.Append(t, pool, 3)
	if got := s.seen(); len(got) != 0 {
		t.Errorf("handed over %v", got)
	}
}

func TestPassingFailuresAreTriedAgainAndToldOnce(t *testing.T) {
	log := testenv.Log(t)
	logfill.Append(t, testenv.Pool(t, log.App), 20)
	var s sink
	var attempts atomic.Int32
	s.before = func(context.Context, []eventlog.Event) error {
		if attempts.Add(1) <= 4 {
			return errors.New("the weather")
		}
		return nil
	}
	c := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle})
	c.awaitStatus(t, "the failure shows", func(s consumer.GroupStatus) bool { return s.LastError == "the weather" })
	s.await(t, upTo(20))
	c.awaitStatus(t, "the failure is over", func(s consumer.GroupStatus) bool { return s.LastError == "" && s.Position == 20 && s.Lag == 0 })
	if failed, ok := c.logs.count("cannot go on"), c.logs.count("goes on"); failed != 1 || ok != 1 {
		t.Errorf("%d lines for the failure and %d for its end:\n%s", failed, ok, c.logs)
	}
}

func TestAHandlerIsNeverStartedBesideItself(t *testing.T) {
	log := testenv.Log(t)
	logfill.Append(t, testenv.Pool(t, log.App), 3)
	var s sink
	var running, overlaps, overran atomic.Int32
	s.before = func(ctx context.Context, _ []eventlog.Event) error {
		if running.Add(1) > 1 {
			overlaps.Add(1)
		}
		defer running.Add(-1)
		<-ctx.Done() // the context does end in time …
		late := time.NewTimer(100 * time.Millisecond)
		defer late.Stop()
		<-late.C // … but this handler does not care
		if overran.Add(1) < 3 {
			return ctx.Err()
		}
		return nil
	}
	c := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle, HandlerTimeout: 50 * time.Millisecond})
	s.await(t, upTo(3))
	if n := overlaps.Load(); n != 0 {
		t.Errorf("%d overlaps", n)
	}
	c.awaitStatus(t, "the group is well", func(s consumer.GroupStatus) bool { return s.LastError == "" })
}

func TestAStopFinishesTheBatchInFlight(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 100)
	working, release := make(chan struct{}), make(chan struct{})
	var s sink
	var once sync.Once
	s.before = func(ctx context.Context, _ []eventlog.Event) error {
		once.Do(func() { close(working) })
		<-release
		return ctx.Err() // a drain does not end the context
	}
	first := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle, BatchRows: 40})
	<-working
	stopped := make(chan error, 1)
	go func() { stopped <- first.stop() }()
	close(release)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	at := cursor(t, pool, "all")
	if got := int64(len(s.seen())); at == 0 || at != got {
		t.Errorf("%d events were taken, the cursor is at %d", got, at)
	}
	start(t, log.App, consumer.Group{Name: "all", Handler: s.handle})
	s.await(t, upTo(100)) // none twice
}

// TestAStopWhileStartingIsAStop ends consumers before they are up. A router
// that is closed before it runs waits for its handlers in vain.
func TestAStopWhileStartingIsAStop(t *testing.T) {
	log, s := testenv.Log(t), &sink{}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 50 {
		c, err := consumer.New(log.App, []consumer.Group{{Name: "all", Handler: s.handle}}, consumer.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(ended); err != nil {
			t.Fatalf("stop %d: %v", i, err)
		}
	}
}

func TestRunSaysThatADrainWasNotComplete(t *testing.T) {
	log := testenv.Log(t)
	logfill.Append(t, testenv.Pool(t, log.App), 1)
	working := make(chan struct{})
	var once sync.Once
	c, err := consumer.New(log.App, []consumer.Group{{Name: "all", Handler: func(ctx context.Context, _ []eventlog.Event) error {
		once.Do(func() { close(working) })
		<-ctx.Done()
		return ctx.Err()
	}}}, consumer.Options{DrainTimeout: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	<-working
	cancel()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "did not finish its batch") {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run hangs")
	}
}

func TestWithoutGroupsThereIsStillTheListOfParkedStreams(t *testing.T) {
	defer goleak.VerifyNone(t, append(testenv.LeakOptions(), goleak.IgnoreCurrent())...)
	c, err := consumer.New(testenv.Log(t).App, nil, consumer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if parked, err := c.Parked(t.Context()); err != nil || len(parked) != 0 {
		t.Errorf("%v, %v", parked, err)
	}
}

func TestGroupsAreChecked(t *testing.T) {
	handler := func(context.Context, []eventlog.Event) error { return nil }
	for name, groups := range map[string][]consumer.Group{
		"no name":         {{Handler: handler}},
		"nothing to do":   {{Name: "a"}},
		"twice":           {{Name: "a", Handler: handler}, {Name: "a", Handler: handler}},
		"both":            {{Name: "a", Handler: handler, Relay: &consumer.Relay{}}},
		"empty relay":     {{Name: "a", Relay: &consumer.Relay{}}},
		"negative":        {{Name: "a", Handler: handler, BatchRows: -1}},
		"park, no cursor": {{Name: "a", Handler: handler, Park: func(context.Context, eventlog.Event, string) error { return nil }}},
	} {
		if _, err := consumer.New("postgres://localhost/x", groups, consumer.Options{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := consumer.New("postgres://[", []consumer.Group{{Name: "a", Handler: handler}}, consumer.Options{}); err == nil {
		t.Error("a broken URL was accepted")
	}
}
