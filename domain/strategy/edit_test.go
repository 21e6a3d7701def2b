package strategy_test

import (
	"strings"
	"testing"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/internal/decidertest"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
)

type spec = decidertest.Case[strategy.Command, strategy.Event]

func edit(field, text string) []strategy.Edit {
	return []strategy.Edit{{Field: field, New: strategy.Text(text)}}
}

func TestDrafting(t *testing.T) {
	frame := strategy.Frame{Name: "Human Freedom Report", Period: calendar.Period{Start: "2026-01-01", End: "2030-12-31"}}
	backwards := frame
	backwards.Period.End = frame.Period.Start
	person := strategy.Stakeholder{Kind: strategy.PersonStakeholder, Name: "Jane Doe"}
	decider.Run(t, []spec{
		{
			Name: "with defaults", By: ann, When: strategy.DraftStrategy{StrategyID: plan, Frame: frame},
			Then: []strategy.Event{strategy.Drafted{StrategyID: plan, LineageKey: plan, DocumentType: strategy.StrategicPlan, Frame: frame}},
		},
		{
			Name: "as the replacement of another one", By: ann,
			When: strategy.DraftStrategy{StrategyID: plan, LineageKey: "gov", DocumentType: strategy.PerformancePlan, Frame: frame, Replaces: id("plan", 2)},
			Then: []strategy.Event{strategy.Drafted{StrategyID: plan, LineageKey: "gov", DocumentType: strategy.PerformancePlan, Frame: frame, Replaces: id("plan", 2)}},
		},
		{Name: "of itself", By: ann, When: strategy.DraftStrategy{StrategyID: plan, Frame: frame, Replaces: plan}, Refused: strategy.ErrReplacesItself},
		{Name: "twice", Given: withPlan, By: ann, When: strategy.DraftStrategy{StrategyID: plan, Frame: frame}, Refused: strategy.ErrDrafted},
		{Name: "with a period that ends as it starts", By: ann, When: strategy.DraftStrategy{StrategyID: plan, Frame: backwards}, Refused: strategy.ErrPlanPeriod},
		{Name: "without a name", By: ann, When: strategy.DraftStrategy{StrategyID: plan}, Refused: refusal.Invalid},
		{Name: "with an id that is none", By: ann, When: strategy.DraftStrategy{StrategyID: "1", Frame: frame}, Refused: refusal.Invalid},
		{Name: "of an unknown type", By: ann, When: strategy.DraftStrategy{StrategyID: plan, DocumentType: "Memo", Frame: frame}, Refused: refusal.Invalid},
		{
			Name: "naming a person in clear", By: ann,
			When:    strategy.DraftStrategy{StrategyID: plan, Frame: strategy.Frame{Name: "x", Organizations: []strategy.Organization{{Stakeholders: []strategy.Stakeholder{person}}}}},
			Refused: refusal.Invalid,
		},
		{Name: "by an approver", By: carla, When: strategy.DraftStrategy{StrategyID: plan, Frame: frame}, Refused: authz.ErrRole},
		{Name: "before anything else", By: ann, When: strategy.AddGoal{GoalID: goal1, Name: "G"}, Refused: strategy.ErrNotDrafted},
	})
}

