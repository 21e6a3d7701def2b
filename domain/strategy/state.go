package strategy

import (
	"slices"

	"strata.dev/strata/domain/internal/pmap"
)

// Phase is where a strategy is in its life.
type Phase string

// The phases; "" if the strategy was never drafted.
const (
	Preparing Phase = "preparing" // no revision is in force yet
	Active    Phase = "active"
	OnHold    Phase = "on_hold" // a revision is in force, and there are blockers
	Ended     Phase = "closed"
)

// Stage is where the working revision is on its way.
type Stage string

// The stages; "" if there is no working revision.
const (
	Draft           Stage = "draft"
	AwaitsApproval  Stage = "submitted"
	ApprovedContent Stage = "approved"
)

// State is what its events say about a strategy; zero if it was never drafted.
type State struct {
	ID           string
	LineageKey   string
	DocumentType DocumentType
	Replaces     string
	Phase        Phase

	Working   Revision // Number 0: none
	InForce   Revision // Number 0: none
	revisions int      // numbers given so far

	Blockers []Blocker // while on hold; never changed in place
	Outcome  Outcome   // once closed

	usedIDs pmap.Map[ElementKind] // of all revisions, for ever
}

// Revision is one content of the plan with what was decided about it.
type Revision struct {
	Number int
	Stage  Stage // of the working revision
	Plan   Plan

	// From submission on:
	ContentHash     string
	IndicatorDigest string
	AsOfPosition    int64
	SubmittedBy     string
	Approvals       []Approval

	authors []string // persons with an event in this revision's delta; sorted
}

// Approval is one person's signature for the content hash of its revision.
type Approval struct {
	ApproverID string
	Meaning    Meaning
}

// Plan is the content of a revision.
type Plan struct {
	Frame      Frame
	goals      pmap.Map[Goal]
	objectives pmap.Map[Objective]
	added      int // elements added so far; gives Ordinal
}

// Goal is a goal of a plan. Retired ones are kept, but are not part of it.
type Goal struct {
	ID               string
	Ordinal          int // goals are in the order of their ordinals
	Identifier       string
	Sequence         string
	Name             string
	Description      string
	Stakeholders     []Stakeholder
	OtherInformation string
	Retired          bool
}

// Objective is an objective of a goal.
type Objective struct {
	ID               string
	GoalID           string
	Ordinal          int
	Identifier       string
	Sequence         string
	Name             string
	Description      string
	Stakeholders     []Stakeholder
	OtherInformation string
	Relationships    []Relationship
	Retired          bool
}

// Exists says whether the strategy was drafted.
func (s State) Exists() bool { return s.ID != "" }

// HasInForce says whether a revision is in force; targets then need a second person (S15).
func (s State) HasInForce() bool { return s.InForce.Number > 0 }

// Revision is the number of the working revision, else of the one in force.
func (s State) Revision() int {
	if s.Working.Number > 0 {
		return s.Working.Number
	}
	return s.InForce.Number
}

// Revisions is how many revisions there have been, withdrawn ones included:
// their numbers are 1 to this.
func (s State) Revisions() int { return s.revisions }

// Authors are the persons who had a part in the revision's delta; sorted. None
// of them may approve it (S1).
func (r Revision) Authors() []string { return slices.Clone(r.authors) }

// Goal gives a living goal.
func (p Plan) Goal(id string) (Goal, bool) {
	g, ok := p.goals.Get(id)
	return g, ok && !g.Retired
}

// Objective gives a living objective.
func (p Plan) Objective(id string) (Objective, bool) {
	o, ok := p.objectives.Get(id)
	return o, ok && !o.Retired
}

// Goals gives the living goals in order.
func (p Plan) Goals() []Goal {
	var all []Goal
	for _, g := range p.goals.All() {
		if !g.Retired {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b Goal) int { return a.Ordinal - b.Ordinal })
	return all
}

// Objectives gives the living objectives of a goal in order; of all goals if
// goalID is empty.
func (p Plan) Objectives(goalID string) []Objective {
	var all []Objective
	for _, o := range p.objectives.All() {
		if !o.Retired && (goalID == "" || o.GoalID == goalID) {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b Objective) int { return a.Ordinal - b.Ordinal })
	return all
}
