package finding_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/internal/decidertest"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/severity"
)

var decider = decidertest.Decider[finding.State, finding.Command, finding.Event]{Decide: finding.Decide, Apply: finding.State.Apply}

type (
	past = decidertest.Past[finding.Event]
	spec = decidertest.Case[finding.Command, finding.Event]
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// id makes a valid id that says what it is.
func id(kind string, n int) string { return fmt.Sprintf("%08x-0000-7000-8000-%012d", kind[0], n) }

func person(n int, roles ...string) fact.Actor {
	return fact.Actor{ID: id("member", n), Kind: fact.Person, Roles: roles, At: now, AuthAt: now.Add(-time.Minute)}
}

var (
	subject  = id("finding", 1)
	plan     = finding.Subject{Type: "strategy", ID: id("strategy", 1), Revision: 2}
	action   = id("action", 1)
	proof    = id("evidence", 1)
	auditor  = person(1, authz.Auditor)
	officer  = person(2, authz.ComplianceOfficer)
	owner    = person(3, authz.IndicatorOwner)
	other    = person(4, authz.IndicatorOwner)
	acceptor = person(5, authz.RiskAcceptor)
	process  = fact.Actor{ID: "deadlines", Kind: fact.Process, At: now}

	second = fact.Second{ID: id("member", 6), Kind: fact.Person, Roles: []string{authz.RiskAcceptor}, AuthAt: now, SignedAt: now}

	raise = finding.RaiseFinding{
		FindingID: subject, Kind: finding.MinorNC, Severity: severity.High, Title: "Late figures", Condition: "Figures of 2025 came in May.",
		Criteria: "They are due in March.", Subjects: []finding.Subject{plan}, Origin: finding.FromCompliance,
	}
	raised = finding.Raised{
		FindingID: subject, Kind: finding.MinorNC, Severity: severity.High, Title: raise.Title, Condition: raise.Condition,
		Criteria: raise.Criteria, Subjects: raise.Subjects, Origin: finding.FromCompliance,
	}
	assigned  = finding.Assigned{OwnerID: owner.ID, DueDate: "2026-04-30"}
	planned   = finding.RemediationPlanned{Response: finding.Agree, Actions: []finding.Action{todo}, OldDueDate: "2026-04-30", DueDate: "2026-04-30"}
	todo      = finding.Action{ID: action, Text: "Ask for figures in January.", DueDate: "2026-04-01", OwnerID: owner.ID}
	submitted = finding.RemediationSubmitted{ActionsDone: []string{action}, Statement: "Done.", EvidenceIDs: []string{proof}}
	accepted  = finding.RiskAccepted{Acceptors: []string{acceptor.ID}, Justification: "Rare.", ExpiresOn: "2026-12-31"}
	closed    = finding.Closed{Resolution: finding.Remediated, EffectivenessCheck: "Two quarters in time.", VerifierID: officer.ID}
)

func by(who fact.Actor, events ...finding.Event) (all []past) {
	for _, e := range events {
		all = append(all, past{By: who, Event: e})
	}
	return all
}

func history(parts ...[]past) []past { return slices.Concat(parts...) }

// in gives a history that leads to each stage.
var in = map[finding.Stage][]past{
	finding.Open:      by(officer, raised),
	finding.Owned:     by(officer, raised, assigned),
	finding.Planned:   history(by(officer, raised, assigned), by(owner, planned)),
	finding.Submitted: history(by(officer, raised, assigned), by(owner, planned, submitted)),
	finding.Accepted:  history(by(officer, raised, assigned), by(acceptor, accepted)),
	finding.Ended:     history(by(officer, raised, assigned), by(owner, planned, submitted), by(officer, closed)),
}

// lifecycle is the table of stages and commands: what a finding is after a
// command; "-" is refused.
const lifecycle = `
           assign    reclassify plan     submit    accept    return    close   dismiss
open       assigned  open       -        -         -         -         -       closed
assigned   assigned  assigned   planned  -         accepted  -         -       closed
planned    planned   planned    planned  submitted accepted  -         -       -
submitted  -         submitted  -        -         -         planned   closed  -
accepted   -         accepted   -        -         accepted  assigned  -       -
closed     -         -          -        -         -         assigned  -       -
`

var accept = finding.AcceptRisk{Justification: "Rare.", ExpiresOn: "2026-12-31", Meaning: finding.MeansAcceptance, MaxDays: 365}

type ask struct {
	by fact.Actor
	c  finding.Command
}

func asked(s finding.State) map[string]ask {
	why := finding.Ineffective
	if s.Stage == finding.Accepted {
		why = finding.AcceptanceRevoked
	}
	return map[string]ask{
		"assign":     {officer, finding.AssignFinding{OwnerID: other.ID, OwnerRoles: other.Roles}},
		"reclassify": {officer, finding.ReclassifyFinding{Kind: finding.MajorNC, Reason: "r"}},
		"plan":       {owner, finding.PlanRemediation{Response: finding.Agree, Actions: []finding.Action{todo}}},
		"submit":     {owner, finding.SubmitRemediation{ActionsDone: []string{action}, Statement: "Done.", EvidenceIDs: []string{proof}}},
		"accept":     {acceptor, accept},
		"return":     {auditor, finding.ReturnFinding{Reason: why, Comments: "Not so."}},
		"close":      {officer, finding.CloseFinding{Resolution: finding.Remediated, EffectivenessCheck: "Seen.", Meaning: finding.MeansClosure}},
		"dismiss":    {officer, finding.CloseFinding{Resolution: finding.Dismissed, Reason: "It rests on a misread table.", Meaning: finding.MeansClosure}},
	}
}

func TestEveryCellOfStagesAndCommands(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(lifecycle), "\n")
	columns, cells := strings.Fields(lines[0]), 0
	for _, line := range lines[1:] {
		row := strings.Fields(line)
		s := decider.Fold(in[finding.Stage(row[0])])
		if string(s.Stage) != row[0] {
			t.Fatalf("the history for %s leads to %s", row[0], s.Stage)
		}
		for i, column := range columns {
			cells++
			t.Run(row[0]+" "+column, func(t *testing.T) {
				a := asked(s)[column]
				events, err := finding.Decide(s, a.by, a.c)
				if row[i+1] == "-" {
					if !errors.Is(err, finding.ErrState) || len(events) > 0 {
						t.Fatalf("got %v and %v, want %v", events, err, finding.ErrState)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				after := s
				for _, e := range events {
					after = after.Apply(a.by, e)
				}
				if string(after.Stage) != row[i+1] {
					t.Errorf("it is %s, want %s", after.Stage, row[i+1])
				}
			})
		}
	}
	if cells != len(in)*len(columns) {
		t.Errorf("%d cells, want %d", cells, len(in)*len(columns))
	}
}

func TestRaising(t *testing.T) {
	with := func(change func(*finding.RaiseFinding)) finding.RaiseFinding {
		c := raise
		change(&c)
		return c
	}
	full := with(func(c *finding.RaiseFinding) {
		c.Cause, c.Effect, c.Recommendation, c.EngagementRef, c.DedupeKey = "No reminder.", "Late report.", "Remind.", "A-7", id("indicator", 1)
	})
	fullEvent := raised
	fullEvent.Cause, fullEvent.Effect, fullEvent.Recommendation, fullEvent.EngagementRef, fullEvent.DedupeKey = "No reminder.", "Late report.", "Remind.", "A-7", id("indicator", 1)
	decider.Run(t, []spec{
		{Name: "by a compliance officer", By: officer, When: raise, Then: []finding.Event{raised}},
		{Name: "by an auditor, in full", By: auditor, When: full, Then: []finding.Event{fullEvent}},
		{Name: "by a process", By: process, When: raise, Then: []finding.Event{raised}},
		{Name: "not by its owner", By: owner, When: raise, Refused: authz.ErrRole},
		{Name: "not by a source", By: fact.Actor{ID: "s", Kind: fact.Source, At: now}, When: raise, Refused: authz.ErrRole},
		{Name: "not twice", Given: in[finding.Open], By: officer, When: raise, Refused: finding.ErrRaised},
		{Name: "not about nothing", By: officer, When: with(func(c *finding.RaiseFinding) { c.Subjects = nil }), Refused: refusal.Invalid},
		{Name: "not about what is not there", By: officer, When: with(func(c *finding.RaiseFinding) { c.UnknownSubjects = []string{plan.ID} }), Refused: finding.ErrSubject},
		{Name: "not about what is none", By: officer, When: with(func(c *finding.RaiseFinding) { c.Subjects = []finding.Subject{{Type: "person", ID: plan.ID}} }), Refused: refusal.Invalid},
		{Name: "not about a revision of an indicator", By: officer, When: with(func(c *finding.RaiseFinding) {
			c.Subjects = []finding.Subject{{Type: "indicator", ID: plan.ID, Revision: 1}}
		}), Refused: refusal.Invalid},
		{Name: "not while the same is open", By: process, When: with(func(c *finding.RaiseFinding) { c.SameOpen = id("finding", 2) }), Refused: finding.ErrSameOpen},
		{Name: "not without a severity", By: officer, When: with(func(c *finding.RaiseFinding) { c.Severity = "" }), Refused: refusal.Invalid},
		{Name: "not without a kind", By: officer, When: with(func(c *finding.RaiseFinding) { c.Kind = "x" }), Refused: refusal.Invalid},
		{Name: "not without an origin", By: officer, When: with(func(c *finding.RaiseFinding) { c.Origin = "" }), Refused: refusal.Invalid},
		{Name: "not without criteria", By: officer, When: with(func(c *finding.RaiseFinding) { c.Criteria = " " }), Refused: refusal.Invalid},
	})
}

func TestAssigning(t *testing.T) {
	assign := func(due, reason string, roles ...string) finding.AssignFinding {
		return finding.AssignFinding{OwnerID: owner.ID, DueDate: calendar.Date(due), Reason: reason, OwnerRoles: roles}
	}
	later := assigned
	later.DueDate, later.Reason = "2026-06-30", "needs a vendor"
	aboutSource := raised
	aboutSource.Subjects = []finding.Subject{{Type: "source", ID: id("source", 1)}}
	again := finding.Assigned{OwnerID: owner.ID, PreviousOwner: owner.ID, DueDate: "2026-03-10"}
	table := []spec{
		{Name: "due by its severity", Given: in[finding.Open], By: officer, When: assign("", "", authz.IndicatorOwner), Then: []finding.Event{assigned}},
		{Name: "later for a reason", Given: in[finding.Open], By: auditor, When: assign("2026-06-30", "needs a vendor", authz.IndicatorOwner), Then: []finding.Event{later}},
		{Name: "sooner for none", Given: in[finding.Owned], By: officer, When: assign("2026-03-10", "", authz.IndicatorOwner), Then: []finding.Event{again}},
		{Name: "by a process", Given: in[finding.Open], By: process, When: assign("", "", authz.IndicatorOwner), Then: []finding.Event{assigned}},
		{Name: "not later for none", Given: in[finding.Open], By: officer, When: assign("2026-06-30", " ", authz.IndicatorOwner), Refused: finding.ErrDueDate},
		{Name: "not by yesterday", Given: in[finding.Open], By: officer, When: assign("2026-02-28", "", authz.IndicatorOwner), Refused: finding.ErrDueDate},
		{Name: "not to who cannot respond", Given: in[finding.Open], By: officer, When: assign("", "", authz.Viewer), Refused: finding.ErrOwnerRole},
		{Name: "not to the same, by the same day", Given: in[finding.Owned], By: officer, When: assign("2026-04-30", "", authz.IndicatorOwner), Refused: finding.ErrNothingChanges},
		{Name: "not to a data steward, if it is about no source", Given: in[finding.Open], By: officer, When: assign("", "", authz.DataSteward), Refused: finding.ErrOwnerRole},
		{Name: "to a data steward, if it is about a source", Given: by(officer, aboutSource), By: process, When: assign("", "", authz.DataSteward), Then: []finding.Event{assigned}},
		{Name: "not by an owner", Given: in[finding.Owned], By: owner, When: assign("", "", authz.IndicatorOwner), Refused: authz.ErrRole},
		{Name: "not what was never raised", By: officer, When: assign("", "", authz.IndicatorOwner), Refused: finding.ErrNotRaised},
	}
	for s, due := range map[severity.Severity]calendar.Date{
		severity.Critical: "2026-03-31", severity.High: "2026-04-30", severity.Medium: "2026-05-30", severity.Low: "2026-08-28",
	} {
		r, a := raised, assigned
		r.Severity, a.DueDate = s, due
		table = append(table, spec{Name: string(s), Given: by(officer, r), By: officer, When: assign("", "", authz.IndicatorOwner), Then: []finding.Event{a}})
	}
	decider.Run(t, table)
}

func TestReclassifying(t *testing.T) {
	to := func(s severity.Severity) []finding.Event {
		return []finding.Event{finding.Reclassified{OldSeverity: severity.High, Severity: s, OldKind: finding.MinorNC, Kind: finding.MinorNC, Reason: "r"}}
	}
	graver := finding.ReclassifyFinding{Severity: severity.Critical, Reason: "r"}
	decider.Run(t, []spec{
		{Name: "graver", Given: in[finding.Submitted], By: auditor, When: graver, Then: to(severity.Critical)},
		{Name: "not to the same", Given: in[finding.Open], By: auditor, When: finding.ReclassifyFinding{Severity: severity.High, Reason: "r"}, Refused: finding.ErrNothingChanges},
		{Name: "not for no reason", Given: in[finding.Open], By: auditor, When: finding.ReclassifyFinding{Severity: severity.Low}, Refused: refusal.Invalid},
		{Name: "not to what is none", Given: in[finding.Open], By: auditor, When: finding.ReclassifyFinding{Severity: "grave", Reason: "r"}, Refused: refusal.Invalid},
		{Name: "not by a process", Given: in[finding.Open], By: process, When: graver, Refused: authz.ErrRole},
	})
	t.Run("a rise voids the acceptance, and nothing else does", func(t *testing.T) {
		s := decider.Fold(in[finding.Accepted])
		milder := s.Apply(officer, finding.Reclassified{OldSeverity: severity.High, Severity: severity.Low, Kind: finding.MinorNC})
		graver := s.Apply(officer, finding.Reclassified{OldSeverity: severity.High, Severity: severity.Critical, Kind: finding.MinorNC})
		if milder.Stage != finding.Accepted || graver.Stage != finding.Owned || graver.ExpiresOn != "" {
			t.Errorf("milder it is %s, graver %s until %q", milder.Stage, graver.Stage, graver.ExpiresOn)
		}
	})
}

func TestOverdue(t *testing.T) {
	for stage, late := range map[finding.Stage]bool{
		finding.Open: false, finding.Owned: true, finding.Planned: true, finding.Submitted: true, finding.Accepted: false, finding.Ended: false,
	} {
		s := decider.Fold(in[stage])
		if s.Overdue("2026-05-01") != late || s.Overdue("2026-04-30") {
			t.Errorf("%s: overdue after its day %v, on it %v", stage, s.Overdue("2026-05-01"), s.Overdue("2026-04-30"))
		}
	}
}
