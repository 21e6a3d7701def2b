package command_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
)

func (w *world) last(stream string) eventlog.Event {
	w.t.Helper()
	events := w.stream(stream)
	return events[len(events)-1]
}

func (w *world) govern(call command.Call, c organization.Command) (command.Result, error) {
	return w.commands.Organizations.Execute(w.t.Context(), call, w.org, c)
}

func (w *world) plan(name string, id uuid.UUID, c strategy.Command) (command.Result, error) {
	return w.commands.Strategies.Execute(w.t.Context(), w.as(name), id, c)
}

// comeIntoForce submits, approves and activates a strategy; officer2 is enrolled.
func (w *world) comeIntoForce(id uuid.UUID) {
	w.t.Helper()
	w.must(w.plan("author", id, strategy.SubmitStrategy{}))
	hash := fold[strategy.State, strategy.Event](w.t, w.log, w.org, "strategy-"+id.String(), strategy.State.Apply).Working.ContentHash
	w.must(w.plan("approver", id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Business}))
	w.must(w.plan("officer", id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Compliance}))
	w.must(w.plan("officer2", id, strategy.ActivateStrategy{ContentHash: hash, Meaning: strategy.Activation}))
}

func TestCountersigning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.members["robot"] = uuid.NewString()
	w.must(w.govern(w.as("admin"), organization.EnrolMember{
		MemberID: w.members["robot"], SubjectID: uuid.NewString(), Issuer: issuer, Kind: organization.Service,
		ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, "robot"),
	}))
	hash := make([]byte, 32)
	sign := func(p command.Principal, hash []byte, meaning string) error {
		_, err := w.commands.Organizations.Countersign(t.Context(), p, hash, meaning)
		return err
	}
	fresh := w.as("approver").Principal
	stale := fresh
	stale.AuthAt = time.Now().Add(-6 * time.Minute)
	got, err := w.commands.Organizations.Countersign(t.Context(), fresh, hash, "I agree.")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(command.Countersignature{Principal: fresh, Hash: hash, Meaning: "I agree."}, got, cmp.AllowUnexported(command.Principal{})); diff != "" {
		t.Error(diff)
	}
	refusedAs(t, "an old sign-in", sign(stale, hash, "I agree."), authz.ErrNotSigned)
	refusedAs(t, "no meaning", sign(fresh, hash, ""), refusal.Invalid)
	refusedAs(t, "a long meaning", sign(fresh, hash, strings.Repeat("x", 2_001)), refusal.Invalid)
	refusedAs(t, "nothing to sign", sign(fresh, nil, "I agree."), command.ErrIncomplete)
	refusedAs(t, "a stranger", sign(w.as("stranger").Principal, hash, "I agree."), command.ErrNotMember)
	refusedAs(t, "a service", sign(w.as("robot").Principal, hash, "I agree."), authz.ErrRole)
	if head, _ := w.log.Head(t.Context()); head != w.last("organization-"+w.org.String()).Position {
		t.Error("something was recorded")
	}
	// Enrolled by another process a moment ago.
	other := w.process()
	if _, err := other.Organizations.Countersign(t.Context(), fresh, hash, "m"); err != nil {
		t.Fatal(err)
	}
	w.enrol("approver2", authz.Approver)
	if _, err := other.Organizations.Countersign(t.Context(), w.as("approver2").Principal, hash, "m"); err != nil {
		t.Error(err)
	}
}

