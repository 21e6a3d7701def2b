package indicator

import (
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
)

// forActor holds S15: once a strategy is in force, a second person who may
// approve stands behind what could bend it. It gives the id to record, which is
// empty as long as nothing is in force, and for processes: what they do follows
// from what persons decided.
func (a Authorization) forActor(by fact.Actor) (authorizedBy string, err error) {
	if !a.StrategyInForce || by.Kind == fact.Process {
		return "", nil
	}
	if err := authz.SecondPerson(ErrSecondPerson, by, a.Second, authz.Approver); err != nil {
		return "", err
	}
	return a.Second.ID, nil
}
