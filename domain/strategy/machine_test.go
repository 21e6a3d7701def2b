package strategy_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/strategy"
)

// anyone draws an actor: mostly a person with fitting roles and a fresh
// sign-in, sometimes a machine, sometimes somebody with every role at once, so
// that the rules between persons have to hold without the help of the table.
func anyone(t *rapid.T) fact.Actor {
	a := person(rapid.IntRange(1, 6).Draw(t, "member"))
	a.Kind = rapid.SampledFrom([]fact.Kind{fact.Person, fact.Person, fact.Person, fact.Person, fact.Source, fact.Process, ""}).Draw(t, "kind")
	a.Roles = rapid.SampledFrom([][]string{
		{authz.Author, authz.Approver, authz.ComplianceOfficer},
		{authz.Author, authz.Approver, authz.ComplianceOfficer},
		{authz.Author},
		{authz.Approver},
		{authz.ComplianceOfficer},
		{authz.Administrator},
		nil,
	}).Draw(t, "roles")
	a.AuthAt = now.Add(-time.Duration(rapid.SampledFrom([]int64{0, 60, 300, 301, -3600, math.MaxInt32}).Draw(t, "age")) * time.Second)
	return a
}

// anything draws a command that often fits the state: ids come from a small
// set, hashes are mostly the present ones.
func anything(s strategy.State) *rapid.Generator[strategy.Command] {
	return rapid.Custom(func(t *rapid.T) strategy.Command {
		ids := rapid.SampledFrom([]string{goal1, goal2, objective1, objective2, id("goal", 3), id("objective", 3), "", "nonsense", plan})
		word := rapid.SampledFrom([]string{"Freedom", "Rule of Law", "", "\x00", "\xff", "2026-01-01", "2025-01-01"})
		hashes := rapid.SampledFrom([]string{s.Working.ContentHash, s.Working.ContentHash, s.Working.ContentHash, wrongHash, ""})
		digests := rapid.SampledFrom([]string{digest, digest, digest, otherDigest, "x"})
		pol := strategy.Policy{Approvals: rapid.IntRange(-1, 3).Draw(t, "n"), ComplianceRequired: rapid.Bool().Draw(t, "compliance")}
		fields := rapid.SampledFrom([]string{"name", "vision", "periodStart", "periodEnd", "sequence", "values", "goalId", "nonsense"})
		edits := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) strategy.Edit {
			return strategy.Edit{Field: fields.Draw(t, "field"), New: strategy.Text(word.Draw(t, "text"))}
		}), 0, 3)
		meaning := rapid.SampledFrom([]strategy.Meaning{strategy.Business, strategy.Compliance, strategy.Board, strategy.Activation, ""})
		others := rapid.SliceOfN(rapid.SampledFrom([]string{ann.ID, bob.ID, carla.ID, dirk.ID}), 0, 1)
		reason := word.Draw(t, "reason")
		blockers := rapid.SampledFrom([]strategy.Blocker{{Ref: "CO-1"}, {Kind: strategy.ByOrder, Ref: "CO-2"}, {Kind: strategy.ByFinding, Ref: goal1}, {Kind: "x"}})
		switch rapid.IntRange(0, 20).Draw(t, "command") {
		case 0:
			return strategy.DraftStrategy{StrategyID: plan, Frame: strategy.Frame{Name: word.Draw(t, "name")}}
		case 1:
			return strategy.AmendFrame{Edits: edits.Draw(t, "edits"), Reason: reason}
		case 2:
			return strategy.AddGoal{GoalID: ids.Draw(t, "goal"), Name: word.Draw(t, "name")}
		case 3:
			return strategy.AmendGoal{GoalID: ids.Draw(t, "goal"), Edits: edits.Draw(t, "edits"), Reason: reason}
		case 4:
			return strategy.RetireGoal{GoalID: ids.Draw(t, "goal"), Reason: reason}
		case 5:
			return strategy.AddObjective{ObjectiveID: ids.Draw(t, "objective"), GoalID: ids.Draw(t, "goal"), Name: word.Draw(t, "name")}
		case 6:
			return strategy.AmendObjective{ObjectiveID: ids.Draw(t, "objective"), Edits: edits.Draw(t, "edits"), Reason: reason}
		case 7:
			return strategy.MoveObjective{ObjectiveID: ids.Draw(t, "objective"), GoalID: ids.Draw(t, "goal"), Reason: reason}
		case 8:
			return strategy.RetireObjective{ObjectiveID: ids.Draw(t, "objective"), Reason: reason}
		case 9:
			return strategy.SubmitStrategy{IndicatorDigest: digests.Draw(t, "digest"), AsOfPosition: rapid.Int64().Draw(t, "position"), IndicatorAuthors: others.Draw(t, "authors")}
		case 10:
			return strategy.RequestChanges{ContentHash: hashes.Draw(t, "hash"), Comments: reason}
		case 11, 12:
			return strategy.ApproveStrategy{ContentHash: hashes.Draw(t, "hash"), Meaning: meaning.Draw(t, "meaning"), Policy: pol, SamePerson: others.Draw(t, "same")}
		case 13:
			return strategy.ActivateStrategy{ContentHash: hashes.Draw(t, "hash"), Meaning: meaning.Draw(t, "meaning"), IndicatorDigest: digests.Draw(t, "digest"), Policy: pol}
		case 14:
			return strategy.OpenRevision{Reason: reason}
		case 15:
			return strategy.WithdrawRevision{Reason: reason}
		case 16:
			return strategy.PutStrategyOnHold{Blocker: blockers.Draw(t, "blocker"), Reason: reason}
		case 17:
			settled := rapid.SampledFrom([][]string{nil, {goal1}, {"x"}}).Draw(t, "settled")
			return strategy.ResumeStrategy{Reason: reason, SettledFindings: settled, AutoResume: rapid.Bool().Draw(t, "auto")}
		case 18:
			if rapid.IntRange(0, 3).Draw(t, "close") > 0 {
				return nil
			}
			outcome := rapid.SampledFrom([]strategy.Outcome{strategy.Completed, strategy.Withdrawn, strategy.Superseded, ""}).Draw(t, "outcome")
			return strategy.CloseStrategy{Outcome: outcome, SuccessorID: ids.Draw(t, "successor"), SuccessorInForce: rapid.Bool().Draw(t, "in force"), Reason: reason}
		case 19:
			c := attestation
			c.Measurers, c.SamePerson, c.IndicatorDigest = others.Draw(t, "measurers"), others.Draw(t, "same"), digests.Draw(t, "digest")
			return c
		}
		return nil
	})
}

