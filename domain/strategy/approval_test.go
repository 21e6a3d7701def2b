package strategy_test

import (
	"testing"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
)

func TestSubmitting(t *testing.T) {
	submit := strategy.SubmitStrategy{IndicatorDigest: digest, AsOfPosition: 7}
	withAuthors := submit
	withAuthors.IndicatorAuthors = []string{carla.ID, ann.ID, carla.ID}
	empty := history(withPlan, by(ann, strategy.PlanElementRetired{ElementKind: strategy.ObjectiveElement, ElementID: objective1, Reason: "r"}))
	decider.Run(t, []spec{
		{Name: "names authors and submitter", Given: withPlan, By: bob, When: submit, Then: []strategy.Event{submittedOf(withPlan, 1, ann.ID, bob.ID)}},
		{Name: "and authors of indicators", Given: withPlan, By: ann, When: withAuthors, Then: []strategy.Event{submittedOf(withPlan, 1, ann.ID, carla.ID)}},
		{Name: "not without an objective", Given: empty, By: ann, When: submit, Refused: strategy.ErrNothingToApprove},
		{Name: "not twice", Given: submitted, By: ann, When: submit, Refused: strategy.ErrFrozen},
		{Name: "not without a digest", Given: withPlan, By: ann, When: strategy.SubmitStrategy{}, Refused: refusal.Invalid},
		{Name: "not what is in force", Given: inForce, By: ann, When: submit, Refused: strategy.ErrNoWorking},
		{Name: "not by an approver", Given: withPlan, By: carla, When: submit, Refused: authz.ErrRole},
	})
}

func TestApproving(t *testing.T) {
	approve := func(m strategy.Meaning) strategy.ApproveStrategy {
		return strategy.ApproveStrategy{ContentHash: hash, Meaning: m, Policy: policy}
	}
	given := func(who fact.Actor, m strategy.Meaning, quorum bool) []strategy.Event {
		return []strategy.Event{strategy.ApprovalGiven{Revision: 1, ContentHash: hash, ApproverID: who.ID, Meaning: m, QuorumReached: quorum}}
	}
	stale := person(3, authz.Approver)
	stale.AuthAt = now.Add(-5*time.Minute - time.Second)
	unproven := person(3, authz.Approver)
	unproven.AuthAt = time.Time{}
	early := person(3, authz.Approver)
	early.AuthAt = now.Add(2 * time.Minute)
	justInTime := person(3, authz.Approver)
	justInTime.AuthAt = now.Add(-5 * time.Minute)
	authorToo := person(1, authz.Author, authz.Approver)
	again := approve(strategy.Business)
	again.SamePerson = []string{ann.ID}
	other := approve(strategy.Business)
	other.ContentHash = wrongHash
	alone := approve(strategy.Business)
	alone.Policy = strategy.Policy{}
	boards := history(submitted, approval(hash, carla, strategy.Business, false), approval(hash, dirk, strategy.Board, false))
	redone := history(half, by(dirk, strategy.ChangesRequested{Revision: 1, ContentHash: hash, Comments: "c", VoidedApprovals: []string{carla.ID}}),
		by(bob, submittedOf(withPlan, 1, ann.ID, bob.ID)))
	byIndicatorAuthor := history(withPlan, by(ann, submittedOf(withPlan, 1, ann.ID, dirk.ID)))

	decider.Run(t, []spec{
		{Name: "first of two", Given: submitted, By: carla, When: approve(strategy.Business), Then: given(carla, strategy.Business, false)},
		{Name: "second of two, compliance", Given: half, By: eva, When: approve(strategy.Compliance), Then: given(eva, strategy.Compliance, true)},
		{Name: "second of two, no compliance yet (S2)", Given: half, By: dirk, When: approve(strategy.Board), Then: given(dirk, strategy.Board, false)},
		{Name: "third, compliance at last", Given: boards, By: eva, When: approve(strategy.Compliance), Then: given(eva, strategy.Compliance, true)},
		{Name: "one is enough if the policy says so", Given: submitted, By: carla, When: alone, Then: given(carla, strategy.Business, true)},
		{Name: "voided approvals do not count", Given: redone, By: eva, When: approve(strategy.Compliance), Then: given(eva, strategy.Compliance, false)},
		{Name: "and may be given again", Given: redone, By: carla, When: approve(strategy.Business), Then: given(carla, strategy.Business, false)},
		{Name: "just signed in enough", Given: submitted, By: justInTime, When: approve(strategy.Business), Then: given(carla, strategy.Business, false)},
		{Name: "S1: not by an author", Given: submitted, By: authorToo, When: approve(strategy.Business), Refused: strategy.ErrOwnWork},
		{Name: "S1: not by the submitter", Given: submitted, By: person(2, authz.Approver), When: approve(strategy.Business), Refused: strategy.ErrOwnWork},
		{Name: "S1: not by an author of indicators", Given: byIndicatorAuthor, By: dirk, When: approve(strategy.Business), Refused: strategy.ErrOwnWork},
		{Name: "S1: not by an author enrolled anew", Given: submitted, By: carla, When: again, Refused: strategy.ErrOwnWork},
		{Name: "S2: not twice", Given: half, By: carla, When: approve(strategy.Business), Refused: strategy.ErrApprovedTwice},
		{Name: "S11: not after six minutes", Given: submitted, By: stale, When: approve(strategy.Business), Refused: authz.ErrNotSigned},
		{Name: "S11: not without a sign-in", Given: submitted, By: unproven, When: approve(strategy.Business), Refused: authz.ErrNotSigned},
		{Name: "S11: not with a sign-in to come", Given: submitted, By: early, When: approve(strategy.Business), Refused: authz.ErrNotSigned},
		{Name: "S11: not without a meaning", Given: submitted, By: carla, When: approve(""), Refused: refusal.Invalid},
		{Name: "S12: not by a process", Given: submitted, By: machine(fact.Process), When: approve(strategy.Business), Refused: strategy.ErrMachine},
		{Name: "S12: not by a source", Given: submitted, By: machine(fact.Source), When: approve(strategy.Business), Refused: strategy.ErrMachine},
		{Name: "not another content", Given: submitted, By: carla, When: other, Refused: strategy.ErrOtherContent},
		{Name: "not a draft", Given: withPlan, By: carla, When: approve(strategy.Business), Refused: strategy.ErrNotSubmitted},
		{Name: "not beyond the quorum", Given: approved, By: dirk, When: approve(strategy.Business), Refused: strategy.ErrAlreadyQuorate},
		{Name: "compliance is for officers", Given: submitted, By: carla, When: approve(strategy.Compliance), Refused: authz.ErrRole},
		{Name: "and officers for compliance", Given: submitted, By: eva, When: approve(strategy.Business), Refused: authz.ErrRole},
		{Name: "not by an author's role", Given: submitted, By: person(7, authz.Author), When: approve(strategy.Business), Refused: authz.ErrRole},
	})
}

