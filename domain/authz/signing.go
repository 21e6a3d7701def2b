package authz

import (
	"slices"
	"strings"
	"time"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/refusal"
)

const (
	// MaxAuthAge is how long ago a person may have proved who they are when they sign (S11).
	MaxAuthAge = 5 * time.Minute
	// MaxSecondAge is how long a second person's signature for a command counts (S8).
	MaxSecondAge = 24 * time.Hour

	// clockSkew is how far an issuer's clock, or another instance's, may be ahead of ours.
	clockSkew = time.Minute
)

// ErrNotSigned: whoever signs did not just prove who they are (S11).
var ErrNotSigned = refusal.Forbidden.WithRule("S11")

// Signed holds S11: whoever signs has just proved who they are.
func Signed(by fact.Actor) error {
	if !fresh(by.AuthAt, by.At) {
		return ErrNotSigned.Detailf("To sign, have signed in at most %d minutes ago: sign in again and repeat this.", int(MaxAuthAge.Minutes()))
	}
	return nil
}

func fresh(authAt, at time.Time) bool {
	age := at.Sub(authAt)
	return !authAt.IsZero() && age <= MaxAuthAge && age >= -clockSkew
}

// SecondPerson says whether a second person stands behind a command that takes
// two: not the one who gives it under whatever member id, holding one of the
// roles now, a person (S12), who had just proved who they are when they signed
// (S11), at most a day ago. A refusal is an occurrence of rule.
func SecondPerson(rule *fault.Fault, by fact.Actor, second fact.Second, roles ...string) error {
	needed := strings.Join(roles, " or ")
	age := by.At.Sub(second.SignedAt)
	switch {
	case !second.Given():
		return rule.Detailf("This takes a second person with the role %s: they countersign it, and you give it with their countersignature.", needed)
	case second.ID == by.ID || slices.Contains(second.SamePerson, by.ID):
		return rule.Detailf("You cannot countersign this yourself: a second person with the role %s must.", needed)
	case second.Kind != fact.Person:
		return rule.Detailf("Only persons countersign: a second person with the role %s must.", needed)
	case !slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(second.Roles, r) }):
		return rule.Detailf("Member %s, who countersigned this, is not %s here now: somebody who is must countersign it.", second.ID, needed)
	case age > MaxSecondAge || age < -clockSkew:
		return rule.Detailf("The countersignature counts for %d hours only: have it countersigned again.", int(MaxSecondAge.Hours()))
	case !fresh(second.AuthAt, second.SignedAt):
		return rule.Detailf("Who countersigned this had not signed in within the %d minutes before: have it countersigned again.", int(MaxAuthAge.Minutes()))
	}
	return nil
}