// likely draws what a strategy in this stage waits for, so that sequences get
// as far as activations.
func likely(t *rapid.T, s strategy.State) (fact.Actor, strategy.Command) {
	full := strategy.Policy{Approvals: rapid.IntRange(1, 3).Draw(t, "quorum"), ComplianceRequired: true}
	who := person(rapid.IntRange(1, 6).Draw(t, "who"), authz.Author, authz.Approver, authz.ComplianceOfficer)
	w := s.Working
	switch {
	case !s.Exists():
		return who, strategy.DraftStrategy{StrategyID: plan, Frame: strategy.Frame{Name: "x"}}
	case s.HasInForce() && rapid.IntRange(0, 15).Draw(t, "end") == 0:
		return who, strategy.CloseStrategy{Outcome: strategy.Superseded, SuccessorID: id("plan", 2), SuccessorInForce: true, Reason: "r"}
	case s.Phase == strategy.OnHold && rapid.Bool().Draw(t, "lift"):
		return who, strategy.ResumeStrategy{Reason: "r", SettledFindings: []string{goal1}}
	case s.Phase == strategy.Active && rapid.IntRange(0, 3).Draw(t, "hold") == 0:
		return who, strategy.PutStrategyOnHold{Blocker: strategy.Blocker{Ref: "CO-9"}, Reason: "r"}
	case s.Phase == strategy.Active && rapid.IntRange(0, 3).Draw(t, "attest") == 0:
		return who, attestation
	case w.Number == 0:
		return who, strategy.OpenRevision{Reason: "r"}
	case w.Stage == strategy.Draft && len(w.Plan.Goals()) == 0:
		return who, strategy.AddGoal{GoalID: id("goal", rapid.IntRange(10, 99).Draw(t, "goal")), Name: "g"}
	case w.Stage == strategy.Draft && len(w.Plan.Objectives("")) == 0:
		return who, strategy.AddObjective{ObjectiveID: id("objective", rapid.IntRange(10, 99).Draw(t, "objective")), GoalID: w.Plan.Goals()[0].ID}
	case w.Stage == strategy.Draft:
		return who, strategy.SubmitStrategy{IndicatorDigest: digest}
	case w.Stage == strategy.AwaitsApproval:
		m := rapid.SampledFrom([]strategy.Meaning{strategy.Business, strategy.Compliance}).Draw(t, "meaning")
		return who, strategy.ApproveStrategy{ContentHash: w.ContentHash, Meaning: m, Policy: full}
	}
	return who, strategy.ActivateStrategy{ContentHash: w.ContentHash, Meaning: strategy.Activation, IndicatorDigest: digest, Policy: full}
}

