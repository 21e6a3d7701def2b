package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fault"
	facts "strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/refusal"
)

func TestFirstAtOnceThenOncePerWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory.Log{}
		r := open(t, log, journal.Options{})
		begin := time.Now().UTC()
		r.Denied(t.Context(), denial(eve, "approve-strategy", "strategy-x"))
		one := facts.CommandDenied{
			ActorKind: "person", ActorID: eve.ID, Command: "approve-strategy", Rule: "S1", Slug: "forbidden", Target: "strategy-x",
			Count: 1, FirstAt: begin, LastAt: begin,
		}
		if diff := cmp.Diff([]any{one}, written(t, log, org)); diff != "" {
			t.Fatalf("at once (-want +got):\n%s", diff)
		}
		pass(time.Second)
		for range 999 {
			r.Denied(t.Context(), denial(eve, "approve-strategy", "strategy-x"))
		}
		pass(50 * time.Second)
		if n := len(written(t, log, org)); n != 1 {
			t.Fatalf("%d events before the window ended", n)
		}
		pass(20 * time.Second)
		rest := one
		rest.Count, rest.FirstAt, rest.LastAt = 999, begin.Add(time.Second), begin.Add(time.Second)
		if diff := cmp.Diff([]any{one, rest}, written(t, log, org)); diff != "" {
			t.Fatalf("at the end of the window (-want +got):\n%s", diff)
		}

		// Repeated in the next window: counted, not a first again.
		r.Denied(t.Context(), denial(eve, "approve-strategy", "strategy-x"))
		if n := len(written(t, log, org)); n != 2 {
			t.Fatalf("%d events: a repetition was written at once", n)
		}
		pass(2 * time.Minute)
		if n := len(written(t, log, org)); n != 3 {
			t.Fatalf("%d events after the second window", n)
		}
		// After a window without any it is a first again.
		pass(2 * time.Minute)
		r.Denied(t.Context(), denial(eve, "approve-strategy", "strategy-x"))
		if n := len(written(t, log, org)); n != 4 {
			t.Fatalf("%d events: a new first was not written at once", n)
		}
		closed(t, r)
		if n := len(written(t, log, org)); n != 4 {
			t.Fatalf("%d events: closing wrote what had been written", n)
		}
	})
}

func TestReadsAreCountedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory.Log{}
		r := open(t, log, journal.Options{})
		begin := time.Now().UTC()
		from, earlier, to := begin.Add(-time.Hour), begin.Add(-2*time.Hour), begin
		read := journal.Read{OrganizationID: org, By: eve, Query: "listActivity", Rows: 50, Range: facts.Range{From: &from, To: &to, FirstPosition: 7, LastPosition: 90}}
		r.AuditRead(t.Context(), read)
		read.Rows, read.Range = 3, facts.Range{From: &earlier, To: &to, FirstPosition: 2, LastPosition: 40}
		r.AuditRead(t.Context(), read)
		read.Rows, read.Range = 4, facts.Range{From: &from, LastPosition: 95, FirstPosition: 91}
		r.AuditRead(t.Context(), read)
		pass(9 * time.Minute)
		if n := len(written(t, log, org)); n != 1 {
			t.Fatalf("%d events before the window ended", n)
		}
		closed(t, r)
		want := facts.AuditRead{
			ActorKind: "person", ActorID: eve.ID, Query: "listActivity", Rows: 7, Count: 2, FirstAt: begin, LastAt: begin,
			Range: facts.Range{From: &earlier, FirstPosition: 2, LastPosition: 95},
		}
		if diff := cmp.Diff(want, written(t, log, org)[1]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestALogThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &unreliable{fail: func(int) error { return errAway }}
		r := open(t, log, journal.Options{})
		begin := time.Now()
		for i := range 20 {
			r.Denied(t.Context(), denial(eve, "approve-strategy", fmt.Sprintf("strategy-%d", i)))
		}
		if waited := time.Since(begin); waited > 0 {
			t.Errorf("whoever was refused waited %s for a log that says that it is away", waited)
		}
		pass(5 * time.Minute)
		log.set(nil)
		pass(time.Minute)
		if got := counts(t, written(t, log, org)); got["approve-strategy"] != 20 {
			t.Errorf("counted %v", got)
		}
		closed(t, r)
	})
}

func TestALogThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		log := &unreliable{fail: func(int) error { <-hang; return errAway }}
		r := open(t, log, journal.Options{})
		begin := time.Now()
		r.Denied(t.Context(), denial(eve, "approve-strategy", ""))
		if waited := time.Since(begin); waited != 2*time.Second {
			t.Errorf("waited %s, want the timeout", waited)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.Denied(ctx, denial(eve, "close-strategy", ""))
		if waited := time.Since(begin); waited != 2*time.Second {
			t.Errorf("whoever had gone waited until %s", waited)
		}
		log.set(nil)
		close(hang)
		closed(t, r)
		if got := counts(t, written(t, log, org)); got["approve-strategy"] != 1 || got["close-strategy"] != 1 {
			t.Errorf("counted %v", got)
		}
	})
}

// What may have been recorded is sent again as it was, and is there once.
func TestOutcomesThatAreUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &unreliable{}
		log.after = func(n int) error {
			if n <= 3 {
				return eventlog.ErrOutcomeUnknown
			}
			return nil
		}
		r := open(t, log, journal.Options{})
		r.Denied(t.Context(), denial(eve, "approve-strategy", ""))
		r.Denied(t.Context(), denial(mal, "approve-strategy", ""))
		closed(t, r)
		if list := written(t, log, org); len(list) != 2 {
			t.Errorf("%d events, want 2: %v", len(list), list)
		}
	})
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &unreliable{fail: func(int) error { return errAway }}
		r := open(t, log, journal.Options{})
		for range 5 {
			r.Denied(t.Context(), denial(eve, "approve-strategy", ""))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var lost journal.LossError
		if err := r.Close(ctx); !errors.As(err, &lost) || lost != 5 {
			t.Errorf("close: %v, want 5 lost", err)
		}
		r.Denied(t.Context(), denial(eve, "approve-strategy", ""))
		if err := r.Close(ctx); !errors.As(err, &lost) || lost != 6 {
			t.Errorf("close again: %v, want 6 lost", err)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory.Log{}
		r := open(t, log, journal.Options{Kinds: 30, PerActor: 10})
		for i := range 1000 {
			r.Denied(t.Context(), denial(eve, "approve-strategy", fmt.Sprintf("strategy-%d", i)))
		}
		for i := range 1000 {
			r.Denied(t.Context(), denial(journal.Who{Kind: eventlog.Person, ID: fmt.Sprint(i)}, "add-goal", "strategy-x"))
		}
		closed(t, r)
		list := written(t, log, org)
		if len(list) > 40 {
			t.Errorf("%d events for 2,000 refusals", len(list))
		}
		various := 0
		for _, e := range list {
			if e, ok := e.(facts.CommandDenied); ok && e.Target == facts.Various {
				various += e.Count
			}
		}
		if various != 990 {
			t.Errorf("%d on various targets, want 990", various)
		}
		got := counts(t, list)
		if got["approve-strategy"] != 1000 || got["add-goal"]+got[facts.Others] != 1000 || got[facts.Others] < 900 {
			t.Errorf("counted %v", got)
		}
	})
}

func TestTooManyOrganizationsAreOnlyANumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory.Log{}
		r := open(t, log, journal.Options{Kinds: 10})
		for range 30 {
			d := denial(eve, "add-goal", "")
			d.OrganizationID = uuid.New()
			r.Denied(t.Context(), d)
		}
		if n := r.Lost(); n != 19 {
			t.Errorf("%d lost, want 19", n)
		}
		if err := r.Close(t.Context()); err == nil {
			t.Error("closing says nothing of it")
		}
	})
}

// A log that stays away does not fill memory, and what is counted stays right.
func TestBacklogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &unreliable{fail: func(int) error { return errAway }}
		r := open(t, log, journal.Options{Backlog: 10, PerActor: 1000})
		for range 3 {
			for i := range 100 {
				r.Denied(t.Context(), denial(eve, "approve-strategy", fmt.Sprintf("strategy-%d", i)))
			}
			pass(10 * time.Minute)
			if n := r.Waiting(); n != 10 {
				t.Errorf("%d events wait, want 10", n)
			}
		}
		log.set(nil)
		closed(t, r)
		if got := counts(t, written(t, log, org)); got["approve-strategy"] != 300 {
			t.Errorf("counted %v", got)
		}
	})
}

func TestTwoInstancesWriteOneJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &memory.Log{}
		two := []*journal.Recorder{open(t, log, journal.Options{}), open(t, log, journal.Options{})}
		var all sync.WaitGroup
		for n := range 40 {
			all.Go(func() {
				for i := range 25 {
					two[n%2].Denied(t.Context(), denial(eve, "approve-strategy", fmt.Sprintf("strategy-%d", i)))
				}
			})
		}
		all.Wait()
		closed(t, two[0])
		closed(t, two[1])
		list := written(t, log, org)
		if got := counts(t, list); got["approve-strategy"] != 1000 || len(list) > 100 {
			t.Errorf("%d events count %v", len(list), got)
		}
	})
}

func TestRemindersAreRecordedOnce(t *testing.T) {
	log := &memory.Log{}
	r := open(t, log, journal.Options{})
	due := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	e := facts.Reminded{Kind: "finding-overdue", Subject: facts.Subject{Type: "finding", ID: "f"}, MemberID: eve.ID, DueAt: &due}
	id, cause := uuid.New(), journal.Cause{EventID: uuid.NewString(), CorrelationID: uuid.NewString()}
	for range 3 {
		if err := r.Remind(t.Context(), org, id, e, cause); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, log, journal.Options{}) // another process
	if err := again.Remind(t.Context(), org, id, e, cause); err != nil {
		t.Fatal(err)
	}
	e.Kind = "other"
	if err := again.Remind(t.Context(), org, id, e, cause); !errors.Is(err, eventlog.ErrCommandReused) {
		t.Errorf("other content under the same id: %v", err)
	}
	rows := []facts.ReadModelDiverged{{Model: "plans", Table: "members", Key: "k", Difference: facts.Surplus, Position: 7}, {Model: "plans", Table: "members", Key: "l", Difference: facts.Missing, Position: 7}}
	if err := again.Diverged(t.Context(), org, rows...); err != nil {
		t.Fatal(err)
	}
	if err := r.Repaired(t.Context(), org, facts.ReadModelRepaired{Model: "plans", Rows: 2, Position: 9}); err != nil {
		t.Fatal(err)
	}
	e.Kind = "finding-overdue"
	if diff := cmp.Diff([]any{e, rows[0], rows[1], facts.ReadModelRepaired{Model: "plans", Rows: 2, Position: 9}}, written(t, log, org)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	closed(t, r)
	closed(t, again)
	events, err := log.Read(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	m, err := eventlog.DecodeMetadata(events[0].Metadata)
	if err != nil || m.CausationID != cause.EventID || m.CorrelationID != cause.CorrelationID || m.CommandID != id {
		t.Errorf("metadata %+v, %v", m, err)
	}
}

func TestNobodyRecords(t *testing.T) {
	var r *journal.Recorder
	r.Denied(t.Context(), journal.Denial{})
	r.DeniedBy(t.Context(), journal.Denial{}, refusal.Forbidden)
	r.SignInFailed(t.Context(), journal.SignIn{})
	r.AuditRead(t.Context(), journal.Read{})
	if err := errors.Join(r.Remind(t.Context(), org, org, facts.Reminded{}, journal.Cause{}), r.Diverged(t.Context(), org), r.Close(t.Context())); err != nil || r.Lost() != 0 || r.Waiting() != 0 {
		t.Errorf("%v", err)
	}
}

func TestWhatBelongsIntoTheJournal(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{authz.ErrRole, true},
		{refusal.Forbidden.WithRule("membership"), true},
		{refusal.Violated.WithRule("S2"), true},
		{refusal.Invalid.WithRule("S15"), true},
		{refusal.Violated.WithRule("submitted"), false},
		{refusal.Violated.WithRule("S"), false},
		{refusal.Violated.WithRule("Sx"), false},
		{refusal.Violated.WithRule("S100"), false},
		{refusal.Invalid, false},
		{refusal.NotFound, false},
		{fault.New(fault.Unavailable, "x", "x"), false},
		{fmt.Errorf("wrapped: %w", authz.ErrRole), true},
		{errors.New("no fault"), false},
	} {
		log := &memory.Log{}
		r := open(t, log, journal.Options{})
		r.DeniedBy(t.Context(), journal.Denial{OrganizationID: org, Command: "c"}, c.err)
		closed(t, r)
		if got := len(written(t, log, org)) == 1; got != c.want {
			t.Errorf("%v: recorded = %t, want %t", c.err, got, c.want)
		}
	}
}
