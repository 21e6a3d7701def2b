package command

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/domain/strategy"
)

// Persons come to the commands in clear and leave them sealed: what decides,
// what is recorded and every hash that is kept know the sealed form only.

// errNoKeyStore: a name was given that could only be kept in clear, for ever.
var errNoKeyStore = refusal.Invalid.WithRule("key-store").Detailf("No key store is set up here, so no names of persons or files are kept: leave them out.")

// sealing collects whom the commands of one call name.
type sealing struct {
	persons  *personal.Sealer
	call     Call
	subjects []string
}

// hash is the fingerprint of the call, if it names anybody: keyed, so that
// nobody finds a name by hashing guesses.
func (s *sealing) hash(ctx context.Context) (Call, error) {
	if len(s.subjects) == 0 {
		return s.call, nil
	}
	var err error
	s.call.Hash, err = s.persons.Fingerprint(ctx, s.call.Principal.OrganizationID, s.subjects, s.call.Hash)
	return s.call, erasedPerson(err)
}

// text seals a text for a subject; "" stays "".
func (s *sealing) text(ctx context.Context, subjectID, plaintext string) (string, error) {
	if plaintext == "" {
		return "", nil
	}
	s.subjects = append(s.subjects, subjectID)
	text, err := s.persons.Seal(ctx, s.call.Principal.OrganizationID, subjectID, plaintext)
	return text, erasedPerson(err)
}

// erasedPerson makes a refusal of what is said about a person who was erased.
// It names nobody.
func erasedPerson(err error) error {
	if errors.Is(err, personal.ErrDestroyed) {
		return personal.ErrPersonErased.Detailf("A person who is named here was erased, and is not taken in again: leave the name out.").Because(err)
	}
	return err
}

// sealed gives the commands with the persons they name sealed, and the call with
// the hash that belongs to that. Without a key store they stay as they are, and
// the domain refuses names of persons. Keys are made only for those who may give
// the command.
func (s *Strategies) sealed(ctx context.Context, call Call, id string, commands []strategy.Command) (Call, []strategy.Command, error) {
	persons := s.executor.options.Personal
	if persons == nil || !slices.ContainsFunc(commands, func(c strategy.Command) bool { return namesPersons(c) != "" }) {
		return call, commands, nil
	}
	m, err := s.organizations.member(ctx, call.Principal, s.executor.options.Clock().Add(-MembershipAge))
	if err != nil {
		return call, nil, err
	}
	by, x := m.actor(id), sealing{persons: persons, call: call}
	out := make([]strategy.Command, len(commands))
	for i, c := range commands {
		if kind := namesPersons(c); kind != "" {
			if err := authz.Check(by, kind); err != nil {
				return call, nil, err
			}
		}
		if out[i], err = x.strategy(ctx, c); err != nil {
			return call, nil, err
		}
	}
	call, err = x.hash(ctx)
	return call, out, err
}

// namesPersons gives the name of a command that says in clear who a person is; ""
// if it does not.
func namesPersons(c strategy.Command) string {
	kind := ""
	var lists [][]strategy.Stakeholder
	contents := func(edits []strategy.Edit) {
		for _, e := range edits {
			lists = append(lists, e.New.Stakeholders)
			for _, o := range e.New.Organizations {
				lists = append(lists, o.Stakeholders)
			}
		}
	}
	switch c := c.(type) {
	case strategy.DraftStrategy:
		kind = authz.DraftStrategy
		for _, o := range c.Frame.Organizations {
			lists = append(lists, o.Stakeholders)
		}
	case strategy.AmendFrame:
		kind = authz.AmendFrame
		contents(c.Edits)
	case strategy.AddGoal:
		kind, lists = authz.AddGoal, [][]strategy.Stakeholder{c.Stakeholders}
	case strategy.AmendGoal:
		kind = authz.AmendGoal
		contents(c.Edits)
	case strategy.AddObjective:
		kind, lists = authz.AddObjective, [][]strategy.Stakeholder{c.Stakeholders}
	case strategy.AmendObjective:
		kind = authz.AmendObjective
		contents(c.Edits)
	}
	for _, list := range lists {
		if slices.ContainsFunc(list, namedPerson) {
			return kind
		}
	}
	return ""
}

func namedPerson(s strategy.Stakeholder) bool {
	return s.Kind == strategy.PersonStakeholder && personal.Names(s)
}

