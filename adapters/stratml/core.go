package stratml

import (
	"encoding/xml"

	"strata.dev/strata/app/stratml"
)

// core reads StrategicPlanCore: organizations, vision, mission, values, goals.
func (r *reader) core(doc *stratml.Document, start xml.StartElement, at stratml.Place) error {
	r.attributes(start, at, nil)
	return r.children(at, []child{
		{name: "Organization", many: true, read: func(start xml.StartElement, at stratml.Place) error {
			r.attributes(start, at, nil)
			var o stratml.Organization
			err := r.children(at, []child{
				{name: "Name", read: r.text(&o.Name)},
				{name: "Acronym", read: r.text(&o.Acronym)},
				{name: "Identifier", read: r.identifier(&o.Identifier)},
				{name: "Description", read: r.text(&o.Description)},
				{name: "Stakeholder", many: true, read: r.stakeholder(doc.Part, &o.Stakeholders)},
			})
			doc.Organizations = append(doc.Organizations, o)
			return err
		}},
		{name: "Vision", read: r.statement(&doc.Vision)},
		{name: "Mission", read: r.statement(&doc.Mission)},
		{name: "Value", many: true, read: func(start xml.StartElement, at stratml.Place) error {
			r.attributes(start, at, nil)
			var v stratml.Value
			err := r.children(at, []child{
				{name: "Name", read: r.text(&v.Name)},
				{name: "Description", read: r.text(&v.Description)},
			})
			doc.Values = append(doc.Values, v)
			return err
		}},
		{name: "Goal", many: true, required: true, read: func(start xml.StartElement, at stratml.Place) error {
			g, err := r.goal(doc.Part, start, at)
			doc.Goals = append(doc.Goals, g)
			return err
		}},
	})
}

func (r *reader) statement(into **stratml.Statement) func(xml.StartElement, stratml.Place) error {
	return func(start xml.StartElement, at stratml.Place) error {
		r.attributes(start, at, nil)
		s := &stratml.Statement{}
		*into = s
		return r.children(at, []child{
			{name: "Description", read: r.text(&s.Description)},
			{name: "Identifier", read: r.identifier(&s.Identifier)},
		})
	}
}

func (r *reader) goal(part stratml.Part, start xml.StartElement, at stratml.Place) (stratml.Goal, error) {
	g := stratml.Goal{Place: at}
	if r.n.goals++; r.n.goals > stratml.MaxGoals {
		return g, tooLarge(stratml.ReasonTooMany, at, stratml.MaxGoals)
	}
	r.attributes(start, at, nil)
	err := r.children(at, []child{
		{name: "Name", required: true, read: r.text(&g.Name)},
		{name: "Description", required: true, read: r.text(&g.Description)},
		{name: "Identifier", read: r.identifier(&g.Identifier)},
		{name: "SequenceIndicator", read: r.text(&g.Sequence)},
		{name: "Stakeholder", many: true, read: r.stakeholder(part, &g.Stakeholders)},
		{name: "OtherInformation", read: r.text(&g.OtherInformation)},
		{name: "Objective", many: true, read: func(start xml.StartElement, at stratml.Place) error {
			o, err := r.objective(part, start, at)
			g.Objectives = append(g.Objectives, o)
			return err
		}},
	})
	return g, err
}

func (r *reader) objective(part stratml.Part, start xml.StartElement, at stratml.Place) (stratml.Objective, error) {
	o := stratml.Objective{Place: at}
	if r.n.objectives++; r.n.objectives > stratml.MaxObjectives {
		return o, tooLarge(stratml.ReasonTooMany, at, stratml.MaxObjectives)
	}
	r.attributes(start, at, nil)
	known := []child{
		{name: "Name", read: r.text(&o.Name)},
		{name: "Description", read: r.text(&o.Description)},
		{name: "Identifier", read: r.identifier(&o.Identifier)},
		{name: "SequenceIndicator", read: r.text(&o.Sequence)},
		{name: "Stakeholder", many: true, read: r.stakeholder(part, &o.Stakeholders)},
		{name: "OtherInformation", read: r.text(&o.OtherInformation)},
	}
	if part == stratml.Part2 {
		known = append(known, child{name: "PerformanceIndicator", many: true, read: func(start xml.StartElement, at stratml.Place) error {
			i, err := r.indicator(start, at)
			o.Indicators = append(o.Indicators, i)
			return err
		}})
	}
	return o, r.children(at, known)
}

func (r *reader) stakeholder(part stratml.Part, into *[]stratml.Stakeholder) func(xml.StartElement, stratml.Place) error {
	return func(start xml.StartElement, at stratml.Place) error {
		var s stratml.Stakeholder
		if r.n.stakeholders++; r.n.stakeholders > stratml.MaxStakeholders {
			return tooLarge(stratml.ReasonTooMany, at, stratml.MaxStakeholders)
		}
		r.attributes(start, at, map[string]func(string) bool{
			"StakeholderTypeType": oneOf(&s.Type, "Person", "Organization", "Generic_Group"),
		})
		known := []child{
			{name: "Name", required: true, read: r.text(&s.Name)},
			{name: "Description", read: r.text(&s.Description)},
		}
		if part == stratml.Part2 {
			known = append(known, child{name: "Role", many: true, read: func(start xml.StartElement, at stratml.Place) error {
				role, err := r.role(start, at)
				s.Roles = append(s.Roles, role)
				return err
			}})
		}
		err := r.children(at, known)
		*into = append(*into, s)
		return err
	}
}

func (r *reader) role(start xml.StartElement, at stratml.Place) (stratml.Role, error) {
	var role stratml.Role
	r.attributes(start, at, nil)
	err := r.children(at, []child{
		{name: "Name", required: true, read: r.text(&role.Name)},
		{name: "Description", read: r.text(&role.Description)},
		{name: "RoleType", many: true, read: func(start xml.StartElement, at stratml.Place) error {
			var t string
			valid := func(s string) bool { return s == "Performer" || s == "Beneficiary" }
			if err := r.checked(&t, false, valid)(start, at); err != nil {
				return err
			}
			if t != "" {
				role.Types = append(role.Types, t)
			}
			return nil
		}},
	})
	return role, err
}
