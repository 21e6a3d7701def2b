package process_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/process"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/tests/testenv"
)

// raise is a critical finding of an auditor about a strategy.
func (o *tenant) raise(id, strategyID uuid.UUID) {
	o.t.Helper()
	o.finding("auditor", id, finding.RaiseFinding{
		Kind: finding.MajorNC, Severity: "critical", Title: "Grave", Condition: "is", Criteria: "should be", Origin: finding.FromAudit,
		Subjects: []finding.Subject{{Type: "strategy", ID: strategyID.String()}},
	})
}

func (o *tenant) dismiss(id uuid.UUID) {
	o.t.Helper()
	o.finding("auditor", id, finding.CloseFinding{Resolution: finding.Dismissed, Reason: "It was a misunderstanding.", Meaning: finding.MeansClosure})
}

// TestAnOldLog is read for the first time, after much of what is in it has been
// settled by persons: only what is still true leads to anything.
func TestAnOldLog(t *testing.T) {
	w := newWorld(t)
	o := w.register()
	o.policy()
	ids := map[string]uuid.UUID{}
	for _, name := range []string{"in force", "replaced", "successor", "settled", "grave"} {
		ids[name] = uuid.New()
	}
	objectives := o.draft(ids["in force"], strategy.DraftStrategy{}, "O1", "O2", "O3")
	recovered, off, gone := uuid.New(), uuid.New(), uuid.New()
	for i, id := range []uuid.UUID{recovered, off, gone} {
		o.define(id, ids["in force"], objectives[i])
	}
	o.activate(ids["in force"])
	for n := 3; n >= 1; n-- { // off track, on track, off track again; the other ends on track
		o.measure(off, year(n), []string{"", "50", "100", "50"}[n])
		o.measure(recovered, year(n), []string{"", "100", "50", "100"}[n])
	}

	// What was grave is settled, and what was settled is grave again.
	o.raise(ids["settled"], ids["in force"])
	o.dismiss(ids["settled"])
	o.raise(ids["grave"], ids["in force"])
	o.dismiss(ids["grave"])
	o.finding("auditor", ids["grave"], finding.ReturnFinding{Reason: finding.Ineffective, Comments: "It was none after all."})

	// Its successor is in force, and somebody has closed it otherwise.
	o.draft(ids["replaced"], strategy.DraftStrategy{}, "O1")
	o.activate(ids["replaced"])
	o.draft(ids["successor"], strategy.DraftStrategy{Replaces: ids["replaced"].String()}, "O1")
	o.activate(ids["successor"])
	o.strategy("officer", ids["replaced"], strategy.CloseStrategy{Outcome: strategy.Abandoned, Reason: "given up"})

	// A source was suspended by its steward, and reinstated.
	erp := uuid.New()
	s := &story{tenant: o, source: erp}
	o.must(o.commands.Sources.Execute(t.Context(), o.as("steward"), erp, source.RegisterSource{
		Name: "ERP", System: "erp", Channel: source.HTTP, StewardID: o.members["steward"], MaxRatePerMin: 60,
		PublicKey: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32)), AllowedIndicators: []source.Allowed{{IndicatorID: off.String()}},
	}))
	for range 6 {
		s.refuse()
	}
	o.must(o.commands.Sources.Execute(t.Context(), o.as("steward"), erp, source.SuspendSource{Reason: "too much"}))
	o.must(o.commands.Sources.Execute(t.Context(), o.as("steward"), erp, source.ReinstateSource{Reason: "repaired"}))

	// A role has expired, and somebody has left who owned nothing.
	until := w.now().AddDate(0, 0, 1)
	o.enrol("guest", authz.Viewer, &until)
	o.enrol("former", authz.Viewer, &until)
	o.organization("admin", organization.OffboardMember{MemberID: o.members["former"], Reason: "left"})
	w.pass(10)

	(&reader{w: w}).mustPump(w.runner(nil))
	want := []string{
		"attestation-due timer cancelled", "attestation-due timer pending × 2",
		"breach finding.assigned", "breach finding.raised", "finding-overdue timer pending",
		"critical-hold strategy.put-on-hold × 2", // for the finding that is grave again, and for the one about the breach
		"deadlines organization.role-revoked", "grant-expiry timer cancelled", "grant-expiry timer fired",
		"indicator-stale timer pending × 3",
	}
	if diff := cmp.Diff(sorted(want), o.effects().since(effects{})); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
	if got := o.about("breach:"); fold[finding.State, finding.Event](o, "finding-"+got.String(), finding.State.Apply).DedupeKey != "breach:"+off.String() {
		t.Error("the finding is about the wrong indicator")
	}
}

// spy counts what a runner asks of the log.
type spy struct {
	eventlog.Log
	reads atomic.Int64
}

func (s *spy) ReadStream(ctx context.Context, organization uuid.UUID, stream string, after int64, limit int) ([]eventlog.Event, error) {
	s.reads.Add(1)
	return s.Log.ReadStream(ctx, organization, stream, after, limit)
}

func (s *spy) Head(ctx context.Context) (int64, error) {
	s.reads.Add(1)
	return s.Log.Head(ctx)
}

