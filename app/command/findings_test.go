package command_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/strategy"
)

// machine is a call of one of Strata's own processes, or of a source.
func (w *world) machine(p command.Principal) command.Call {
	c := call(uuid.NewString(), "machine")
	c.Principal = p
	return c
}

func (w *world) breachProcess() command.Call {
	return w.machine(command.ProcessPrincipal(w.org, "breach"))
}

func (w *world) find(c command.Call, id uuid.UUID, commands ...finding.Command) error {
	w.t.Helper()
	_, err := w.commands.Findings.Execute(w.t.Context(), c, id, commands...)
	return err
}

func about(kind string, id uuid.UUID) finding.Subject {
	return finding.Subject{Type: kind, ID: id.String()}
}

func raise(s severity.Severity, subjects ...finding.Subject) finding.RaiseFinding {
	return finding.RaiseFinding{
		Kind: finding.MinorNC, Severity: s, Title: "Late", Condition: "Late by a month.", Criteria: "In time.", Subjects: subjects, Origin: finding.FromCompliance,
	}
}

// breach is what the process of breaches raises.
func breach(subjects ...finding.Subject) finding.RaiseFinding {
	r := raise(severity.Medium, subjects...)
	r.Origin, r.DedupeKey = finding.FromBreach, "breach:"+subjects[0].ID
	return r
}

// proof registers evidence.
func (w *world) proof(name string) string {
	w.t.Helper()
	id := uuid.New()
	w.must(w.commands.Evidence.Register(w.t.Context(), w.as(name), id, []byte("proof "+id.String()), evidence.RegisterEvidence{
		Kind: evidence.Document, MediaType: "text/plain",
	}))
	return id.String()
}

// grant gives a role for one strategy.
func (w *world) grant(name, role string, strategyID uuid.UUID) {
	w.t.Helper()
	w.must(w.govern(w.as("admin"), organization.GrantRole{
		GrantID: uuid.NewString(), MemberID: w.members[name], Role: role, Scope: organization.Scope{StrategyIDs: []string{strategyID.String()}},
	}))
}

// again offboards a person and enrols them under a new member id.
func (w *world) again(name, as string, roles ...string) {
	w.t.Helper()
	old, _ := fold[organization.State, organization.Event](w.t, w.log, w.org, "organization-"+w.org.String(), organization.State.Apply).Member(w.members[name])
	w.must(w.govern(w.as("admin"), organization.OffboardMember{MemberID: old.ID, Reason: "left"}))
	w.members[as] = uuid.NewString()
	w.must(w.govern(w.as("admin"), organization.EnrolMember{
		MemberID: w.members[as], SubjectID: old.SubjectID, Issuer: issuer, Kind: organization.Person,
		ExternalIDHash: organization.IdentityHash(w.org.String(), issuer, as),
	}))
	for _, r := range roles {
		w.must(w.govern(w.as("admin"), organization.GrantRole{
			GrantID: uuid.NewString(), MemberID: w.members[as], Role: r, Scope: organization.Scope{All: true},
		}))
	}
}

var todo = finding.Action{ID: "0198c0de-0000-7000-8000-000000000abc", Text: "Ask earlier.", DueDate: calendar.Of(time.Now().AddDate(0, 0, 10)), OwnerID: "0198c0de-0000-7000-8000-000000000abd"}

func planned() finding.PlanRemediation {
	return finding.PlanRemediation{Response: finding.Agree, Actions: []finding.Action{todo}}
}

func done(evidenceIDs ...string) finding.SubmitRemediation {
	return finding.SubmitRemediation{ActionsDone: []string{todo.ID}, Statement: "Done.", EvidenceIDs: evidenceIDs}
}

var remediated = finding.CloseFinding{Resolution: finding.Remediated, EffectivenessCheck: "Seen twice.", Meaning: finding.MeansClosure}

