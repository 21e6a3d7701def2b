package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/process"
	"strata.dev/strata/tests/testenv"
)

// timers is a store of timers, with a connection that sees what is in it.
type timers struct {
	*postgres.Timers
	t    *testing.T
	conn *pgx.Conn
	org  uuid.UUID
	now  time.Time
}

func openTimers(t *testing.T) *timers {
	t.Helper()
	t.Parallel()
	urls := testenv.Log(t)
	store, err := postgres.OpenTimers(t.Context(), urls.App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	conn, err := pgx.Connect(t.Context(), urls.Admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return &timers{store, t, conn, uuid.New(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

// timer is due n minutes after now, and was set by the event at a position.
func (s *timers) timer(subject string, n int, position int64) process.Timer {
	return process.Timer{
		OrganizationID: s.org, ID: uuid.New(), Kind: "check", Subject: subject, DueAt: s.now.Add(time.Duration(n) * time.Minute),
		CauseID: uuid.New(), CausePosition: position, CorrelationID: "correlation",
	}
}

func (s *timers) set(all ...process.Timer) {
	s.t.Helper()
	if err := s.Set(s.t.Context(), all); err != nil {
		s.t.Fatal(err)
	}
}

// due makes sure which timers are due after n minutes, in order.
func (s *timers) due(n int, want ...process.Timer) {
	s.t.Helper()
	got, err := s.Due(s.t.Context(), s.now.Add(time.Duration(n)*time.Minute), 100)
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(append([]process.Timer{}, want...), append([]process.Timer{}, got...)); diff != "" {
		s.t.Errorf("due after %d minutes (-want +got):\n%s", n, diff)
	}
}

func (s *timers) state(t process.Timer) (state string) {
	s.t.Helper()
	if err := s.conn.QueryRow(s.t.Context(), `SELECT state FROM timers WHERE organization_id = $1 AND timer_id = $2`, t.OrganizationID, t.ID).Scan(&state); err != nil {
		s.t.Fatal(err)
	}
	return state
}

func TestTimersFireOnce(t *testing.T) {
	s := openTimers(t)
	a, b, c := s.timer("finding-1", 5, 1), s.timer("finding-2", 3, 2), s.timer("finding-3", 60, 3)
	s.set(a, b, c, a)
	s.set(a)
	s.due(2)
	s.due(4, b)
	s.due(10, b, a)
	if got, err := s.Due(t.Context(), s.now.Add(time.Hour*24), 2); err != nil || len(got) != 2 {
		t.Errorf("at most two: %d, %v", len(got), err)
	}
	counts, err := s.Counts(t.Context(), s.now.Add(10*time.Minute))
	if want := (process.TimerCounts{Pending: 3, Due: 2, Next: b.DueAt}); err != nil || counts != want {
		t.Errorf("counts %+v, %v; want %+v", counts, err, want)
	}
	for range 2 {
		if err := s.Fired(t.Context(), b, s.now); err != nil {
			t.Fatal(err)
		}
	}
	s.set(b) // the log is read again
	if err := s.Postpone(t.Context(), b, s.now, "too late"); err != nil {
		t.Fatal(err)
	}
	s.due(10, a)

	// One with a trouble of its own lets the others pass, and says what it is.
	if err := s.Postpone(t.Context(), a, s.now.Add(30*time.Minute), strings.Repeat("no ", 3_000)); err != nil {
		t.Fatal(err)
	}
	s.due(20)
	a.Attempts = 1
	s.due(40, a)
	if counts, err = s.Counts(t.Context(), s.now.Add(10*time.Minute)); err != nil || counts.Due != 1 || counts.Pending != 2 {
		t.Errorf("counts %+v, %v", counts, err)
	}
}

func TestTheLatestTimerOfASubjectCounts(t *testing.T) {
	s := openTimers(t)
	first, second, third := s.timer("finding-1", 1, 10), s.timer("finding-1", 2, 20), s.timer("finding-1", 3, 30)
	other, another := s.timer("finding-2", 1, 5), s.timer("finding-1", 1, 5)
	another.Kind = "another check"
	theirs := s.timer("finding-1", 1, 5)
	theirs.OrganizationID = uuid.New()
	s.set(other, another, theirs, first)
	s.set(third)
	s.set(second) // one instance is behind
	for timer, want := range map[*process.Timer]string{
		&first: "cancelled", &second: "cancelled", &third: "pending", &other: "pending", &another: "pending", &theirs: "pending",
	} {
		if got := s.state(*timer); got != want {
			t.Errorf("timer of position %d (%s of %s) is %s, want %s", timer.CausePosition, timer.Kind, timer.Subject, got, want)
		}
	}
	cancel := func(before int64) {
		t.Helper()
		key := process.Cancellation{OrganizationID: s.org, Kind: "check", Subject: "finding-1", Before: before}
		if err := s.Cancel(t.Context(), []process.Cancellation{key, {OrganizationID: s.org, Kind: "check", Subject: "finding-1", Before: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	cancel(30) // an event that came before it says nothing about it
	if got := s.state(third); got != "pending" {
		t.Errorf("it is %s", got)
	}
	cancel(31)
	if got := s.state(third); got != "cancelled" {
		t.Errorf("it is %s", got)
	}
	s.set(first, second, third) // the log is read again
	if got := s.state(first) + s.state(second) + s.state(third); got != "cancelledcancelledcancelled" {
		t.Errorf("they are %s", got)
	}
	if s.state(other) != "pending" || s.state(another) != "pending" || s.state(theirs) != "pending" {
		t.Error("others were cancelled")
	}
	if err := s.Cancel(t.Context(), nil); err != nil {
		t.Error(err)
	}
	s.set()
}

// TestTimersOfManyWriters sets and ends the same timers from many sides at once.
func TestTimersOfManyWriters(t *testing.T) {
	s := openTimers(t)
	all := make([]process.Timer, 50)
	for i := range all {
		all[i] = s.timer(fmt.Sprintf("finding-%d", i%10), 1, int64(i+1))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, timer := range all {
				if err := s.Set(t.Context(), []process.Timer{timer}); err != nil {
					t.Error(err)
				}
			}
			if err := s.Set(t.Context(), all); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.due(1, all[40:]...)
}
