package postgres_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/eventlog/eventlogtest"
	"strata.dev/strata/tests/testenv"
)

type answer struct {
	receipt eventlog.Receipt
	err     error
}

// inBackground appends and gives the answer later.
func inBackground(t testing.TB, log *postgres.Log, cmd eventlog.Command) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		r, err := log.Append(t.Context(), cmd)
		answers <- answer{r, err}
	}()
	return answers
}

// count is asked again and again: over one connection, given back at once.
func count(t testing.TB, url string) (n int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM events`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, what, func() error {
		if !ok() {
			return errors.New("not yet")
		}
		return nil
	})
}

// The commit happened, its acknowledgement did not arrive.
func TestLostAcknowledgement(t *testing.T) {
	urls := testenv.Log(t)
	network, url := newWire(t, urls.App)
	log := open(t, url, postgres.Options{Logger: quiet})
	cmd := eventlogtest.Command(uuid.New(), "strategy-1", 0, 3)

	network.set(func(w *wire) { w.mute = true })
	answers := inBackground(t, log, cmd)
	eventually(t, "the commit", func() bool { return count(t, urls.Admin) == 3 })
	network.set(func(w *wire) { w.mute = false })
	network.cut()

	got := <-answers
	if got.err != nil || got.receipt.Replayed || got.receipt.FirstPosition != 1 || got.receipt.Position != 3 ||
		len(got.receipt.EventIDs) != 3 || got.receipt.EventIDs[2] != cmd.Events[2].ID || got.receipt.Version != 3 {
		t.Errorf("got %+v, %v; want the receipt of what was recorded", got.receipt, got.err)
	}
	again, err := log.Append(t.Context(), cmd)
	if err != nil || !again.Replayed || !again.RecordedAt.Equal(got.receipt.RecordedAt) {
		t.Errorf("the repetition got %+v, %v", again, err)
	}
	if n := count(t, urls.Admin); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

// The group is somewhere in the network when the connection is lost, and would
// arrive after the caller was told that nothing was written.
func TestLateDelivery(t *testing.T) {
	urls := testenv.Log(t)
	network, url := newWire(t, urls.App)
	log := open(t, url, postgres.Options{Logger: quiet})

	network.set(func(w *wire) { w.delay = true })
	answers := inBackground(t, log, eventlogtest.Command(uuid.New(), "strategy-1", 0, 1))
	for attempt := 1; attempt <= 2; attempt++ { // what certainly was not recorded is sent twice
		eventually(t, fmt.Sprintf("attempt %d", attempt), func() bool { return network.held() == attempt })
		network.cut()
	}
	if got := <-answers; !errors.Is(got.err, eventlog.ErrUnavailable) {
		t.Errorf("got %+v, %v; want ErrUnavailable", got.receipt, got.err)
	}
	network.deliver()
	eventually(t, "the server's reaction", network.settled)
	if n := count(t, urls.Admin); n != 0 {
		t.Errorf("%d events arrived after ErrUnavailable", n)
	}
	if r, err := log.Append(t.Context(), eventlogtest.Command(uuid.New(), "strategy-1", 0, 1)); err != nil || r.Position != 1 {
		t.Errorf("afterwards: %+v, %v", r, err)
	}
}

// The database stays away: unknown remains unknown, and the same key finds out later.
func TestOutcomeUnknown(t *testing.T) {
	urls := testenv.Log(t)
	network, url := newWire(t, urls.App)
	log := open(t, url, postgres.Options{Logger: quiet, ResolveWithin: 200 * time.Millisecond})
	cmd := eventlogtest.Command(uuid.New(), "strategy-1", 0, 1)

	network.set(func(w *wire) { w.mute, w.refuse = true, true })
	answers := inBackground(t, log, cmd)
	eventually(t, "the commit", func() bool { return count(t, urls.Admin) == 1 })
	network.cut()
	if got := <-answers; !errors.Is(got.err, eventlog.ErrOutcomeUnknown) {
		t.Fatalf("got %+v, %v; want ErrOutcomeUnknown", got.receipt, got.err)
	}
	if _, err := log.Append(t.Context(), eventlogtest.Command(uuid.New(), "strategy-2", 0, 1)); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("a command without a database got %v, want ErrUnavailable", err)
	}
	network.set(func(w *wire) { w.mute, w.refuse = false, false })
	var again eventlog.Receipt
	testenv.Eventually(t, 10*time.Second, "recovery", func() (err error) {
		again, err = log.Append(t.Context(), cmd)
		return err
	})
	if !again.Replayed || again.Position != 1 || count(t, urls.Admin) != 1 {
		t.Errorf("the repetition got %+v", again)
	}
}

// A connection that broke while nothing was asked of it is nobody's problem.
func TestIdleConnectionLost(t *testing.T) {
	network, url := newWire(t, testenv.Log(t).App)
	log := open(t, url, postgres.Options{Logger: quiet})
	for n := range int64(5) {
		if r, err := log.Append(t.Context(), eventlogtest.Command(uuid.New(), fmt.Sprintf("strategy-%d", n), 0, 1)); err != nil || r.Position != n+1 || r.Replayed {
			t.Fatalf("append %d: %+v, %v", n, r, err)
		}
		network.cut()
	}
}

// A server that crashes and comes back: what was acknowledged is there, and appends go on by themselves.
func TestServerCrash(t *testing.T) {
	server := testenv.StartPostgres(t)
	urls := ownLog(t, server)
	log := open(t, urls.App, postgres.Options{Logger: quiet, ResolveWithin: 500 * time.Millisecond})
	organization := uuid.New()
	for n := range int64(10) {
		if _, err := log.Append(t.Context(), eventlogtest.Command(organization, "strategy-1", n, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	_, err := log.Append(t.Context(), eventlogtest.Command(organization, "strategy-1", 10, 1))
	if !errors.Is(err, eventlog.ErrUnavailable) && !errors.Is(err, eventlog.ErrOutcomeUnknown) {
		t.Errorf("without a server: %v", err)
	}
	if _, err := log.Head(t.Context()); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("head without a server: %v, want ErrUnavailable", err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 10*time.Second, "recovery", func() error {
		_, err := log.Append(t.Context(), eventlogtest.Command(organization, "strategy-1", 10, 1))
		return err
	})
	eventlogtest.CheckOrder(t, readAll(t, log))
	if n := count(t, urls.Admin); n != 11 {
		t.Errorf("%d events, want 11", n)
	}
}
