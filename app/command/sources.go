package command

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/source"
)

// Sources runs the commands of sources. The register of imports is a source,
// too: Imports writes it. Safe for concurrent use.
type Sources struct {
	executor      *executor[source.State, source.Command, source.Event]
	organizations *Organizations
	directory     *directory
}

func newSources(o Options, organizations *Organizations) *Sources {
	x := newExecutor("source", o, source.Decide, source.State.Apply)
	x.second = func(e source.Event) string {
		if a, ok := e.(source.ImportAccepted); ok {
			return a.AuthorizedBy
		}
		return ""
	}
	return &Sources{executor: x, organizations: organizations}
}

// Execute runs commands on the source id as one append.
//
// The service sets RegisterSource.SourceID and StewardRoles, and
// UnknownIndicators of RegisterSource and ReinstateSource.
func (s *Sources) Execute(ctx context.Context, call Call, id uuid.UUID, commands ...source.Command) (Result, error) {
	return s.executor.execute(ctx, request[source.State, source.Command]{
		call: call, owner: call.Principal.OrganizationID, id: id, commands: commands,
		prepare: func(ctx context.Context, _ source.State, c source.Command, since time.Time) (asking, source.Command, error) {
			m, err := s.organizations.member(ctx, call.Principal, since)
			if err != nil {
				return asking{}, nil, err
			}
			c, err = s.complete(ctx, call.Principal.OrganizationID, id, m, c)
			return m.asking(""), c, err
		},
	})
}

func (s *Sources) complete(ctx context.Context, organizationID, id uuid.UUID, m member, c source.Command) (source.Command, error) {
	var err error
	switch c := c.(type) {
	case source.RegisterSource:
		// What is there is not told to those who may not ask.
		if err = authz.Check(m.actor(""), authz.RegisterSource); err != nil {
			return nil, err
		}
		c.SourceID, c.StewardRoles = id.String(), m.rolesOf(c.StewardID, "")
		c.UnknownIndicators, err = s.unknown(ctx, organizationID, c.AllowedIndicators)
		return c, err
	case source.ReinstateSource:
		if err = authz.Check(m.actor(""), authz.ReinstateSource); err != nil {
			return nil, err
		}
		c.UnknownIndicators, err = s.unknown(ctx, organizationID, c.AllowedIndicators)
		return c, err
	}
	return c, nil
}

// unknown gives the indicators among the allowed ones that are not there.
func (s *Sources) unknown(ctx context.Context, organizationID uuid.UUID, allowed []source.Allowed) ([]string, error) {
	if len(allowed) > source.MaxAllowed {
		return nil, nil // the domain says that they are too many
	}
	var ids []string
	for _, a := range allowed {
		there, err := s.directory.has(ctx, organizationID, "indicator", a.IndicatorID)
		if err != nil {
			return nil, err
		}
		if !there {
			ids = append(ids, a.IndicatorID)
		}
	}
	return ids, nil
}

// State gives a source as the log had it at most MembershipAge ago, also one
// that is not registered.
func (s *Sources) State(ctx context.Context, organizationID, id uuid.UUID) (source.State, error) {
	f, err := s.executor.known(ctx, organizationID, s.executor.stream(id), time.Time{})
	if err != nil {
		return source.State{}, fmt.Errorf("source %s: %w", id, err)
	}
	return f.state, nil
}

// rolesOf gives the roles that a person holds now for each of the strategies
// ("" = for the whole organization); none if the id is not that of a person
// enrolled here.
func (m member) rolesOf(memberID string, strategyIDs ...string) []string {
	o, ok := m.in.Member(memberID)
	if !ok || o.Kind != organization.Person {
		return nil
	}
	roles := m.in.RolesAt(memberID, m.now, strategyIDs[0])
	for _, id := range strategyIDs[1:] {
		also := m.in.RolesAt(memberID, m.now, id)
		roles = slices.DeleteFunc(roles, func(r string) bool { return !slices.Contains(also, r) })
	}
	return roles
}
