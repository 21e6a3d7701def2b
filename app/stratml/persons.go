package stratml

import (
	"fmt"
	"slices"
)

// Sealer puts everything that says who a stakeholder is into one sealed text;
// the same each time for the same stakeholder. erased: that person was erased.
type Sealer func(Stakeholder) (sealed string, erased bool, err error)

// KeptSealed is Kept where persons are sealed instead of withheld: their types
// and the types of their roles stay, everything else stands in
// Stakeholder.Sealed. Of those who were erased it is withheld. The submitter is
// no part of a plan, and is left to the caller. The error is seal's; nil seals
// nobody.
func (d *Document) KeptSealed(today string, seal Sealer) (*Document, []Deviation, error) {
	k := &keeper{root: d.rootPath(), today: today, withhold: true, seal: seal, ids: map[string]bool{}}
	kept := k.document(d)
	return kept, k.omitted, k.err
}

// SubmitterPath is where a document says who submitted it.
func (d *Document) SubmitterPath() string { return d.rootPath() + "/Submitter" }

// Empty says whether the submitter is a form left blank.
func (s Submitter) Empty() bool { return s.GivenName+s.Surname+s.PhoneNumber+s.EmailAddress == "" }

// stakeholders leaves out forms left blank, and seals or withholds everything
// that says who a person is: what goes into the log in clear stays there for ever.
func (k *keeper) stakeholders(list []Stakeholder, at Place, path string) []Stakeholder {
	var kept []Stakeholder
	for i, s := range list {
		if s.Empty() {
			continue
		}
		s.Roles = rolesOf(s.Roles)
		if k.withhold && (s.Type == "Person" || s.Type == "") && s.named() {
			s = k.person(s, at, fmt.Sprintf("%s/Stakeholder[%d]", path, i+1))
		}
		if !s.Empty() { // else nothing is left that may be known
			kept = append(kept, s)
		}
	}
	return kept
}

// person gives a stakeholder without anything that says who it is, in clear.
func (k *keeper) person(s Stakeholder, at Place, path string) Stakeholder {
	code := PersonWithheld
	if s.Type == "" {
		code = UntypedWithheld
	}
	out := Stakeholder{Type: s.Type}
	for _, r := range s.Roles {
		if len(r.Types) > 0 {
			out.Roles = append(out.Roles, Role{Types: r.Types})
		}
	}
	if k.seal != nil && k.err == nil {
		var erased bool
		if out.Sealed, erased, k.err = k.seal(s); k.err == nil && !erased {
			return out
		}
		out.Sealed, code = "", PersonErased
	}
	k.omit(code, at, path, "")
	return out
}

// rolesOf are roles with their types in order, without those that say nothing.
func rolesOf(list []Role) []Role {
	var roles []Role
	for _, r := range list {
		types := slices.Clone(r.Types)
		slices.Sort(types)
		if r.Types = slices.Compact(types); len(r.Types) == 0 {
			r.Types = nil
		}
		if r.Name != "" || r.Description != "" || len(r.Types) > 0 {
			roles = append(roles, r)
		}
	}
	return roles
}

// named says whether anything beside its kind and its roles' types is said
// about the stakeholder.
func (s Stakeholder) named() bool {
	return s.Name != "" || s.Description != "" ||
		slices.ContainsFunc(s.Roles, func(r Role) bool { return r.Name != "" || r.Description != "" })
}
