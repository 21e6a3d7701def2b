package strategy

import (
	"slices"

	"strata.dev/strata/domain/internal/check"
)

func (s State) amendFrame(c AmendFrame) ([]Event, error) {
	w, err := s.editable()
	if err != nil {
		return nil, err
	}
	planned := framed{w.Plan.Frame, s.Replaces}
	changes, err := changesOf(framedFields, &planned, c.Edits, c.Reason)
	if err != nil {
		return nil, err
	}
	if err := planned.periodInOrder(); err != nil {
		return nil, err
	}
	if planned.replaces != s.Replaces {
		if err := s.canReplace(planned.replaces); err != nil {
			return nil, err
		}
	}
	return []Event{PlanElementAmended{ElementKind: FrameElement, ElementID: s.ID, Changes: changes, Reason: c.Reason}}, nil
}

// canReplace says whether the strategy can still be set to replace another one:
// what it replaces ends when its first revision comes into force.
func (s State) canReplace(id string) error {
	switch {
	case s.HasInForce():
		return ErrReplacesLate.Detailf("The strategy is in force, and what it replaced was settled then.")
	case id == s.ID:
		return ErrReplacesItself.Detailf("A strategy can only replace another one: leave replaces out.")
	}
	return nil
}

func (s State) addGoal(c AddGoal) ([]Event, error) {
	w, err := s.editable()
	if err != nil {
		return nil, err
	}
	var f check.Form
	f.ID("#/goalId", c.GoalID)
	f.Short("#/identifier", c.Identifier)
	f.Short("#/sequence", c.Sequence)
	f.Name("#/name", c.Name)
	f.Prose("#/description", c.Description)
	checkStakeholders(&f, "#/stakeholders", c.Stakeholders)
	f.Prose("#/otherInformation", c.OtherInformation)
	f.OptionalID("#/importId", c.ImportID)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.unused(c.GoalID); err != nil {
		return nil, err
	}
	if w.Plan.goals.Len() >= MaxGoals {
		return nil, ErrTooMany.Detailf("A plan holds at most %d goals, retired ones included.", MaxGoals)
	}
	return []Event{GoalAdded(c)}, nil
}

func (s State) amendGoal(c AmendGoal) ([]Event, error) {
	w, err := s.editable()
	if err != nil {
		return nil, err
	}
	g, err := w.Plan.livingGoal(c.GoalID)
	if err != nil {
		return nil, err
	}
	changes, err := changesOf(goalFields, &g, c.Edits, c.Reason)
	if err != nil {
		return nil, err
	}
	return []Event{PlanElementAmended{ElementKind: GoalElement, ElementID: g.ID, Changes: changes, Reason: c.Reason}}, nil
}

func (s State) retireGoal(c RetireGoal) ([]Event, error) {
	w, err := s.editable()
	if err != nil {
		return nil, err
	}
	g, err := w.Plan.livingGoal(c.GoalID)
	if err != nil {
		return nil, err
	}
	if err := reasoned(c.Reason); err != nil {
		return nil, err
	}
	var cascade []string
	for _, o := range w.Plan.Objectives(g.ID) {
		cascade = append(cascade, o.ID)
	}
	return []Event{PlanElementRetired{ElementKind: GoalElement, ElementID: g.ID, Cascade: cascade, Reason: c.Reason}}, nil
}

func (s State) addObjective(c AddObjective) ([]Event, error) {
	w, err := s.editable()
	if err != nil {
		return nil, err
	}
	var f check.Form
	f.ID("#/objectiveId", c.ObjectiveID)
	f.ID("#/goalId", c.GoalID)
	f.Short("#/identifier", c.Identifier)
	f.Short("#/sequence", c.Sequence)
	f.Short("#/name", c.Name)
	f.Prose("#/description", c.Description)
	checkStakeholders(&f, "#/stakeholders", c.Stakeholders)
	f.Prose("#/otherInformation", c.OtherInformation)
	checkRelationships(&f, "#/relationships", c.Relationships)
	f.OptionalID("#/importId", c.ImportID)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.unused(c.ObjectiveID); err != nil {
		return nil, err
	}
	if _, err := w.Plan.livingGoal(c.GoalID); err != nil {
		return nil, err
	}
	if w.Plan.objectives.Len() >= MaxObjectives {
		return nil, ErrTooMany.Detailf("A plan holds at most %d objectives, retired ones included.", MaxObjectives)
	}
	return []Event{ObjectiveAdded(c)}, nil
}

