package command

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
)

// Organizations runs the commands of organizations, and is where all commands
// find who asks. Safe for concurrent use.
type Organizations struct {
	executor *executor[organization.State, organization.Command, organization.Event]
}

func newOrganizations(o Options) *Organizations {
	x := newExecutor("organization", o, organization.Decide, organization.State.Apply)
	x.second = requestedBy
	return &Organizations{x}
}

// Execute runs commands on the organization id as one append. Registering is
// for the operator; everything else is for members of that organization, and
// another organization's answers not-found.
//
// The service sets RegisterOrganization.OrganizationID. Members are named by
// organization.IdentityHash of (id, issuer, subject), which the caller computes.
// The names of EnrolMember are in clear, and sealed here.
// The Second of SetGovernancePolicy and ReleaseLegalHold is who countersigned the call.
// Personal data is erased by Erasure.
func (o *Organizations) Execute(ctx context.Context, call Call, id uuid.UUID, commands ...organization.Command) (Result, error) {
	for _, c := range commands {
		if _, ok := c.(organization.ErasePersonalData); ok {
			return Result{}, refusal.Invalid.Detailf("Personal data is erased together with the documents that hold it.")
		}
	}
	call, commands, err := o.sealed(ctx, call, commands)
	if err != nil {
		return Result{}, err
	}
	return o.executor.execute(ctx, request[organization.State, organization.Command]{
		call: call, owner: id, id: id, commands: commands,
		prepare: func(_ context.Context, s organization.State, c organization.Command, _ time.Time) (asking, organization.Command, error) {
			if register, ok := c.(organization.RegisterOrganization); ok {
				register.OrganizationID = id.String()
				actor, err := operator(call.Principal, id)
				return asking{Actor: actor}, register, err
			}
			if call.Principal.OrganizationID != id {
				return asking{}, nil, refusal.NotFound
			}
			m, err := memberOf(s, call.Principal, o.executor.options.Clock())
			if err != nil {
				return asking{}, nil, err
			}
			switch command := c.(type) {
			case organization.SetGovernancePolicy:
				command.Second, err = m.second(call, "")
				c = command
			case organization.ReleaseLegalHold:
				command.Second, err = m.second(call, "")
				c = command
			}
			return m.asking(""), c, err
		},
	})
}

func operator(p Principal, organizationID uuid.UUID) (fact.Actor, error) {
	if !p.Operator {
		return fact.Actor{}, ErrOperatorOnly
	}
	return fact.Actor{
		// As opaque as a member's id: whoever runs the service is a person, too.
		ID:     "operator-" + organization.IdentityHash(organizationID.String(), p.Issuer, p.Subject),
		Kind:   fact.Person,
		Roles:  []string{authz.Operator},
		AuthAt: p.AuthAt,
	}, nil
}

// member is who asks: enrolled in the organization whose state goes with it.
type member struct {
	organization.Member
	in      organization.State
	authAt  time.Time
	now     time.Time
	machine fact.Actor // who asks if that is no member; the zero Actor else
}

// memberOf finds a principal among the members enrolled now.
func memberOf(s organization.State, p Principal, now time.Time) (member, error) {
	if m, ok := machineOf(s, p, now); ok {
		return m, nil
	}
	m, ok := s.Member(p.memberID)
	if p.memberID == "" {
		m, ok = s.MemberByIdentity(organization.IdentityHash(s.ID, p.Issuer, p.Subject))
	}
	if !ok || m.Offboarded {
		return member{}, ErrNotMember
	}
	return member{Member: m, in: s, authAt: p.AuthAt, now: now.UTC()}, nil
}

// actor is the member as a decider sees it, with the roles that hold now for
// each of the strategies ("" = for the whole organization).
func (m member) actor(strategyIDs ...string) fact.Actor {
	if m.machine.Kind != "" {
		return m.machine
	}
	kind := fact.Person
	if m.Kind == organization.Service {
		kind = fact.Source
	}
	roles := m.in.RolesAt(m.ID, m.now, strategyIDs[0])
	for _, id := range strategyIDs[1:] {
		also := m.in.RolesAt(m.ID, m.now, id)
		roles = slices.DeleteFunc(roles, func(r string) bool { return !slices.Contains(also, r) })
	}
	return fact.Actor{ID: m.ID, Kind: kind, Roles: roles, AuthAt: m.authAt}
}

// anywhere is the member as a decider sees it, with the roles that hold now for
// anything at all.
func (m member) anywhere() fact.Actor {
	by := m.actor("")
	for _, g := range m.in.GrantsOf(m.ID) {
		if g.Holds(m.now) && !slices.Contains(by.Roles, g.Role) {
			by.Roles = append(by.Roles, g.Role)
		}
	}
	slices.Sort(by.Roles)
	return by
}

// asking is the member as the one who asks, under the policy of now.
func (m member) asking(strategyIDs ...string) asking {
	return asking{Actor: m.actor(strategyIDs...), policyVersion: m.in.Policy().Version, printed: m.printed}
}

// printed gives the sealed name of any member of the same organization.
func (m member) printed(memberID string) string {
	other, _ := m.in.Member(memberID)
	return other.DisplayName
}

// member finds who asks for something of another aggregate. The organization's
// state is at most MembershipAge old, and was read at since or later.
func (o *Organizations) member(ctx context.Context, p Principal, since time.Time) (member, error) {
	x := o.executor
	stream := x.stream(p.OrganizationID)
	f, err := x.known(ctx, p.OrganizationID, stream, since)
	if err != nil {
		return member{}, err
	}
	if !f.state.Exists() {
		return member{}, ErrNotMember
	}
	return memberOf(f.state, p, x.options.Clock())
}
