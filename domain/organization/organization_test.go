package organization_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/decidertest"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
)

var decider = decidertest.Decider[organization.State, organization.Command, organization.Event]{
	Decide: organization.Decide,
	Apply:  organization.State.Apply,
}

type (
	past = decidertest.Past[organization.Event]
	spec = decidertest.Case[organization.Command, organization.Event]
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// id makes a valid id that says what it is.
func id(kind string, n int) string {
	return fmt.Sprintf("%08x-0000-7000-8000-%012d", kind[0], n)
}

const issuer = "https://login.example"

var (
	acme      = id("organization", 1)
	strategy1 = id("strategy", 1)
	strategy2 = id("strategy", 2)
	member1   = id("member", 1) // administrator
	member2   = id("member", 2) // compliance officer
	member3   = id("member", 3)
	member4   = id("member", 4)
	grant1    = id("grant", 1)
	grant2    = id("grant", 2)
	grant3    = id("grant", 3)
	grant4    = id("grant", 4)

	all      = organization.Scope{All: true}
	first    = organization.Scope{StrategyIDs: []string{strategy1}}
	second   = organization.Scope{StrategyIDs: []string{strategy2}}
	tomorrow = now.AddDate(0, 0, 1)

	operator = fact.Actor{ID: "operator", Kind: fact.Person, Roles: []string{authz.Operator}, At: now}
	admin    = fact.Actor{ID: member1, Kind: fact.Person, Roles: []string{authz.Administrator}, At: now}
	officer  = fact.Actor{ID: member2, Kind: fact.Person, Roles: []string{authz.ComplianceOfficer}, At: now}
)

func identity(n int) string {
	return organization.IdentityHash(acme, issuer, fmt.Sprint("person ", n))
}

func enrolled(n int) organization.MemberEnrolled {
	return organization.MemberEnrolled{MemberID: id("member", n), SubjectID: id("subject", n), Issuer: issuer, ExternalIDHash: identity(n), Kind: organization.Person}
}

func granted(grant, member, role string, scope organization.Scope) organization.RoleGranted {
	return organization.RoleGranted{GrantID: grant, MemberID: member, Role: role, Scope: scope}
}

func firstMember(n int) organization.FirstMember {
	return organization.FirstMember{MemberID: id("member", n), SubjectID: id("subject", n), Issuer: issuer, ExternalIDHash: identity(n), GrantID: id("grant", n)}
}

var (
	register   = organization.RegisterOrganization{OrganizationID: acme, Name: "Acme", Administrator: firstMember(1), ComplianceOfficer: firstMember(2)}
	registered = []organization.Event{
		organization.Registered{OrganizationID: acme, Name: "Acme", TimeZone: "UTC", FiscalYearStart: 1, InitialAdministrator: member1, InitialComplianceOfficer: member2},
		enrolled(1), enrolled(2),
		granted(grant1, member1, authz.Administrator, all), granted(grant2, member2, authz.ComplianceOfficer, all),
	}
)

// after gives the history of a registered organization and more.
func after(more ...organization.Event) []past {
	var h []past
	for _, e := range append(slices.Clone(registered), more...) {
		h = append(h, past{By: admin, Event: e})
	}
	return h
}

func TestRegistering(t *testing.T) {
	with := func(change func(*organization.RegisterOrganization)) organization.RegisterOrganization {
		c := register
		change(&c)
		return c
	}
	decider.Run(t, []spec{
		{Name: "with the first two members", By: operator, When: register, Then: registered},
		{Name: "twice", Given: after(), By: operator, When: register, Refused: organization.ErrRegistered},
		{Name: "by an administrator", By: admin, When: register, Refused: authz.ErrRole},
		{Name: "S4: one person for both", By: operator, When: with(func(c *organization.RegisterOrganization) { c.ComplianceOfficer.ExternalIDHash = identity(1) }), Refused: organization.ErrConflict},
		{Name: "one member id for both", By: operator, When: with(func(c *organization.RegisterOrganization) { c.ComplianceOfficer.MemberID = member1 }), Refused: refusal.Invalid},
		{Name: "without a name", By: operator, When: with(func(c *organization.RegisterOrganization) { c.Name = "" }), Refused: refusal.Invalid},
		{Name: "in a 13th month", By: operator, When: with(func(c *organization.RegisterOrganization) { c.FiscalYearStart = 13 }), Refused: refusal.Invalid},
		{Name: "nothing before it", By: admin, When: organization.OffboardMember{MemberID: member2, Reason: "r"}, Refused: organization.ErrNotRegistered},
	})
}

func TestEnrolling(t *testing.T) {
	enrol := func(change func(*organization.EnrolMember)) organization.EnrolMember {
		c := organization.EnrolMember(enrolled(3))
		change(&c)
		return c
	}
	gone := after(enrolled(3), organization.RoleRevoked{GrantIDs: []string{}, MemberID: member3, Reason: "left", Offboarding: true})
	again := enrolled(3)
	again.MemberID = member4
	decider.Run(t, []spec{
		{Name: "a person", Given: after(), By: admin, When: enrol(func(*organization.EnrolMember) {}), Then: []organization.Event{enrolled(3)}},
		{Name: "again under a new member id", Given: gone, By: admin, When: organization.EnrolMember(again), Then: []organization.Event{again}},
		{Name: "again under the old one", Given: gone, By: admin, When: enrol(func(*organization.EnrolMember) {}), Refused: organization.ErrMemberIDUsed},
		{Name: "an identity twice", Given: after(), By: admin, When: enrol(func(c *organization.EnrolMember) { c.ExternalIDHash = identity(2) }), Refused: organization.ErrIdentityInUse},
		{Name: "a person twice", Given: after(), By: admin, When: enrol(func(c *organization.EnrolMember) { c.SubjectID = id("subject", 2) }), Refused: organization.ErrSubjectEnrolled},
		{Name: "a ghost", Given: after(), By: admin, When: enrol(func(c *organization.EnrolMember) { c.Kind = "ghost" }), Refused: refusal.Invalid},
		{Name: "somebody in clear", Given: after(), By: admin, When: enrol(func(c *organization.EnrolMember) { c.ExternalIDHash = "jane@example.org" }), Refused: refusal.Invalid},
		{Name: "by a compliance officer", Given: after(), By: officer, When: enrol(func(*organization.EnrolMember) {}), Refused: authz.ErrRole},
	})
}

func TestGranting(t *testing.T) {
	grant := func(role string, scope organization.Scope) organization.GrantRole {
		return organization.GrantRole{GrantID: grant4, MemberID: member3, Role: role, Scope: scope}
	}
	to := func(member string, c organization.GrantRole) organization.GrantRole {
		c.MemberID = member
		return c
	}
	until := func(at time.Time, c organization.GrantRole) organization.GrantRole {
		c.ExpiresAt = &at
		return c
	}
	has := func(role string, scope organization.Scope) []past {
		return after(enrolled(3), granted(grant3, member3, role, scope))
	}
	expired := granted(grant3, member3, authz.Author, all)
	yesterday := now.AddDate(0, 0, -1)
	expired.ExpiresAt = &yesterday
	service := enrolled(3)
	service.Kind = organization.Service
	temporary := granted(grant4, member3, authz.Author, all)
	temporary.ExpiresAt = &tomorrow
	local := tomorrow.In(time.FixedZone("CET", 3600)).Add(7 * time.Nanosecond)
	both := organization.Scope{StrategyIDs: []string{strategy2, strategy1, strategy2}}
	decider.Run(t, []spec{
		{Name: "a role", Given: after(enrolled(3)), By: admin, When: grant(authz.Author, all), Then: []organization.Event{granted(grant4, member3, authz.Author, all)}},
		{
			Name: "on some strategies, sorted", Given: after(enrolled(3)), By: admin, When: grant(authz.Author, both),
			Then: []organization.Event{granted(grant4, member3, authz.Author, organization.Scope{StrategyIDs: []string{strategy1, strategy2}})},
		},
		{Name: "for some time, in UTC and microseconds", Given: after(enrolled(3)), By: admin, When: until(local, grant(authz.Author, all)), Then: []organization.Event{temporary}},
		{Name: "a service may bring measurements", Given: after(service), By: admin, When: grant(authz.Integrator, all), Then: []organization.Event{granted(grant4, member3, authz.Integrator, all)}},
		{Name: "and nothing else", Given: after(service), By: admin, When: grant(authz.Author, all), Refused: organization.ErrGrantKind},
		{Name: "which no person may", Given: after(enrolled(3)), By: admin, When: grant(authz.Integrator, all), Refused: organization.ErrGrantKind},
		{Name: "S4: author and approver apart", Given: has(authz.Author, first), By: admin, When: grant(authz.Approver, second), Then: []organization.Event{granted(grant4, member3, authz.Approver, second)}},
		{Name: "S4: author and approver together", Given: has(authz.Author, first), By: admin, When: grant(authz.Approver, first), Refused: organization.ErrConflict},
		{Name: "S4: approver of all is one there, too", Given: has(authz.Approver, all), By: admin, When: grant(authz.Author, second), Refused: organization.ErrConflict},
		{Name: "S4: an auditor audits only", Given: has(authz.Auditor, all), By: admin, When: grant(authz.IndicatorOwner, first), Refused: organization.ErrConflict},
		{Name: "S4: an officer is no administrator", Given: after(enrolled(3), granted(grant3, member3, authz.ComplianceOfficer, all)), By: admin, When: grant(authz.Administrator, all), Refused: organization.ErrConflict},
		{Name: "an expired role conflicts with nothing", Given: after(enrolled(3), expired), By: admin, When: grant(authz.Approver, all), Then: []organization.Event{granted(grant4, member3, authz.Approver, all)}},
		{Name: "S5: not to oneself", Given: after(), By: admin, When: to(member1, grant(authz.Viewer, all)), Refused: organization.ErrOwnRoles},
		{Name: "not to a stranger", Given: after(), By: admin, When: grant(authz.Author, all), Refused: organization.ErrNoMember},
		{Name: "not under a used id", Given: after(enrolled(3)), By: admin, When: func() organization.GrantRole { g := grant(authz.Author, all); g.GrantID = grant1; return g }(), Refused: organization.ErrGrantIDUsed},
		{Name: "not a role that is none", Given: after(enrolled(3)), By: admin, When: grant(authz.Operator, all), Refused: refusal.Invalid},
		{Name: "not for nothing", Given: after(enrolled(3)), By: admin, When: grant(authz.Author, organization.Scope{}), Refused: refusal.Invalid},
		{Name: "not for all and some", Given: after(enrolled(3)), By: admin, When: grant(authz.Author, organization.Scope{All: true, StrategyIDs: []string{strategy1}}), Refused: refusal.Invalid},
		{Name: "not an officer of some strategies", Given: after(enrolled(3)), By: admin, When: grant(authz.ComplianceOfficer, first), Refused: refusal.Invalid},
		{Name: "not into the past", Given: after(enrolled(3)), By: admin, When: until(now, grant(authz.Author, all)), Refused: refusal.Invalid},
		{Name: "not by an officer", Given: after(enrolled(3)), By: officer, When: grant(authz.Author, all), Refused: authz.ErrRole},
	})
}

func TestRevoking(t *testing.T) {
	revoke := func(member string, grants ...string) organization.RevokeRole {
		return organization.RevokeRole{MemberID: member, GrantIDs: grants, Reason: "moved"}
	}
	revoked := func(member string, offboarding bool, grants ...string) organization.RoleRevoked {
		return organization.RoleRevoked{MemberID: member, GrantIDs: grants, Reason: "moved", Offboarding: offboarding}
	}
	two := after(enrolled(3), granted(grant3, member3, authz.Author, first), granted(grant4, member3, authz.Viewer, all))
	brief := granted(grant3, member3, authz.ComplianceOfficer, all)
	brief.ExpiresAt = &tomorrow
	lasting := granted(grant3, member3, authz.ComplianceOfficer, all)
	gone := after(enrolled(3), granted(grant3, member3, authz.Author, first), revoked(member3, true, grant3))
	decider.Run(t, []spec{
		{Name: "grants, sorted", Given: two, By: admin, When: revoke(member3, grant4, grant3, grant4), Then: []organization.Event{revoked(member3, false, grant3, grant4)}},
		{Name: "everything", Given: two, By: admin, When: organization.OffboardMember{MemberID: member3, Reason: "moved"}, Then: []organization.Event{revoked(member3, true, grant3, grant4)}},
		{Name: "somebody without grants", Given: after(enrolled(3)), By: admin, When: organization.OffboardMember{MemberID: member3, Reason: "moved"}, Then: []organization.Event{revoked(member3, true, []string{}...)}},
		{Name: "twice", Given: after(enrolled(3), granted(grant3, member3, authz.Author, first), revoked(member3, false, grant3)), By: admin, When: revoke(member3, grant3), Refused: organization.ErrNoGrant},
		{Name: "somebody who left", Given: gone, By: admin, When: revoke(member3, grant3), Refused: organization.ErrNoMember},
		{Name: "another member's grant", Given: two, By: admin, When: revoke(member3, grant2), Refused: organization.ErrNoGrant},
		{Name: "nothing", Given: two, By: admin, When: revoke(member3), Refused: refusal.Invalid},
		{Name: "for no reason", Given: two, By: admin, When: organization.OffboardMember{MemberID: member3}, Refused: refusal.Invalid},
		{Name: "S5: the last officer's role", Given: two, By: admin, When: revoke(member2, grant2), Refused: organization.ErrLastOfRole},
		{Name: "S5: the last officer", Given: two, By: admin, When: organization.OffboardMember{MemberID: member2, Reason: "r"}, Refused: organization.ErrLastOfRole},
		{Name: "S5: the last who will stay one", Given: after(enrolled(3), brief), By: admin, When: revoke(member2, grant2), Refused: organization.ErrLastOfRole},
		{Name: "the last but one", Given: after(enrolled(3), lasting), By: admin, When: revoke(member2, grant2), Then: []organization.Event{revoked(member2, false, grant2)}},
		{Name: "S5: one's own", Given: two, By: admin, When: revoke(member1, grant1), Refused: organization.ErrOwnRoles},
		{Name: "S5: oneself", Given: two, By: admin, When: organization.OffboardMember{MemberID: member1, Reason: "r"}, Refused: organization.ErrOwnRoles},
	})
}

func TestRolesAt(t *testing.T) {
	brief := granted(grant3, member3, authz.Author, first)
	brief.ExpiresAt = &tomorrow
	s := decider.Fold(after(enrolled(3), brief, granted(grant4, member3, authz.Viewer, all), granted(id("grant", 5), member3, authz.Viewer, first)))
	for _, c := range []struct {
		name, strategy string
		at             time.Time
		want           []string
	}{
		{"there", strategy1, now, []string{authz.Author, authz.Viewer}},
		{"elsewhere", strategy2, now, []string{authz.Viewer}},
		{"in general", "", now, []string{authz.Viewer}},
		{"until just before it expires", strategy1, tomorrow.Add(-1), []string{authz.Author, authz.Viewer}},
		{"no longer when it expires (S13)", strategy1, tomorrow, []string{authz.Viewer}},
	} {
		if diff := cmp.Diff(c.want, s.RolesAt(member3, c.at, c.strategy)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	if got := s.RolesAt(member4, now, strategy1); len(got) != 0 {
		t.Errorf("a stranger has %v", got)
	}
	gone := s.Apply(admin, organization.RoleRevoked{GrantIDs: []string{}, MemberID: member3, Offboarding: true})
	if got := gone.RolesAt(member3, now, strategy1); len(got) != 0 {
		t.Errorf("an offboarded member has %v", got)
	}
	if _, ok := gone.MemberByIdentity(identity(3)); ok {
		t.Error("an offboarded member is found by identity")
	}
	if m, ok := s.MemberByIdentity(identity(3)); !ok || m.ID != member3 {
		t.Errorf("by identity: %+v, %v; folding on changed the older state", m, ok)
	}
}

func TestSamePersonSpansEnrolments(t *testing.T) {
	again := enrolled(3)
	again.MemberID, again.SubjectID = member4, id("subject", 9) // another subject id for the same sign-in
	s := decider.Fold(after(enrolled(3), organization.RoleRevoked{GrantIDs: []string{}, MemberID: member3, Offboarding: true}, again))
	if diff := cmp.Diff([]string{member3}, s.SamePerson(member4)); diff != "" {
		t.Error(diff)
	}
	if got := s.SamePerson(member1); len(got) != 0 {
		t.Errorf("member 1 is also %v", got)
	}
}

// TestAPersonIsWhoeverIsLinked: by a subject with one enrolment and by an
// identity with the next, the first and the last are one person.
func TestAPersonIsWhoeverIsLinked(t *testing.T) {
	bridge, last := enrolled(3), enrolled(3)
	bridge.MemberID, bridge.ExternalIDHash = member4, identity(4)
	last.MemberID, last.SubjectID, last.ExternalIDHash = id("member", 5), id("subject", 5), identity(4)
	left := func(member string) organization.RoleRevoked {
		return organization.RoleRevoked{GrantIDs: []string{}, MemberID: member, Offboarding: true}
	}
	s := decider.Fold(after(enrolled(3), left(member3), bridge, left(member4), last))
	if diff := cmp.Diff([]string{member3, member4}, s.SamePerson(last.MemberID)); diff != "" {
		t.Error(diff)
	}
	third := enrolled(3)
	third.MemberID = id("member", 6)
	decider.Run(t, []spec{
		{Name: "who is enrolled under another subject and identity", Given: after(enrolled(3), left(member3), bridge, left(member4), last), By: admin, When: organization.EnrolMember(third), Refused: organization.ErrSubjectEnrolled},
		{Name: "who is not enrolled any more", Given: after(enrolled(3), left(member3), bridge, left(member4)), By: admin, When: organization.EnrolMember(third), Then: []organization.Event{third}},
	})
}

// TestAProcessRevokesWhatHasExpired and nothing else.
func TestAProcessRevokesWhatHasExpired(t *testing.T) {
	brief := granted(grant3, member3, authz.Author, first)
	brief.ExpiresAt = &tomorrow
	given := after(enrolled(3), brief, granted(grant4, member3, authz.Viewer, all))
	process := fact.Actor{ID: "deadlines", Kind: fact.Process, At: tomorrow}
	early := process
	early.At = tomorrow.Add(-1)
	revoke := func(grants ...string) organization.RevokeRole {
		return organization.RevokeRole{MemberID: member3, GrantIDs: grants, Reason: "expired"}
	}
	decider.Run(t, []spec{
		{Name: "when it has", Given: given, By: process, When: revoke(grant3), Then: []organization.Event{organization.RoleRevoked{GrantIDs: []string{grant3}, MemberID: member3, Reason: "expired"}}},
		{Name: "just before", Given: given, By: early, When: revoke(grant3), Refused: organization.ErrMachine},
		{Name: "with one that lasts", Given: given, By: process, When: revoke(grant3, grant4), Refused: organization.ErrMachine},
		{Name: "by offboarding", Given: given, By: process, When: organization.OffboardMember{MemberID: member3, Reason: "r"}, Refused: authz.ErrRole},
	})
}

func TestIdentityHashTellsPartsApart(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "ab", "c"}, {"b", "b", "c"}} {
		seen[organization.IdentityHash(p[0], p[1], p[2])] = true
	}
	if len(seen) != 5 {
		t.Error("different identities share a hash")
	}
}
