package finding_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/severity"
)

func stale(a fact.Actor) fact.Actor {
	a.AuthAt = now.Add(-6 * time.Minute)
	return a
}

func TestRemediating(t *testing.T) {
	plan := finding.PlanRemediation{Response: finding.Agree, Actions: []finding.Action{todo}}
	with := func(change func(*finding.PlanRemediation)) finding.PlanRemediation {
		c := plan
		change(&c)
		return c
	}
	extended := planned
	extended.DueDate, extended.Reason = "2026-06-30", "needs a vendor"
	submit := finding.SubmitRemediation{ActionsDone: []string{action}, Statement: "Done.", EvidenceIDs: []string{proof}}
	done := func(change func(*finding.SubmitRemediation)) finding.SubmitRemediation {
		c := submit
		change(&c)
		return c
	}
	decider.Run(t, []spec{
		{Name: "planned by its owner", Given: in[finding.Owned], By: owner, When: plan, Then: []finding.Event{planned}},
		{
			Name: "extended for a reason", Given: in[finding.Planned], By: owner,
			When: with(func(c *finding.PlanRemediation) { c.DueDate, c.Reason = "2026-06-30", "needs a vendor" }), Then: []finding.Event{extended},
		},
		{Name: "not extended for none", Given: in[finding.Planned], By: owner, When: with(func(c *finding.PlanRemediation) { c.DueDate = "2026-06-30" }), Refused: finding.ErrDueDate},
		{Name: "not into the past", Given: in[finding.Planned], By: owner, When: with(func(c *finding.PlanRemediation) { c.DueDate, c.Reason = "2026-01-01", "r" }), Refused: finding.ErrDueDate},
		{Name: "not by another owner of indicators", Given: in[finding.Owned], By: other, When: plan, Refused: finding.ErrNotOwner},
		{Name: "not by an auditor", Given: in[finding.Owned], By: auditor, When: plan, Refused: authz.ErrRole},
		{Name: "not without actions", Given: in[finding.Owned], By: owner, When: with(func(c *finding.PlanRemediation) { c.Actions = nil }), Refused: refusal.Invalid},
		{Name: "not with an action twice", Given: in[finding.Owned], By: owner, When: with(func(c *finding.PlanRemediation) { c.Actions = []finding.Action{todo, todo} }), Refused: refusal.Invalid},
		{Name: "not without a response", Given: in[finding.Owned], By: owner, When: with(func(c *finding.PlanRemediation) { c.Response = "" }), Refused: refusal.Invalid},

		{Name: "submitted by its owner", Given: in[finding.Planned], By: owner, When: submit, Then: []finding.Event{submitted}},
		{Name: "not by another owner", Given: in[finding.Planned], By: other, When: submit, Refused: finding.ErrNotOwner},
		{Name: "not without evidence", Given: in[finding.Planned], By: owner, When: done(func(c *finding.SubmitRemediation) { c.EvidenceIDs = nil }), Refused: refusal.Invalid},
		{Name: "not with evidence that is not there", Given: in[finding.Planned], By: owner, When: done(func(c *finding.SubmitRemediation) { c.UnknownEvidence = []string{proof} }), Refused: finding.ErrEvidence},
		{Name: "not what was not planned", Given: in[finding.Planned], By: owner, When: done(func(c *finding.SubmitRemediation) { c.ActionsDone = []string{id("action", 2)} }), Refused: finding.ErrAction},
		{Name: "not without saying what", Given: in[finding.Planned], By: owner, When: done(func(c *finding.SubmitRemediation) { c.Statement = "" }), Refused: refusal.Invalid},
	})
}

