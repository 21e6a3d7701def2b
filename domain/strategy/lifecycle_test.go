package strategy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/strategy"
)

// lifecycle is the table of states and commands: what becomes of a strategy
// (phase/stage of the working revision) that a command is given in a state.
// "-" is refused; the rule that refuses stands in refusals below.
const lifecycle = `
                     edit                submit              request            approve             quorum              activate          open              withdraw         hold                 resume             close            attest
preparing/draft      preparing/draft     preparing/submitted -                  -                   -                   -                 -                 -                -                    -                  closed/none      -
preparing/submitted  -                   -                   preparing/draft    preparing/submitted preparing/approved  -                 -                 -                -                    -                  closed/none      -
preparing/approved   -                   -                   preparing/draft    -                   -                   active/none       -                 -                -                    -                  closed/none      -
active/none          -                   -                   -                  -                   -                   -                 active/draft      -                on_hold/none         -                  closed/none      active/none
active/draft         active/draft        active/submitted    -                  -                   -                   -                 -                 active/none      on_hold/draft        -                  closed/none      active/draft
active/submitted     -                   -                   active/draft       active/submitted    active/approved     -                 -                 active/none      on_hold/submitted    -                  closed/none      active/submitted
active/approved      -                   -                   active/draft       -                   -                   active/none       -                 active/none      on_hold/approved     -                  closed/none      active/approved
on_hold/none         -                   -                   -                  -                   -                   -                 on_hold/draft     -                on_hold/none         active/none        closed/none      -
on_hold/draft        on_hold/draft       on_hold/submitted   -                  -                   -                   -                 -                 on_hold/none     on_hold/draft        active/draft       closed/none      -
on_hold/submitted    -                   -                   on_hold/draft      on_hold/submitted   on_hold/approved    -                 -                 on_hold/none     on_hold/submitted    active/submitted   closed/none      -
on_hold/approved     -                   -                   on_hold/draft      -                   -                   -                 -                 on_hold/none     on_hold/approved     active/approved    closed/none      -
closed/none          -                   -                   -                  -                   -                   -                 -                 -                -                    -                  -                -
`

// inState gives a history that leads to each state of the table.
func inState() map[string][]past {
	second := hashOf(reopened)
	submitted2 := history(reopened, by(bob, submittedOf(reopened, 2, bob.ID)))
	approved2 := history(submitted2,
		by(carla, strategy.ApprovalGiven{Revision: 2, ContentHash: second, ApproverID: carla.ID, Meaning: strategy.Business}),
		by(eva, strategy.ApprovalGiven{Revision: 2, ContentHash: second, ApproverID: eva.ID, Meaning: strategy.Compliance, QuorumReached: true}))
	onHold := func(given []past) []past { return history(given, by(eva, held)) }
	return map[string][]past{
		"preparing/draft": withPlan, "preparing/submitted": submitted, "preparing/approved": approved,
		"active/none": inForce, "active/draft": reopened, "active/submitted": submitted2, "active/approved": approved2,
		"on_hold/none": onHold(inForce), "on_hold/draft": onHold(reopened), "on_hold/submitted": onHold(submitted2), "on_hold/approved": onHold(approved2),
		"closed/none": history(inForce, by(eva, strategy.Closed{Outcome: strategy.Completed, Reason: "r"})),
	}
}

var held = strategy.PutOnHold{Blocker: strategy.Blocker{Kind: strategy.ByOrder, Ref: "CO-1"}, Reason: "inquiry"}

// asked is each column's command as it would be given in a state, and by whom.
func asked(s strategy.State) map[string]struct {
	by fact.Actor
	c  strategy.Command
} {
	type ask = struct {
		by fact.Actor
		c  strategy.Command
	}
	seen := s.Working.ContentHash
	if seen == "" {
		seen = s.ContentHash(digest)
	}
	outcome := strategy.Withdrawn
	if s.HasInForce() {
		outcome = strategy.Abandoned
	}
	return map[string]ask{
		"edit":     {ann, strategy.AddGoal{GoalID: goal2, Name: "x"}},
		"submit":   {bob, strategy.SubmitStrategy{IndicatorDigest: digest, AsOfPosition: 7}},
		"request":  {dirk, strategy.RequestChanges{ContentHash: seen, Comments: "c"}},
		"approve":  {dirk, strategy.ApproveStrategy{ContentHash: seen, Meaning: strategy.Business, Policy: strategy.Policy{Approvals: 3}}},
		"quorum":   {dirk, strategy.ApproveStrategy{ContentHash: seen, Meaning: strategy.Business, Policy: strategy.Policy{Approvals: 1}}},
		"activate": {finn, strategy.ActivateStrategy{ContentHash: seen, Meaning: strategy.Activation, IndicatorDigest: digest, Policy: policy}},
		"open":     {bob, strategy.OpenRevision{Reason: "r"}},
		"withdraw": {bob, strategy.WithdrawRevision{Reason: "r"}},
		"hold":     {finn, strategy.PutStrategyOnHold{Blocker: strategy.Blocker{Ref: "CO-2"}, Reason: "r"}},
		"resume":   {finn, strategy.ResumeStrategy{Reason: "r"}},
		"close":    {finn, strategy.CloseStrategy{Outcome: outcome, Reason: "r"}},
		"attest":   {carla, attestation},
	}
}