func TestRequestingChanges(t *testing.T) {
	request := strategy.RequestChanges{ContentHash: hash, Comments: "Say how liberty is measured."}
	decider.Run(t, []spec{
		{
			Name: "voids approvals", Given: approved, By: dirk, When: request,
			Then: []strategy.Event{strategy.ChangesRequested{Revision: 1, ContentHash: hash, Comments: request.Comments, VoidedApprovals: []string{carla.ID, eva.ID}}},
		},
		{Name: "not without saying which", Given: submitted, By: dirk, When: strategy.RequestChanges{ContentHash: hash}, Refused: refusal.Invalid},
		{Name: "not of a draft", Given: withPlan, By: dirk, When: request, Refused: strategy.ErrNotSubmitted},
		{Name: "not of another content", Given: submitted, By: dirk, When: strategy.RequestChanges{ContentHash: wrongHash, Comments: "c"}, Refused: strategy.ErrOtherContent},
		{Name: "not by an author", Given: submitted, By: ann, When: request, Refused: authz.ErrRole},
		{Name: "S12: not by a process", Given: submitted, By: machine(fact.Process), When: request, Refused: strategy.ErrMachine},
	})
}

func TestActivating(t *testing.T) {
	activate := strategy.ActivateStrategy{ContentHash: hash, Meaning: strategy.Activation, IndicatorDigest: digest, Policy: policy}
	with := func(change func(*strategy.ActivateStrategy)) strategy.ActivateStrategy {
		c := activate
		change(&c)
		return c
	}
	later := activated
	later.EffectiveFrom = "2027-01-01"
	secondHash := decider.Fold(reopened).ContentHash(digest)
	second := history(reopened, by(bob, submittedOf(reopened, 2, bob.ID)),
		by(carla, strategy.ApprovalGiven{Revision: 2, ContentHash: secondHash, ApproverID: carla.ID, Meaning: strategy.Business}),
		by(eva, strategy.ApprovalGiven{Revision: 2, ContentHash: secondHash, ApproverID: eva.ID, Meaning: strategy.Compliance, QuorumReached: true}))
	submitter := person(2, authz.ComplianceOfficer)
	stale := person(6, authz.ComplianceOfficer)
	stale.AuthAt = now.Add(-time.Hour)
	replaces := drafted
	replaces.Replaces = id("plan", 2)
	successor := by(ann, replaces, added, objective)
	successorHash := hashOf(successor)
	successor = history(successor, by(bob, submittedOf(successor, 1, ann.ID, bob.ID)), approval(successorHash, carla, strategy.Business, false), approval(successorHash, eva, strategy.Compliance, true))

	decider.Run(t, []spec{
		{Name: "by an approver of it", Given: approved, By: eva, When: activate, Then: []strategy.Event{activated}},
		{Name: "by another officer, from a date on", Given: approved, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.EffectiveFrom = "2027-01-01" }), Then: []strategy.Event{later}},
		{
			Name: "the next revision", Given: second, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.ContentHash = secondHash }),
			Then: []strategy.Event{strategy.Activated{Revision: 2, ContentHash: secondHash, EffectiveFrom: "2026-03-01", SupersedesRevision: 1}},
		},
		{
			Name: "the replacement of another strategy", Given: successor, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.ContentHash = successorHash }),
			Then: []strategy.Event{strategy.Activated{Revision: 1, ContentHash: successorHash, EffectiveFrom: "2026-03-01", ReplacesStrategyID: id("plan", 2)}},
		},
		{Name: "S1: not if an approver wrote to its indicators since, there and back", Given: approved, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.IndicatorAuthors = []string{ann.ID, carla.ID} }), Refused: strategy.ErrOwnWork},
		{Name: "if others wrote to its indicators", Given: approved, By: eva, When: with(func(c *strategy.ActivateStrategy) { c.IndicatorAuthors = []string{ann.ID, bob.ID} }), Then: []strategy.Event{activated}},
		{Name: "S2: not without quorum", Given: half, By: finn, When: activate, Refused: strategy.ErrNoQuorum},
		{Name: "S2: not with less than the policy asks for now", Given: approved, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.Policy.Approvals = 3 }), Refused: strategy.ErrNoQuorum},
		{Name: "S3: not by the submitter", Given: approved, By: submitter, When: activate, Refused: strategy.ErrOwnSubmission},
		{Name: "S3: not by the submitter enrolled anew", Given: approved, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.SamePerson = []string{bob.ID} }), Refused: strategy.ErrOwnSubmission},
		{Name: "S11: not with an old sign-in", Given: approved, By: stale, When: activate, Refused: authz.ErrNotSigned},
		{Name: "S11: not without a meaning", Given: approved, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.Meaning = "" }), Refused: refusal.Invalid},
		{Name: "S12: not by a process", Given: approved, By: machine(fact.Process), When: activate, Refused: strategy.ErrMachine},
		{Name: "not another content", Given: approved, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.ContentHash = wrongHash }), Refused: strategy.ErrOtherContent},
		{Name: "not with other indicators", Given: approved, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.IndicatorDigest = otherDigest }), Refused: strategy.ErrIndicators},
		{Name: "not from a day that is none", Given: approved, By: finn, When: with(func(c *strategy.ActivateStrategy) { c.EffectiveFrom = "soon" }), Refused: refusal.Invalid},
		{Name: "not twice", Given: inForce, By: finn, When: activate, Refused: strategy.ErrNotSubmitted},
		{Name: "not by an approver's role", Given: approved, By: dirk, When: activate, Refused: authz.ErrRole},
	})
}

