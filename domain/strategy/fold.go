package strategy

import (
	"slices"

	"strata.dev/strata/domain/fact"
)

// Apply folds one event into the state. It cannot refuse: an event is a fact.
// The state it is called on stays as it was.
func (s State) Apply(by fact.Actor, e Event) State {
	switch e := e.(type) {
	case Drafted:
		s.ID, s.LineageKey, s.DocumentType, s.Replaces = e.StrategyID, e.LineageKey, e.DocumentType, e.Replaces
		s.Phase = Preparing
		s.revisions = 1
		s.Working = Revision{Number: 1, Stage: Draft, Plan: Plan{Frame: e.Frame}}
		s.Working = s.Working.touchedBy(by)
	case GoalAdded:
		s.usedIDs = s.usedIDs.Set(e.GoalID, GoalElement)
		s.Working.Plan = s.Working.Plan.withGoal(e)
		s.Working = s.Working.touchedBy(by)
	case ObjectiveAdded:
		s.usedIDs = s.usedIDs.Set(e.ObjectiveID, ObjectiveElement)
		s.Working.Plan = s.Working.Plan.withObjective(e)
		s.Working = s.Working.touchedBy(by)
	case PlanElementAmended:
		for _, c := range e.Changes {
			if e.ElementKind == FrameElement && c.Field == replacesField {
				s.Replaces = c.New.Text
			}
		}
		s.Working.Plan = s.Working.Plan.amended(e)
		s.Working = s.Working.touchedBy(by)
	case PlanElementRetired:
		s.Working.Plan = s.Working.Plan.retired(e)
		s.Working = s.Working.touchedBy(by)
	case Submitted:
		w := s.Working
		w.Stage, w.ContentHash, w.IndicatorDigest = AwaitsApproval, e.ContentHash, e.IndicatorDigest
		w.AsOfPosition, w.SubmittedBy, w.Approvals = e.AsOfPosition, by.ID, nil
		w.authors = union(w.authors, e.Authors)
		s.Working = w.touchedBy(by)
	case ChangesRequested:
		w := s.Working
		w.Stage, w.ContentHash, w.IndicatorDigest, w.AsOfPosition, w.SubmittedBy, w.Approvals = Draft, "", "", 0, "", nil
		s.Working = w
	case ApprovalGiven:
		w := s.Working
		w.Approvals = append(slices.Clip(w.Approvals), Approval{ApproverID: e.ApproverID, Meaning: e.Meaning})
		if e.QuorumReached {
			w.Stage = ApprovedContent
		}
		s.Working = w
	case Activated:
		s.Phase = Active
		s.InForce, s.Working = s.Working, Revision{}
		s.InForce.Stage = ""
	case RevisionOpened:
		s.revisions = e.Revision
		s.Working = Revision{Number: e.Revision, Stage: Draft, Plan: s.InForce.Plan}
		s.Working = s.Working.touchedBy(by)
	case RevisionWithdrawn:
		s.Working = Revision{}
	case PutOnHold:
		s.Phase, s.Blockers = OnHold, append(slices.Clip(s.Blockers), e.Blocker)
	case Resumed:
		s.Phase, s.Blockers = Active, nil
	case Closed:
		s.Phase, s.Outcome, s.Blockers, s.Working = Ended, e.Outcome, nil, Revision{}
	case PeriodAttested: // changes nothing that is decided on
	}
	return s
}

// touchedBy notes the actor as an author. Machines write for somebody else; the
// persons behind an import act themselves.
func (r Revision) touchedBy(by fact.Actor) Revision {
	if by.Kind == fact.Person {
		r.authors = union(r.authors, []string{by.ID})
	}
	return r
}

// union gives the sorted union as a slice of its own.
func union(a, b []string) []string {
	missing := slices.ContainsFunc(b, func(id string) bool { return !slices.Contains(a, id) })
	if !missing {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func (p Plan) withGoal(e GoalAdded) Plan {
	p.added++
	p.goals = p.goals.Set(e.GoalID, Goal{
		ID: e.GoalID, Ordinal: p.added, Identifier: e.Identifier, Sequence: e.Sequence, Name: e.Name,
		Description: e.Description, Stakeholders: e.Stakeholders, OtherInformation: e.OtherInformation,
	})
	return p
}

func (p Plan) withObjective(e ObjectiveAdded) Plan {
	p.added++
	p.objectives = p.objectives.Set(e.ObjectiveID, Objective{
		ID: e.ObjectiveID, GoalID: e.GoalID, Ordinal: p.added, Identifier: e.Identifier, Sequence: e.Sequence,
		Name: e.Name, Description: e.Description, Stakeholders: e.Stakeholders,
		OtherInformation: e.OtherInformation, Relationships: e.Relationships,
	})
	return p
}

func (p Plan) amended(e PlanElementAmended) Plan {
	switch e.ElementKind {
	case FrameElement:
		for _, c := range e.Changes {
			if f, ok := frameFields[c.Field]; ok {
				f.set(&p.Frame, c.New)
			}
		}
	case GoalElement:
		g, ok := p.goals.Get(e.ElementID)
		if !ok {
			return p
		}
		for _, c := range e.Changes {
			if f, ok := goalFields[c.Field]; ok {
				f.set(&g, c.New)
			}
		}
		p.goals = p.goals.Set(g.ID, g)
	case ObjectiveElement:
		o, ok := p.objectives.Get(e.ElementID)
		if !ok {
			return p
		}
		for _, c := range e.Changes {
			if f, ok := objectiveFields[c.Field]; ok {
				f.set(&o, c.New)
			} else if c.Field == goalIDField {
				p.added++
				o.GoalID, o.Ordinal = c.New.Text, p.added // last among its new goal's
			}
		}
		p.objectives = p.objectives.Set(o.ID, o)
	}
	return p
}

func (p Plan) retired(e PlanElementRetired) Plan {
	objectives := e.Cascade
	switch e.ElementKind {
	case GoalElement:
		if g, ok := p.goals.Get(e.ElementID); ok {
			g.Retired = true
			p.goals = p.goals.Set(g.ID, g)
		}
	case ObjectiveElement:
		objectives = []string{e.ElementID}
	case FrameElement: // is never retired
	}
	for _, id := range objectives {
		if o, ok := p.objectives.Get(id); ok {
			o.Retired = true
			p.objectives = p.objectives.Set(id, o)
		}
	}
	return p
}
