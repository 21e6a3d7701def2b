package names

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/strategy"
)

// opener opens the texts of one answer.
type opener struct {
	ctx          context.Context
	persons      *personal.Sealer
	organization uuid.UUID
	may          bool
	shown        func()
	opened       map[string]opened
}

// opened is what came of a sealed text.
type opened struct {
	plain string
	query.Withheld
}

func (p Plans) opener(ctx context.Context, r query.Read) *opener {
	return &opener{ctx: ctx, persons: p.persons, organization: r.OrganizationID, may: r.Names, shown: r.Opened, opened: map[string]opened{}}
}

// open opens a sealed text, once an answer.
func (o *opener) open(text string) opened {
	known, ok := o.opened[text]
	if ok {
		return known
	}
	known = opened{Withheld: query.Withheld{Sealed: true}}
	switch {
	case o.persons == nil:
	case o.may:
		// An error is no reason to refuse everything else: it stays sealed.
		if plain, there, err := o.persons.Open(o.ctx, o.organization, text); err == nil && there {
			known = opened{plain: plain}
			if o.shown != nil {
				o.shown()
			}
		} else if err == nil {
			known = opened{Withheld: query.Withheld{Erased: true}}
		}
	default:
		if gone, err := o.persons.Destroyed(o.ctx, o.organization, sealed.Subject(text)); err == nil && gone {
			known = opened{Withheld: query.Withheld{Erased: true}}
		}
	}
	o.opened[text] = known
	return known
}

// text puts what a sealed text says in its place, or says why not.
func (o *opener) text(at *string, w *query.Withheld) {
	if *at == "" {
		return
	}
	found := o.open(*at)
	*at, w.Sealed, w.Erased = found.plain, w.Sealed || found.Sealed, w.Erased || found.Erased
}

// said is text for one that says more than a name.
func (o *opener) said(at *string, w *query.Withheld) {
	o.text(at, w)
	*at = personal.Says(*at).Best()
}

// member opens what a member is called, and where they are reached.
func (o *opener) member(name, address *string, w *query.Withheld) {
	o.text(name, w)
	o.text(address, w)
}

// best is what the first of some sealed texts that can be opened calls a person.
func (o *opener) best(texts []string, w *query.Withheld) string {
	w.Sealed = false
	for _, text := range texts {
		found := o.open(text)
		if name := personal.Says(found.plain).Best(); name != "" {
			w.Sealed, w.Erased = false, false
			return name
		}
		w.Sealed, w.Erased = w.Sealed || found.Sealed, w.Erased || found.Erased
	}
	return ""
}

// revisions opens the printed names under the approvals of a strategy. What it is
// given may be shared with other answers, and stays as it is.
func (o *opener) revisions(s *query.StrategySummary) {
	for _, at := range []**query.Revision{&s.Working, &s.InForce} {
		if *at == nil || len((*at).Approvals) == 0 {
			continue
		}
		r := **at
		r.Approvals = slices.Clone(r.Approvals)
		for i := range r.Approvals {
			o.text(&r.Approvals[i].PrintedName, &r.Approvals[i].Withheld)
		}
		*at = &r
	}
}

// stakeholders opens who persons are.
func (o *opener) stakeholders(all []query.Stakeholder) {
	for i := range all {
		s := &all[i]
		if s.Text == "" {
			continue
		}
		found := o.open(s.Text)
		s.Withheld = found.Withheld
		if found.Sealed || found.Erased {
			continue
		}
		// It was opened once already: what is wrong with it shows as sealed.
		whole, ok, err := o.persons.OpenStakeholder(o.ctx, o.organization, strategy.Stakeholder{Kind: s.Kind, Sealed: s.Text, Roles: s.Roles})
		if err != nil || !ok {
			s.Withheld = query.Withheld{Sealed: err != nil, Erased: err == nil}
			continue
		}
		s.Name, s.Description, s.Roles = whole.Name, whole.Description, whole.Roles
	}
}
