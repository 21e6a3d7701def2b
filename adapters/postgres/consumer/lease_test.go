package consumer_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

// holder is the backend that holds a lease in this database, 0 if none.
func holder(t testing.TB, pool *pgxpool.Pool) (pid int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `SELECT coalesce((SELECT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted), 0)`).Scan(&pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestOneReaderPerGroupAndTakeover(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.Admin)
	logfill.Append(t, pool, 50)
	var first, second sink
	a := start(t, log.App, consumer.Group{Name: "all", Handler: first.handle})
	first.await(t, upTo(50))
	b := start(t, log.App, consumer.Group{Name: "all", Handler: second.handle})
	testenv.Eventually(t, patience, "the second stands by", func() error {
		if b.logs.count("standing by") == 0 {
			return fmt.Errorf("log: %s", b.logs)
		}
		return nil
	})
	logfill.Append(t, pool, 50)
	first.await(t, upTo(100))
	if got := second.seen(); len(got) != 0 {
		t.Fatalf("the standby was given %s", ends(got))
	}
	if s := b.Status()[0]; s.Leader || s.LastError != "" || s.Lag != -1 {
		t.Errorf("standby's status: %+v", s)
	}
	if _, err := b.Resume(t.Context(), "all", "x"); err == nil {
		t.Error("a standby resumed a stream")
	}

	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	b.awaitStatus(t, "takeover", func(s consumer.GroupStatus) bool { return s.Leader })
	logfill.Append(t, pool, 50)
	second.await(t, between(101, 150)) // from the cursor on, nothing twice
}

func TestALostLeaseIsTakenAgain(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.Admin)
	var s sink
	c := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle})
	for round := range int64(3) {
		logfill.Append(t, pool, 10)
		s.await(t, upTo(10*(round+1)))
		was := holder(t, pool)
		if was == 0 {
			t.Fatal("nobody holds the lease")
		}
		if _, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend($1)`, was); err != nil {
			t.Fatal(err)
		}
		testenv.Eventually(t, patience, "another connection holds the lease", func() error {
			if now := holder(t, pool); now == 0 || now == was {
				return fmt.Errorf("holder is %d", now)
			}
			return nil
		})
	}
	c.awaitStatus(t, "leading again", func(s consumer.GroupStatus) bool { return s.Leader && s.LastError == "" })
	if n := c.logs.count("lost the lease"); n != 3 {
		t.Errorf("%d losses were logged", n)
	}
}

func TestAllConnectionsCutAreMadeAgain(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.Admin)
	var s sink
	start(t, log.App, consumer.Group{Name: "all", Handler: s.handle})
	// A cursor write that was cut off repeats its batch; nothing may be missing or come before what precedes it.
	await := func(n int64) {
		testenv.Eventually(t, patience, "everything came", func() error {
			var first []int64
			for _, p := range s.seen() {
				if len(first) == 0 || p > first[len(first)-1] {
					first = append(first, p)
				}
			}
			if !slices.Equal(first, upTo(n)) {
				return fmt.Errorf("first occurrences are %v", first)
			}
			return nil
		})
	}
	for round := range int64(5) {
		logfill.Append(t, pool, 10)
		await(10 * (round + 1))
		if _, err := pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'strata %'`); err != nil {
			t.Fatal(err)
		}
	}
	logfill.Append(t, pool, 10)
	await(60)
}