// S8 and S2 through the service: who the second person is and what they may do
// says the log, and a policy counts for the next decision, everywhere.
func TestAPolicyTakesTwoAndCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("officer2", authz.ComplianceOfficer)
	id, _, _ := w.draft()
	w.must(w.plan("author", id, strategy.SubmitStrategy{}))
	stream := "strategy-" + id.String()
	if v := metadataOf(t, w.last(stream)).PolicyVersion; v != 1 {
		t.Errorf("decided under policy %d, want 1", v)
	}
	hash := fold[strategy.State, strategy.Event](t, w.log, w.org, stream, strategy.State.Apply).Working.ContentHash
	other := w.process()
	if _, err := other.Strategies.Execute(t.Context(), w.as("author"), id, addGoal()); err == nil {
		t.Fatal("a submitted strategy was edited")
	}

	weak := organization.DefaultPolicy()
	weak.Quorum.N = 1
	set := organization.SetGovernancePolicy{Policy: weak, Reason: "small board"}
	_, err := w.govern(w.as("officer"), set)
	refusedAs(t, "alone", err, organization.ErrDualControl)
	_, err = w.govern(w.countersigned("officer", "officer"), set)
	refusedAs(t, "with oneself", err, organization.ErrDualControl)
	_, err = w.govern(w.countersigned("officer", "approver"), set)
	refusedAs(t, "with an approver", err, organization.ErrDualControl)
	_, err = w.govern(w.countersigned("officer", "stranger"), set)
	refusedAs(t, "with a stranger", err, command.ErrFormerMember)
	lent := w.countersigned("officer", "officer2")
	lent.Hash = append([]byte{lent.Hash[0] + 1}, lent.Hash[1:]...)
	_, err = w.govern(lent, set)
	refusedAs(t, "with a countersignature for something else", err, command.ErrOtherCommand)
	foreign := w.countersigned("officer", "officer2")
	foreign.Countersignature.Principal.OrganizationID = uuid.New()
	_, err = w.govern(foreign, set)
	refusedAs(t, "with one of another organization", err, command.ErrOtherCommand)

	call := w.countersigned("officer", "officer2")
	w.must(w.govern(call, set))
	event := w.last("organization-" + w.org.String())
	m := metadataOf(t, event)
	for _, part := range []string{`"requestedBy":"` + w.members["officer2"], `"authorizedBy":"` + w.members["officer"], `"version":2`} {
		if !strings.Contains(string(event.Data), part) {
			t.Errorf("%s is not in %s", part, event.Data)
		}
	}
	if c := m.Countersignature; c == nil || c.SignerID != w.members["officer2"] || c.ID != call.Countersignature.ID || c.AuthMethod != "bearer" {
		t.Errorf("countersigned %+v", c)
	}

	// One approval is a quorum now, for a process that remembers the old policy, too.
	if _, err := other.Strategies.Execute(t.Context(), w.as("officer"), id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Compliance}); err != nil {
		t.Fatal(err)
	}
	within := metadataOf(t, w.last(stream)).PolicyVersion
	quorate := strings.Contains(string(w.last(stream).Data), `"quorumReached":true`)
	if quorate != (within == 2) {
		t.Errorf("quorum %v under policy %d", quorate, within)
	}
}

func TestLegalHoldsTakeTwoToRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("officer2", authz.ComplianceOfficer)
	hold := uuid.NewString()
	w.must(w.govern(w.as("officer"), organization.PlaceLegalHold{HoldID: hold, Matter: "Case 7", Basis: "order", Scope: organization.HoldScope{Organization: true}}))
	release := organization.ReleaseLegalHold{HoldID: hold, Reason: "closed"}
	_, err := w.govern(w.as("officer"), release)
	refused(t, err, organization.ErrDualControl)
	stale := w.countersigned("officer", "officer2")
	stale.Principal.AuthAt = time.Now().Add(-time.Hour)
	_, err = w.govern(stale, release)
	refused(t, err, authz.ErrNotSigned)
	// The requester's role ends between countersigning and giving the command (S13).
	call := w.countersigned("officer", "officer2")
	w.must(w.govern(w.as("admin"), organization.RevokeRole{MemberID: w.members["officer2"], GrantIDs: grantsOf(t, w, "officer2"), Reason: "r"}))
	_, err = w.govern(call, release)
	refused(t, err, organization.ErrDualControl)
	w.enrol("officer3", authz.ComplianceOfficer)
	w.must(w.govern(w.countersigned("officer", "officer3"), release))
	s := fold[organization.State, organization.Event](t, w.log, w.org, "organization-"+w.org.String(), organization.State.Apply)
	if len(s.Holds()) != 0 {
		t.Errorf("holds %+v", s.Holds())
	}
}

// seals is a sealed log whose root at a position names the position.
type seals struct{}

func (seals) HeadHash(_ context.Context, position int64, _ time.Duration) (string, error) {
	return headHash(position), nil
}

func headHash(position int64) string { return fmt.Sprintf("%064x", position) }

func TestAStrategyFromForceToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("officer2", authz.ComplianceOfficer)
	w.enrol("approver2", authz.Approver, authz.IndicatorOwner)
	id, _, objective := w.draft()
	score := uuid.New()
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), score, yearly(objective, id), target("2024", "5")))
	w.comeIntoForce(id)

	// Attesting: not on hold, not by who measured, not with a miss that nobody looks into.
	attest := strategy.AttestPeriod{
		Period: calendar.Period{Start: "2024-01-01", End: "2024-12-31"}, Statement: "Complete.", Meaning: strategy.Attestation,
	}
	measured := indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: attest.Period, Value: indicator.Stated{Number: "4"}}
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("approver2"), score, measured))
	w.must(w.plan("officer", id, strategy.PutStrategyOnHold{Blocker: strategy.Blocker{Ref: "CO-1"}, Reason: "inquiry"}))
	_, err := w.plan("approver", id, attest)
	refused(t, err, strategy.ErrOnHold)
	w.must(w.plan("officer2", id, strategy.ResumeStrategy{Reason: "over"}))
	_, err = w.plan("approver2", id, attest)
	refused(t, err, strategy.ErrOwnMeasurements)
	_, err = w.plan("approver", id, attest)
	refused(t, err, strategy.ErrUnexplained)
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), score, indicator.CorrectMeasurement{
		MeasurementID: measured.MeasurementID, Value: indicator.Stated{Number: "5"}, Reason: "late data",
	}))
	head, _ := w.log.Head(t.Context())
	r := w.must(w.plan("approver", id, attest))
	event := w.last(r.StreamID)
	attested := fold[strategy.State, strategy.Event](t, w.log, w.org, r.StreamID, strategy.State.Apply)
	signature := metadataOf(t, event).Signature
	if signature == nil || signature.Meaning != "attestation" || signature.SignerID != w.members["approver"] ||
		!strings.Contains(string(event.Data), signature.ContentHash) || !strings.Contains(string(event.Data), `"logPosition":"`) ||
		!strings.Contains(string(event.Data), `"headHash":"`+headHash(head)+`"`) {
		t.Errorf("attested %s, signed %+v", event.Data, signature)
	}
	if attested.Phase != strategy.Active || event.Position <= head {
		t.Errorf("it is %s", attested.Phase)
	}
	_, err = w.plan("owner", id, attest)
	refused(t, err, authz.ErrRole)

	// Its end: for a successor that is in force, and no other.
	next, _, place := w.draft()
	_, err = w.plan("officer", id, strategy.CloseStrategy{Outcome: strategy.Superseded, SuccessorID: next.String(), Reason: "r"})
	refused(t, err, strategy.ErrSuccessor)
	_, err = w.plan("officer", id, strategy.CloseStrategy{Outcome: strategy.Superseded, SuccessorID: uuid.NewString(), Reason: "r"})
	refused(t, err, strategy.ErrSuccessor)
	w.comeIntoForce(next)

	// An indicator moves over with a second person who may approve in both.
	relink := indicator.RelinkIndicator{StrategyID: next.String(), ObjectiveID: place.String(), Reason: "succession"}
	_, err = w.commands.Indicators.Execute(t.Context(), w.as("author"), score, relink)
	refused(t, err, indicator.ErrSecondPerson)
	astray := relink
	astray.ObjectiveID = objective.String()
	_, err = w.commands.Indicators.Execute(t.Context(), w.countersigned("author", "approver"), score, astray)
	refused(t, err, command.ErrNoObjective)
	w.must(w.commands.Indicators.Execute(t.Context(), w.countersigned("author", "approver"), score, relink))
	moved := fold[indicator.State, indicator.Event](t, w.log, w.org, "indicator-"+score.String(), indicator.State.Apply)
	if moved.StrategyID != next.String() || moved.ObjectiveID != place.String() {
		t.Errorf("the indicator is at %s, %s", moved.StrategyID, moved.ObjectiveID)
	}

	w.must(w.plan("officer", id, strategy.CloseStrategy{Outcome: strategy.Superseded, SuccessorID: next.String(), Reason: "succession"}))
	_, err = w.plan("author", id, addGoal())
	refused(t, err, strategy.ErrClosed)
	back := indicator.RelinkIndicator{StrategyID: id.String(), ObjectiveID: objective.String(), Reason: "r"}
	_, err = w.commands.Indicators.Execute(t.Context(), w.countersigned("author", "approver"), score, back)
	refused(t, err, command.ErrNoObjective)
	_, err = w.commands.Indicators.Execute(t.Context(), w.countersigned("author", "approver"), uuid.New(), yearly(objective, id))
	refused(t, err, command.ErrNoObjective)
}

func TestReplacedStrategiesAreThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, _, _ := w.draft()
	draft := func(replaces string) error {
		_, err := w.plan("author", uuid.New(), strategy.DraftStrategy{Frame: strategy.Frame{Name: "Next"}, Replaces: replaces})
		return err
	}
	stranger := newWorldOn(t, w.log)
	foreign, _, _ := stranger.draft()
	refused(t, draft(uuid.NewString()), command.ErrNotReplaceable)
	refused(t, draft(foreign.String()), command.ErrNotReplaceable)
	refused(t, draft("the old one"), refusal.Invalid)
	if err := draft(old.String()); err != nil {
		t.Error(err)
	}
	next, _, _ := w.draft()
	amend := func(to string) error {
		_, err := w.plan("author", next, strategy.AmendFrame{Edits: []strategy.Edit{{Field: "replaces", New: strategy.Text(to)}}, Reason: "r"})
		return err
	}
	refused(t, amend(uuid.NewString()), command.ErrNotReplaceable)
	if err := amend(old.String()); err != nil {
		t.Error(err)
	}
	w.must(w.plan("officer", old, strategy.CloseStrategy{Outcome: strategy.Withdrawn, Reason: "r"}))
	refused(t, draft(old.String()), command.ErrNotReplaceable)
}

// S13: a role that is limited to strategies or has expired is absent where and
// when it does not hold, whatever was remembered of it.
func TestRolesHoldWhereAndAsLongAsTheyDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, goal, objective := w.draft()
	there, _, elsewhere := w.draft()
	w.enrol("guest")
	expiry := time.Now().Add(time.Hour)
	w.must(w.govern(w.as("admin"), organization.GrantRole{
		GrantID: uuid.NewString(), MemberID: w.members["guest"], Role: authz.Author, ExpiresAt: &expiry,
		Scope: organization.Scope{StrategyIDs: []string{here.String()}},
	}))
	clock := time.Now()
	commands := command.New(command.Options{Log: w.log, Basis: basis{w.log}, Findings: w.findings(), Clock: func() time.Time { return clock }})
	plan := func(id uuid.UUID) error {
		_, err := commands.Strategies.Execute(t.Context(), w.as("guest"), id, addGoal())
		return err
	}
	if err := plan(here); err != nil {
		t.Error(err)
	}
	refused(t, plan(there), authz.ErrRole)
	refused(t, plan(uuid.New()), authz.ErrRole)

	score := uuid.New()
	if _, err := commands.Indicators.Execute(t.Context(), w.as("guest"), score, yearly(objective, here)); err != nil {
		t.Error(err)
	}
	_, err := commands.Indicators.Execute(t.Context(), w.as("guest"), uuid.New(), yearly(elsewhere, there))
	refused(t, err, authz.ErrRole)
	// To move it, the role must hold in both strategies.
	_, err = commands.Indicators.Execute(t.Context(), w.as("guest"), score, indicator.RelinkIndicator{StrategyID: there.String(), ObjectiveID: elsewhere.String(), Reason: "r"})
	refused(t, err, authz.ErrRole)
	w.must(w.commands.Strategies.Execute(t.Context(), w.as("author"), here, strategy.AddObjective{ObjectiveID: there.String(), GoalID: goal.String()}))
	if _, err := commands.Indicators.Execute(t.Context(), w.as("guest"), score, indicator.RelinkIndicator{ObjectiveID: there.String(), Reason: "r"}); err != nil {
		t.Error(err)
	}

	clock = expiry.Add(-time.Second)
	if err := plan(here); err != nil {
		t.Error(err)
	}
	clock = expiry
	refused(t, plan(here), authz.ErrRole)
}