// model remembers, beside the state and without its code, what the rules are about.
type model struct {
	usedIDs   map[string]bool
	authors   map[string]bool // of the working revision
	approvers map[string]bool // of its content
	compliant bool
	submitter string
	hash      string
	revision  int
	blockers  map[strategy.Blocker]bool
	closed    bool
}

func (m *model) note(t *rapid.T, s strategy.State, by fact.Actor, c strategy.Command, e strategy.Event) {
	fail := func(format string, args ...any) { t.Fatalf("%T by %+v: %s", c, by, fmt.Sprintf(format, args...)) }
	wrote := false
	if m.closed {
		fail("accepted after the end")
	}
	switch e := e.(type) {
	case strategy.Drafted:
		*m, wrote = model{usedIDs: map[string]bool{}, authors: map[string]bool{}, revision: 1, blockers: map[strategy.Blocker]bool{}}, true
	case strategy.PutOnHold:
		switch {
		case !s.HasInForce() || m.blockers[e.Blocker]:
			fail("held twice for %v, or before it was in force", e.Blocker)
		case by.Kind == fact.Person && e.Blocker.Kind != strategy.ByOrder:
			fail("a person holds for %v", e.Blocker)
		}
		m.blockers[e.Blocker] = true
	case strategy.Resumed:
		c := c.(strategy.ResumeStrategy)
		for b := range m.blockers {
			if !slices.Contains(e.ClearedBlockers, b) || (b.Kind == strategy.ByOrder && by.Kind != fact.Person) || (b.Kind == strategy.ByFinding && !slices.Contains(c.SettledFindings, b.Ref)) {
				fail("resumed against %v", b)
			}
		}
		if len(m.blockers) == 0 || len(m.blockers) != len(e.ClearedBlockers) {
			fail("cleared %v of %v", e.ClearedBlockers, m.blockers)
		}
		m.blockers = map[strategy.Blocker]bool{}
	case strategy.Closed:
		if (e.Outcome == strategy.Withdrawn) == s.HasInForce() || (by.Kind != fact.Person && e.Outcome != strategy.Superseded) || (e.Outcome == strategy.Superseded) != (e.SuccessorID != "") {
			fail("closed as %s for %q", e.Outcome, e.SuccessorID)
		}
		m.closed = true
	case strategy.PeriodAttested:
		c := c.(strategy.AttestPeriod)
		switch {
		case by.Kind != fact.Person || len(m.blockers) > 0 || !s.HasInForce():
			fail("attested by a machine, on hold, or what is not in force")
		case slices.Contains(c.Measurers, by.ID) || by.At.Sub(by.AuthAt) > 5*time.Minute:
			fail("attested by somebody who measured, or with an old sign-in")
		}
	case strategy.GoalAdded:
		if m.usedIDs[e.GoalID] {
			fail("id %s used twice", e.GoalID)
		}
		m.usedIDs[e.GoalID], wrote = true, true
	case strategy.ObjectiveAdded:
		if m.usedIDs[e.ObjectiveID] {
			fail("id %s used twice", e.ObjectiveID)
		}
		m.usedIDs[e.ObjectiveID], wrote = true, true
	case strategy.PlanElementAmended, strategy.PlanElementRetired:
		wrote = true
	case strategy.Submitted:
		m.authors[by.ID] = true
		for _, a := range c.(strategy.SubmitStrategy).IndicatorAuthors {
			m.authors[a] = true
		}
		if len(e.Authors) != len(m.authors) {
			fail("authors %v, want %v", e.Authors, m.authors)
		}
		m.hash, m.submitter, m.approvers, m.compliant = e.ContentHash, by.ID, map[string]bool{}, false
	case strategy.ChangesRequested:
		m.hash, m.approvers = "", nil
	case strategy.ApprovalGiven:
		switch {
		case by.Kind != fact.Person:
			fail("a machine approved")
		case m.authors[by.ID]:
			fail("somebody approved what they wrote")
		case m.approvers[by.ID]:
			fail("somebody approved twice")
		case e.ContentHash != m.hash:
			fail("approved another content")
		case by.At.Sub(by.AuthAt) > 5*time.Minute:
			fail("signed with an old sign-in")
		}
		m.approvers[by.ID] = true
		m.compliant = m.compliant || e.Meaning == strategy.Compliance
		if p := c.(strategy.ApproveStrategy).Policy; e.QuorumReached != (len(m.approvers) >= p.Approvals && (m.compliant || !p.ComplianceRequired)) {
			fail("quorum %v with %v", e.QuorumReached, m.approvers)
		}
	case strategy.Activated:
		p := c.(strategy.ActivateStrategy).Policy
		switch {
		case len(m.blockers) > 0:
			fail("activated on hold")
		case by.Kind != fact.Person || by.ID == m.submitter:
			fail("activated by the submitter or a machine")
		case e.ContentHash != m.hash || len(m.approvers) < p.Approvals || len(m.approvers) == 0 || (p.ComplianceRequired && !m.compliant):
			fail("activated without quorum on the exact content: %+v", m)
		case e.Revision != m.revision:
			fail("activated revision %d, want %d", e.Revision, m.revision)
		}
	case strategy.RevisionOpened:
		if e.Revision <= m.revision {
			fail("revision %d follows %d", e.Revision, m.revision)
		}
		m.revision, m.authors, m.hash, m.approvers, wrote = e.Revision, map[string]bool{}, "", nil, true
	}
	if wrote && by.Kind == fact.Person {
		m.authors[by.ID] = true
	}
}

