package plansdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/tests/testenv"
)

// counting counts how often the events of an organization are read from the start.
type counting struct {
	logPast
	mu     sync.Mutex
	starts int
}

func (c *counting) Everything(ctx context.Context, r query.Read, after int64, limit int) ([]eventlog.Event, error) {
	if after == 0 && limit > 1 {
		c.mu.Lock()
		c.starts++
		c.mu.Unlock()
	}
	return c.logPast.Everything(ctx, r, after, limit)
}

// recallFixture is a database with two organizations of some history.
func recallFixture(t *testing.T, o Options) (f *fixture, past *counting, mine, theirs *readdbtest.World) {
	t.Helper()
	f = setup(t, o)
	past = &counting{logPast: logPast{log: f.log}}
	f.reader.LookBackIn(past)
	mine, theirs = readdbtest.NewWorld(f.log, seeded(31)), readdbtest.NewWorld(f.log, seeded(32))
	for range 120 {
		mine.Step()
		theirs.Step()
	}
	f.catchUp(t, 500)
	return f, past, mine, theirs
}

// positions of an organization's own events: the n-th part of them.
func (f *fixture) at(t *testing.T, w *readdbtest.World, nth, of int) int64 {
	t.Helper()
	events, err := f.log.Read(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	var own []int64
	for _, e := range events {
		if e.OrganizationID == w.ID {
			own = append(own, e.Position)
		}
	}
	return own[len(own)*nth/of]
}

func (f *fixture) copies(t *testing.T) (names []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.urls.Projector)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), `SELECT schema_name FROM recalled ORDER BY used_at DESC`)
	if err != nil {
		t.Fatal(err)
	}
	if names, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	return names
}

