package indicator

import (
	"slices"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/ident"
)

// forActor holds S15: once a strategy is in force, a second person who may
// approve stands behind what could bend it. It gives the id to record, which is
// empty as long as nothing is in force.
func (a Authorization) forActor(by fact.Actor) (authorizedBy string, err error) {
	switch {
	case !a.StrategyInForce:
		return "", nil
	case a.By == "":
		return "", ErrSecondPerson.Detailf("The strategy is in force: a second person with the role %s must authorize this.", authz.Approver)
	case a.By == by.ID || slices.Contains(a.SamePerson, a.By):
		return "", ErrSecondPerson.Detailf("You cannot authorize this yourself: a second person with the role %s must.", authz.Approver)
	case !ident.Valid(a.By) || !slices.Contains(a.Roles, authz.Approver):
		return "", ErrSecondPerson.Detailf("Member %q is not %s here: somebody who is must authorize this.", a.By, authz.Approver)
	}
	return a.By, nil
}