func TestAcceptingRisks(t *testing.T) {
	with := func(change func(*finding.AcceptRisk)) finding.AcceptRisk {
		c := accept
		change(&c)
		return c
	}
	until := func(day calendar.Date) []finding.Event {
		e := accepted
		e.ExpiresOn = day
		return []finding.Event{e}
	}
	grave := raised
	grave.Severity = severity.Critical
	critical := by(officer, grave, assigned)
	two := accepted
	two.Acceptors = []string{acceptor.ID, second.ID}
	by2 := with(func(c *finding.AcceptRisk) { c.Second = second })
	seconded := func(change func(*fact.Second)) finding.AcceptRisk {
		c := by2
		change(&c.Second)
		return c
	}
	ownRisk, raiserToo := owner, officer
	ownRisk.Roles, raiserToo.Roles = []string{authz.RiskAcceptor}, []string{authz.RiskAcceptor}
	formerly := history(in[finding.Owned], by(officer, finding.Assigned{OwnerID: other.ID, PreviousOwner: owner.ID, DueDate: "2026-04-30"}))
	revoker := officer
	revoker.At = now.Add(-30 * time.Second)
	revoked := history(critical, by(acceptor, two), by(revoker, finding.ReturnedToWork{Reason: finding.AcceptanceRevoked, Comments: "No."}))
	robot := acceptor
	robot.Kind = fact.Process
	decider.Run(t, []spec{
		{Name: "by one", Given: in[finding.Owned], By: acceptor, When: accept, Then: []finding.Event{accepted}},
		{Name: "renewed", Given: in[finding.Accepted], By: acceptor, When: with(func(c *finding.AcceptRisk) { c.ExpiresOn = "2027-03-01" }), Then: until("2027-03-01")},
		{Name: "S7: not for longer than twelve months", Given: in[finding.Owned], By: acceptor, When: with(func(c *finding.AcceptRisk) { c.ExpiresOn = "2027-03-02" }), Refused: finding.ErrExpiry},
		{Name: "S7: nor than the policy lets", Given: in[finding.Owned], By: acceptor, When: with(func(c *finding.AcceptRisk) { c.MaxDays = 30 }), Refused: finding.ErrExpiry},
		{Name: "S7: not for no time", Given: in[finding.Owned], By: acceptor, When: with(func(c *finding.AcceptRisk) { c.ExpiresOn = "2026-03-01" }), Refused: finding.ErrExpiry},
		{Name: "S7: not by its owner", Given: in[finding.Owned], By: ownRisk, When: accept, Refused: finding.ErrOwnRisk},
		{Name: "S7: not by its raiser", Given: in[finding.Owned], By: raiserToo, When: accept, Refused: finding.ErrOwnRisk},
		{Name: "S7: not by its owner under another id", Given: in[finding.Owned], By: acceptor, When: with(func(c *finding.AcceptRisk) { c.SamePerson = []string{owner.ID} }), Refused: finding.ErrOwnRisk},
		{Name: "S7: a critical one by two", Given: critical, By: acceptor, When: by2, Then: []finding.Event{two}},
		{Name: "S7: a critical one not by one", Given: critical, By: acceptor, When: accept, Refused: finding.ErrTwoAcceptors},
		{Name: "S7: not by one twice", Given: critical, By: acceptor, When: seconded(func(s *fact.Second) { s.ID = acceptor.ID }), Refused: finding.ErrTwoAcceptors},
		{Name: "S7: not with a word that was given before it was revoked", Given: revoked, By: acceptor, When: seconded(func(s *fact.Second) { s.SignedAt = now.Add(-time.Minute) }), Refused: finding.ErrTwoAcceptors},
		{Name: "S7: but with one given since", Given: revoked, By: acceptor, When: by2, Then: []finding.Event{two}},
		{Name: "S7: not by who owned it once", Given: formerly, By: ownRisk, When: accept, Refused: finding.ErrOwnRisk},
		{Name: "S7: not with an auditor", Given: critical, By: acceptor, When: seconded(func(s *fact.Second) { s.Roles = []string{authz.Auditor} }), Refused: finding.ErrTwoAcceptors},
		{Name: "S7: not with its owner", Given: critical, By: acceptor, When: seconded(func(s *fact.Second) { s.ID = owner.ID }), Refused: finding.ErrOwnRisk},
		{Name: "S7: not with its owner under another id", Given: critical, By: acceptor, When: seconded(func(s *fact.Second) { s.SamePerson = []string{owner.ID} }), Refused: finding.ErrOwnRisk},
		{Name: "S11: not with an old sign-in", Given: in[finding.Owned], By: stale(acceptor), When: accept, Refused: authz.ErrNotSigned},
		{Name: "S11: not without a meaning", Given: in[finding.Owned], By: acceptor, When: with(func(c *finding.AcceptRisk) { c.Meaning = "" }), Refused: refusal.Invalid},
		{Name: "S12: not by a machine", Given: in[finding.Owned], By: robot, When: accept, Refused: finding.ErrMachine},
		{Name: "not without saying why", Given: in[finding.Owned], By: acceptor, When: with(func(c *finding.AcceptRisk) { c.Justification = "" }), Refused: refusal.Invalid},
		{Name: "not by an officer", Given: in[finding.Owned], By: officer, When: accept, Refused: authz.ErrRole},
	})
}

