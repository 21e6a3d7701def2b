package strategy_test

import (
	"fmt"
	"strings"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/decidertest"
	"strata.dev/strata/domain/strategy"
)

var decider = decidertest.Decider[strategy.State, strategy.Command, strategy.Event]{
	Decide: strategy.Decide,
	Apply:  strategy.State.Apply,
}

type past = decidertest.Past[strategy.Event]

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// id makes a valid id that says what it is.
func id(kind string, n int) string {
	return fmt.Sprintf("%08x-0000-7000-8000-%012d", kind[0], n)
}

var (
	plan       = id("plan", 1)
	goal1      = id("goal", 1)
	goal2      = id("goal", 2)
	objective1 = id("objective", 1)
	objective2 = id("objective", 2)

	digest      = strings.Repeat("1d", 32)
	otherDigest = strings.Repeat("2e", 32)
	wrongHash   = strings.Repeat("bad0", 16)

	policy = strategy.Policy{Approvals: 2, ComplianceRequired: true}
)

func person(n int, roles ...string) fact.Actor {
	return fact.Actor{ID: id("member", n), Kind: fact.Person, Roles: roles, At: now, AuthAt: now.Add(-time.Minute)}
}

var (
	ann   = person(1, authz.Author)
	bob   = person(2, authz.Author)
	carla = person(3, authz.Approver)
	dirk  = person(4, authz.Approver)
	eva   = person(5, authz.ComplianceOfficer)
	finn  = person(6, authz.ComplianceOfficer)
)

func by(who fact.Actor, events ...strategy.Event) []past {
	var all []past
	for _, e := range events {
		all = append(all, past{By: who, Event: e})
	}
	return all
}

func history(parts ...[]past) []past {
	var all []past
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var (
	drafted   = strategy.Drafted{StrategyID: plan, LineageKey: plan, DocumentType: strategy.StrategicPlan, Frame: strategy.Frame{Name: "Human Freedom Report"}}
	added     = strategy.GoalAdded{GoalID: goal1, Name: "HUMAN FREEDOM"}
	objective = strategy.ObjectiveAdded{ObjectiveID: objective1, GoalID: goal1, Name: "Rule of Law"}
	withPlan  = by(ann, drafted, added, objective)
)

// hashOf is the content hash that a state's submission with digest gets.
func hashOf(past []past) string { return decider.Fold(past).ContentHash(digest) }

func submittedOf(past []past, revision int, authors ...string) strategy.Submitted {
	return strategy.Submitted{Revision: revision, ContentHash: hashOf(past), IndicatorDigest: digest, AsOfPosition: 7, Authors: authors}
}

func approval(hash string, who fact.Actor, m strategy.Meaning, quorum bool) []past {
	return by(who, strategy.ApprovalGiven{Revision: 1, ContentHash: hash, ApproverID: who.ID, Meaning: m, QuorumReached: quorum})
}

var (
	hash      = hashOf(withPlan)
	submitted = history(withPlan, by(bob, submittedOf(withPlan, 1, ann.ID, bob.ID)))
	half      = history(submitted, approval(hash, carla, strategy.Business, false))
	approved  = history(half, approval(hash, eva, strategy.Compliance, true))
	activated = strategy.Activated{Revision: 1, ContentHash: hash, EffectiveFrom: "2026-03-01"}
	inForce   = history(approved, by(eva, activated))
	reopened  = history(inForce, by(bob, strategy.RevisionOpened{Revision: 2, BaseRevision: 1, Reason: "yearly review"}))
)

func machine(kind fact.Kind) fact.Actor {
	a := person(9, authz.Author, authz.Approver, authz.ComplianceOfficer)
	a.Kind = kind
	return a
}