func TestNoSequenceOfCommandsBreaksTheRules(t *testing.T) {
	counts := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var s strategy.State
		var m model
		for range rapid.SampledFrom([]int{60, 30, 10}).Draw(t, "steps") {
			by, c := anyone(t), strategy.Command(nil)
			if rapid.Bool().Draw(t, "likely") {
				by, c = likely(t, s)
			} else {
				c = anything(s).Draw(t, "command")
			}
			events, err := strategy.Decide(s, by, c)
			again, errAgain := strategy.Decide(s, by, c)
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
			if len(events) == 0 {
				t.Fatalf("%T was accepted without an event", c)
			}
			for _, e := range events {
				m.note(t, s, by, c, e)
				frozen := s.Working.Stage == strategy.AwaitsApproval || s.Working.Stage == strategy.ApprovedContent
				before, inForce := s.ContentHash(digest), s.InForce
				s = s.Apply(by, e)
				_, activated := e.(strategy.Activated)
				_, withdrawn := e.(strategy.RevisionWithdrawn)
				if s.Phase == strategy.Ended {
					counts["closed"]++
					continue
				}
				if frozen && !activated && !withdrawn && s.ContentHash(digest) != before {
					t.Fatalf("%T changed a frozen revision", e)
				}
				if !activated && s.InForce.Number != inForce.Number {
					t.Fatalf("%T changed the revision in force", e)
				}
				counts[fmt.Sprintf("%T", e)]++
			}
			if onHold := s.Phase == strategy.OnHold; onHold != (len(m.blockers) > 0) && !m.closed {
				t.Fatalf("%s with %v", s.Phase, m.blockers)
			}
			if s.Working.Number > 0 && !slices.Equal(s.Working.Authors(), sorted(m.authors)) {
				t.Fatalf("authors %v, want %v", s.Working.Authors(), m.authors)
			}
			for _, o := range s.Working.Plan.Objectives("") {
				if _, ok := s.Working.Plan.Goal(o.GoalID); !ok {
					t.Fatalf("objective %s has no living goal", o.ID)
				}
			}
		}
	})
	for _, e := range []string{"strategy.Activated", "strategy.PutOnHold", "strategy.Resumed", "strategy.PeriodAttested", "strategy.RevisionWithdrawn", "closed"} {
		if counts[e] == 0 {
			t.Errorf("no sequence got as far as %s: the test shows nothing about it", e)
		}
	}
}

func sorted(set map[string]bool) []string {
	var ids []string
	for id := range set {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
