package strategy

import (
	"strings"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/refusal"
)

// Limits of one plan.
const (
	MaxGoals      = 500
	MaxObjectives = 5_000
)

// Decide answers a command with the events it leads to, or with a fault and no
// events. It reads nothing but its arguments.
func Decide(s State, by fact.Actor, c Command) ([]Event, error) {
	kind, ok := kindOf(c)
	if !ok {
		return nil, refusal.Invalid.Detailf("A strategy takes no command %T.", c)
	}
	if by.Kind != fact.Person && judges(c) {
		return nil, ErrMachine.Detailf("Only persons do this: somebody must sign in to %s.", strings.ReplaceAll(kind, "-", " "))
	}
	if err := authz.Check(by, kind); err != nil {
		return nil, err
	}
	if d, ok := c.(DraftStrategy); ok {
		return s.draft(d)
	}
	if !s.Exists() {
		return nil, ErrNotDrafted.Detailf("There is no such strategy: draft it first.")
	}
	if s.Phase == Ended {
		return nil, ErrClosed.Detailf("The strategy is closed (%s), for ever: draft another one.", s.Outcome)
	}
	switch c := c.(type) {
	case AmendFrame:
		return s.amendFrame(c)
	case AddGoal:
		return s.addGoal(c)
	case AmendGoal:
		return s.amendGoal(c)
	case RetireGoal:
		return s.retireGoal(c)
	case AddObjective:
		return s.addObjective(c)
	case AmendObjective:
		return s.amendObjective(c)
	case MoveObjective:
		return s.moveObjective(c)
	case RetireObjective:
		return s.retireObjective(c)
	case SubmitStrategy:
		return s.submit(by, c)
	case RequestChanges:
		return s.requestChanges(c)
	case ApproveStrategy:
		return s.approve(by, c)
	case ActivateStrategy:
		return s.activate(by, c)
	case OpenRevision:
		return s.openRevision(c)
	case WithdrawRevision:
		return s.withdrawRevision(c)
	case PutStrategyOnHold:
		return s.putOnHold(by, c)
	case ResumeStrategy:
		return s.resume(by, c)
	case CloseStrategy:
		return s.close(by, c)
	case AttestPeriod:
		return s.attest(by, c)
	}
	return nil, refusal.Invalid.Detailf("A strategy takes no command %T.", c)
}

// judges says whether a command is a person's judgement (S12).
func judges(c Command) bool {
	switch c.(type) {
	case RequestChanges, ApproveStrategy, ActivateStrategy, AttestPeriod:
		return true
	}
	return false
}

// kindOf is the name of a command in the table of roles.
func kindOf(c Command) (kind string, ok bool) {
	switch c.(type) {
	case DraftStrategy:
		return authz.DraftStrategy, true
	case AmendFrame:
		return authz.AmendFrame, true
	case AddGoal:
		return authz.AddGoal, true
	case AmendGoal:
		return authz.AmendGoal, true
	case RetireGoal:
		return authz.RetireGoal, true
	case AddObjective:
		return authz.AddObjective, true
	case AmendObjective:
		return authz.AmendObjective, true
	case MoveObjective:
		return authz.MoveObjective, true
	case RetireObjective:
		return authz.RetireObjective, true
	case SubmitStrategy:
		return authz.SubmitStrategy, true
	case RequestChanges:
		return authz.RequestChanges, true
	case ApproveStrategy:
		return authz.ApproveStrategy, true
	case ActivateStrategy:
		return authz.ActivateStrategy, true
	case OpenRevision:
		return authz.OpenRevision, true
	case WithdrawRevision:
		return authz.WithdrawRevision, true
	case PutStrategyOnHold:
		return authz.PutOnHold, true
	case ResumeStrategy:
		return authz.ResumeStrategy, true
	case CloseStrategy:
		return authz.CloseStrategy, true
	case AttestPeriod:
		return authz.AttestPeriod, true
	}
	return "", false
}

func (s State) draft(c DraftStrategy) ([]Event, error) {
	if s.Exists() {
		return nil, ErrDrafted.Detailf("This strategy is drafted already; draft another one under its own id.")
	}
	if c.LineageKey == "" {
		c.LineageKey = c.StrategyID
	}
	if c.DocumentType == "" {
		c.DocumentType = StrategicPlan
	}
	var f check.Form
	f.ID("#/strategyId", c.StrategyID)
	f.Name("#/lineageKey", c.LineageKey)
	switch c.DocumentType {
	case StrategicPlan, PerformancePlan, PerformanceReport:
	default:
		f.Object("#/documentType", "enum", "Give Strategic_Plan, Performance_Plan or Performance_Report.")
	}
	f.OptionalID("#/replaces", c.Replaces)
	f.OptionalID("#/importId", c.ImportID)
	c.Frame.check(&f, "#/frame")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if c.Replaces == c.StrategyID {
		return nil, ErrReplacesItself.Detailf("A strategy can only replace another one: leave replaces out.")
	}
	if err := c.Frame.periodInOrder(); err != nil {
		return nil, err
	}
	return []Event{Drafted(c)}, nil
}

// editable gives the working revision if it can be edited.
func (s State) editable() (Revision, error) {
	switch w := s.Working; {
	case w.Number == 0:
		return w, ErrNoWorking.Detailf("The revision in force is never edited: open a new revision first.")
	case w.Stage != Draft:
		return w, ErrFrozen.Detailf("Revision %d is %s and frozen: an approver can request changes, which makes it a draft again.", w.Number, w.Stage)
	default:
		return w, nil
	}
}