// S6 and what the service feeds on the way of a finding.
func TestAFindingFromItsRaisingToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, _, _ := w.draft()
	elsewhere, _, _ := w.draft()
	w.enrol("auditor", authz.Auditor)
	w.enrol("local")
	w.grant("local", authz.IndicatorOwner, plan)
	w.enrol("foreigner")
	w.grant("foreigner", authz.IndicatorOwner, elsewhere)
	w.enrol("judge", authz.ComplianceOfficer, authz.IndicatorOwner)
	id := uuid.New()

	refusedAs(t, "by an author", w.find(w.as("author"), id, raise(severity.High, about("strategy", uuid.New()))), authz.ErrRole)
	refusedAs(t, "about what is not there", w.find(w.as("officer"), id, raise(severity.High, about("strategy", plan), about("indicator", uuid.New()))), finding.ErrSubject)
	revision := about("strategy", plan)
	revision.Revision = 2
	refusedAs(t, "about a revision that is not there", w.find(w.as("officer"), id, raise(severity.High, revision)), finding.ErrSubject)
	revision.Revision = 1
	if err := w.find(w.as("officer"), id, raise(severity.High, revision, about("organization", w.org))); err != nil {
		t.Fatal(err)
	}
	assign := func(name string) finding.AssignFinding { return finding.AssignFinding{OwnerID: w.members[name]} }
	refusedAs(t, "to who owns nothing", w.find(w.as("officer"), id, assign("author")), finding.ErrOwnerRole)
	refusedAs(t, "to nobody", w.find(w.as("officer"), id, finding.AssignFinding{OwnerID: uuid.NewString()}), finding.ErrOwnerRole)
	refusedAs(t, "to an owner of another strategy", w.find(w.as("officer"), id, assign("foreigner")), finding.ErrOwnerRole)
	lied := assign("author")
	lied.OwnerRoles = []string{authz.IndicatorOwner}
	refusedAs(t, "to who owns nothing, saying otherwise", w.find(w.as("officer"), id, lied), finding.ErrOwnerRole)
	for _, c := range []finding.Command{assign("judge"), assign("local")} {
		if err := w.find(w.as("officer"), id, c); err != nil {
			t.Fatal(err)
		}
	}
	refusedAs(t, "planned by another owner", w.find(w.as("owner"), id, planned()), finding.ErrNotOwner)
	if err := w.find(w.as("local"), id, planned()); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, "with evidence that is not there", w.find(w.as("local"), id, done(uuid.NewString())), finding.ErrEvidence)
	if err := w.find(w.as("local"), id, done(w.proof("local"))); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, "S6: closed by who owned it once", w.find(w.as("judge"), id, remediated), finding.ErrOwnVerification)
	w.again("judge", "judge enrolled anew", authz.ComplianceOfficer)
	refusedAs(t, "S6: closed by them under another id", w.find(w.as("judge enrolled anew"), id, remediated), finding.ErrOwnVerification)
	refusedAs(t, "S6: given back by them", w.find(w.as("judge enrolled anew"), id, finding.ReturnFinding{Reason: finding.Insufficient, Comments: "No."}), finding.ErrOwnVerification)
	refusedAs(t, "S12: closed by a process", w.find(w.breachProcess(), id, remediated), finding.ErrMachine)
	if err := w.find(w.as("officer"), id, remediated); err != nil {
		t.Fatal(err)
	}
	last := w.last("finding-" + id.String())
	sum := sha256.Sum256(last.Data)
	s := metadataOf(t, last).Signature
	if s == nil || s.Meaning != "closure" || s.SignerID != w.members["officer"] || s.ContentHash != hex.EncodeToString(sum[:]) || s.SignedAt.IsZero() {
		t.Errorf("the closure is signed %+v", s)
	}
	for _, e := range w.stream("finding-" + id.String())[:3] {
		if m := metadataOf(t, e); m.Signature != nil || m.PolicyVersion != 1 {
			t.Errorf("%s: signed %v under policy %d", e.Type, m.Signature, m.PolicyVersion)
		}
	}
}