var attestation = strategy.AttestPeriod{
	Period: calendar.Period{Start: "2025-01-01", End: "2025-12-31"}, Statement: "Complete and correct.",
	Meaning: strategy.Attestation, IndicatorDigest: digest, LogPosition: 99, HeadHash: digest,
}

// refusals says which rule refuses, by column; where it differs, by cell.
var refusals = map[string]*fault.Fault{
	"submit": strategy.ErrFrozen, "edit": strategy.ErrFrozen, "request": strategy.ErrNotSubmitted, "approve": strategy.ErrNotSubmitted,
	"quorum": strategy.ErrNotSubmitted, "activate": strategy.ErrNotSubmitted, "open": strategy.ErrRevisionOpen, "withdraw": strategy.ErrNoWorking,
	"hold": strategy.ErrNotInForce, "resume": strategy.ErrNotOnHold, "attest": strategy.ErrNotInForce,

	"active/none edit": strategy.ErrNoWorking, "on_hold/none edit": strategy.ErrNoWorking,
	"active/none submit": strategy.ErrNoWorking, "on_hold/none submit": strategy.ErrNoWorking,
	"preparing/draft open": strategy.ErrNotInForce, "preparing/submitted open": strategy.ErrNotInForce, "preparing/approved open": strategy.ErrNotInForce,
	"preparing/draft withdraw": strategy.ErrNotInForce, "preparing/submitted withdraw": strategy.ErrNotInForce, "preparing/approved withdraw": strategy.ErrNotInForce,
	"preparing/approved approve": strategy.ErrAlreadyQuorate, "active/approved approve": strategy.ErrAlreadyQuorate, "on_hold/approved approve": strategy.ErrAlreadyQuorate,
	"preparing/approved quorum": strategy.ErrAlreadyQuorate, "active/approved quorum": strategy.ErrAlreadyQuorate, "on_hold/approved quorum": strategy.ErrAlreadyQuorate,
	"preparing/submitted activate": strategy.ErrNoQuorum, "active/submitted activate": strategy.ErrNoQuorum,
	"on_hold/submitted activate": strategy.ErrOnHold, "on_hold/approved activate": strategy.ErrOnHold,
	"on_hold/none attest": strategy.ErrOnHold, "on_hold/draft attest": strategy.ErrOnHold, "on_hold/submitted attest": strategy.ErrOnHold, "on_hold/approved attest": strategy.ErrOnHold,
}

func stateOf(s strategy.State) string {
	stage := "none"
	if s.Working.Number > 0 {
		stage = string(s.Working.Stage)
	}
	return string(s.Phase) + "/" + stage
}

