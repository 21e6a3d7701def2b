package readdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/projection"
	"strata.dev/strata/app/query"
	"strata.dev/strata/tests/testenv"
)

// A rebuild dies at each of its steps, by an error and by the loss of its
// connections. The live model is untouched or complete, the next rebuild works,
// and no copy is left behind.
func TestRebuildDiesAnywhere(t *testing.T) {
	steps := []string{"created", "before-write", "written", "finished", "caught-up", "before-checkpoint", "before-commit", "after-commit", "before-switch", "switched"}
	byError := []string{"created", "written", "before-switch", "switched"} // the others take the same way back
	f := setup(t, Options{})
	for _, step := range steps {
		for _, how := range []string{"error", "connection"} {
			if how == "error" && !slices.Contains(byError, step) {
				continue
			}
			t.Run(step+" by "+how, func(t *testing.T) {
				f.fill(30)
				if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
					t.Fatal(err)
				}
				nth := 1
				if step == "before-write" || step == "written" {
					nth = 2 // with a part of the copy there already
				}
				die := f.dieAt(t, step, nth, how)
				more := false
				victim := f.openAs(t, "victim", Options{RebuildBatch: 9, RebuildRows: 3, Step: func(ctx context.Context, name string) error {
					if name == "finished" {
						f.fill(10) // something to catch up with
						if err := bring(ctx, f.projection, f.log, 10); err != nil {
							return err
						}
					}
					if name == "caught-up" && !more {
						more = true // and something more for the switch
						f.fill(10)
						if err := bring(ctx, f.projection, f.log, 10); err != nil {
							return err
						}
					}
					return die(ctx, name)
				}})
				err := victim.Rebuild(t.Context(), f.log, nil)
				done := step == "switched" && how == "connection" // nothing was left to do
				if err == nil && !done || how == "error" && !errors.Is(err, errKilled) {
					t.Fatalf("the rebuild did not die: %v", err)
				}
				f.fill(5)
				if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
					t.Fatal(err)
				}
				head, err := f.log.Head(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				f.check(t, head)
				live := f.digest(t)
				if err := f.projection.Rebuild(t.Context(), f.log, nil); err != nil {
					t.Fatal(err)
				}
				f.check(t, head)
				if rebuilt := f.digest(t); rebuilt != live {
					t.Errorf("rebuilt %+v, live %+v", rebuilt, live)
				}
				s, err := f.projection.Status(t.Context())
				if err != nil || s.Building != nil || s.State() != projection.Live {
					t.Errorf("status %+v, %v: want a live copy and no other", s, err)
				}
			})
		}
	}
}