// S7 through the service: a critical risk takes two who countersign, for no
// longer than the policy says.
func TestAcceptingACriticalRiskTakesTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, _, _ := w.draft()
	w.enrol("taker", authz.RiskAcceptor)
	w.enrol("taker2", authz.RiskAcceptor)
	w.enrol("raiser", authz.ComplianceOfficer, authz.RiskAcceptor)
	w.enrol("local")
	w.grant("local", authz.RiskAcceptor, uuid.New())
	id := uuid.New()
	if err := w.find(w.as("raiser"), id, raise(severity.Critical, about("strategy", plan)), finding.AssignFinding{OwnerID: w.members["owner"]}); err != nil {
		t.Fatal(err)
	}
	until := func(days int) finding.AcceptRisk {
		return finding.AcceptRisk{Justification: "Rare.", ExpiresOn: calendar.Of(time.Now()).AddDays(days), Meaning: finding.MeansAcceptance, MaxDays: 9_999}
	}
	refusedAs(t, "S7: alone", w.find(w.as("taker"), id, until(300)), finding.ErrTwoAcceptors)
	refusedAs(t, "S7: with oneself", w.find(w.countersigned("taker", "taker"), id, until(300)), finding.ErrTwoAcceptors)
	refusedAs(t, "S7: with who may not", w.find(w.countersigned("taker", "approver"), id, until(300)), finding.ErrTwoAcceptors)
	refusedAs(t, "S7: with who may elsewhere", w.find(w.countersigned("taker", "local"), id, until(300)), finding.ErrTwoAcceptors)
	refusedAs(t, "S7: with the raiser", w.find(w.countersigned("taker", "raiser"), id, until(300)), finding.ErrOwnRisk)
	refusedAs(t, "S7: by the raiser", w.find(w.countersigned("raiser", "taker"), id, until(300)), finding.ErrOwnRisk)
	refusedAs(t, "S7: for longer than the policy says", w.find(w.countersigned("taker", "taker2"), id, until(366)), finding.ErrExpiry)
	policy := organization.DefaultPolicy()
	policy.AcceptanceMaxDays = 90
	w.must(w.govern(w.as("officer"), organization.SetGovernancePolicy{Policy: policy, Reason: "stricter"}))
	refusedAs(t, "S7: for longer than the policy says now", w.find(w.countersigned("taker", "taker2"), id, until(91)), finding.ErrExpiry)
	if err := w.find(w.countersigned("taker", "taker2"), id, until(90)); err != nil {
		t.Fatal(err)
	}
	m := metadataOf(t, w.last("finding-"+id.String()))
	if m.Signature == nil || m.Signature.Meaning != "risk-acceptance" || m.Signature.SignerID != w.members["taker"] || m.Countersignature == nil || m.Countersignature.SignerID != w.members["taker2"] || m.PolicyVersion != 2 {
		t.Errorf("accepted under %+v, %+v, policy %d", m.Signature, m.Countersignature, m.PolicyVersion)
	}
	// One that is less severe takes one, and the countersignature is not part of it.
	if err := w.find(w.as("raiser"), id, finding.ReclassifyFinding{Severity: severity.High, Reason: "less"}); err != nil {
		t.Fatal(err)
	}
	if err := w.find(w.countersigned("taker", "taker2"), id, until(60)); err != nil {
		t.Fatal(err)
	}
	if m := metadataOf(t, w.last("finding-"+id.String())); m.Countersignature != nil {
		t.Errorf("a countersignature that nothing asked for is kept: %+v", m.Countersignature)
	}
}

func TestOneOpenFindingPerKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	score := w.scores(1)[0]
	open := uuid.New()
	if err := w.find(w.breachProcess(), open, breach(about("indicator", score))); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, "twice", w.find(w.breachProcess(), uuid.New(), breach(about("indicator", score))), finding.ErrSameOpen)
	other := breach(about("indicator", score))
	other.DedupeKey = "breach:other"
	if err := w.find(w.breachProcess(), uuid.New(), other); err != nil {
		t.Errorf("with another key: %v", err)
	}

	// One that is lived with is still there; one that was dismissed is not.
	w.enrol("taker", authz.RiskAcceptor)
	if err := w.find(w.as("officer"), open, finding.AssignFinding{OwnerID: w.members["owner"]}); err != nil {
		t.Fatal(err)
	}
	accept := finding.AcceptRisk{Justification: "Rare.", ExpiresOn: calendar.Of(time.Now()).AddDays(9), Meaning: finding.MeansAcceptance}
	if err := w.find(w.as("taker"), open, accept); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, "beside an accepted one", w.find(w.breachProcess(), uuid.New(), breach(about("indicator", score))), finding.ErrSameOpen)
	for _, c := range []finding.Command{
		finding.ReturnFinding{Reason: finding.AcceptanceRevoked, Comments: "No."},
		finding.CloseFinding{Resolution: finding.Dismissed, Reason: "The table was misread.", Meaning: finding.MeansClosure},
	} {
		if err := w.find(w.as("officer"), open, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.find(w.breachProcess(), uuid.New(), breach(about("indicator", score))); err != nil {
		t.Errorf("after the first is over: %v", err)
	}
}

// slowIndex takes its time between looking and answering.
type slowIndex struct{ command.FindingIndex }

func (i slowIndex) FindingsByKey(ctx context.Context, organizationID uuid.UUID, dedupeKey string, minPosition int64) ([]uuid.UUID, error) {
	ids, err := i.FindingIndex.FindingsByKey(ctx, organizationID, dedupeKey, minPosition)
	time.Sleep(time.Second) // of the bubble: all who look meanwhile see the same
	return ids, err
}

func TestOfRacersWithOneKeyOneRaises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plan, _, _ := w.draft()
		w.commands = command.New(command.Options{Log: w.log, Findings: slowIndex{w.findings()}})
		won := 0
		for _, err := range together(8, func(int) error { return w.find(w.breachProcess(), uuid.New(), breach(about("strategy", plan))) }) {
			if err == nil {
				won++
				continue
			}
			refused(t, err, finding.ErrSameOpen)
		}
		if won != 1 {
			t.Errorf("%d findings with one key were raised", won)
		}
	})
}

func TestProcessesAreBoundToTheirOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, _, _ := w.draft()
	nowhere := w.machine(command.ProcessPrincipal(uuid.New(), "breach"))
	refusedAs(t, "where there is none", w.find(nowhere, uuid.New(), raise(severity.Low, about("strategy", plan))), command.ErrNotMember)
	other := newWorldOn(t, w.log)
	refusedAs(t, "about another one's", other.find(other.breachProcess(), uuid.New(), raise(severity.Low, about("strategy", plan))), finding.ErrSubject)
	id := uuid.New()
	if err := w.find(w.breachProcess(), id, raise(severity.Low, about("strategy", plan))); err != nil {
		t.Fatal(err)
	}
	m := metadataOf(t, w.last("finding-"+id.String()))
	if m.Actor.Kind != "process" || m.Actor.ID != "breach" || m.PolicyVersion != 1 || len(m.Actor.Roles) > 0 {
		t.Errorf("the actor is %+v under policy %d", m.Actor, m.PolicyVersion)
	}
	_, err := w.commands.Strategies.Execute(t.Context(), w.breachProcess(), plan, addGoal())
	refusedAs(t, "editing a plan", err, authz.ErrRole)
	refusedAs(t, "reading", w.commands.Organizations.MayRead(t.Context(), w.breachProcess().Principal), authz.ErrRole)
	_, err = w.commands.Organizations.Countersign(t.Context(), w.breachProcess().Principal, make([]byte, 32), "m")
	refusedAs(t, "countersigning", err, authz.ErrRole)
}

// asked counts what is asked of an index.
type askedIndex struct {
	command.FindingIndex
	n atomic.Int64
}

func (a *askedIndex) FindingsAbout(ctx context.Context, organizationID uuid.UUID, subjectType, subjectID string, minPosition int64) ([]uuid.UUID, error) {
	a.n.Add(1)
	return a.FindingIndex.FindingsAbout(ctx, organizationID, subjectType, subjectID, minPosition)
}

// S9 through the service, by whatever way a value is replaced.
func TestCorrectingDuringABreach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	index := &askedIndex{FindingIndex: w.findings()}
	w.commands = command.New(command.Options{Log: w.log, Basis: basis{w.log}, Findings: index, Imports: w.store})
	w.enrol("other owner", authz.IndicatorOwner)
	score := w.scores(1)[0]
	write := func(name string, c indicator.Command) error {
		_, err := w.commands.Indicators.Execute(t.Context(), w.as(name), score, c)
		return err
	}
	measured := func(year int, value string) indicator.RecordMeasurement {
		return indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: in(year), Value: indicator.Stated{Number: value}}
	}
	corrected := func(year int, value, evidenceID string) indicator.CorrectMeasurement {
		return indicator.CorrectMeasurement{Period: in(year), Value: indicator.Stated{Number: value}, Reason: "recount", EvidenceID: evidenceID}
	}
	withdrawn := func(year int, evidenceID string) indicator.VoidMeasurement {
		return indicator.VoidMeasurement{Period: in(year), Reason: "recount", EvidenceID: evidenceID}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(write("owner", measured(2000, "5")))
	must(write("owner", corrected(2000, "6", "")))
	if n := index.n.Load(); n != 0 {
		t.Errorf("%d questions about what was never off track", n)
	}
	must(write("owner", corrected(2000, "1", "")))
	must(write("owner", corrected(2000, "2", ""))) // off track, but nobody has looked into it
	if index.n.Load() == 0 {
		t.Error("no question about what is off track")
	}
	found := uuid.New()
	must(w.find(w.breachProcess(), found, breach(about("indicator", score)), finding.AssignFinding{OwnerID: w.members["owner"]}))
	proof := w.proof("owner")

	refusedAs(t, "S9: without evidence", write("other owner", corrected(2000, "5", "")), indicator.ErrBreachEvidence)
	refusedAs(t, "S9: with evidence that is not there", write("other owner", corrected(2000, "5", uuid.NewString())), indicator.ErrEvidence)
	refusedAs(t, "S9: by who answers for the finding", write("owner", corrected(2000, "5", proof)), indicator.ErrBreachOwner)
	refusedAs(t, "S9: withdrawn without evidence", write("other owner", withdrawn(2000, "")), indicator.ErrBreachEvidence)
	refusedAs(t, "S9: withdrawn by who answers for the finding", write("owner", withdrawn(2000, proof)), indicator.ErrBreachOwner)
	results, err := w.commands.Indicators.RecordBatch(t.Context(), w.as("other owner"), []command.BatchItem{correct(score, 2000, "5"), record(score, 2002, "1")})
	must(err)
	if got := told(results); !slices.Equal(got, []string{"S9", "ok"}) {
		t.Errorf("S9 in a batch: %v", got)
	}
	must(write("other owner", withdrawn(2000, proof)))
	refusedAs(t, "S9: recorded anew by who answers for the finding", write("owner", measured(2000, "9")), indicator.ErrBreachOwner)
	must(write("owner", measured(2003, "1"))) // to go on measuring is another matter
	must(write("other owner", measured(2000, "4")))
	w.again("owner", "owner enrolled anew", authz.IndicatorOwner)
	refusedAs(t, "S9: by them under another id", write("owner enrolled anew", corrected(2000, "5", proof)), indicator.ErrBreachOwner)
	must(write("other owner", corrected(2000, "5", proof)))

	// A finding from elsewhere is not a breach; an ended one is over.
	must(w.find(w.as("officer"), uuid.New(), raise(severity.Low, about("indicator", score))))
	must(w.find(w.as("officer"), found, finding.CloseFinding{Resolution: finding.Dismissed, Reason: "The target was misread.", Meaning: finding.MeansClosure}))
	must(write("owner enrolled anew", corrected(2000, "4.5", "")))
}

func TestWithoutAnIndexWhatNeedsItWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	score := w.scores(1)[0]
	w.commands = command.New(command.Options{Log: w.log, Imports: w.store})
	unavailable := func(what string, err error) {
		t.Helper()
		if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Kind != fault.Unavailable {
			t.Errorf("%s: got %v", what, err)
		}
	}
	unavailable("a key", w.find(w.breachProcess(), uuid.New(), breach(about("indicator", score))))
	if err := w.find(w.breachProcess(), uuid.New(), raise(severity.Low, about("indicator", score))); err != nil {
		t.Errorf("without a key: %v", err)
	}
	write := func(c indicator.Command) error {
		_, err := w.commands.Indicators.Execute(t.Context(), w.as("owner"), score, c)
		return err
	}
	if err := write(indicator.RecordMeasurement{MeasurementID: uuid.NewString(), Period: in(2000), Value: indicator.Stated{Number: "1"}}); err != nil {
		t.Fatal(err)
	}
	unavailable("a correction of what is off track", write(indicator.CorrectMeasurement{Period: in(2000), Value: indicator.Stated{Number: "2"}, Reason: "r"}))
	w.commands = command.New(command.Options{Log: w.log})
	_, err := w.commands.Evidence.Register(t.Context(), w.as("owner"), uuid.New(), []byte("x"), evidence.RegisterEvidence{Kind: evidence.Document, MediaType: "a/b"})
	unavailable("evidence without a store", err)
}

