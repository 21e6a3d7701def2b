package personal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/strategy"
)

// person is what is sealed of a stakeholder: everything but the kind and what
// types of roles they have, which may be seen.
type person struct {
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Roles       []strategy.Role `json:"roles,omitempty"`
}

// Names says whether a stakeholder says in clear who it is.
func Names(s strategy.Stakeholder) bool {
	return s.Name != "" || s.Description != "" ||
		slices.ContainsFunc(s.Roles, func(r strategy.Role) bool { return r.Name != "" || r.Description != "" })
}

// SealStakeholder takes everything that says who a stakeholder is into Sealed,
// for the subject of their name (of what else is said about them if they have
// none), and leaves their kind and the types of their roles. One that says
// nothing in clear stays as it is. ErrDestroyed if the subject was erased;
// subjectID says whose that is.
func (s *Sealer) SealStakeholder(ctx context.Context, organizationID uuid.UUID, in strategy.Stakeholder) (out strategy.Stakeholder, subjectID string, err error) {
	if !Names(in) {
		return in, sealed.Subject(in.Sealed), nil
	}
	known := cmp.Or(in.Name, in.Description)
	for _, r := range in.Roles {
		known = cmp.Or(known, r.Name, r.Description)
	}
	id, err := s.SubjectOf(ctx, organizationID, known)
	if err != nil {
		return strategy.Stakeholder{}, "", err
	}
	subjectID = id.String()
	text, err := eventlog.Canonical(person{in.Name, in.Description, in.Roles})
	if err != nil {
		return strategy.Stakeholder{}, "", fmt.Errorf("encode a stakeholder: %w", err)
	}
	out = strategy.Stakeholder{Kind: in.Kind}
	if out.Sealed, err = s.Seal(ctx, organizationID, subjectID, string(text)); err != nil {
		return strategy.Stakeholder{}, subjectID, err
	}
	for _, r := range in.Roles {
		if len(r.Types) > 0 {
			out.Roles = append(out.Roles, strategy.Role{Types: r.Types})
		}
	}
	return out, subjectID, nil
}

// OpenStakeholder gives a stakeholder as it was before SealStakeholder; ok =
// false, and the stakeholder as it is, if the subject was erased. One that is
// not sealed is given as it is.
func (s *Sealer) OpenStakeholder(ctx context.Context, organizationID uuid.UUID, in strategy.Stakeholder) (out strategy.Stakeholder, ok bool, err error) {
	if in.Sealed == "" {
		return in, true, nil
	}
	text, ok, err := s.Open(ctx, organizationID, in.Sealed)
	if err != nil || !ok {
		return in, false, err
	}
	var p person
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		// Only who has the key can have written it.
		return in, false, errors.Join(fmt.Errorf("a sealed stakeholder: %w", ErrForged), err)
	}
	return strategy.Stakeholder{Kind: in.Kind, Name: p.Name, Description: p.Description, Roles: p.Roles}, true, nil
}
