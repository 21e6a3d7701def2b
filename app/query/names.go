package query

import (
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/strategy"
)

// Withheld says why an answer does not show what it has of a person. Read models
// hold sealed texts only; names are opened when an answer is made, for those who
// may read them (Read.Names).
type Withheld struct {
	Sealed bool `json:"sealed,omitempty"` // it is there, and not for this reader
	Erased bool `json:"erased,omitempty"` // it was, and nobody can read it any more
}

// Stakeholder is a strategy.Stakeholder as an answer shows it: in place of the
// sealed text, what it says, or why that is not shown.
type Stakeholder struct {
	Kind        strategy.StakeholderKind `json:"kind,omitempty"`
	Name        string                   `json:"name,omitempty"`
	Description string                   `json:"description,omitempty"`
	Roles       []strategy.Role          `json:"roles,omitempty"`
	SubjectID   string                   `json:"subjectId,omitempty"` // whose personal data is sealed
	Withheld

	Text string `json:"-"` // the sealed text, as long as nobody has opened it
}

// Frame is a strategy.Frame as an answer shows it.
type Frame struct {
	strategy.Frame
	Organizations []PlanOrganization `json:"organizations,omitempty"`
}

// PlanOrganization is a strategy.Organization as an answer shows it.
type PlanOrganization struct {
	strategy.Organization
	Stakeholders []Stakeholder `json:"stakeholders,omitempty"`
}

// StakeholdersOf are stakeholders as an answer shows them, sealed.
func StakeholdersOf(all []strategy.Stakeholder) []Stakeholder {
	if all == nil {
		return nil
	}
	shown := make([]Stakeholder, len(all))
	for i, s := range all {
		shown[i] = Stakeholder{Kind: s.Kind, Name: s.Name, Description: s.Description, Roles: s.Roles}
		if s.Sealed != "" {
			shown[i].Text, shown[i].Sealed, shown[i].SubjectID = s.Sealed, true, sealed.Subject(s.Sealed)
		}
	}
	return shown
}

// FrameOf is a frame as an answer shows it, sealed.
func FrameOf(f strategy.Frame) Frame {
	shown := Frame{Frame: f}
	shown.Frame.Organizations = nil
	for _, o := range f.Organizations {
		q := PlanOrganization{Organization: o, Stakeholders: StakeholdersOf(o.Stakeholders)}
		q.Organization.Stakeholders = nil
		shown.Organizations = append(shown.Organizations, q)
	}
	return shown
}