func TestReturning(t *testing.T) {
	back := func(why finding.Returned) finding.ReturnFinding {
		return finding.ReturnFinding{Reason: why, Comments: "Not so."}
	}
	is := func(why finding.Returned) []finding.Event {
		return []finding.Event{finding.ReturnedToWork{Reason: why, Comments: "Not so."}}
	}
	after := process
	after.At = now.AddDate(1, 0, 0)
	audit := raised
	audit.Origin = finding.FromAudit
	found := history(by(auditor, audit), by(officer, assigned), by(owner, planned, submitted))
	formerly := history(by(officer, raised, finding.Assigned{OwnerID: officer.ID, DueDate: "2026-04-30"}, assigned), by(owner, planned, submitted))
	same := back(finding.Insufficient)
	same.SamePerson = []string{owner.ID}
	decider.Run(t, []spec{
		{Name: "a remediation that does not do", Given: in[finding.Submitted], By: officer, When: back(finding.Insufficient), Then: is(finding.Insufficient)},
		{Name: "a closed one that came back", Given: in[finding.Ended], By: auditor, When: back(finding.Ineffective), Then: is(finding.Ineffective)},
		{Name: "an acceptance that is revoked", Given: in[finding.Accepted], By: officer, When: back(finding.AcceptanceRevoked), Then: is(finding.AcceptanceRevoked)},
		{Name: "an acceptance that has expired, by a process", Given: in[finding.Accepted], By: after, When: back(finding.AcceptanceExpired), Then: is(finding.AcceptanceExpired)},
		{Name: "not before it has", Given: in[finding.Accepted], By: process, When: back(finding.AcceptanceExpired), Refused: finding.ErrNotExpired},
		{Name: "S12: nothing else by a process", Given: in[finding.Submitted], By: after, When: back(finding.Ineffective), Refused: finding.ErrMachine},
		{Name: "not for a reason of another stage", Given: in[finding.Submitted], By: officer, When: back(finding.AcceptanceRevoked), Refused: finding.ErrReturnReason},
		{Name: "S6: what an audit found, not by an officer", Given: found, By: officer, When: back(finding.Insufficient), Refused: finding.ErrOwnVerification},
		{Name: "S6: but by an auditor", Given: found, By: auditor, When: back(finding.Insufficient), Then: is(finding.Insufficient)},
		{Name: "S6: not by a former owner", Given: formerly, By: officer, When: back(finding.Insufficient), Refused: finding.ErrOwnVerification},
		{Name: "S6: not under another id", Given: in[finding.Submitted], By: officer, When: same, Refused: finding.ErrOwnVerification},
		{Name: "not without saying why", Given: in[finding.Submitted], By: officer, When: finding.ReturnFinding{Reason: finding.Insufficient}, Refused: refusal.Invalid},
		{Name: "not by its owner", Given: in[finding.Submitted], By: owner, When: back(finding.Insufficient), Refused: authz.ErrRole},
	})
	t.Run("a dismissed one without owner is open again", func(t *testing.T) {
		s := decider.Fold(history(in[finding.Open], by(officer, finding.Closed{Resolution: finding.Dismissed}), by(auditor, finding.ReturnedToWork{Reason: finding.Ineffective})))
		if s.Stage != finding.Open {
			t.Errorf("it is %s", s.Stage)
		}
	})
}

