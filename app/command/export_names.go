package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/strategy"
)

// unsealer puts into a document that is to be written who persons are, or leaves
// it out where they were erased or the reader may not know.
type unsealer struct {
	ctx          context.Context
	persons      *personal.Sealer // nil if there is no key store, or the reader may not read names
	organization uuid.UUID
	part         stratml.Part
	path         string
	omitted      []stratml.Deviation
	opened       bool // a name is in the document
}

// readsNames says whether a member may read names of persons.
func (m member) readsNames() bool {
	by := m.anywhere()
	for _, role := range by.Roles {
		if by.Kind == fact.Person && authz.MayReadNames(role) {
			return true
		}
	}
	return false
}

// document gives a copy of a document that says who persons are.
func (u *unsealer) document(d *stratml.Document) (_ *stratml.Document, err error) {
	out := *d
	core := u.path + "/StrategicPlanCore"
	out.Organizations = append([]stratml.Organization(nil), d.Organizations...)
	for i := range out.Organizations {
		o := &out.Organizations[i]
		if o.Stakeholders, err = u.stakeholders(o.Stakeholders, fmt.Sprintf("%s/Organization[%d]", core, i+1)); err != nil {
			return nil, err
		}
	}
	out.Goals = append([]stratml.Goal(nil), d.Goals...)
	for i := range out.Goals {
		g, path := &out.Goals[i], fmt.Sprintf("%s/Goal[%d]", core, i+1)
		if g.Stakeholders, err = u.stakeholders(g.Stakeholders, path); err != nil {
			return nil, err
		}
		g.Objectives = append([]stratml.Objective(nil), g.Objectives...)
		for j := range g.Objectives {
			o := &g.Objectives[j]
			if o.Stakeholders, err = u.stakeholders(o.Stakeholders, fmt.Sprintf("%s/Objective[%d]", path, j+1)); err != nil {
				return nil, err
			}
		}
	}
	return &out, nil
}

func (u *unsealer) stakeholders(list []stratml.Stakeholder, path string) ([]stratml.Stakeholder, error) {
	out := append([]stratml.Stakeholder(nil), list...)
	for i, s := range list {
		if s.Sealed == "" {
			continue
		}
		code := stratml.PersonWithheld
		if u.persons != nil {
			whole, ok, err := u.persons.OpenStakeholder(u.ctx, u.organization, strategy.Stakeholder{Kind: strategy.StakeholderKind(s.Type), Sealed: s.Sealed})
			switch {
			case errors.Is(err, personal.ErrNoKey) || errors.Is(err, personal.ErrForged): // nobody can
			case err != nil:
				return nil, fmt.Errorf("who a person is: %w", err)
			case ok:
				out[i], code = u.shown(whole), ""
				u.opened = true
			default:
				code = stratml.PersonErased
			}
		}
		if out[i].Sealed = ""; code != "" {
			u.omitted = append(u.omitted, stratml.Deviation{Code: code, Path: fmt.Sprintf("%s/Stakeholder[%d]", path, i+1)})
		}
	}
	return out, nil
}

func (u *unsealer) shown(s strategy.Stakeholder) stratml.Stakeholder {
	e := exporter{part: u.part}
	return e.stakeholders([]strategy.Stakeholder{s}, "")[0]
}