func TestEveryCellOfStatesAndCommands(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(lifecycle), "\n")
	columns := strings.Fields(lines[0])
	states, cells := inState(), 0
	for _, line := range lines[1:] {
		row := strings.Fields(line)
		given, known := states[row[0]]
		s := decider.Fold(given)
		if !known || stateOf(s) != row[0] {
			t.Fatalf("the history for %s leads to %s", row[0], stateOf(s))
		}
		for i, column := range columns {
			cells++
			t.Run(row[0]+" "+column, func(t *testing.T) {
				ask := asked(s)[column]
				events, err := strategy.Decide(s, ask.by, ask.c)
				if row[i+1] == "-" {
					rule := refusals[row[0]+" "+column]
					if rule == nil {
						rule = refusals[column]
					}
					if row[0] == "closed/none" {
						rule = strategy.ErrClosed
					}
					if !errors.Is(err, rule) || len(events) > 0 {
						t.Fatalf("got %v and %v, want %v", events, err, rule)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				after := s
				for _, e := range events {
					after = after.Apply(ask.by, e)
				}
				if got := stateOf(after); got != row[i+1] {
					t.Errorf("it is %s, want %s", got, row[i+1])
				}
				if after.Phase != strategy.Ended && column != "activate" && after.InForce.Number != s.InForce.Number {
					t.Errorf("revision %d is in force, was %d", after.InForce.Number, s.InForce.Number)
				}
			})
		}
	}
	if want := len(states) * len(columns); cells != want {
		t.Errorf("%d cells, want %d", cells, want)
	}
}

func TestHolds(t *testing.T) {
	finding := strategy.Blocker{Kind: strategy.ByFinding, Ref: id("finding", 1)}
	order := func(ref string) strategy.Blocker { return strategy.Blocker{Kind: strategy.ByOrder, Ref: ref} }
	process := machine(fact.Process)
	onHold := history(inForce, by(eva, held))
	both := history(onHold, by(process, strategy.PutOnHold{Blocker: finding, Reason: "critical finding"}))
	byFinding := history(inForce, by(process, strategy.PutOnHold{Blocker: finding, Reason: "critical finding"}))
	var full []past
	for n := range 200 {
		full = append(full, by(eva, strategy.PutOnHold{Blocker: order(fmt.Sprint(n)), Reason: "r"})...)
	}
	decider.Run(t, []spec{
		{Name: "an order", Given: inForce, By: eva, When: strategy.PutStrategyOnHold{Blocker: strategy.Blocker{Ref: "CO-1"}, Reason: "inquiry"}, Then: []strategy.Event{held}},
		{
			Name: "one order more", Given: onHold, By: finn, When: strategy.PutStrategyOnHold{Blocker: order("CO-2"), Reason: "r"},
			Then: []strategy.Event{strategy.PutOnHold{Blocker: order("CO-2"), Reason: "r"}},
		},
		{
			Name: "a finding, by a process", Given: inForce, By: process, When: strategy.PutStrategyOnHold{Blocker: finding, Reason: "r"},
			Then: []strategy.Event{strategy.PutOnHold{Blocker: finding, Reason: "r"}},
		},
		{Name: "no finding by a person", Given: inForce, By: eva, When: strategy.PutStrategyOnHold{Blocker: finding, Reason: "r"}, Refused: strategy.ErrBlockerKind},
		{Name: "not the same order twice", Given: onHold, By: finn, When: strategy.PutStrategyOnHold{Blocker: order("CO-1"), Reason: "r"}, Refused: strategy.ErrBlocked},
		{Name: "not without saying which", Given: inForce, By: eva, When: strategy.PutStrategyOnHold{Reason: "r"}, Refused: errInvalid},
		{Name: "not without a reason", Given: inForce, By: eva, When: strategy.PutStrategyOnHold{Blocker: order("CO-1")}, Refused: errInvalid},
		{Name: "no finding without its id", Given: inForce, By: process, When: strategy.PutStrategyOnHold{Blocker: strategy.Blocker{Kind: strategy.ByFinding, Ref: "x"}, Reason: "r"}, Refused: errInvalid},
		{Name: "not without end", Given: history(inForce, full), By: eva, When: strategy.PutStrategyOnHold{Blocker: order("CO-1"), Reason: "r"}, Refused: strategy.ErrTooMany},
		{Name: "not by an approver", Given: inForce, By: carla, When: strategy.PutStrategyOnHold{Blocker: order("CO-1"), Reason: "r"}, Refused: authz.ErrRole},
		{Name: "not by a source", Given: inForce, By: machine(fact.Source), When: strategy.PutStrategyOnHold{Blocker: order("CO-1"), Reason: "r"}, Refused: authz.ErrRole},

		{
			Name: "lifted by another officer", Given: onHold, By: finn, When: strategy.ResumeStrategy{Reason: "over"},
			Then: []strategy.Event{strategy.Resumed{ClearedBlockers: []strategy.Blocker{order("CO-1")}, Reason: "over"}},
		},
		{Name: "not while a finding is open", Given: both, By: finn, When: strategy.ResumeStrategy{Reason: "over"}, Refused: strategy.ErrBlocked},
		{
			Name: "lifted once the finding is settled", Given: both, By: finn, When: strategy.ResumeStrategy{Reason: "over", SettledFindings: []string{finding.Ref}},
			Then: []strategy.Event{strategy.Resumed{ClearedBlockers: []strategy.Blocker{order("CO-1"), finding}, Reason: "over"}},
		},
		{
			Name: "lifted by a process where the policy lets it", Given: byFinding, By: process,
			When: strategy.ResumeStrategy{Reason: "settled", SettledFindings: []string{finding.Ref}, AutoResume: true},
			Then: []strategy.Event{strategy.Resumed{ClearedBlockers: []strategy.Blocker{finding}, Reason: "settled"}},
		},
		{Name: "else by a person", Given: byFinding, By: process, When: strategy.ResumeStrategy{Reason: "r", SettledFindings: []string{finding.Ref}}, Refused: strategy.ErrMachine},
		{
			Name: "no order by a process", Given: both, By: process,
			When: strategy.ResumeStrategy{Reason: "r", SettledFindings: []string{finding.Ref}, AutoResume: true}, Refused: strategy.ErrMachine,
		},
		{Name: "not by an author", Given: onHold, By: ann, When: strategy.ResumeStrategy{Reason: "r"}, Refused: authz.ErrRole},
		{Name: "not without a reason", Given: onHold, By: finn, When: strategy.ResumeStrategy{}, Refused: errInvalid},
	})
}

func TestClosing(t *testing.T) {
	successor := id("plan", 2)
	process := machine(fact.Process)
	superseded := strategy.CloseStrategy{Outcome: strategy.Superseded, SuccessorID: successor, SuccessorInForce: true, Reason: "new council"}
	with := func(change func(*strategy.CloseStrategy)) strategy.CloseStrategy {
		c := superseded
		change(&c)
		return c
	}
	closed := strategy.Closed{Outcome: strategy.Superseded, SuccessorID: successor, Reason: "new council"}
	as := func(o strategy.Outcome) strategy.CloseStrategy {
		return strategy.CloseStrategy{Outcome: o, Reason: "r"}
	}
	decider.Run(t, []spec{
		{Name: "one never in force", Given: submitted, By: eva, When: as(strategy.Withdrawn), Then: []strategy.Event{strategy.Closed{Outcome: strategy.Withdrawn, Reason: "r"}}},
		{Name: "one in force", Given: inForce, By: eva, When: as(strategy.Completed), Then: []strategy.Event{strategy.Closed{Outcome: strategy.Completed, Reason: "r"}}},
		{
			Name: "with its working revision", Given: reopened, By: eva, When: as(strategy.Abandoned),
			Then: []strategy.Event{strategy.RevisionWithdrawn{Revision: 2, Reason: "r"}, strategy.Closed{Outcome: strategy.Abandoned, Reason: "r"}},
		},
		{Name: "for a successor", Given: inForce, By: eva, When: superseded, Then: []strategy.Event{closed}},
		{Name: "for a successor, by a process", Given: inForce, By: process, When: superseded, Then: []strategy.Event{closed}},
		{Name: "for nothing else by a process", Given: inForce, By: process, When: as(strategy.Completed), Refused: strategy.ErrMachine},
		{Name: "not as completed before it began", Given: submitted, By: eva, When: as(strategy.Completed), Refused: strategy.ErrOutcome},
		{Name: "not as superseded before it began", Given: submitted, By: eva, When: superseded, Refused: strategy.ErrOutcome},
		{Name: "not as withdrawn in force", Given: inForce, By: eva, When: as(strategy.Withdrawn), Refused: strategy.ErrOutcome},
		{Name: "not for itself", Given: inForce, By: eva, When: with(func(c *strategy.CloseStrategy) { c.SuccessorID = plan }), Refused: strategy.ErrSuccessor},
		{Name: "not for one that is not in force", Given: inForce, By: eva, When: with(func(c *strategy.CloseStrategy) { c.SuccessorInForce = false }), Refused: strategy.ErrSuccessor},
		{Name: "not for nobody", Given: inForce, By: eva, When: with(func(c *strategy.CloseStrategy) { c.SuccessorID = "" }), Refused: errInvalid},
		{Name: "no successor of a completed one", Given: inForce, By: eva, When: with(func(c *strategy.CloseStrategy) { c.Outcome = strategy.Completed }), Refused: errInvalid},
		{Name: "not without an outcome", Given: inForce, By: eva, When: as(""), Refused: errInvalid},
		{Name: "not without a reason", Given: inForce, By: eva, When: strategy.CloseStrategy{Outcome: strategy.Completed}, Refused: errInvalid},
		{Name: "not by an author", Given: inForce, By: ann, When: as(strategy.Completed), Refused: authz.ErrRole},
		{Name: "not what was never drafted", By: eva, When: as(strategy.Withdrawn), Refused: strategy.ErrNotDrafted},
	})
}
