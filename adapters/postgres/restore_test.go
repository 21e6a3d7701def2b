package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/eventlog/eventlogtest"
	"strata.dev/strata/migrations"
	"strata.dev/strata/tests/testenv"
)

// ownLog makes the log database on a server of the test's own.
func ownLog(t *testing.T, server *embedded.Postgres) testenv.LogURLs {
	t.Helper()
	createDatabase(t, server, "strata_log")
	if err := testenv.Migrate(t.Context(), migrations.Log, server.URL("strata_log")); err != nil {
		t.Fatal(err)
	}
	return testenv.LogURLs{Admin: server.URL("strata_log"), App: asLog(t, server.URL("strata_log"))}
}

func createDatabase(t *testing.T, server *embedded.Postgres, name string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func asLog(t *testing.T, admin string) string {
	t.Helper()
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("strata_log", "strata-test")
	return u.String()
}

// A transaction that writes and stays open, in this database or in another one
// of the cluster, hides nothing and stops nobody.
func TestOpenTransactionStallsNothing(t *testing.T) {
	urls := testenv.Log(t)
	leaveOpen(t, urls.Admin, testenv.Log(t).Admin)
	log := open(t, urls.App, postgres.Options{})
	var lags []time.Duration
	for n := range int64(100) {
		r, err := log.Append(t.Context(), eventlogtest.Command(uuid.New(), "strategy-1-"+uuid.NewString(), 0, 2))
		if err != nil {
			t.Fatal(err)
		}
		acknowledged := time.Now()
		// Not "soon": what is acknowledged is there for the first reader who asks.
		if page, err := log.Read(t.Context(), 2*n, 10); err != nil || len(page) != 2 || page[1].Position != r.Position {
			t.Fatalf("right after position %d was acknowledged a reader gets %d events, %v", r.Position, len(page), err)
		}
		lags = append(lags, time.Since(acknowledged))
	}
	slices.Sort(lags)
	if median := lags[len(lags)/2]; median > 50*time.Millisecond {
		t.Errorf("from acknowledged to read: %s, want at most 50 ms", median)
	}
}

// The race with such transactions left open all the time.
func TestRaceBesideOpenTransactions(t *testing.T) {
	urls := testenv.Log(t)
	leaveOpen(t, urls.Admin, testenv.Log(t).Admin)
	r := &race{urls: urls, writers: 64, events: 20_000, kill: true, logs: []*postgres.Log{
		open(t, urls.App, postgres.Options{Logger: quiet}), open(t, urls.App, postgres.Options{Logger: quiet}),
	}}
	r.check(t, r.run(t))
}

// leaveOpen starts a transaction in each database, which writes and does not end before the test.
func leaveOpen(t *testing.T, urls ...string) {
	t.Helper()
	for _, url := range urls {
		tx, err := testenv.Pool(t, url).Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := tx.Rollback(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
		for _, sql := range []string{
			`SET LOCAL idle_in_transaction_session_timeout = 0`, // the server's own setting would end it
			`INSERT INTO cursors (consumer_group, position) VALUES ('open', 0)`,
		} {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A log that is dumped and restored into a new cluster, whose transaction ids
// and clock know nothing of it, goes on where it was.
func TestRestoreIntoNewCluster(t *testing.T) {
	old, fresh := testenv.StartPostgres(t), testenv.StartPostgres(t)
	urls := ownLog(t, old)
	r := &race{urls: urls, writers: 64, events: 10_000, logs: []*postgres.Log{open(t, urls.App, postgres.Options{})}}
	r.check(t, r.run(t))
	want := readAll(t, r.logs[0])
	if _, err := testenv.Pool(t, urls.App).Exec(t.Context(), `INSERT INTO cursors (consumer_group, position) VALUES ('relay', 7000)`); err != nil {
		t.Fatal(err)
	}

	// A restore needs the roles; the privileges on the database as a whole come from Up, afterwards.
	createDatabase(t, fresh, "roles")
	if err := testenv.Migrate(t.Context(), migrations.Log, fresh.URL("roles")); err != nil {
		t.Fatal(err)
	}
	createDatabase(t, fresh, "restored")
	dump := run(t, old.Bin("pg_dump"), nil, "--dbname", old.URL("strata_log"))
	run(t, fresh.Bin("psql"), dump, "--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "--dbname", fresh.URL("restored"))
	if err := testenv.Migrate(t.Context(), migrations.Log, fresh.URL("restored")); err != nil {
		t.Fatal(err)
	}

	restored := testenv.LogURLs{Admin: fresh.URL("restored"), App: asLog(t, fresh.URL("restored"))}
	log := open(t, restored.App, postgres.Options{})
	got := readAll(t, log)
	if !slices.EqualFunc(got, want, sameEvent) {
		t.Fatalf("%d events after the restore, %d before, or not the same ones", len(got), len(want))
	}
	// A reader goes on from its cursor through the rest and what comes after.
	var cursor int64
	if err := testenv.Pool(t, restored.App).QueryRow(t.Context(), `SELECT position FROM cursors WHERE consumer_group = 'relay'`).Scan(&cursor); err != nil || cursor != 7000 {
		t.Fatalf("cursor %d, %v", cursor, err)
	}
	last := want[len(want)-1]
	next, err := log.Append(t.Context(), eventlogtest.Command(last.OrganizationID, last.StreamID, versionOf(t, log, last.StreamID), 3))
	if err != nil || next.FirstPosition != last.Position+1 {
		t.Fatalf("the next append got %+v, %v; want position %d", next, err, last.Position+1)
	}
	rest, err := log.Read(t.Context(), cursor, len(want))
	if err != nil || int64(len(rest)) != next.Position-cursor || rest[0].Position != cursor+1 {
		t.Errorf("%d events after the cursor, %v; want %d", len(rest), err, next.Position-cursor)
	}
	eventlogtest.CheckOrder(t, readAll(t, log))
	checkSQL(t, restored.Admin)
	skipNothing(t, restored.App, map[string]int64{"relay": cursor, "new": 0}, next.Position)
	for id, a := range r.accepted { // keys are still known
		if again, err := log.Append(t.Context(), a.cmd); err != nil || !again.Replayed || again.Position != a.receipt.Position {
			t.Fatalf("command %s repeated after the restore: %+v, %v", id, again, err)
		}
		break
	}
}

// skipNothing runs consumer groups on a restored log: each gets everything behind
// its cursor, in order, the one that has none from the beginning.
func skipNothing(t *testing.T, url string, cursors map[string]int64, head int64) {
	t.Helper()
	var mu sync.Mutex
	var groups []consumer.Group
	got := map[string]int64{} // the last position that came, everything before it having come
	for name, at := range cursors {
		got[name] = at
		groups = append(groups, consumer.Group{Name: name, Handler: func(_ context.Context, events []eventlog.Event) error {
			mu.Lock()
			defer mu.Unlock()
			for _, e := range events {
				if e.Position > got[name]+1 {
					return fmt.Errorf("position %d came after %d", e.Position, got[name])
				}
				got[name] = max(got[name], e.Position)
			}
			return nil
		}})
	}
	all, err := consumer.New(url, groups, consumer.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- all.Run(ctx) }()
	testenv.Eventually(t, 30*time.Second, "every group has everything", func() error {
		mu.Lock()
		defer mu.Unlock()
		for name, at := range got {
			if at != head {
				return fmt.Errorf("%s is at position %d of %d: %+v", name, at, head, all.Status())
			}
		}
		return nil
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func versionOf(t *testing.T, log *postgres.Log, stream string) (version int64) {
	t.Helper()
	for _, e := range readAll(t, log) {
		if e.StreamID == stream {
			version = e.Version
		}
	}
	return version
}

func run(t *testing.T, program string, in []byte, args ...string) []byte {
	t.Helper()
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, problems.String())
	}
	return out.Bytes()
}