func TestEditing(t *testing.T) {
	withTwo := history(withPlan, by(bob, strategy.GoalAdded{GoalID: goal2, Name: "Second"}, strategy.ObjectiveAdded{ObjectiveID: objective2, GoalID: goal1}))
	retired := history(withTwo, by(ann, strategy.PlanElementRetired{ElementKind: strategy.GoalElement, ElementID: goal1, Cascade: []string{objective1, objective2}, Reason: "r"}))
	amended := func(kind strategy.ElementKind, id, field, before, after string) []strategy.Event {
		return []strategy.Event{strategy.PlanElementAmended{
			ElementKind: kind, ElementID: id, Reason: "typo",
			Changes: []strategy.Change{{Field: field, Old: strategy.Text(before), New: strategy.Text(after)}},
		}}
	}
	decider.Run(t, []spec{
		{Name: "a goal is added", Given: by(ann, drafted), By: bob, When: strategy.AddGoal{GoalID: goal1, Name: "HUMAN FREEDOM"}, Then: []strategy.Event{added}},
		{Name: "a goal needs a name", Given: by(ann, drafted), By: bob, When: strategy.AddGoal{GoalID: goal1, Name: " "}, Refused: refusal.Invalid},
		{Name: "not with NUL", Given: by(ann, drafted), By: bob, When: strategy.AddGoal{GoalID: goal1, Name: "a\x00b"}, Refused: refusal.Invalid},
		{Name: "not with bad UTF-8", Given: by(ann, drafted), By: bob, When: strategy.AddGoal{GoalID: goal1, Name: "a\xff"}, Refused: refusal.Invalid},
		{Name: "not with a name as long as a book", Given: by(ann, drafted), By: bob, When: strategy.AddGoal{GoalID: goal1, Name: strings.Repeat("n", 5000)}, Refused: refusal.Invalid},
		{Name: "an id is used once", Given: withPlan, By: bob, When: strategy.AddGoal{GoalID: goal1, Name: "x"}, Refused: strategy.ErrElementIDUsed},
		{Name: "across kinds, too", Given: withPlan, By: bob, When: strategy.AddObjective{ObjectiveID: goal1, GoalID: goal1}, Refused: strategy.ErrElementIDUsed},
		{Name: "and after retirement", Given: retired, By: bob, When: strategy.AddGoal{GoalID: objective2, Name: "x"}, Refused: strategy.ErrElementIDUsed},
		{Name: "an objective needs a goal", Given: withPlan, By: bob, When: strategy.AddObjective{ObjectiveID: objective2, GoalID: goal2}, Refused: strategy.ErrNoGoal},
		{Name: "a living one", Given: retired, By: bob, When: strategy.AddObjective{ObjectiveID: id("objective", 3), GoalID: goal1}, Refused: strategy.ErrNoGoal},
		{
			Name: "the frame is amended", Given: withPlan, By: bob, When: strategy.AmendFrame{Edits: edit("vision", "Liberty"), Reason: "typo"},
			Then: amended(strategy.FrameElement, plan, "vision", "", "Liberty"),
		},
		{
			Name: "a goal is amended, what stays is left out", Given: withPlan, By: bob,
			When: strategy.AmendGoal{GoalID: goal1, Reason: "typo", Edits: append(edit("name", "Human Freedom"), edit("sequence", "")...)},
			Then: amended(strategy.GoalElement, goal1, "name", "HUMAN FREEDOM", "Human Freedom"),
		},
		{
			Name: "an objective's stakeholders are amended", Given: withPlan, By: bob,
			When: strategy.AmendObjective{ObjectiveID: objective1, Reason: "typo", Edits: []strategy.Edit{{Field: "stakeholders", New: strategy.Content{Stakeholders: []strategy.Stakeholder{{Name: "Courts"}}}}}},
			Then: []strategy.Event{strategy.PlanElementAmended{
				ElementKind: strategy.ObjectiveElement, ElementID: objective1, Reason: "typo",
				Changes: []strategy.Change{{Field: "stakeholders", New: strategy.Content{Stakeholders: []strategy.Stakeholder{{Name: "Courts"}}}}},
			}},
		},
		{Name: "never to the same", Given: withPlan, By: bob, When: strategy.AmendGoal{GoalID: goal1, Edits: edit("name", "HUMAN FREEDOM"), Reason: "r"}, Refused: strategy.ErrNothingChanges},
		{Name: "never without a reason", Given: withPlan, By: bob, When: strategy.AmendGoal{GoalID: goal1, Edits: edit("name", "x")}, Refused: refusal.Invalid},
		{Name: "never without a name", Given: withPlan, By: bob, When: strategy.AmendGoal{GoalID: goal1, Edits: edit("name", ""), Reason: "r"}, Refused: refusal.Invalid},
		{Name: "never in a field that is none", Given: withPlan, By: bob, When: strategy.AmendGoal{GoalID: goal1, Edits: edit("goalId", goal2), Reason: "r"}, Refused: refusal.Invalid},
		{Name: "never with the wrong kind of content", Given: withPlan, By: bob, When: strategy.AmendFrame{Edits: edit("values", "Liberty"), Reason: "r"}, Refused: refusal.Invalid},
		{Name: "never one field twice", Given: withPlan, By: bob, When: strategy.AmendGoal{GoalID: goal1, Edits: append(edit("name", "x"), edit("name", "y")...), Reason: "r"}, Refused: refusal.Invalid},
		{Name: "never no field", Given: withPlan, By: bob, When: strategy.AmendGoal{GoalID: goal1, Reason: "r"}, Refused: refusal.Invalid},
		{
			Name: "the period stays in order", Given: withPlan, By: bob,
			When:    strategy.AmendFrame{Edits: append(edit("periodStart", "2026-01-02"), edit("periodEnd", "2026-01-01")...), Reason: "r"},
			Refused: strategy.ErrPlanPeriod,
		},
		{
			Name: "an objective moves", Given: withTwo, By: bob, When: strategy.MoveObjective{ObjectiveID: objective1, GoalID: goal2, Reason: "typo"},
			Then: amended(strategy.ObjectiveElement, objective1, "goalId", goal1, goal2),
		},
		{Name: "not to where it is", Given: withTwo, By: bob, When: strategy.MoveObjective{ObjectiveID: objective1, GoalID: goal1, Reason: "r"}, Refused: strategy.ErrNothingChanges},
		{Name: "not to nowhere", Given: withTwo, By: bob, When: strategy.MoveObjective{ObjectiveID: objective1, GoalID: objective2, Reason: "r"}, Refused: strategy.ErrNoGoal},
		{
			Name: "a goal goes with its objectives", Given: withTwo, By: bob, When: strategy.RetireGoal{GoalID: goal1, Reason: "merged"},
			Then: []strategy.Event{strategy.PlanElementRetired{ElementKind: strategy.GoalElement, ElementID: goal1, Cascade: []string{objective1, objective2}, Reason: "merged"}},
		},
		{
			Name: "an objective goes alone", Given: withTwo, By: bob, When: strategy.RetireObjective{ObjectiveID: objective2, Reason: "merged"},
			Then: []strategy.Event{strategy.PlanElementRetired{ElementKind: strategy.ObjectiveElement, ElementID: objective2, Reason: "merged"}},
		},
		{Name: "once", Given: retired, By: bob, When: strategy.RetireObjective{ObjectiveID: objective2, Reason: "merged"}, Refused: strategy.ErrNoObjective},
		{Name: "a retired goal is not amended", Given: retired, By: bob, When: strategy.AmendGoal{GoalID: goal1, Edits: edit("name", "x"), Reason: "r"}, Refused: strategy.ErrNoGoal},
		{Name: "what is submitted is frozen", Given: submitted, By: bob, When: strategy.AddGoal{GoalID: goal2, Name: "x"}, Refused: strategy.ErrFrozen},
		{Name: "so is what is approved", Given: approved, By: bob, When: strategy.AmendFrame{Edits: edit("name", "x"), Reason: "r"}, Refused: strategy.ErrFrozen},
		{Name: "what is in force is never edited", Given: inForce, By: bob, When: strategy.AddGoal{GoalID: goal2, Name: "x"}, Refused: strategy.ErrNoWorking},
		{Name: "an approver edits nothing", Given: withPlan, By: carla, When: strategy.RetireGoal{GoalID: goal1, Reason: "r"}, Refused: authz.ErrRole},
	})
}

func TestFoldKeepsOrderAndOlderStates(t *testing.T) {
	before := decider.Fold(withPlan)
	after := decider.Fold(history(withPlan, by(bob,
		strategy.GoalAdded{GoalID: goal2, Name: "Second"},
		strategy.ObjectiveAdded{ObjectiveID: objective2, GoalID: goal2},
		strategy.PlanElementAmended{ElementKind: strategy.ObjectiveElement, ElementID: objective1, Changes: []strategy.Change{{Field: "goalId", Old: strategy.Text(goal1), New: strategy.Text(goal2)}}},
	)))
	if o := after.Working.Plan.Objectives(goal2); len(o) != 2 || o[0].ID != objective2 || o[1].ID != objective1 {
		t.Errorf("a moved objective is last among its new goal's; got %+v", o)
	}
	if o := after.Working.Plan.Objectives(goal1); len(o) != 0 {
		t.Errorf("the old goal still has %+v", o)
	}
	if g := before.Working.Plan.Goals(); len(g) != 1 || len(before.Working.Plan.Objectives(goal1)) != 1 {
		t.Errorf("folding on changed the older state: %+v", g)
	}
}