func (f *fixture) digest(t *testing.T) projection.Digest {
	t.Helper()
	d, err := f.projection.Digest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// While one rebuild runs, another is refused, and batches go on.
func TestRebuildIsOneAtATime(t *testing.T) {
	f := setup(t, Options{})
	f.fill(20)
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := f.open(t, Options{Step: func(_ context.Context, name string) error {
		if name == "created" {
			close(entered)
			<-leave
		}
		return nil
	}})
	done := make(chan error, 1)
	go func() { done <- slow.Rebuild(t.Context(), f.log, nil) }()
	<-entered
	if err := f.projection.Rebuild(t.Context(), f.log, nil); !errors.Is(err, projection.ErrRebuilding) {
		t.Errorf("a second rebuild: %v, want ErrRebuilding", err)
	}
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	s, err := f.projection.Status(t.Context())
	if err != nil || s.State() != projection.Building || s.Generation.Position != 20 || s.Lag(21) != 1 {
		t.Errorf("status %+v, %v: want a copy being built beside the live one at 20", s, err)
	}
	if err := f.projection.Sweep(t.Context()); err != nil { // must leave the copy alone
		t.Error(err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f.check(t, 20)
	if err := f.projection.Rebuild(t.Context(), f.log, nil); err != nil {
		t.Errorf("a rebuild after the other: %v", err)
	}
}

// Sweep drops an unfinished copy and a replaced one, but none that a reader may be in.
func TestSweep(t *testing.T) {
	f := setup(t, Options{})
	f.fill(5)
	if err := f.projection.Rebuild(t.Context(), f.log, nil); err != nil {
		t.Fatal(err)
	}
	dying := f.open(t, Options{Step: f.dieAt(t, "created", 1, "error")})
	if err := dying.Rebuild(t.Context(), f.log, nil); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	admin := testenv.Pool(t, f.urls.Admin)
	schemas := func() (names []string) {
		t.Helper()
		if err := f.projection.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := admin.QueryRow(t.Context(), `SELECT array_agg(nspname ORDER BY nspname) FROM pg_namespace WHERE nspname LIKE 'plans_g%'`).Scan(&names)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if got := schemas(); !slices.Equal(got, []string{"plans_g1", "plans_g2"}) {
		t.Errorf("right after the switch there are %v, want the old and the new copy", got)
	}
	if _, err := admin.Exec(t.Context(), `UPDATE generations SET switched_at = switched_at - interval '2 minutes'`); err != nil {
		t.Fatal(err)
	}
	if got := schemas(); !slices.Equal(got, []string{"plans_g2"}) {
		t.Errorf("later there are %v, want the new copy", got)
	}
	f.check(t, 5)
}

func TestRebuildTellsItsProgress(t *testing.T) {
	f := setup(t, Options{RebuildBatch: 10})
	f.fill(95)
	var phases []string
	last := projection.Progress{}
	err := f.projection.Rebuild(t.Context(), f.log, func(p projection.Progress) {
		if p.Phase != last.Phase {
			phases = append(phases, p.Phase)
		}
		if p.Done < last.Done && p.Phase == last.Phase || p.Done > p.Total {
			t.Errorf("progress %+v after %+v", p, last)
		}
		last = p
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(phases); got != "[load index catch-up switch done]" || last.Done != 95 || last.Total != 95 {
		t.Errorf("phases %s to %+v, want all of them to 95", got, last)
	}
}

// Readers see a whole model at every moment, while batches are applied and
// rebuilds switch: the sum of all they see is that of the positions up to the
// one the answer names.
func TestReadersSeeAWholeModel(t *testing.T) {
	f := setup(t, Options{})
	org := f.orgs[0]
	for range 50 {
		f.log.Append(org, "stream-"+fmt.Sprint(f.log.Now().Second()%7), nobody, counted, 1, []byte("{}"))
	}
	if err := bring(t.Context(), f.projection, f.log, 1000); err != nil {
		t.Fatal(err)
	}
	r := f.reader(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stop := make(chan struct{})
	results := make(chan error, 3)
	for range 2 {
		go func() { results <- readUntil(ctx, r, query.Read{OrganizationID: org}, stop) }()
	}
	go func() {
		for {
			select {
			case <-stop:
				results <- nil
				return
			default:
			}
			f.log.Append(org, "stream-1", nobody, counted, 1, []byte("{}"))
			if err := bring(ctx, f.projection, f.log, 1000); err != nil {
				results <- err
				return
			}
		}
	}()
	other := f.open(t, Options{RebuildBatch: 20})
	for range 4 {
		if err := other.Rebuild(ctx, f.log, nil); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func readUntil(ctx context.Context, r *Reader, ask query.Read, stop <-chan struct{}) error {
	reads := 0
	for last := int64(0); ; reads++ {
		select {
		case <-stop:
			if reads < 10 {
				return fmt.Errorf("only %d reads", reads)
			}
			return nil
		default:
		}
		err := r.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, position int64) error {
			var sum int64
			if err := tx.QueryRow(ctx, `SELECT coalesce(sum(last), 0) FROM indicator_authors`).Scan(&sum); err != nil {
				return err
			}
			if want := position * (position + 1) / 2; sum != want || position < last {
				return fmt.Errorf("at position %d (after %d) the sum is %d, want %d", position, last, sum, want)
			}
			last = position
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// A batch that waits for the row of the live generation while a rebuild takes
// its place goes into the new one.
func TestApplyWaitsForTheSwitch(t *testing.T) {
	f := setup(t, Options{})
	f.fill(10)
	events, err := f.log.Read(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	rebuilding := f.open(t, Options{Step: func(_ context.Context, name string) error {
		if name == "before-switch" {
			close(entered)
			<-leave
		}
		return nil
	}})
	done := make(chan error, 2)
	go func() { done <- rebuilding.Rebuild(t.Context(), f.log, nil) }()
	<-entered
	f.fill(3)
	more, err := f.log.Read(t.Context(), 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- f.projection.Apply(t.Context(), append(events[5:], more...)) }()
	f.awaitLock(t)
	close(leave)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	f.check(t, 13)
}