func TestRevisions(t *testing.T) {
	withdrawn := history(reopened, by(bob, strategy.RevisionWithdrawn{Revision: 2, Reason: "r"}))
	withGoal := history(reopened, by(bob, strategy.GoalAdded{GoalID: goal2, Name: "x"}), by(bob, strategy.RevisionWithdrawn{Revision: 2, Reason: "r"}),
		by(bob, strategy.RevisionOpened{Revision: 3, BaseRevision: 1, Reason: "r"}))
	decider.Run(t, []spec{
		{
			Name: "one is opened on the one in force", Given: inForce, By: bob, When: strategy.OpenRevision{Reason: "yearly review"},
			Then: []strategy.Event{strategy.RevisionOpened{Revision: 2, BaseRevision: 1, Reason: "yearly review"}},
		},
		{
			Name: "numbers are never used again", Given: withdrawn, By: bob, When: strategy.OpenRevision{Reason: "r"},
			Then: []strategy.Event{strategy.RevisionOpened{Revision: 3, BaseRevision: 1, Reason: "r"}},
		},
		{Name: "one at a time", Given: reopened, By: bob, When: strategy.OpenRevision{Reason: "r"}, Refused: strategy.ErrRevisionOpen},
		{Name: "not before one is in force", Given: withPlan, By: bob, When: strategy.OpenRevision{Reason: "r"}, Refused: strategy.ErrNotInForce},
		{Name: "withdrawn", Given: reopened, By: bob, When: strategy.WithdrawRevision{Reason: "r"}, Then: []strategy.Event{strategy.RevisionWithdrawn{Revision: 2, Reason: "r"}}},
		{Name: "not the first", Given: withPlan, By: bob, When: strategy.WithdrawRevision{Reason: "r"}, Refused: strategy.ErrNotInForce},
		{Name: "not what is in force", Given: inForce, By: bob, When: strategy.WithdrawRevision{Reason: "r"}, Refused: strategy.ErrNoWorking},
		{Name: "element ids of withdrawn revisions stay used", Given: withGoal, By: bob, When: strategy.AddGoal{GoalID: goal2, Name: "x"}, Refused: strategy.ErrElementIDUsed},
	})
	t.Run("authors of earlier revisions may approve", func(t *testing.T) {
		if got := decider.Fold(reopened).Working.Authors(); len(got) != 1 || got[0] != bob.ID {
			t.Errorf("authors of revision 2: %v, want %v alone", got, bob.ID)
		}
	})
}