func (f *fixture) connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// All who ask for one moment share one copy; it is of one organization, nobody
// else reads it, and nobody writes to it.
func TestRecalledCopyIsSharedAndOwned(t *testing.T) {
	f, past, mine, theirs := recallFixture(t, Options{})
	ask := as(mine)
	ask.AsOf.Position = f.at(t, mine, 1, 2)
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			_, err := f.reader.Members(t.Context(), ask, query.Paging{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	names := f.copies(t)
	if past.starts != 1 || len(names) != 1 {
		t.Fatalf("%d copies, made in %d attempts; want one", len(names), past.starts)
	}
	for role, url := range map[string]string{"reader": f.urls.Reader, "projector": f.urls.Projector} {
		conn := f.connect(t, url)
		count := func(organization uuid.UUID) (n int, err error) {
			tx, err := conn.Begin(t.Context())
			if err != nil {
				return 0, err
			}
			defer func() { _ = tx.Rollback(context.Background()) }()
			if _, err := tx.Exec(t.Context(), `SELECT set_config('strata.organization_id', $1, true)`, organization.String()); err != nil {
				return 0, err
			}
			err = tx.QueryRow(t.Context(), `SELECT count(*) FROM `+names[0]+`.members`).Scan(&n)
			return n, err
		}
		own, err := count(mine.ID)
		other, err2 := count(theirs.ID)
		if role == "reader" && (err != nil || err2 != nil || own == 0 || other != 0) {
			t.Errorf("the reader sees %d rows as the organization (%v), %d as another one (%v)", own, err, other, err2)
		}
		if role == "projector" && (err == nil || err2 == nil) {
			t.Error("the projector can still look into a copy that is done")
		}
		for _, sql := range []string{
			`UPDATE ` + names[0] + `.members SET kind = 'x'`, `DELETE FROM ` + names[0] + `.members`, `INSERT INTO recalled SELECT * FROM recalled`,
			`SELECT finish_recalled('` + names[0] + `', gen_random_uuid(), gen_random_uuid(), 1, 1, 1)`, `SELECT finish_recalled('plans_g1', gen_random_uuid(), gen_random_uuid(), 1, 1, 1)`,
		} {
			if _, err := conn.Exec(t.Context(), sql); err == nil {
				t.Errorf("the %s may: %s", role, sql)
			}
		}
	}
	// Asked for by another organization, the same moment is another copy, with nothing of this one.
	foreign := as(theirs)
	foreign.AsOf = ask.AsOf
	page, err := f.reader.Strategies(t.Context(), foreign, query.StrategyFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range page.Items {
		for _, m := range mine.Strategies {
			if s.ID == m.ID.String() {
				t.Errorf("another organization is shown strategy %s", s.ID)
			}
		}
	}
}

// A few copies are kept, those that were asked for last; what was dropped is made
// again, and all are dropped at start.
func TestRecalledCopiesAreFewAndDisposable(t *testing.T) {
	f, past, w, _ := recallFixture(t, Options{})
	members := func(nth int) query.Page[query.Member] {
		ask := as(w)
		ask.AsOf.Position = f.at(t, w, nth, 10)
		page, err := f.reader.Members(t.Context(), ask, query.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	first := members(1)
	for n := 2; n <= 8; n++ {
		members(n)
		members(1) // stays
	}
	testenv.Eventually(t, time.Minute, "no more than four copies", func() error {
		if names := f.copies(t); len(names) > 4 {
			return fmt.Errorf("there are %v", names)
		}
		return nil
	})
	made := past.starts
	members(1)
	if past.starts != made {
		t.Error("the copy that was asked for again and again was dropped")
	}
	if err := f.projection.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := f.copies(t); len(left) > 0 {
		t.Errorf("%v are left at start", left)
	}
	equal(t, "made again", first, members(1))
	conn := f.connect(t, f.urls.Reader)
	var schemas int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'plans\_r%'`).Scan(&schemas); err != nil || schemas != 1 {
		t.Errorf("%d schemas, %v; want that of one copy", schemas, err)
	}
}

// Whoever dies while making a copy leaves nothing, and the next one makes it.
func TestRecallThatDiesLeavesNothing(t *testing.T) {
	died := errors.New("died")
	var at string
	f, _, w, _ := recallFixture(t, Options{Step: func(_ context.Context, name string) error {
		if name == at {
			return died
		}
		return nil
	}})
	ask := as(w)
	ask.AsOf.Position = f.at(t, w, 1, 2)
	for _, step := range []string{"recall-created", "recall-filled"} {
		at = step
		if _, err := f.reader.Members(t.Context(), ask, query.Paging{}); !errors.Is(err, query.ErrUnavailable) {
			t.Errorf("%s: %v, want unavailable", step, err)
		}
		var schemas int
		err := f.connect(t, f.urls.Reader).QueryRow(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'plans\_r%'`).Scan(&schemas)
		if err != nil || schemas > 0 || len(f.copies(t)) > 0 {
			t.Errorf("%s: %d schemas and copies %v are left, %v", step, schemas, f.copies(t), err)
		}
	}
	at = ""
	if _, err := f.reader.Members(t.Context(), ask, query.Paging{}); err != nil {
		t.Error(err)
	}
}

// What cannot be applied is said, not left out.
func TestRecallRefusesWhatItCannotApply(t *testing.T) {
	f, past, w, _ := recallFixture(t, Options{})
	ask := as(w)
	ask.AsOf.Position = f.at(t, w, 1, 2)
	f.reader.LookBackIn(strange{past})
	if _, err := f.reader.Members(t.Context(), ask, query.Paging{}); !errors.Is(err, query.ErrIncomplete) {
		t.Errorf("%v, want projection-incomplete", err)
	}
	if len(f.copies(t)) > 0 {
		t.Error("a copy without the event is there")
	}
}

// strange is a past with an event of a type that is not known.
type strange struct{ *counting }

func (s strange) Everything(ctx context.Context, r query.Read, after int64, limit int) ([]eventlog.Event, error) {
	events, err := s.counting.Everything(ctx, r, after, limit)
	for i := range events {
		if strings.HasPrefix(events[i].StreamID, "strategy-") {
			events[i].Type = "strategy.unheard-of"
		}
	}
	return events, err
}
