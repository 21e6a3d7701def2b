package strategy

import (
	"slices"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/internal/check"
)

// BlockerKind says what keeps a strategy on hold.
type BlockerKind string

// The kinds of blockers.
const (
	ByFinding BlockerKind = "finding" // an open finding, severe enough by the policy
	ByOrder   BlockerKind = "order"   // of a compliance officer
)

// Blocker is one reason why a strategy is on hold.
type Blocker struct {
	Kind BlockerKind `json:"kind"`
	Ref  string      `json:"ref"` // id of the finding, or what the order is known by
}

// maxBlockers is how many reasons one hold can have at a time.
const maxBlockers = 200

func (b Blocker) check(f *check.Form, at string) {
	switch {
	case b.Kind == ByFinding && !ident.Valid(b.Ref):
		f.Object(at+"/ref", "format", "Give the finding's id.")
	case b.Kind != ByFinding && b.Kind != ByOrder:
		f.Object(at+"/kind", "enum", "Give finding or order.")
	}
	f.Name(at+"/ref", b.Ref)
}

func (s State) putOnHold(by fact.Actor, c PutStrategyOnHold) ([]Event, error) {
	if c.Blocker.Kind == "" {
		c.Blocker.Kind = ByOrder
	}
	var f check.Form
	f.Reason(c.Reason)
	c.Blocker.check(&f, "#/blocker")
	if err := f.Err(); err != nil {
		return nil, err
	}
	switch {
	case !s.HasInForce():
		return nil, ErrNotInForce.Detailf("No revision is in force yet: there is nothing to put on hold.")
	case c.Blocker.Kind == ByFinding && by.Kind == fact.Person:
		return nil, ErrBlockerKind.Detailf("Findings put a strategy on hold by themselves: give an order.")
	case slices.Contains(s.Blockers, c.Blocker):
		return nil, ErrBlocked.Detailf("The strategy is on hold for this already: give another order.")
	case len(s.Blockers) >= maxBlockers:
		return nil, ErrTooMany.Detailf("A strategy is on hold for at most %d reasons at a time.", maxBlockers)
	}
	return []Event{PutOnHold(c)}, nil
}

// resume ends a hold if nothing keeps it up: every blocker is lifted by this
// command. Persons lift orders; a finding stops blocking when it is settled,
// and a process alone resumes only where the policy lets it.
func (s State) resume(by fact.Actor, c ResumeStrategy) ([]Event, error) {
	var f check.Form
	f.Reason(c.Reason)
	for _, id := range c.SettledFindings {
		f.ID("#/settledFindings", id)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if s.Phase != OnHold {
		return nil, ErrNotOnHold.Detailf("The strategy is not on hold.")
	}
	if by.Kind == fact.Process && !c.AutoResume {
		return nil, ErrMachine.Detailf("The policy leaves it to a compliance officer to resume the strategy.")
	}
	for _, b := range s.Blockers {
		switch {
		case b.Kind == ByFinding && !slices.Contains(c.SettledFindings, b.Ref):
			return nil, ErrBlocked.Detailf("Finding %s keeps the strategy on hold: settle it first.", b.Ref)
		case b.Kind == ByOrder && by.Kind != fact.Person:
			return nil, ErrMachine.Detailf("The order %q keeps the strategy on hold: a compliance officer must lift it.", b.Ref)
		}
	}
	return []Event{Resumed{ClearedBlockers: slices.Clone(s.Blockers), Reason: c.Reason}}, nil
}