func TestContentHashCoversEverythingThatCounts(t *testing.T) {
	seen := map[string]string{}
	note := func(name string, s strategy.State, digest string) {
		h := s.ContentHash(digest)
		if other, same := seen[h]; same {
			t.Errorf("%s and %s have the same content hash", name, other)
		}
		seen[h] = name
	}
	base := decider.Fold(withPlan)
	note("base", base, digest)
	note("other digest", base, otherDigest)
	amend := func(kind strategy.ElementKind, id, field string, c strategy.Content) {
		s := decider.Fold(history(withPlan, by(ann, strategy.PlanElementAmended{ElementKind: kind, ElementID: id, Changes: []strategy.Change{{Field: field, New: c}}})))
		note(string(kind)+" "+field, s, digest)
	}
	text := strategy.Text("2026-01-01")
	people := strategy.Content{Stakeholders: []strategy.Stakeholder{{Name: "Courts", Roles: []strategy.Role{{Types: []strategy.RoleType{strategy.Performer}}}}}}
	for _, f := range []string{"name", "identifier", "description", "vision", "visionIdentifier", "mission", "missionIdentifier", "periodStart", "periodEnd", "otherInformation", "sourceUri", "publicationDate"} {
		amend(strategy.FrameElement, plan, f, text)
	}
	amend(strategy.FrameElement, plan, "values", strategy.Content{Values: []strategy.Value{{Name: "Liberty"}}})
	amend(strategy.FrameElement, plan, "organizations", strategy.Content{Organizations: []strategy.Organization{{Name: "Albania"}}})
	for _, f := range []string{"identifier", "sequence", "name", "description", "otherInformation"} {
		amend(strategy.GoalElement, goal1, f, text)
		amend(strategy.ObjectiveElement, objective1, f, text)
	}
	amend(strategy.GoalElement, goal1, "stakeholders", people)
	amend(strategy.ObjectiveElement, objective1, "stakeholders", people)
	amend(strategy.ObjectiveElement, objective1, "relationships", strategy.Content{Relationships: []strategy.Relationship{{Referents: []string{"SDG 16"}}}})
	note("a goal more", decider.Fold(history(withPlan, by(ann, strategy.GoalAdded{GoalID: goal2, Name: "x"}))), digest)
	note("an objective less", decider.Fold(history(withPlan, by(ann, strategy.PlanElementRetired{ElementKind: strategy.ObjectiveElement, ElementID: objective1}))), digest)

	t.Run("and nothing else", func(t *testing.T) {
		there := decider.Fold(history(withPlan, by(bob,
			strategy.GoalAdded{GoalID: goal2, Name: "x"},
			strategy.PlanElementRetired{ElementKind: strategy.GoalElement, ElementID: goal2, Reason: "r"})))
		if there.ContentHash(digest) != base.ContentHash(digest) {
			t.Error("a goal that came and went changes the content hash")
		}
	})
	t.Run("for ever the same", func(t *testing.T) {
		const golden = "6af78363876f56cccaaba8d257c97cbeceba2cf588be31e78b59149acd85a959" // computed independently, too
		if got := base.ContentHash(digest); got != golden {
			t.Errorf("content hash %s, want %s: approvals given under it would be void", got, golden)
		}
	})
}
