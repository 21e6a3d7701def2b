package process_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/process"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/tests/testenv"
)

// guests enrols n members whose roles end after a day, and lets the group hear of it.
func guests(w *world, r *reader, p *process.Runner, n int) *tenant {
	w.t.Helper()
	o := w.register()
	until := w.now().AddDate(0, 0, 1)
	for i := range n {
		o.enrol(fmt.Sprint("guest", i), authz.Viewer, &until)
	}
	r.mustPump(p)
	return o
}

func (o *tenant) revoked() int { return o.effects()["deadlines organization.role-revoked"] }

// TestTimersOverARestart sets timers with one instance and fires them with
// another one, at a clock that goes back in between and forward again.
func TestTimersOverARestart(t *testing.T) {
	w := newWorld(t)
	r, p := &reader{w: w}, w.runner(nil)
	o := guests(w, r, p, 3)
	fire := func(p *process.Runner, want int) {
		t.Helper()
		if n, err := p.FireTimers(t.Context()); err != nil || n != want {
			t.Errorf("%d timers fired, %v; want %d", n, err, want)
		}
	}
	fire(p, 0)
	if o.revoked() != 0 {
		t.Error("a role was revoked before it expired")
	}
	w.pass(2)
	restarted := w.runner(nil)
	fire(restarted, 3)
	if n := o.revoked(); n != 3 {
		t.Errorf("%d roles were revoked", n)
	}
	for _, days := range []int{-2, 0, 2, 365} { // back, and forward again
		w.pass(days)
		fire(restarted, 0)
		fire(w.runner(nil), 0)
	}
	if n := o.revoked(); n != 3 {
		t.Errorf("%d roles were revoked", n)
	}
}

// TestTheLeaderFiresTimers runs the loop of two instances of which one leads,
// and then the other: an outage in between delays and loses nothing.
func TestTheLeaderFiresTimers(t *testing.T) {
	w := newWorld(t)
	r, p := &reader{w: w}, w.runner(nil)
	o := guests(w, r, p, 3)
	w.pass(2)
	var leader, idle atomic.Int64
	leads := func(n int64) func() bool {
		return func() bool {
			if leader.Load() == n {
				return true
			}
			idle.Add(1)
			return false
		}
	}
	// The first cannot reach the store of timers.
	away := process.New(process.Options{
		Log: w.log, Index: w.index, Timers: failing{w.timers}, Reminders: w.journal, Logger: quiet, Clock: w.now,
	})
	other := w.runner(nil)
	defer w.fire(away, leads(1))()
	defer w.fire(other, leads(2))()
	testenv.Eventually(t, patience, "nobody leads", func() error {
		if idle.Load() < 10 {
			return fmt.Errorf("looked %d times", idle.Load())
		}
		return nil
	})
	if o.revoked() != 0 {
		t.Error("one that does not lead has fired")
	}
	leader.Store(1)
	testenv.Eventually(t, patience, "the trouble shows", func() error {
		if st := away.TimerStatus(); st.LastError == "" || st.Since.IsZero() {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	leader.Store(2)
	testenv.Eventually(t, patience, "the other one fires", func() error {
		if n := o.revoked(); n != 3 {
			return fmt.Errorf("%d roles were revoked", n)
		}
		return nil
	})
	if st := other.TimerStatus(); st.LastError != "" {
		t.Errorf("status %+v", st)
	}
}

// TestWhatComesAgain lets years go by in which nobody measures or attests: each
// is said once, and again when the next term has passed; nothing is said of a
// term in between that nobody was there to hear of.
func TestWhatComesAgain(t *testing.T) {
	w := newWorld(t)
	o := w.register()
	id, i := uuid.New(), uuid.New()
	objectives := o.draft(id, strategy.DraftStrategy{}, "O1")
	o.define(i, id, objectives[0])
	o.measure(i, year(1), "100")
	o.activate(id)
	r, p := &reader{w: w}, w.runner(nil)
	for times, days := range []int{0, 1_200, 400, 400} {
		w.pass(days)
		r.mustPump(p)
		want := effects{"attestation-due timer pending": 1, "indicator-stale timer pending": 1}
		if times > 0 {
			want["attestation-due timer fired"], want["reminded attestation-due"] = times, times
			want["indicator-stale timer fired"], want["reminded indicator-stale"] = times, times
		}
		if diff := cmp.Diff(want, o.effects()); diff != "" {
			t.Errorf("after %d days more (-want +got):\n%s", days, diff)
		}
	}
}

// failing is a store that nobody reaches.
type failing struct{ process.Timers }

func (failing) Due(context.Context, time.Time, int) ([]process.Timer, error) {
	return nil, eventlog.ErrUnavailable
}

// refusing refuses to revoke a grant, once.
type refusing struct {
	process.Executor[organization.Command]
	grant string
	done  bool
}

func (r *refusing) Execute(ctx context.Context, c command.Call, id uuid.UUID, commands ...organization.Command) (command.Result, error) {
	for _, one := range commands {
		if revoke, ok := one.(organization.RevokeRole); ok && revoke.GrantIDs[0] == r.grant && !r.done {
			r.done = true
			return command.Result{}, refusal.Forbidden.WithRule("S12")
		}
	}
	return r.Executor.Execute(ctx, c, id, commands...)
}

// TestATimerWithATroubleOfItsOwn is tried again later, and keeps no other from firing.
func TestATimerWithATroubleOfItsOwn(t *testing.T) {
	w := newWorld(t)
	r, p := &reader{w: w}, w.runner(nil)
	o := guests(w, r, p, 2)
	var subject string
	if err := w.sql.QueryRow(t.Context(), `SELECT subject FROM timers WHERE organization_id = $1 ORDER BY cause_position LIMIT 1`, o.id).Scan(&subject); err != nil {
		t.Fatal(err)
	}
	picky := w.runner(func(u process.UseCases) process.UseCases {
		u.Organizations = &refusing{Executor: u.Organizations, grant: strings.TrimPrefix(subject, "grant-")}
		return u
	})
	w.pass(2)
	if n, err := picky.FireTimers(t.Context()); err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	if n := o.revoked(); n != 1 {
		t.Errorf("%d roles were revoked", n)
	}
	var attempts int
	var failure string
	if err := w.sql.QueryRow(t.Context(), `SELECT attempts, failure FROM timers WHERE subject = $1 AND state = 'pending'`, subject).Scan(&attempts, &failure); err != nil {
		t.Fatal(err)
	}
	if attempts != 1 || failure == "" {
		t.Errorf("%d attempts, %q", attempts, failure)
	}
	if n, err := picky.FireTimers(t.Context()); err != nil || n != 0 {
		t.Errorf("tried at once again: %d, %v", n, err)
	}
	w.ahead.Add(int64(2 * time.Minute))
	if n, err := picky.FireTimers(t.Context()); err != nil || n != 1 || o.revoked() != 2 {
		t.Errorf("tried later: %d, %v; %d roles were revoked", n, err, o.revoked())
	}
}