func TestClosing(t *testing.T) {
	remediated := finding.CloseFinding{Resolution: finding.Remediated, EffectivenessCheck: "Two quarters in time.", Meaning: finding.MeansClosure}
	dismiss := func(reason string) finding.CloseFinding {
		return finding.CloseFinding{Resolution: finding.Dismissed, Reason: reason, Meaning: finding.MeansClosure}
	}
	why := "It rests on a misread table."
	same := remediated
	same.SamePerson = []string{owner.ID}
	silent, unseen := remediated, remediated
	silent.Meaning, unseen.EffectivenessCheck = "", ""
	audit := raised
	audit.Origin = finding.FromAudit
	found := history(by(auditor, audit), by(officer, assigned), by(owner, planned, submitted))
	byAuditor := closed
	byAuditor.VerifierID = auditor.ID
	robot := officer
	robot.Kind = fact.Process
	ownerToo := owner
	ownerToo.Roles = []string{authz.ComplianceOfficer}
	decider.Run(t, []spec{
		{Name: "remediated", Given: in[finding.Submitted], By: officer, When: remediated, Then: []finding.Event{closed}},
		{Name: "dismissed", Given: in[finding.Open], By: officer, When: dismiss(why), Then: []finding.Event{finding.Closed{Resolution: finding.Dismissed, Reason: why, VerifierID: officer.ID}}},
		{Name: "not dismissed in nineteen characters", Given: in[finding.Open], By: officer, When: dismiss("äääääääääääääääääää"), Refused: refusal.Invalid},
		{Name: "not dismissed in spaces", Given: in[finding.Open], By: officer, When: dismiss("nothing                 "), Refused: refusal.Invalid},
		{Name: "S6: not by its owner", Given: in[finding.Submitted], By: ownerToo, When: remediated, Refused: finding.ErrOwnVerification},
		{Name: "S6: not by its owner under another id", Given: in[finding.Submitted], By: officer, When: same, Refused: finding.ErrOwnVerification},
		{Name: "S6: what an audit found, not by an officer", Given: found, By: officer, When: remediated, Refused: finding.ErrOwnVerification},
		{Name: "S6: but by an auditor", Given: found, By: auditor, When: remediated, Then: []finding.Event{byAuditor}},
		{Name: "S11: not with an old sign-in", Given: in[finding.Submitted], By: stale(officer), When: remediated, Refused: authz.ErrNotSigned},
		{Name: "S11: not without a meaning", Given: in[finding.Submitted], By: officer, When: silent, Refused: refusal.Invalid},
		{Name: "S12: not by a process", Given: in[finding.Submitted], By: robot, When: remediated, Refused: finding.ErrMachine},
		{Name: "not without a check", Given: in[finding.Submitted], By: officer, When: unseen, Refused: refusal.Invalid},
		{Name: "not somehow", Given: in[finding.Submitted], By: officer, When: finding.CloseFinding{Resolution: "gone", Meaning: finding.MeansClosure}, Refused: refusal.Invalid},
	})
}