// TestEventsThatConcernNoProcess cost nothing: the relay and the read models
// share the machine with this group.
func TestEventsThatConcernNoProcess(t *testing.T) {
	s := &spy{}
	// Without anything to ask, a question is a panic.
	p := process.New(process.Options{Log: s, Timers: noTimers{}, Logger: quiet})
	var events []eventlog.Event
	for i, typ := range []string{
		"indicator.measurement-recorded", "indicator.measurement-corrected", "indicator.target-set", "strategy.goal-added", "strategy.drafted",
		"strategy.approval-given", "evidence.registered", "evidence.linked", "source.import-accepted", "source.registered", "journal.reminded",
		"journal.command-denied", "organization.member-enrolled", "of-a-newer-release.happened",
	} {
		events = append(events, eventlog.Event{Position: int64(i + 1), Type: typ, StreamID: "x-1", SchemaVersion: 1, Data: []byte("not looked at")})
	}
	if err := p.Handle(t.Context(), events); err != nil || s.reads.Load() != 0 {
		t.Errorf("%d reads, %v", s.reads.Load(), err)
	}
	if n := testing.AllocsPerRun(10, func() { _ = p.Handle(t.Context(), events) }); n > 0 {
		t.Errorf("%.0f allocations", n)
	}
}

// noTimers are asked for nothing.
type noTimers struct{ process.Timers }

func (noTimers) Set(_ context.Context, all []process.Timer) error { return noneOf(len(all)) }

func (noTimers) Cancel(_ context.Context, all []process.Cancellation) error { return noneOf(len(all)) }

func noneOf(n int) error {
	if n > 0 {
		return fmt.Errorf("%d timers", n)
	}
	return nil
}

// answering gives findings an answer of its own to what is asked of them.
type answering struct {
	process.Executor[finding.Command]
	answer func() error
}

func (a answering) Execute(ctx context.Context, c command.Call, id uuid.UUID, commands ...finding.Command) (command.Result, error) {
	if err := a.answer(); err != nil {
		return command.Result{}, err
	}
	return a.Executor.Execute(ctx, c, id, commands...)
}

// TestWhatIsRefusedAndWhatIsAway: a refused step is an outcome and the others go
// on; what cannot be reached is waited for, and then nothing is missing.
func TestWhatIsRefusedAndWhatIsAway(t *testing.T) {
	w := newWorld(t)
	var answer error
	findings := func(u process.UseCases) process.UseCases {
		u.Findings = answering{u.Findings, func() error { return answer }}
		return u
	}
	r, p := &reader{w: w}, w.runner(findings)
	off := func() *tenant {
		o := w.register()
		id, i := uuid.New(), uuid.New()
		objectives := o.draft(id, strategy.DraftStrategy{}, "O1")
		o.define(i, id, objectives[0])
		o.measure(i, year(1), "50")
		o.activate(id)
		return o
	}
	first := off()
	answer = eventlog.ErrUnavailable
	if err := r.pump(p); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Fatalf("a log that is away: %v", err)
	}
	if r.cursor != 0 || len(first.findings()) != 0 {
		t.Errorf("the cursor is at %d", r.cursor)
	}
	answer = nil
	r.mustPump(p)
	if n := len(first.findings()); n != 1 {
		t.Errorf("%d findings", n)
	}
	answer = refusal.Violated.WithRule("moved-on")
	second := off()
	third := w.register()
	until := w.now().AddDate(0, 0, 1)
	third.enrol("guest", authz.Viewer, &until)
	r.mustPump(p)
	if n := len(second.findings()); n != 0 {
		t.Errorf("%d findings", n)
	}
	if got := third.effects(); got["grant-expiry timer pending"] != 1 {
		t.Errorf("behind the refusal: %v", got)
	}
}

// TestAnUnreadableEventParksItsStream puts a body into the log that no release
// can read: everything else flows.
func TestAnUnreadableEventParksItsStream(t *testing.T) {
	w := newWorld(t)
	w.unsound = "an event that nobody can read is in the log"
	o := w.register()
	broken := "finding-" + uuid.NewString()
	metadata, err := eventlog.Metadata{Actor: eventlog.Actor{Kind: eventlog.Person, ID: "x"}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.log.Append(t.Context(), eventlog.Command{
		ID: uuid.New(), Hash: bytes.Repeat([]byte{1}, 32), OrganizationID: o.id, StreamID: broken,
		Events: []eventlog.NewEvent{{ID: uuid.Must(uuid.NewV7()), Type: "finding.closed", SchemaVersion: 1, Data: []byte(`{"resolution":7}`), Metadata: metadata}},
	}); err != nil {
		t.Fatal(err)
	}
	until := w.now().AddDate(0, 0, 1)
	o.enrol("guest", authz.Viewer, &until)

	p := w.runner(nil)
	w.run(consumer.Group{Name: process.Group, Handler: p.Handle})
	testenv.Eventually(t, patience, "what is behind it is taken", func() error {
		if got := o.effects(); got["grant-expiry timer pending"] != 1 {
			return fmt.Errorf("effects %v", got)
		}
		return nil
	})
	var stream, reason string
	if err := w.sql.QueryRow(t.Context(), `SELECT stream_id, reason FROM parked WHERE consumer_group = $1`, process.Group).Scan(&stream, &reason); err != nil {
		t.Fatal(err)
	}
	if stream != broken || !strings.Contains(reason, "finding.closed") {
		t.Errorf("parked is %s: %s", stream, reason)
	}
}