func (s State) amendObjective(c AmendObjective) ([]Event, error) {
	w, err := s.editable()
	if err != nil {
		return nil, err
	}
	o, err := w.Plan.livingObjective(c.ObjectiveID)
	if err != nil {
		return nil, err
	}
	changes, err := changesOf(objectiveFields, &o, c.Edits, c.Reason)
	if err != nil {
		return nil, err
	}
	return []Event{PlanElementAmended{ElementKind: ObjectiveElement, ElementID: o.ID, Changes: changes, Reason: c.Reason}}, nil
}

func (s State) moveObjective(c MoveObjective) ([]Event, error) {
	w, err := s.editable()
	if err != nil {
		return nil, err
	}
	o, err := w.Plan.livingObjective(c.ObjectiveID)
	if err != nil {
		return nil, err
	}
	if _, err := w.Plan.livingGoal(c.GoalID); err != nil {
		return nil, err
	}
	if err := reasoned(c.Reason); err != nil {
		return nil, err
	}
	if o.GoalID == c.GoalID {
		return nil, ErrNothingChanges.Detailf("The objective is under this goal already: name another goal.")
	}
	return []Event{PlanElementAmended{
		ElementKind: ObjectiveElement, ElementID: o.ID, Reason: c.Reason,
		Changes: []Change{{Field: goalIDField, Old: Text(o.GoalID), New: Text(c.GoalID)}},
	}}, nil
}

func (s State) retireObjective(c RetireObjective) ([]Event, error) {
	w, err := s.editable()
	if err != nil {
		return nil, err
	}
	o, err := w.Plan.livingObjective(c.ObjectiveID)
	if err != nil {
		return nil, err
	}
	if err := reasoned(c.Reason); err != nil {
		return nil, err
	}
	return []Event{PlanElementRetired{ElementKind: ObjectiveElement, ElementID: o.ID, Reason: c.Reason}}, nil
}

// changesOf makes the changes that the edits come to and leaves the element
// edited. Edits that change nothing are left out; if none is left, the command
// is refused, since an event without a change would be no fact.
func changesOf[E any](fields map[string]field[E], element *E, edits []Edit, reason string) ([]Change, error) {
	var f check.Form
	f.Reason(reason)
	if len(edits) == 0 || len(edits) > 2*len(fields) {
		f.Object("#/edits", "minItems", "Say which fields to change, each once.")
		return nil, f.Err()
	}
	var changes []Change
	var seen []string
	for _, e := range edits {
		at := "#/edits/" + e.Field
		known, ok := fields[e.Field]
		switch {
		case !ok:
			f.Object("#/edits", "enum", "There is no field %q to amend here.", e.Field)
			continue
		case slices.Contains(seen, e.Field):
			f.Object(at, "uniqueItems", "Set each field once.")
			continue
		}
		seen = append(seen, e.Field)
		next := known.shape.only(e.New)
		if !next.equal(e.New) {
			f.Object(at, "type", "This field takes another kind of content.")
			continue
		}
		known.shape.check(&f, at, next)
		if old := known.get(element); !old.equal(next) {
			changes = append(changes, Change{Field: e.Field, Old: old, New: next})
			known.set(element, next)
		}
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if len(changes) == 0 {
		return nil, ErrNothingChanges.Detailf("The fields have this content already: give another one.")
	}
	return changes, nil
}

func reasoned(reason string) error {
	var f check.Form
	f.Reason(reason)
	return f.Err()
}

// unused refuses an id that an element of any revision has or had.
func (s State) unused(id string) error {
	if kind, used := s.usedIDs.Get(id); used {
		return ErrElementIDUsed.Detailf("The id %s belongs to a %s already, and ids are never used again: give a new one.", id, kind)
	}
	return nil
}

func (p Plan) livingGoal(id string) (Goal, error) {
	g, ok := p.Goal(id)
	if !ok {
		return g, ErrNoGoal.Detailf("The working revision has no goal %q; retired goals do not come back.", id)
	}
	return g, nil
}

func (p Plan) livingObjective(id string) (Objective, error) {
	o, ok := p.Objective(id)
	if !ok {
		return o, ErrNoObjective.Detailf("The working revision has no objective %q; retired objectives do not come back.", id)
	}
	return o, nil
}

func (f Frame) periodInOrder() error {
	p := f.Period
	if p.Start != "" && p.End != "" && p.End <= p.Start {
		return ErrPlanPeriod.Detailf("The period ends on %s, not after its start on %s: give a later end or an earlier start.", p.End, p.Start)
	}
	return nil
}