// strategy gives a copy of a command with its persons sealed.
func (s *sealing) strategy(ctx context.Context, c strategy.Command) (_ strategy.Command, err error) {
	switch c := c.(type) {
	case strategy.DraftStrategy:
		c.Frame.Organizations, err = s.organizations(ctx, c.Frame.Organizations)
		return c, err
	case strategy.AmendFrame:
		c.Edits, err = s.edits(ctx, c.Edits)
		return c, err
	case strategy.AddGoal:
		c.Stakeholders, err = s.stakeholders(ctx, c.Stakeholders)
		return c, err
	case strategy.AmendGoal:
		c.Edits, err = s.edits(ctx, c.Edits)
		return c, err
	case strategy.AddObjective:
		c.Stakeholders, err = s.stakeholders(ctx, c.Stakeholders)
		return c, err
	case strategy.AmendObjective:
		c.Edits, err = s.edits(ctx, c.Edits)
		return c, err
	}
	return c, nil
}

func (s *sealing) edits(ctx context.Context, list []strategy.Edit) (_ []strategy.Edit, err error) {
	out := slices.Clone(list)
	for i := range out {
		if out[i].New.Stakeholders, err = s.stakeholders(ctx, out[i].New.Stakeholders); err != nil {
			return nil, err
		}
		if out[i].New.Organizations, err = s.organizations(ctx, out[i].New.Organizations); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *sealing) organizations(ctx context.Context, list []strategy.Organization) (_ []strategy.Organization, err error) {
	out := slices.Clone(list)
	for i := range out {
		if out[i].Stakeholders, err = s.stakeholders(ctx, out[i].Stakeholders); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *sealing) stakeholders(ctx context.Context, list []strategy.Stakeholder) ([]strategy.Stakeholder, error) {
	out := slices.Clone(list)
	for i, person := range list {
		if !namedPerson(person) {
			continue
		}
		subjectID := ""
		var err error
		out[i], subjectID, err = s.persons.SealStakeholder(ctx, s.call.Principal.OrganizationID, person)
		if err != nil {
			return nil, erasedPerson(fmt.Errorf("seal stakeholder %d: %w", i, err))
		}
		s.subjects = append(s.subjects, subjectID)
	}
	return out, nil
}

// sealed gives the commands with the names of members sealed, and the call with
// the hash that belongs to that. Names come here in clear only.
func (o *Organizations) sealed(ctx context.Context, call Call, commands []organization.Command) (Call, []organization.Command, error) {
	named := func(c organization.Command) bool {
		e, ok := c.(organization.EnrolMember)
		return ok && e.DisplayName+e.Email != ""
	}
	if !slices.ContainsFunc(commands, named) {
		return call, commands, nil
	}
	m, err := o.member(ctx, call.Principal, o.executor.options.Clock().Add(-MembershipAge))
	if err != nil {
		return call, nil, err
	}
	if err := authz.Check(m.actor(""), authz.EnrolMember); err != nil {
		return call, nil, err
	}
	x := sealing{persons: o.executor.options.Personal, call: call}
	if x.persons == nil {
		return call, nil, errNoKeyStore
	}
	out := slices.Clone(commands)
	for i, c := range commands {
		e, ok := c.(organization.EnrolMember)
		if !ok {
			continue
		}
		if !sealed.ValidSubject(e.SubjectID) {
			return call, nil, refusal.Invalid.Detailf("subjectId: Give a UUID.").At("#/subjectId", "format", "Give a UUID.")
		}
		if e.DisplayName, err = x.text(ctx, e.SubjectID, e.DisplayName); err != nil {
			return call, nil, err
		}
		if e.Email, err = x.text(ctx, e.SubjectID, e.Email); err != nil {
			return call, nil, err
		}
		out[i] = e
	}
	call, err = x.hash(ctx)
	return call, out, err
}

// sealed seals the name of the file that evidence came in, for the document that
// its bytes are: whoever destroys the one destroys the other. Without a key
// store it is not kept.
func (e *Evidence) sealed(ctx context.Context, call Call, c evidence.RegisterEvidence) (Call, evidence.RegisterEvidence, error) {
	if c.FileName == "" {
		return call, c, nil
	}
	x := sealing{persons: e.executor.options.Personal, call: call}
	if x.persons == nil {
		c.FileName = ""
		return call, c, nil
	}
	var err error
	if c.FileName, err = x.text(ctx, sealed.Document(c.SHA256), c.FileName); err == nil {
		call, err = x.hash(ctx)
	}
	if errors.Is(err, personal.ErrDestroyed) {
		err = personal.ErrErased.Detailf("These bytes were erased, and are not taken in again.").Because(err)
	}
	return call, c, err
}