func TestNoSequenceOfCommandsBreaksTheRules(t *testing.T) {
	counts := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var s finding.State
		owners, submitters := map[string]bool{}, map[string]bool{}
		clock := now
		for range rapid.SampledFrom([]int{60, 30, 10}).Draw(t, "steps") {
			clock = clock.AddDate(0, 0, rapid.IntRange(0, 40).Draw(t, "days"))
			who := person(rapid.IntRange(1, 6).Draw(t, "who"), authz.ComplianceOfficer, authz.Auditor, authz.RiskAcceptor, authz.IndicatorOwner)
			if s.OwnerID != "" && rapid.Bool().Draw(t, "owner") {
				who.ID = s.OwnerID
			}
			who.Kind = rapid.SampledFrom([]fact.Kind{fact.Person, fact.Person, fact.Person, fact.Person, fact.Process}).Draw(t, "kind")
			who.At, who.AuthAt = clock, clock.Add(-time.Duration(rapid.SampledFrom([]int{0, 0, 0, 7}).Draw(t, "signed in"))*time.Minute)
			acts := asked(s)
			c := acts[rapid.SampledFrom([]string{"assign", "reclassify", "plan", "submit", "accept", "return", "close", "dismiss", "raise"}).Draw(t, "command")].c
			switch cmd := c.(type) {
			case nil:
				r := raise
				r.Severity = rapid.SampledFrom([]severity.Severity{severity.Low, severity.Critical, ""}).Draw(t, "severity")
				r.Origin = rapid.SampledFrom([]finding.Origin{finding.FromAudit, finding.FromBreach}).Draw(t, "origin")
				c = r
			case finding.AssignFinding:
				cmd.OwnerID = id("member", rapid.IntRange(1, 6).Draw(t, "assignee"))
				c = cmd
			case finding.AcceptRisk:
				cmd.ExpiresOn = calendar.Of(clock).AddDays(rapid.IntRange(-1, 400).Draw(t, "expires"))
				cmd.Second = second
				cmd.Second.ID = id("member", rapid.IntRange(1, 6).Draw(t, "second"))
				cmd.Second.AuthAt, cmd.Second.SignedAt = clock, clock
				c = cmd
			}
			events, err := finding.Decide(s, who, c)
			again, errAgain := finding.Decide(s, who, c)
			if diff := cmp.Diff(events, again); diff != "" || fmt.Sprint(err) != fmt.Sprint(errAgain) {
				t.Fatalf("deciding twice differs: %s %v %v", diff, err, errAgain)
			}
			if err != nil {
				var f *fault.Fault
				if !errors.As(err, &f) || f.Rule == "" || f.Detail == "" || len(events) > 0 {
					t.Fatalf("%T is refused by %v with %d events", c, err, len(events))
				}
				continue
			}
			for _, e := range events {
				counts[fmt.Sprintf("%T", e)]++
				switch e := e.(type) {
				case finding.Assigned:
					owners[e.OwnerID] = true
				case finding.RemediationSubmitted:
					if who.ID != s.OwnerID {
						t.Fatal("submitted by somebody else than the owner")
					}
					submitters[who.ID] = true
				case finding.RiskAccepted:
					n := 1
					if s.Severity == severity.Critical {
						n = 2
					}
					if len(e.Acceptors) != n || slices.Contains(e.Acceptors, s.OwnerID) || slices.Contains(e.Acceptors, s.RaisedBy) ||
						len(slices.Compact(slices.Sorted(slices.Values(e.Acceptors)))) != n || e.ExpiresOn > calendar.Of(clock).AddDays(365) || who.Kind != fact.Person {
						t.Fatalf("accepted by %v until %s, owned by %s, raised by %s", e.Acceptors, e.ExpiresOn, s.OwnerID, s.RaisedBy)
					}
				case finding.Closed:
					if owners[who.ID] || submitters[who.ID] || who.Kind != fact.Person || who.At.Sub(who.AuthAt) > 5*time.Minute {
						t.Fatalf("closed by %+v, owned by %v", who, owners)
					}
				}
				s = s.Apply(who, e)
			}
			if (s.Stage == finding.Accepted) != (s.ExpiresOn != "") || (s.OwnerID == "" && s.Stage != finding.Open && s.Stage != finding.Ended && s.Exists()) {
				t.Fatalf("a finding that is %s until %q, owned by %q", s.Stage, s.ExpiresOn, s.OwnerID)
			}
		}
	})
	for _, e := range []string{"Raised", "Assigned", "Reclassified", "RemediationPlanned", "RemediationSubmitted", "RiskAccepted", "ReturnedToWork", "Closed"} {
		if counts["finding."+e] == 0 {
			t.Errorf("no sequence got as far as %s: the test shows nothing about it", e)
		}
	}
}