// A missed target is explained by a finding about it, open or lived with, and by
// no finding that is over.
func TestAMissIsExplainedByAFinding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("officer2", authz.ComplianceOfficer)
	w.enrol("taker", authz.RiskAcceptor)
	plan, _, objective := w.draft()
	score := uuid.New()
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("author"), score, yearly(objective, plan), target("2024", "5")))
	w.comeIntoForce(plan)
	w.must(w.commands.Indicators.Execute(t.Context(), w.as("owner"), score, indicator.RecordMeasurement{
		MeasurementID: uuid.NewString(), Period: in(2024), Value: indicator.Stated{Number: "1"},
	}))
	attest := func() error {
		_, err := w.plan("approver", plan, strategy.AttestPeriod{Period: in(2024), Statement: "Complete.", Meaning: strategy.Attestation})
		return err
	}
	refusedAs(t, "nobody looks into it", attest(), strategy.ErrUnexplained)
	if err := w.find(w.as("officer"), uuid.New(), raise(severity.Low, about("strategy", plan))); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, "a finding about something else", attest(), strategy.ErrUnexplained)
	id := uuid.New()
	if err := w.find(w.breachProcess(), id, breach(about("indicator", score), about("strategy", plan))); err != nil {
		t.Fatal(err)
	}
	if err := attest(); err != nil {
		t.Errorf("with an open finding: %v", err)
	}
	if err := w.find(w.as("officer"), id, finding.AssignFinding{OwnerID: w.members["owner"]}); err != nil {
		t.Fatal(err)
	}
	if err := w.find(w.as("taker"), id, finding.AcceptRisk{Justification: "Rare.", ExpiresOn: calendar.Of(time.Now()).AddDays(9), Meaning: finding.MeansAcceptance}); err != nil {
		t.Fatal(err)
	}
	if err := attest(); err != nil {
		t.Errorf("with an accepted risk: %v", err)
	}
	for _, c := range []finding.Command{
		finding.ReturnFinding{Reason: finding.AcceptanceRevoked, Comments: "No."},
		finding.CloseFinding{Resolution: finding.Dismissed, Reason: "The target was misread.", Meaning: finding.MeansClosure},
	} {
		if err := w.find(w.as("officer"), id, c); err != nil {
			t.Fatal(err)
		}
	}
	refusedAs(t, "with a finding that is over", attest(), strategy.ErrUnexplained)
}

// TestAFindingHoldsAStrategyUpUntilItIsSettled: by being over, lived with, or
// less severe than the policy asks for; and who may say so.
func TestAFindingHoldsAStrategyUpUntilItIsSettled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		settle func(w *world, id uuid.UUID) error
	}{
		{"dismissed", func(w *world, id uuid.UUID) error {
			return w.find(w.as("officer"), id, finding.CloseFinding{Resolution: finding.Dismissed, Reason: "The table was misread.", Meaning: finding.MeansClosure})
		}},
		{"accepted", func(w *world, id uuid.UUID) error {
			return w.find(w.countersigned("taker", "taker2"), id, finding.AcceptRisk{Justification: "Rare.", ExpiresOn: calendar.Of(time.Now()).AddDays(9), Meaning: finding.MeansAcceptance})
		}},
		{"less severe", func(w *world, id uuid.UUID) error {
			return w.find(w.as("officer"), id, finding.ReclassifyFinding{Severity: severity.High, Reason: "less"})
		}},
	} {
		for _, auto := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by itself %v", c.name, auto), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.enrol("officer2", authz.ComplianceOfficer)
				w.enrol("taker", authz.RiskAcceptor)
				w.enrol("taker2", authz.RiskAcceptor)
				if auto {
					policy := organization.DefaultPolicy()
					policy.AutoResume = true
					w.must(w.govern(w.countersigned("officer", "officer2"), organization.SetGovernancePolicy{Policy: policy, Reason: "quicker"}))
				}
				plan, _, _ := w.draft()
				w.comeIntoForce(plan)
				id := uuid.New()
				if err := w.find(w.as("officer"), id, raise(severity.Critical, about("strategy", plan)), finding.AssignFinding{OwnerID: w.members["owner"]}); err != nil {
					t.Fatal(err)
				}
				hold := func(c command.Call, command strategy.Command) error {
					_, err := w.commands.Strategies.Execute(t.Context(), c, plan, command)
					return err
				}
				holder := func() command.Call { return w.machine(command.ProcessPrincipal(w.org, "holds")) }
				if err := hold(holder(), strategy.PutStrategyOnHold{Blocker: strategy.Blocker{Kind: strategy.ByFinding, Ref: id.String()}, Reason: "critical"}); err != nil {
					t.Fatal(err)
				}
				resume := strategy.ResumeStrategy{Reason: "settled", SettledFindings: []string{id.String()}, AutoResume: true}
				refusedAs(t, "while it is open", hold(w.as("officer"), resume), strategy.ErrBlocked)
				want := strategy.ErrBlocked
				if !auto {
					want = strategy.ErrMachine
				}
				refusedAs(t, "by a process while it is open", hold(holder(), resume), want)
				if err := c.settle(w, id); err != nil {
					t.Fatal(err)
				}
				by := w.as("officer")
				if auto {
					by = holder()
				} else {
					refusedAs(t, "by a process that the policy does not let", hold(holder(), resume), strategy.ErrMachine)
				}
				if err := hold(by, resume); err != nil {
					t.Fatal(err)
				}
				if s := w.strategy(plan); s.Phase != strategy.Active {
					t.Errorf("the strategy is %s", s.Phase)
				}
			})
		}
	}
}
