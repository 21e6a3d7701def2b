package segregation

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/strategy"
)

var strategyActs = []act{
	{"drive", 40, (*world).driveStrategy},
	{"draft", 3, (*world).draft},
	{"edit", 14, (*world).edit},
	{"put on hold", 3, (*world).putOnHold},
	{"close", 1, (*world).closeStrategy},
	{"attest", 6, (*world).attest},
	{"request changes", 2, (*world).requestChanges},
	{"withdraw", 1, (*world).withdraw},
}

func (w *world) plan(r *rand.Rand, name, id string, call command.Call, commands ...strategy.Command) error {
	return w.attempt(r, name, call, func(p *command.Commands, call command.Call) error {
		_, err := p.Strategies.Execute(w.ctx, call, uuid.MustParse(id), commands...)
		return err
	})
}

// living picks a strategy that is not closed, in a phase if one is named.
func (w *world) living(r *rand.Rand, phases ...string) string {
	return pick(r, w.ledger.strategies, func(p *plan) bool {
		return p.phase != "closed" && (len(phases) == 0 || slices.Contains(phases, p.phase))
	})
}

// author picks an author, preferably one who had no part in the strategy yet.
func (w *world) author(r *rand.Rand, id string) string { return w.with(r, authz.Author, id) }

func (w *world) draft(r *rand.Rand) error {
	id, goal, other := w.newID(), w.newID(), w.newID()
	c := strategy.DraftStrategy{Frame: strategy.Frame{Name: "Plan", Period: calendar.Period{Start: "2000-01-01", End: "2004-12-31"}}}
	if old := w.living(r, "active"); old != "" && odds(r, 20) {
		c.Replaces = old
	}
	return w.plan(r, "draft-strategy", id, w.as(r, w.author(r, id)), c,
		strategy.AddGoal{GoalID: goal, Name: "Goal", Stakeholders: []strategy.Stakeholder{{Kind: strategy.GroupStakeholder, Name: "All"}}},
		strategy.AddGoal{GoalID: other, Name: "Another"},
		strategy.AddObjective{GoalID: goal, ObjectiveID: w.newID(), Name: "Objective"})
}

// edit changes something in a plan, mostly in one that can be edited.
func (w *world) edit(r *rand.Rand) error {
	id := pick(r, w.ledger.strategies, func(p *plan) bool { return p.working != nil && p.working.submittedBy == "" })
	if id == "" || odds(r, 15) {
		if id = w.living(r); id == "" {
			return w.draft(r)
		}
	}
	p := w.ledger.strategies[id]
	c := p.inForceOrWorking()
	element := func(goal bool) string {
		var ids []string
		for _, e := range c.elements {
			if e.goal == goal && !e.retired {
				ids = append(ids, e.id)
			}
		}
		if len(ids) == 0 {
			return w.newID()
		}
		return ids[r.IntN(len(ids))]
	}
	word := strategy.Text(strconv.Itoa(r.IntN(1000)))
	edits := []strategy.Edit{{Field: []string{"name", "description", "otherInformation"}[r.IntN(3)], New: word}}
	commands := map[string]strategy.Command{
		"add-goal":         strategy.AddGoal{GoalID: w.newID(), Name: "Another goal", Identifier: "g"},
		"add-objective":    strategy.AddObjective{GoalID: element(true), ObjectiveID: w.newID(), Relationships: []strategy.Relationship{{Kind: strategy.PeerTo, Referents: []string{"x"}}}},
		"amend-frame":      strategy.AmendFrame{Edits: append(edits, strategy.Edit{Field: "periodEnd", New: strategy.Text("200" + strconv.Itoa(4+r.IntN(5)) + "-12-31")}), Reason: "r"},
		"amend-goal":       strategy.AmendGoal{GoalID: element(true), Edits: edits, Reason: "r"},
		"amend-objective":  strategy.AmendObjective{ObjectiveID: element(false), Edits: edits, Reason: "r"},
		"move-objective":   strategy.MoveObjective{ObjectiveID: element(false), GoalID: element(true), Reason: "r"},
		"retire-goal":      strategy.RetireGoal{GoalID: element(true), Reason: "r"},
		"retire-objective": strategy.RetireObjective{ObjectiveID: element(false), Reason: "r"},
	}
	name := pick(r, commands, nil)
	return w.plan(r, name, id, w.as(r, w.author(r, id)), commands[name])
}

