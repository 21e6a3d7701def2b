package diff

import (
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/strategy"
)

// Content is what of a strategy is compared: a plan, and where the strategy
// stands, if that is to be compared, too.
type Content struct {
	Plan      *strategy.Plan
	Lifecycle *Lifecycle
}

// Lifecycle is where a strategy stands.
type Lifecycle struct {
	Phase         strategy.Phase     `json:"phase"`
	Working       int                `json:"workingRevision,omitempty"`
	WorkingStage  strategy.Stage     `json:"workingStage,omitempty"`
	InForce       int                `json:"inForceRevision,omitempty"`
	InForceSigned string             `json:"inForceContentHash,omitempty"`
	Replaces      string             `json:"replaces,omitempty"`
	Blockers      []strategy.Blocker `json:"blockers,omitempty"`
	Outcome       strategy.Outcome   `json:"outcome,omitempty"`
}

// ContentOf is the content that people saw of a strategy in a state: the working
// revision's while there was one, else that in force.
func ContentOf(s strategy.State) Content {
	if !s.Exists() {
		return Content{}
	}
	c := Content{Lifecycle: &Lifecycle{
		Phase: s.Phase, Working: s.Working.Number, WorkingStage: s.Working.Stage, InForce: s.InForce.Number,
		InForceSigned: s.InForce.ContentHash, Replaces: s.Replaces, Blockers: s.Blockers, Outcome: s.Outcome,
	}}
	switch {
	case s.Working.Number > 0:
		c.Plan = &s.Working.Plan
	case s.InForce.Number > 0:
		c.Plan = &s.InForce.Plan
	}
	return c
}

// fields of elements, by the names that edits use.
type (
	frameFields struct {
		strategy.Frame
		Period      *struct{}     `json:"period,omitempty"` // hides the frame's own: edits name its ends
		PeriodStart calendar.Date `json:"periodStart,omitempty"`
		PeriodEnd   calendar.Date `json:"periodEnd,omitempty"`
	}
	goalFields struct {
		Identifier       string                 `json:"identifier,omitempty"`
		Sequence         string                 `json:"sequence,omitempty"`
		Name             string                 `json:"name,omitempty"`
		Description      string                 `json:"description,omitempty"`
		Stakeholders     []strategy.Stakeholder `json:"stakeholders,omitempty"`
		OtherInformation string                 `json:"otherInformation,omitempty"`
	}
	objectiveFields struct {
		GoalID string `json:"goalId"`
		goalFields
		Relationships []strategy.Relationship `json:"relationships,omitempty"`
	}
)

// OfStrategy are the elements of a content of the strategy id.
func OfStrategy(id string, c Content) Elements { return c.elements(id) }

// Strategies says what differs between two contents of the strategy id.
func Strategies(id string, before, after Content) ([]query.DiffItem, error) {
	return between(before.elements(id), after.elements(id))
}

// elements in the order of the plan. Retired ones are not part of it.
func (c Content) elements(id string) []element {
	var all []element
	if c.Lifecycle != nil {
		all = append(all, element{"lifecycle", id, "", c.Lifecycle})
	}
	if c.Plan == nil {
		return all
	}
	p := *c.Plan
	all = append(all, element{"frame", id, p.Frame.Name, frameFields{Frame: p.Frame, PeriodStart: p.Frame.Period.Start, PeriodEnd: p.Frame.Period.End}})
	objectives := map[string][]strategy.Objective{}
	for _, o := range p.Objectives("") {
		objectives[o.GoalID] = append(objectives[o.GoalID], o)
	}
	for _, g := range p.Goals() {
		all = append(all, element{"goal", g.ID, g.Name, goalFields{g.Identifier, g.Sequence, g.Name, g.Description, g.Stakeholders, g.OtherInformation}})
		for _, o := range objectives[g.ID] {
			all = append(all, element{"objective", o.ID, o.Name, objectiveFields{
				GoalID:        o.GoalID,
				goalFields:    goalFields{o.Identifier, o.Sequence, o.Name, o.Description, o.Stakeholders, o.OtherInformation},
				Relationships: o.Relationships,
			}})
		}
	}
	return all
}
