package indicator

import (
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
)

// Fields in which a relinked indicator is redefined. They are no part of the
// definition, and a definition never changes with them.
const (
	strategyIDField  = "strategyId"
	objectiveIDField = "objectiveId"
)

func (s State) relink(by fact.Actor, c RelinkIndicator) (Event, error) {
	if c.StrategyID == "" {
		c.StrategyID = s.StrategyID
	}
	var f check.Form
	f.ID("#/strategyId", c.StrategyID)
	f.ID("#/objectiveId", c.ObjectiveID)
	f.Reason(c.Reason)
	if err := f.Err(); err != nil {
		return nil, err
	}
	var changes []Change
	if c.StrategyID != s.StrategyID {
		changes = append(changes, Change{Field: strategyIDField, Old: Text(s.StrategyID), New: Text(c.StrategyID)})
	}
	if c.ObjectiveID != s.ObjectiveID {
		changes = append(changes, Change{Field: objectiveIDField, Old: Text(s.ObjectiveID), New: Text(c.ObjectiveID)})
	}
	if len(changes) == 0 {
		return nil, ErrNothingChanges.Detailf("The indicator is under this objective already: name another one.")
	}
	authorizedBy, err := c.Authorization.forActor(by)
	if err != nil {
		return nil, err
	}
	return Redefined{Changes: changes, Reason: c.Reason, AuthorizedBy: authorizedBy}, nil
}

// relinked follows the fields of a redefinition that say where the indicator belongs.
func (s State) relinked(c Change) State {
	switch c.Field {
	case strategyIDField:
		s.StrategyID = c.New.Text
	case objectiveIDField:
		s.ObjectiveID = c.New.Text
	}
	return s
}