func (p *plan) inForceOrWorking() content {
	if p.working != nil {
		return p.working.content
	}
	if p.inForce != nil {
		return p.inForce.content
	}
	return content{}
}

// driveStrategy takes a strategy one step further.
func (w *world) driveStrategy(r *rand.Rand) error {
	id := w.living(r)
	if id == "" || (len(w.ledger.strategies) < 3 && odds(r, 20)) {
		return w.draft(r)
	}
	p := w.ledger.strategies[id]
	switch v := p.working; {
	case p.phase == "on_hold" && odds(r, 60):
		return w.resume(r, id)
	case v == nil:
		return w.plan(r, "open-revision", id, w.as(r, w.author(r, id)), strategy.OpenRevision{Reason: "r"})
	case v.submittedBy == "" && !v.content.complete():
		return w.edit(r)
	case v.submittedBy == "":
		return w.plan(r, "submit-strategy", id, w.as(r, w.author(r, id)), strategy.SubmitStrategy{})
	case v.digest != w.ledger.digest(id) && odds(r, 80):
		return w.requestChanges(r)
	case w.quorate(v) && odds(r, 90), odds(r, 4):
		return w.activate(r, id)
	}
	return w.approve(r, id)
}

// complete says whether there is an objective to submit.
func (c content) complete() bool {
	return slices.ContainsFunc(c.elements, func(e element) bool { return !e.goal && !e.retired })
}

// quorate says whether the approvals should do, by the policy as it stands.
func (w *world) quorate(v *revision) bool {
	t := w.ledger.policies[len(w.ledger.policies)-1].terms
	return len(v.approvals) >= t.Quorum.N &&
		(!t.Quorum.ComplianceRequired || slices.ContainsFunc(v.approvals, func(a approval) bool { return a.meaning == "compliance" }))
}

// seen is the content hash that a person saw: that of the submission, mostly.
func (v *revision) seen(r *rand.Rand) string {
	if v == nil || v.hash == "" || odds(r, 3) {
		return strings.Repeat("ab", 32)
	}
	return v.hash
}

func (w *world) approve(r *rand.Rand, id string) error {
	p := w.ledger.strategies[id]
	not := w.ledger.authors(p)
	for _, a := range p.working.approvals {
		not = append(not, a.by)
	}
	c := strategy.ApproveStrategy{ContentHash: p.working.seen(r), Meaning: strategy.Business}
	role := authz.Approver
	if odds(r, 50) {
		c.Meaning, role = strategy.Compliance, authz.ComplianceOfficer
	}
	if odds(r, 3) {
		c.Meaning = strategy.Meaning([]string{"", "board", "activation"}[r.IntN(3)])
	}
	by := w.with(r, role, id, not...)
	if own := w.tempted(r, role, id, not...); own != "" && odds(r, 20) {
		by = own
	}
	return w.plan(r, "approve-strategy", id, w.as(r, by), c)
}

func (w *world) activate(r *rand.Rand, id string) error {
	p := w.ledger.strategies[id]
	by := w.with(r, authz.ComplianceOfficer, "", p.working.submittedBy)
	if own := w.tempted(r, authz.ComplianceOfficer, "", p.working.submittedBy); own != "" && odds(r, 45) {
		by = own
	}
	c := strategy.ActivateStrategy{ContentHash: p.working.seen(r), Meaning: strategy.Activation}
	if odds(r, 3) {
		c.Meaning = strategy.Business
	}
	if odds(r, 3) { // the indicator changed and nobody looked again
		if err := w.setTarget(r); err != nil {
			return err
		}
	}
	return w.plan(r, "activate-strategy", id, w.as(r, by), c)
}

