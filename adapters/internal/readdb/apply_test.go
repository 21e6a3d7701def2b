package readdb

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/projection"
	"strata.dev/strata/tests/testenv"
)

func (f *fixture) check(t *testing.T, position int64, without ...string) {
	t.Helper()
	at, got := f.got(t)
	want := f.want(t, position, without...)
	if at != position || !maps.Equal(got, want) {
		t.Fatalf("at position %d the model is %v, want %v at %d", at, got, want, position)
	}
}

func TestApplyAgainChangesNothing(t *testing.T) {
	f := setup(t, Options{})
	f.fill(30)
	events, err := f.log.Read(t.Context(), 0, 30)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][2]int{{0, 10}, {0, 10}, {5, 20}, {0, 20}, {19, 30}, {0, 30}} {
		if err := f.projection.Apply(t.Context(), events[part[0]:part[1]]); err != nil {
			t.Fatal(err)
		}
	}
	f.check(t, 30)
}

func TestApplyRefusesAGap(t *testing.T) {
	f := setup(t, Options{})
	f.fill(30)
	events, err := f.log.Read(t.Context(), 0, 30)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.projection.Apply(t.Context(), events[:5]); err != nil {
		t.Fatal(err)
	}
	var gap *projection.GapError
	if err := f.projection.Apply(t.Context(), events[6:]); !errors.As(err, &gap) || gap.Checkpoint != 5 || gap.Got != 7 {
		t.Errorf("a batch behind a gap: %v, want a gap between 5 and 7", err)
	}
	holed := append(append(events[:0:0], events[3:8]...), events[9:]...)
	if err := f.projection.Apply(t.Context(), holed); !errors.As(err, &gap) || gap.Checkpoint != 8 || gap.Got != 10 {
		t.Errorf("a batch with a gap: %v, want a gap between 8 and 10", err)
	}
	f.check(t, 5)
}

var errKilled = errors.New("killed")

// The projector dies at each point of a batch, by an error and by the loss of
// its connections, and goes on as if nothing had been.
func TestApplyDiesAnywhere(t *testing.T) {
	f := setup(t, Options{})
	for _, step := range []string{"before-checkpoint", "before-commit", "after-commit"} {
		for _, how := range []string{"error", "connection"} {
			t.Run(step+" by "+how, func(t *testing.T) {
				f.fill(40)
				dying := f.openAs(t, "victim", Options{Step: f.dieAt(t, step, 2, how)})
				err := bring(t.Context(), dying, f.log, 15)
				if err == nil && !(step == "after-commit" && how == "connection") { // then the next use gets a new connection
					t.Fatal("the projector did not die")
				}
				if err := bring(t.Context(), f.projection, f.log, 15); err != nil {
					t.Fatal(err)
				}
				head, err := f.log.Head(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				f.check(t, head)
			})
		}
	}
}

// dieAt is a Step that dies when a step is reached for the nth time.
func (f *fixture) dieAt(t *testing.T, step string, nth int, how string) func(context.Context, string) error {
	reached := 0
	return func(ctx context.Context, name string) error {
		if name != step {
			return nil
		}
		if reached++; reached != nth {
			return nil
		}
		if how == "error" {
			return errKilled
		}
		f.cut(t)
		return nil
	}
}

// cut ends all connections of the victim, as a server that fails over does.
func (f *fixture) cut(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, f.urls.Admin)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'victim'`)
	if err := errors.Join(err, conn.Close(ctx)); err != nil {
		t.Fatal(err)
	}
	if tag.RowsAffected() == 0 {
		t.Fatal("there was no connection to cut")
	}
}

// Two projectors bring the same log: each event counts once.
func TestTwoProjectors(t *testing.T) {
	f := setup(t, Options{})
	f.fill(400)
	other := f.open(t, Options{})
	done := make(chan error, 2)
	for _, p := range []*Projection[event]{f.projection, other} {
		go func() { done <- bring(t.Context(), p, f.log, 7) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	f.check(t, 400)
}

// A projector that waited for another one knows what that one has parked.
func TestParkedByTheOther(t *testing.T) {
	f := setup(t, Options{})
	f.add("poisoned", undecodable)
	f.add("poisoned", counted)
	events, err := f.log.Read(t.Context(), 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	first := f.open(t, Options{Step: func(_ context.Context, name string) error {
		if name == "before-commit" {
			close(entered)
			<-leave
		}
		return nil
	}})
	done := make(chan error, 2)
	go func() { done <- first.Apply(t.Context(), events[:1]) }()
	<-entered
	go func() { done <- f.projection.Apply(t.Context(), events[1:]) }()
	f.awaitLock(t)
	close(leave)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	f.check(t, 2, "poisoned")
}

// awaitLock returns when somebody waits for a lock in the database.
func (f *fixture) awaitLock(t *testing.T) {
	t.Helper()
	admin := testenv.Pool(t, f.urls.Admin)
	testenv.Eventually(t, 10*time.Second, "somebody waits for a lock", func() error {
		var waiting int
		err := admin.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		if err == nil && waiting == 0 {
			err = errors.New("nobody waits")
		}
		return err
	})
}
