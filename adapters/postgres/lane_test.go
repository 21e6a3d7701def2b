package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/eventlog/eventlogtest"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/tests/testenv"
)

// holdLock takes the append lock, as a writer that hangs would; the result lets it go.
func holdLock(t *testing.T, admin string) (release func()) {
	t.Helper()
	tx, err := testenv.Pool(t, admin).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`SET LOCAL idle_in_transaction_session_timeout = 0`, // the server's own setting would end it
		`SELECT pg_advisory_xact_lock(6004514643731611649)`,
	} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var released bool
	release = func() {
		if !released {
			released = true
			if err := tx.Rollback(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(release)
	return release
}

// awaitWaiting waits until the lane's group stands before the lock.
func awaitWaiting(t *testing.T, admin string) {
	t.Helper()
	pool := testenv.Pool(t, admin)
	eventually(t, "a group waits for the lock", func() bool {
		var n int
		err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND application_name LIKE 'strata append%' AND wait_event_type = 'Lock'`).Scan(&n)
		return err == nil && n == 1
	})
}

func command(n int) eventlog.Command {
	return eventlogtest.Command(uuid.New(), fmt.Sprintf("strategy-%d", n), 0, 1)
}

func TestStuckLockHolder(t *testing.T) {
	urls := testenv.Log(t)
	log := open(t, urls.App, postgres.Options{LockTimeout: 50 * time.Millisecond})
	release := holdLock(t, urls.Admin)
	if _, err := log.Append(t.Context(), command(1)); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("behind a lock that nobody gives back: %v, want ErrUnavailable", err)
	}
	release()
	if r, err := log.Append(t.Context(), command(1)); err != nil || r.Position != 1 {
		t.Errorf("afterwards: %+v, %v", r, err)
	}
}

func TestOverload(t *testing.T) {
	urls := testenv.Log(t)
	log := open(t, urls.App, postgres.Options{Queue: 2})
	release := holdLock(t, urls.Admin)
	waiting := []<-chan answer{inBackground(t, log, command(0))}
	awaitWaiting(t, urls.Admin)
	for n := 1; n <= 2; n++ {
		waiting = append(waiting, inBackground(t, log, command(n)))
		eventually(t, "it is in the queue", func() bool { return log.Queued() == n })
	}
	if _, err := log.Append(t.Context(), command(3)); !errors.Is(err, eventlog.ErrOverloaded) {
		t.Errorf("one too many got %v, want ErrOverloaded", err)
	}
	release()
	for n, answers := range waiting {
		if got := <-answers; got.err != nil || got.receipt.Position != int64(n+1) {
			t.Errorf("command %d got %+v, %v", n, got.receipt, got.err)
		}
	}
	if n := count(t, urls.Admin); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

// A caller that goes before its command was taken is told that it will not be
// recorded; one that goes later, that nobody knows.
func TestCallerGoes(t *testing.T) {
	urls := testenv.Log(t)
	log := open(t, urls.App, postgres.Options{})
	release := holdLock(t, urls.Admin)
	canceled, cancel := context.WithCancel(t.Context())
	answers := make(chan error, 2)
	early, late := command(1), command(2)
	go func() {
		_, err := log.Append(canceled, early)
		answers <- err
	}()
	awaitWaiting(t, urls.Admin)
	waiting, cancelWaiting := context.WithCancel(t.Context())
	go func() {
		_, err := log.Append(waiting, late)
		answers <- err
	}()
	eventually(t, "it is in the queue", func() bool { return log.Queued() == 1 })
	cancelWaiting()
	if err := <-answers; !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("from the queue: %v, want ErrUnavailable", err)
	}
	cancel()
	if err := <-answers; !errors.Is(err, eventlog.ErrOutcomeUnknown) {
		t.Errorf("on the way: %v, want ErrOutcomeUnknown", err)
	}
	release()
	log.Close() // everything is through
	events := count(t, urls.Admin)
	var recorded bool
	if err := testenv.Pool(t, urls.Admin).QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM events WHERE command_id = $1)`, early.ID).Scan(&recorded); err != nil {
		t.Fatal(err)
	}
	if events != 1 || !recorded {
		t.Errorf("%d events, the one on its way among them: %v; want it alone", events, recorded)
	}
}

// A command that the database cannot take, here for an event id that is used up,
// does not take its neighbours with it.
func TestOffendingCommand(t *testing.T) {
	urls := testenv.Log(t)
	groups := make(chan postgres.Group, 100)
	log := open(t, urls.App, postgres.Options{OnGroup: func(g postgres.Group) { groups <- g }})
	release := holdLock(t, urls.Admin)
	first := inBackground(t, log, command(0))
	awaitWaiting(t, urls.Admin)
	good, bad, also := command(1), command(2), command(3)
	bad.Events[0].ID = good.Events[0].ID
	var waiting []<-chan answer
	for i, cmd := range []eventlog.Command{good, bad, also} {
		waiting = append(waiting, inBackground(t, log, cmd))
		eventually(t, "it is in the queue", func() bool { return log.Queued() == i+1 })
	}
	release()
	answers := []answer{<-first, <-waiting[0], <-waiting[1], <-waiting[2]}
	for i, position := range map[int]int64{0: 1, 1: 2, 3: 3} {
		if got := answers[i]; got.err != nil || got.receipt.Position != position {
			t.Errorf("command %d: %+v, %v; want position %d", i, got.receipt, got.err, position)
		}
	}
	var refusal *fault.Fault
	if err := answers[2].err; err == nil || errors.As(err, &refusal) {
		t.Errorf("the offender got %v, want our own mistake", err)
	}
	if g := <-groups; g.Recorded != 1 {
		t.Errorf("first group: %+v", g)
	}
	log.Close()
	close(groups)
	together := false
	for g := range groups {
		together = together || g.Commands == 3 && g.Err != nil
	}
	if !together {
		t.Error("the three were never in one group")
	}
}

func TestCloseDrains(t *testing.T) {
	urls := testenv.Log(t)
	log := open(t, urls.App, postgres.Options{})
	release := holdLock(t, urls.Admin)
	waiting := []<-chan answer{inBackground(t, log, command(0))}
	awaitWaiting(t, urls.Admin)
	for n := 1; n <= 3; n++ {
		waiting = append(waiting, inBackground(t, log, command(n)))
	}
	eventually(t, "they are in the queue", func() bool { return log.Queued() == 3 })
	closed := make(chan struct{})
	go func() {
		log.Close()
		close(closed)
	}()
	eventually(t, "nothing is taken any more", func() bool {
		impatient, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := log.Append(impatient, command(4)) // while it is taken, it steps back from the queue
		return errors.Is(err, eventlog.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded)
	})
	release()
	for n, answers := range waiting {
		if got := <-answers; got.err != nil {
			t.Errorf("command %d: %v", n, got.err)
		}
	}
	<-closed
	if n := count(t, urls.Admin); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
}

// One wake-up per group that recorded something, in the database and in the process, and none otherwise.
func TestWakeUp(t *testing.T) {
	urls := testenv.Log(t)
	var heads []int64 // written by the lane before the answer, read after it
	log := open(t, urls.App, postgres.Options{OnCommit: func(head int64) { heads = append(heads, head) }})
	conn, err := pgx.Connect(t.Context(), urls.App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if _, err := conn.Exec(t.Context(), `LISTEN strata_events`); err != nil {
		t.Fatal(err)
	}
	cmd := eventlogtest.Command(uuid.New(), "strategy-1", 0, 3)
	stale := eventlogtest.Command(cmd.OrganizationID, "strategy-1", 7, 1)
	next := eventlogtest.Command(cmd.OrganizationID, "strategy-1", 3, 1)
	for i, c := range []eventlog.Command{cmd, cmd, stale, next} {
		if _, err := log.Append(t.Context(), c); (err != nil) != (i == 2) {
			t.Fatalf("append %d: %v", i, err)
		}
	}
	for _, want := range []string{"3", "4"} {
		n, err := conn.WaitForNotification(t.Context())
		if err != nil || n.Payload != want {
			t.Fatalf("woken by %+v, %v; want %s", n, err, want)
		}
	}
	if fmt.Sprint(heads) != "[3 4]" {
		t.Errorf("told heads %v, want [3 4]", heads)
	}
}
