package segregation

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/tests/testenv"
)

// rounds is how often each race is run.
const rounds = 12

// arena is an organization on a real database, where two processes race.
type arena struct {
	*world
	t testing.TB
}

func newArena(t *testing.T) *arena {
	t.Helper()
	log, err := postgres.Open(t.Context(), testenv.Log(t).App, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	w, err := newWorld(t.Context(), log, newCoverage())
	if err != nil {
		t.Fatal(err)
	}
	return &arena{w, t}
}

// holders are the members with all of the roles for the whole organization, in
// the order of their enrolment.
func (a *arena) holders(roles ...string) (ids []string) {
	for n := 1; n <= a.humans; n++ {
		for id, m := range a.ledger.members {
			holds := !m.service && m.left == nil && a.logins[id] == login(n)
			for _, r := range roles {
				holds = holds && a.has(id, r, "")
			}
			if holds {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// move is what one of the racers does, in the process it is given to.
type move func(p *command.Commands) error

func (a *arena) plans(by, id string, c strategy.Command) move {
	return func(p *command.Commands) error {
		_, err := p.Strategies.Execute(a.ctx, a.call(a.person(by)), uuid.MustParse(id), c)
		return err
	}
}

func (a *arena) finds(by, id string, c finding.Command) move {
	return func(p *command.Commands) error {
		_, err := p.Findings.Execute(a.ctx, a.call(a.person(by)), uuid.MustParse(id), c)
		return err
	}
}

func (a *arena) governs(by string, c organization.Command) move {
	return func(p *command.Commands) error {
		_, err := p.Organizations.Execute(a.ctx, a.call(a.person(by)), a.org, c)
		return err
	}
}

// must does one thing after another.
func (a *arena) must(moves ...move) {
	a.t.Helper()
	for _, m := range moves {
		if err := m(a.processes[0]); err != nil {
			a.t.Fatal(err)
		}
	}
	a.judge()
}

// judge lets the ledger see what happened since.
func (a *arena) judge() {
	a.t.Helper()
	if _, err := a.catchUp(a.ctx, anyProcess); err != nil {
		a.t.Fatal(err)
	}
}

// race releases the moves together, each in another process than its
// neighbours, and gives their answers: nil, or the rule by which they were refused.
func (a *arena) race(round int, moves ...move) []string {
	a.t.Helper()
	answers := make([]error, len(moves))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i, m := range moves {
		wg.Go(func() {
			<-start
			answers[i] = m(a.processes[(i+round)%len(a.processes)])
		})
	}
	close(start)
	wg.Wait()
	a.judge()
	rules := make([]string, len(moves))
	for i, err := range answers {
		if err == nil {
			continue
		}
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Rule == "" {
			a.t.Fatalf("round %d, move %d: %v", round, i, err)
		}
		rules[i] = f.Rule
	}
	return rules
}

// one makes sure that exactly one move went through, and that the others were
// refused by one of the rules.
func (a *arena) one(round int, answers []string, rules ...string) {
	a.t.Helper()
	won := 0
	for _, rule := range answers {
		ok := rule == ""
		if ok {
			won++
		}
		for _, r := range rules {
			ok = ok || r == rule
		}
		if !ok {
			a.t.Errorf("round %d: refused by %s", round, rule)
		}
	}
	if won != 1 {
		a.t.Errorf("round %d: %d moves went through: %q", round, won, answers)
	}
}

// submitted makes a strategy that waits for approvals.
func (a *arena) submitted() (id string, v *revision) {
	a.t.Helper()
	id = a.newID()
	goal, author := a.newID(), a.holders(authz.Author)[0]
	a.must(
		a.plans(author, id, strategy.DraftStrategy{Frame: strategy.Frame{Name: "Plan"}}),
		a.plans(author, id, strategy.AddGoal{GoalID: goal, Name: "Goal"}),
		a.plans(author, id, strategy.AddObjective{GoalID: goal, ObjectiveID: a.newID()}),
		a.plans(author, id, strategy.SubmitStrategy{}),
	)
	return id, a.ledger.strategies[id].working
}

// count is how many events of a type an aggregate has, of those that say so.
func (a *arena) count(stream, typ string, says func(map[string]any) bool) (n int) {
	a.t.Helper()
	events, err := a.log.ReadStream(a.ctx, a.org, stream, 0, 0)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, e := range events {
		b, err := body[map[string]any](entry{data: e.Data})
		if err != nil {
			a.t.Fatal(err)
		}
		if e.Type == typ && (says == nil || says(b)) {
			n++
		}
	}
	return n
}

func TestRacesKeepTheRules(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	approvers, officers := a.holders(authz.Approver), a.holders(authz.ComplianceOfficer)
	author, admins := a.holders(authz.Author)[0], a.holders(authz.Administrator)
	auditor := a.holders(authz.Auditor)[0]
	approve := func(v *revision, m strategy.Meaning) strategy.ApproveStrategy {
		return strategy.ApproveStrategy{ContentHash: v.hash, Meaning: m}
	}
	activate := func(v *revision) strategy.ActivateStrategy {
		return strategy.ActivateStrategy{ContentHash: v.hash, Meaning: strategy.Activation}
	}

	t.Run("approvals", func(t *testing.T) {
		a.t = t
		for round := range rounds {
			id, v := a.submitted()
			answers := a.race(round,
				a.plans(approvers[0], id, approve(v, strategy.Business)), a.plans(officers[0], id, approve(v, strategy.Compliance)),
				a.plans(approvers[0], id, approve(v, strategy.Business)), a.plans(officers[1], id, approve(v, strategy.Compliance)))
			quorum := a.count("strategy-"+id, "strategy.approval-given", func(b map[string]any) bool { return b["quorumReached"] == true })
			given := 0
			for _, rule := range answers {
				if rule == "" {
					given++
				}
			}
			if n := a.count("strategy-"+id, "strategy.approval-given", nil); n != given || n != 2 && n != 3 || quorum != 1 {
				t.Errorf("round %d: %d approvals, %d of them with the quorum, for the answers %q", round, n, quorum, answers)
			}
		}
	})

	t.Run("approve and edit", func(t *testing.T) {
		a.t = t
		for round := range rounds {
			id, v := a.submitted()
			a.must(a.plans(officers[0], id, approve(v, strategy.Compliance)))
			hash := v.hash
			back := func(p *command.Commands) error {
				err := a.plans(approvers[1], id, strategy.RequestChanges{ContentHash: hash, Comments: "c"})(p)
				if err != nil {
					return err
				}
				return a.plans(author, id, strategy.AddGoal{GoalID: uuid.NewString(), Name: "Slipped in"})(p)
			}
			answers := a.race(round, a.plans(approvers[0], id, approve(v, strategy.Business)), back)
			if answers[1] != "" || answers[0] != "" && answers[0] != "submitted" {
				t.Errorf("round %d: %q", round, answers)
			}
			// What was approved is not what there is now.
			if rules := a.race(round, a.plans(officers[1], id, strategy.ActivateStrategy{ContentHash: hash, Meaning: strategy.Activation})); rules[0] != "submitted" {
				t.Errorf("round %d: activated, or refused by %q", round, rules[0])
			}
			a.must(a.plans(author, id, strategy.SubmitStrategy{}))
			if v := a.ledger.strategies[id].working; v.hash == hash || len(v.approvals) > 0 {
				t.Errorf("round %d: content %s with %d approvals", round, v.hash, len(v.approvals))
			}
		}
	})

	t.Run("approve and revoke", func(t *testing.T) {
		a.t = t
		for round := range rounds {
			id, v := a.submitted()
			m := a.newMember(organization.Person)
			grant := a.newID()
			a.must(a.governs(admins[0], m), a.governs(admins[0], organization.GrantRole{
				GrantID: grant, MemberID: m.MemberID, Role: authz.Approver, Scope: organization.Scope{All: true},
			}))
			answers := a.race(round, a.plans(m.MemberID, id, approve(v, strategy.Business)),
				a.governs(admins[0], organization.RevokeRole{MemberID: m.MemberID, GrantIDs: []string{grant}, Reason: "r"}))
			if answers[1] != "" || answers[0] != "" && answers[0] != "role" {
				t.Errorf("round %d: %q", round, answers)
			}
			// After at most a second nobody goes by the lost role.
			testenv.Eventually(t, 20*time.Second, "the role is gone everywhere", func() error {
				for _, p := range a.processes {
					err := a.plans(m.MemberID, id, strategy.RequestChanges{ContentHash: v.hash, Comments: "c"})(p)
					if !errors.Is(err, authz.ErrRole) && !errors.Is(err, strategy.ErrNotSubmitted) {
						return errors.Join(errors.New("not refused for the role"), err)
					}
				}
				return nil
			})
			a.judge()
		}
	})

	t.Run("activate and request changes", func(t *testing.T) {
		a.t = t
		for round := range rounds {
			id, v := a.submitted()
			a.must(a.plans(approvers[0], id, approve(v, strategy.Business)), a.plans(officers[0], id, approve(v, strategy.Compliance)))
			a.one(round, a.race(round, a.plans(officers[1], id, activate(v)), a.plans(officers[0], id, activate(v)),
				a.plans(approvers[0], id, strategy.RequestChanges{ContentHash: v.hash, Comments: "c"})), "submitted")
			if n := a.count("strategy-"+id, "strategy.activated", nil) + a.count("strategy-"+id, "strategy.changes-requested", nil); n != 1 {
				t.Errorf("round %d: %d decisions", round, n)
			}
		}
	})

	t.Run("activate and change an indicator", func(t *testing.T) {
		a.t = t
		for round := range rounds {
			id, score := a.newID(), a.newID()
			goal, objective := a.newID(), a.newID()
			period := calendar.Period{Start: "1990-01-01", End: "1990-12-31"}
			measures := func(c indicator.Command) move {
				indicatorID := uuid.MustParse(score)
				if _, another := c.(indicator.DefineIndicator); another && a.ledger.indicators[score] != nil {
					indicatorID = uuid.New()
				}
				return func(p *command.Commands) error {
					_, err := p.Indicators.Execute(a.ctx, a.call(a.person(author)), indicatorID, c)
					return err
				}
			}
			define := indicator.DefineIndicator{StrategyID: id, ObjectiveID: objective, Definition: indicator.Definition{
				Name: "Score", Unit: "percent", Type: indicator.Quantitative, Direction: indicator.AtLeast, Frequency: calendar.Year,
			}}
			a.must(
				a.plans(author, id, strategy.DraftStrategy{Frame: strategy.Frame{Name: "Plan"}}),
				a.plans(author, id, strategy.AddGoal{GoalID: goal, Name: "Goal"}),
				a.plans(author, id, strategy.AddObjective{GoalID: goal, ObjectiveID: objective}),
				measures(define),
				a.plans(author, id, strategy.SubmitStrategy{}),
			)
			v := a.ledger.strategies[id].working
			a.must(a.plans(approvers[0], id, approve(v, strategy.Business)), a.plans(officers[0], id, approve(v, strategy.Compliance)))
			change := []indicator.Command{
				indicator.SetTarget{Period: period, Value: indicator.Stated{Number: "5"}, Reason: "r"},
				indicator.RedefineIndicator{Edits: []indicator.Edit{{Field: "unit", New: indicator.Text("people")}}, Reason: "r"},
				indicator.RetireIndicator{Reason: "r"},
				define,
			}[round%4]
			a.one(round, a.race(round, a.plans(officers[1], id, activate(v)), measures(change)), "indicator-digest", "S15")
		}
	})

	closer := a.holders(authz.ComplianceOfficer, authz.IndicatorOwner)[0]
	owner := a.holders(authz.IndicatorOwner)[0]
	acceptor := a.holders(authz.IndicatorOwner, authz.RiskAcceptor)[0]
	raised := func() string {
		id := a.newID()
		a.must(a.finds(officers[0], id, finding.RaiseFinding{
			Kind: finding.MinorNC, Severity: severity.High, Title: "t", Condition: "c", Criteria: "c", Origin: finding.FromCompliance,
			Subjects: []finding.Subject{{Type: "organization", ID: a.org.String()}},
		}), a.finds(auditor, id, finding.AssignFinding{OwnerID: owner}))
		return id
	}

	t.Run("close and assign to the closer", func(t *testing.T) {
		a.t = t
		for round := range rounds {
			id := raised()
			a.one(round, a.race(round, a.finds(closer, id, finding.CloseFinding{
				Resolution: finding.Dismissed, Reason: "It was a mistake of ours.", Meaning: finding.MeansClosure,
			}), a.finds(auditor, id, finding.AssignFinding{OwnerID: closer})), "S6", "finding-state")
		}
	})

	t.Run("accept and assign to the acceptor", func(t *testing.T) {
		a.t = t
		for round := range rounds {
			id := raised()
			a.one(round, a.race(round, a.finds(acceptor, id, finding.AcceptRisk{
				Justification: "j", ExpiresOn: tomorrow(), Meaning: finding.MeansAcceptance,
			}), a.finds(auditor, id, finding.AssignFinding{OwnerID: acceptor})), "S7", "finding-state")
		}
	})

	t.Run("two grants that conflict", func(t *testing.T) {
		a.t = t
		for round := range rounds {
			m := a.newMember(organization.Person)
			a.must(a.governs(admins[0], m))
			grant := func(by, role string) move {
				return a.governs(by, organization.GrantRole{GrantID: uuid.NewString(), MemberID: m.MemberID, Role: role, Scope: organization.Scope{All: true}})
			}
			a.one(round, a.race(round, grant(admins[0], authz.Author), grant(admins[1], authz.Approver), grant(admins[0], authz.Auditor)), "S4")
		}
	})

	t.Run("two administrators revoke each other", func(t *testing.T) {
		a.t = t
		held := map[string]string{}
		for id, g := range a.ledger.grants {
			held[g.member+g.role] = id
		}
		revoke := func(by, of string) move {
			return a.governs(by, organization.RevokeRole{MemberID: of, GrantIDs: []string{held[of+authz.Administrator]}, Reason: "r"})
		}
		a.one(0, a.race(0, revoke(admins[0], admins[1]), revoke(admins[1], admins[0])), "S5", "role")
	})
}

func tomorrow() calendar.Date { return calendar.Of(time.Now()).AddDays(2) }
