package plansdb

import (
	"fmt"
	"slices"

	"strata.dev/strata/domain/strategy"
)

// edit folds a change of the working revision's content.
func (w *writer) edit(c *change, row *strategyRow, e strategy.Event) error {
	var err error
	switch e := e.(type) {
	case strategy.GoalAdded:
		err = w.addElement(c, e.GoalID, strategy.GoalElement, e.ImportID, content{
			Identifier: e.Identifier, Sequence: e.Sequence, Name: e.Name, Description: e.Description,
			Stakeholders: e.Stakeholders, OtherInformation: e.OtherInformation,
		})
		if err == nil {
			row.goals++
		}
	case strategy.ObjectiveAdded:
		err = w.addElement(c, e.ObjectiveID, strategy.ObjectiveElement, e.ImportID, content{
			GoalID: e.GoalID, Identifier: e.Identifier, Sequence: e.Sequence, Name: e.Name, Description: e.Description,
			Stakeholders: e.Stakeholders, OtherInformation: e.OtherInformation, Relationships: e.Relationships,
		})
		if err == nil {
			row.objectives++
		}
	case strategy.PlanElementAmended:
		err = w.amend(c, row, e)
	case strategy.PlanElementRetired:
		err = w.retire(c, row, e)
	}
	if err == nil {
		row.working.touchedBy(c.by)
	}
	return err
}

func (w *writer) addElement(c *change, id string, kind strategy.ElementKind, importID string, body content) error {
	k := part{c.ref, id}
	if w.elements.Get(k) != nil {
		return fmt.Errorf("element %s is there already", id)
	}
	body.Ordinal = c.version
	w.elements.Put(k, &elementRow{
		org: c.org, strategyID: c.id, id: id, version: c.version, kind: kind, importID: importID, content: &body,
	})
	w.elementsOf[c.ref] = append(w.elementsOf[c.ref], id)
	return nil
}

// amend asks the domain's fold what the amendment does: a state that holds
// nothing but the element is enough for it.
func (w *writer) amend(c *change, row *strategyRow, e strategy.PlanElementAmended) error {
	if e.ElementKind == strategy.FrameElement {
		s := strategy.State{Replaces: row.replaces, Working: strategy.Revision{Plan: strategy.Plan{Frame: row.frame}}}.Apply(c.by, e)
		row.frame, row.replaces = s.Working.Plan.Frame, s.Replaces
		return nil
	}
	k := part{c.ref, e.ElementID}
	el := w.elements.Get(k)
	if el == nil || el.content == nil {
		return fmt.Errorf("element %s is not part of the plan", e.ElementID)
	}
	old := *el.content
	amended, ok := old, false
	switch el.kind {
	case strategy.GoalElement:
		s := strategy.State{}.Apply(c.by, strategy.GoalAdded{
			GoalID: el.id, Identifier: old.Identifier, Sequence: old.Sequence, Name: old.Name, Description: old.Description,
			Stakeholders: old.Stakeholders, OtherInformation: old.OtherInformation,
		}).Apply(c.by, e)
		var g strategy.Goal
		g, ok = s.Working.Plan.Goal(el.id)
		amended.Identifier, amended.Sequence, amended.Name, amended.Description = g.Identifier, g.Sequence, g.Name, g.Description
		amended.Stakeholders, amended.OtherInformation = g.Stakeholders, g.OtherInformation
	case strategy.ObjectiveElement:
		s := strategy.State{}.Apply(c.by, strategy.ObjectiveAdded{
			ObjectiveID: el.id, GoalID: old.GoalID, Identifier: old.Identifier, Sequence: old.Sequence, Name: old.Name,
			Description: old.Description, Stakeholders: old.Stakeholders, OtherInformation: old.OtherInformation, Relationships: old.Relationships,
		}).Apply(c.by, e)
		var o strategy.Objective
		o, ok = s.Working.Plan.Objective(el.id)
		amended.GoalID, amended.Identifier, amended.Sequence, amended.Name, amended.Description = o.GoalID, o.Identifier, o.Sequence, o.Name, o.Description
		amended.Stakeholders, amended.OtherInformation, amended.Relationships = o.Stakeholders, o.OtherInformation, o.Relationships
		if moved(e) {
			amended.Ordinal = c.version // last among its new goal's
		}
	case strategy.FrameElement: // is no row
	}
	if !ok {
		return fmt.Errorf("element %s of kind %s cannot be amended", e.ElementID, el.kind)
	}
	// A new content: the one in force may be the old one.
	el.content, el.version = &amended, c.version
	w.elements.Put(k, el)
	return nil
}

func moved(e strategy.PlanElementAmended) bool {
	return slices.ContainsFunc(e.Changes, func(c strategy.Change) bool { return c.Field == "goalId" })
}

func (w *writer) retire(c *change, row *strategyRow, e strategy.PlanElementRetired) error {
	ids := append([]string{e.ElementID}, e.Cascade...)
	for _, id := range ids {
		if el := w.elements.Get(part{c.ref, id}); el == nil || el.content == nil {
			return fmt.Errorf("element %s is not part of the plan", id)
		}
	}
	for _, id := range ids {
		k := part{c.ref, id}
		el := w.elements.Get(k)
		if el.content.Retired {
			continue
		}
		retired := *el.content
		retired.Retired = true
		el.content, el.version = &retired, c.version
		w.elements.Put(k, el)
		if el.kind == strategy.GoalElement {
			row.goals--
		} else {
			row.objectives--
		}
	}
	return nil
}
