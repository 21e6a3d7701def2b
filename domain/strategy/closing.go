package strategy

import (
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
)

func (s State) close(by fact.Actor, c CloseStrategy) ([]Event, error) {
	var f check.Form
	f.Reason(c.Reason)
	f.OptionalID("#/successorId", c.SuccessorID)
	switch c.Outcome {
	case Completed, Abandoned, Withdrawn, Superseded:
	default:
		f.Object("#/outcome", "enum", "Give completed, abandoned, withdrawn or superseded.")
	}
	if (c.Outcome == Superseded) != (c.SuccessorID != "") {
		f.Object("#/successorId", "required", "Name the successor of a strategy that is superseded, and of no other.")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	switch {
	case !s.HasInForce() && c.Outcome != Withdrawn:
		return nil, ErrOutcome.Detailf("The strategy never came into force: close it as withdrawn.")
	case s.HasInForce() && c.Outcome == Withdrawn:
		return nil, ErrOutcome.Detailf("The strategy is in force: close it as completed, abandoned or superseded.")
	case by.Kind != fact.Person && c.Outcome != Superseded:
		return nil, ErrMachine.Detailf("Only persons close a strategy that no other one replaces.")
	case c.SuccessorID == s.ID || (c.Outcome == Superseded && !c.SuccessorInForce):
		return nil, ErrSuccessor.Detailf("The successor is another strategy of this organization that is in force: activate it first.")
	}
	closed := Closed{Outcome: c.Outcome, SuccessorID: c.SuccessorID, Reason: c.Reason}
	if s.HasInForce() && s.Working.Number > 0 {
		return []Event{RevisionWithdrawn{Revision: s.Working.Number, Reason: c.Reason}, closed}, nil
	}
	return []Event{closed}, nil
}