func (w *world) requestChanges(r *rand.Rand) error {
	id := pick(r, w.ledger.strategies, func(p *plan) bool { return p.working != nil && p.working.submittedBy != "" })
	if id == "" {
		return w.driveStrategy(r)
	}
	return w.plan(r, "request-changes", id, w.as(r, w.with(r, authz.Approver, id)),
		strategy.RequestChanges{ContentHash: w.ledger.strategies[id].working.seen(r), Comments: "c"})
}

func (w *world) withdraw(r *rand.Rand) error {
	id := pick(r, w.ledger.strategies, func(p *plan) bool { return p.working != nil && p.inForce != nil })
	if id == "" {
		return w.driveStrategy(r)
	}
	return w.plan(r, "withdraw-revision", id, w.as(r, w.author(r, id)), strategy.WithdrawRevision{Reason: "r"})
}

func (w *world) putOnHold(r *rand.Rand) error {
	id := w.living(r, "active", "on_hold")
	if id == "" {
		return w.driveStrategy(r)
	}
	b := strategy.Blocker{Kind: strategy.ByOrder, Ref: strconv.Itoa(r.IntN(9))}
	return w.plan(r, "put-on-hold", id, w.as(r, w.with(r, authz.ComplianceOfficer, "")), strategy.PutStrategyOnHold{Blocker: b, Reason: "r"})
}

func (w *world) resume(r *rand.Rand, id string) error {
	call := w.as(r, w.with(r, authz.ComplianceOfficer, ""))
	if odds(r, 15) {
		call = w.call(command.ProcessPrincipal(w.org, "hold"))
	}
	return w.plan(r, "resume-strategy", id, call, strategy.ResumeStrategy{Reason: "r"})
}

func (w *world) closeStrategy(r *rand.Rand) error {
	id := w.living(r)
	if id == "" {
		return w.draft(r)
	}
	p := w.ledger.strategies[id]
	c := strategy.CloseStrategy{Outcome: strategy.Withdrawn, Reason: "r"}
	if p.inForce != nil {
		c.Outcome = strategy.Completed
		if next := w.living(r, "active"); odds(r, 40) && next != id {
			c.Outcome, c.SuccessorID = strategy.Superseded, next
		}
	}
	return w.plan(r, "close-strategy", id, w.as(r, w.with(r, authz.ComplianceOfficer, "")), c)
}

func (w *world) attest(r *rand.Rand) error {
	id := w.living(r, "active")
	if id == "" {
		return w.driveStrategy(r)
	}
	c := strategy.AttestPeriod{Period: year(r), Statement: "s", Meaning: strategy.Attestation}
	if odds(r, 50) {
		c.Period = calendar.Period{Start: "1990-01-01", End: "1993-12-31"}
	}
	if odds(r, 4) {
		c.Meaning = strategy.Business
	}
	by := w.with(r, authz.Approver, id)
	var measurers []string
	for _, m := range w.ledger.indicators {
		for _, v := range m.byHand {
			if m.strategy == id {
				measurers = append(measurers, v.by)
			}
		}
	}
	if own := w.tempted(r, authz.Approver, id, measurers...); own != "" && odds(r, 50) {
		by = own
	}
	return w.plan(r, "attest-period", id, w.as(r, by), c)
}

// later lets time go by: mostly none, at times so much that signatures are old,
// roles expire and memories of other processes are stale.
func later(r *rand.Rand) time.Duration {
	switch n := r.IntN(100); {
	case n < 55:
		return 0
	case n < 65:
		return time.Duration(r.IntN(1500)) * time.Millisecond
	case n < 85:
		return time.Duration(2+r.IntN(20)) * time.Second
	case n < 93:
		return time.Duration(1+r.IntN(20)) * time.Minute
	case n < 98:
		return time.Duration(1+r.IntN(30)) * time.Hour
	}
	return time.Duration(1+r.IntN(60)) * 24 * time.Hour
}
