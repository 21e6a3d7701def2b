package strategy

import (
	"fmt"
	"maps"
	"slices"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/internal/check"
)

// Limits of the lists inside an element; they keep one event well below what
// the log takes.
const (
	maxValues        = 200
	maxOrganizations = 200
	maxStakeholders  = 500
	maxRoles         = 50
	maxRelationships = 200
	maxReferents     = 200
	maxListBytes     = 400_000
)

// check goes through the fields in the order of their names, so that the same
// frame is refused with the same words each time.
func (f Frame) check(form *check.Form, at string) {
	for _, fieldName := range slices.Sorted(maps.Keys(frameFields)) {
		field := frameFields[fieldName]
		field.shape.check(form, at+"/"+fieldName, field.get(&f))
	}
}

// only is the part of the content that a field of this shape uses.
func (s shape) only(c Content) Content {
	switch s {
	case name, short, prose, date, optionalID:
		return Content{Text: c.Text}
	case values:
		return Content{Values: c.Values}
	case organizations:
		return Content{Organizations: c.Organizations}
	case stakeholders:
		return Content{Stakeholders: c.Stakeholders}
	case relationships:
		return Content{Relationships: c.Relationships}
	}
	return Content{}
}

func (s shape) check(f *check.Form, at string, c Content) {
	switch s {
	case name:
		f.Name(at, c.Text)
	case short:
		f.Short(at, c.Text)
	case prose:
		f.Prose(at, c.Text)
	case date:
		f.OptionalDate(at, calendar.Date(c.Text))
	case optionalID:
		f.OptionalID(at, c.Text)
	case values:
		checkValues(f, at, c.Values)
	case organizations:
		checkOrganizations(f, at, c.Organizations)
	case stakeholders:
		checkStakeholders(f, at, c.Stakeholders)
	case relationships:
		checkRelationships(f, at, c.Relationships)
	}
}

func checkValues(f *check.Form, at string, list []Value) {
	if tooLong(f, at, len(list), maxValues) {
		return
	}
	size := 0
	for i, v := range list {
		item := fmt.Sprintf("%s/%d", at, i)
		f.Short(item+"/name", v.Name)
		f.Prose(item+"/description", v.Description)
		size += len(v.Name) + len(v.Description)
	}
	tooLarge(f, at, size)
}

func checkOrganizations(f *check.Form, at string, list []Organization) {
	if tooLong(f, at, len(list), maxOrganizations) {
		return
	}
	size := 0
	for i, o := range list {
		item := fmt.Sprintf("%s/%d", at, i)
		f.Short(item+"/name", o.Name)
		f.Short(item+"/acronym", o.Acronym)
		f.Short(item+"/identifier", o.Identifier)
		f.Prose(item+"/description", o.Description)
		size += len(o.Name) + len(o.Acronym) + len(o.Identifier) + len(o.Description)
		size += checkStakeholders(f, item+"/stakeholders", o.Stakeholders)
	}
	tooLarge(f, at, size)
}

// checkStakeholders gives the number of bytes in the texts, too.
func checkStakeholders(f *check.Form, at string, list []Stakeholder) (size int) {
	if tooLong(f, at, len(list), maxStakeholders) {
		return 0
	}
	for i, s := range list {
		item := fmt.Sprintf("%s/%d", at, i)
		switch s.Kind {
		case "", PersonStakeholder, OrganizationStakeholder, GroupStakeholder:
		default:
			f.Object(item+"/kind", "enum", "Give Person, Organization, Generic_Group or nothing.")
		}
		if s.Kind == PersonStakeholder && (s.Name != "" || s.Description != "") {
			f.Object(item+"/name", "maxLength", "Persons are named in sealed only, never in clear.")
		}
		if s.Sealed != "" && (s.Name != "" || s.Description != "") {
			f.Object(item+"/sealed", "not", "Who is sealed is not named in clear.")
		}
		f.Short(item+"/name", s.Name)
		f.Prose(item+"/description", s.Description)
		f.Sealed(item+"/sealed", s.Sealed, "")
		size += len(s.Name) + len(s.Description) + len(s.Sealed)
		if tooLong(f, item+"/roles", len(s.Roles), maxRoles) {
			continue
		}
		for j, r := range s.Roles {
			role := fmt.Sprintf("%s/roles/%d", item, j)
			f.Short(role+"/name", r.Name)
			f.Prose(role+"/description", r.Description)
			size += len(r.Name) + len(r.Description)
			checkRoleTypes(f, role+"/types", r.Types)
		}
	}
	tooLarge(f, at, size)
	return size
}

func checkRoleTypes(f *check.Form, at string, types []RoleType) {
	if len(types) > 2 {
		f.Object(at, "maxItems", "At most two.")
		return
	}
	for _, t := range types {
		if t != Performer && t != Beneficiary {
			f.Object(at, "enum", "Give Performer or Beneficiary.")
		}
	}
}

func checkRelationships(f *check.Form, at string, list []Relationship) {
	if tooLong(f, at, len(list), maxRelationships) {
		return
	}
	size := 0
	for i, r := range list {
		item := fmt.Sprintf("%s/%d", at, i)
		switch r.Kind {
		case "", BroaderThan, PeerTo, NarrowerThan:
		default:
			f.Object(item+"/kind", "enum", "Give Broader_Than, Peer_To, Narrower_Than or nothing.")
		}
		f.Short(item+"/identifier", r.Identifier)
		f.Short(item+"/name", r.Name)
		f.Prose(item+"/description", r.Description)
		size += len(r.Identifier) + len(r.Name) + len(r.Description)
		if tooLong(f, item+"/referents", len(r.Referents), maxReferents) {
			continue
		}
		for j, ref := range r.Referents {
			f.Short(fmt.Sprintf("%s/referents/%d", item, j), ref)
			size += len(ref)
		}
	}
	tooLarge(f, at, size)
}

func tooLong(f *check.Form, at string, n, limit int) bool {
	if n > limit {
		f.Object(at, "maxItems", "At most %d, not %d.", limit, n)
	}
	return n > limit
}

func tooLarge(f *check.Form, at string, size int) {
	if size > maxListBytes {
		f.Object(at, "maxLength", "At most %d bytes of text in all, not %d.", maxListBytes, size)
	}
}
