// Package refusal declares the four ways in which the domain says no. Every
// aggregate declares its own faults from them by naming the rule, so that one
// slug has one meaning and one status on every port.
package refusal

import "strata.dev/strata/domain/fault"

var (
	// Forbidden: known, and not theirs to do. The rule says why.
	Forbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	// NotFound: it is not there, or not there any more.
	NotFound = fault.New(fault.NotFound, "not-found", "There is no such thing.")
	// Violated: possible in another state, not in this one. The rule says why.
	Violated = fault.New(fault.Conflict, "invariant-violated", "The present state does not allow this.")
	// Invalid: not acceptable whatever the state. The fields say what.
	Invalid = fault.New(fault.Invalid, "validation-failed", "The request is not acceptable.").WithRule("well-formed")
)
