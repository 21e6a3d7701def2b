package organization

import (
	"slices"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/refusal"
)

// Decide answers a command with the events it leads to, or with a fault and no
// events. It reads nothing but its arguments.
func Decide(s State, by fact.Actor, c Command) ([]Event, error) {
	if r, ok := c.(RegisterOrganization); ok {
		return s.register(by, r)
	}
	if !s.Exists() {
		return nil, ErrNotRegistered.Detailf("Register the organization first.")
	}
	switch c := c.(type) {
	case EnrolMember:
		return s.enrol(by, c)
	case GrantRole:
		return s.grant(by, c)
	case RevokeRole:
		return s.revokeRoles(by, c)
	case OffboardMember:
		return s.offboard(by, c)
	case SetGovernancePolicy:
		return s.setPolicy(by, c)
	case PlaceLegalHold:
		return s.placeHold(by, c)
	case ReleaseLegalHold:
		return s.releaseHold(by, c)
	case ErasePersonalData:
		return s.erase(by, c)
	}
	return nil, refusal.Invalid.Detailf("An organization takes no command %T.", c)
}

func (s State) register(by fact.Actor, c RegisterOrganization) ([]Event, error) {
	if err := authz.Check(by, authz.RegisterOrganization); err != nil {
		return nil, err
	}
	if s.Exists() {
		return nil, ErrRegistered.Detailf("This organization is registered already; register another one under its own id.")
	}
	if c.TimeZone == "" {
		c.TimeZone = "UTC"
	}
	if c.FiscalYearStart == 0 {
		c.FiscalYearStart = 1
	}
	admin, officer := c.Administrator, c.ComplianceOfficer
	var f check.Form
	f.ID("#/organizationId", c.OrganizationID)
	f.Name("#/name", c.Name)
	f.Short("#/acronym", c.Acronym)
	f.Short("#/stratmlIdentifier", c.StratMLIdentifier)
	f.Name("#/timeZone", c.TimeZone)
	if c.FiscalYearStart < 1 || c.FiscalYearStart > 12 {
		f.Object("#/fiscalYearStart", "maximum", "Give a month from 1 to 12.")
	}
	admin.check(&f, "#/administrator")
	officer.check(&f, "#/complianceOfficer")
	if admin.MemberID == officer.MemberID || admin.GrantID == officer.GrantID {
		f.Object("#/complianceOfficer", "not", "Give each member and grant an id of its own.")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if admin.SubjectID == officer.SubjectID || admin.ExternalIDHash == officer.ExternalIDHash {
		return nil, ErrConflict.Detailf("The first administrator and the first compliance officer must be two different persons.")
	}
	return []Event{
		Registered{
			OrganizationID: c.OrganizationID, Name: c.Name, Acronym: c.Acronym, StratMLIdentifier: c.StratMLIdentifier,
			TimeZone: c.TimeZone, FiscalYearStart: c.FiscalYearStart,
			InitialAdministrator: admin.MemberID, InitialComplianceOfficer: officer.MemberID,
		},
		admin.enrolled(),
		officer.enrolled(),
		RoleGranted{GrantID: admin.GrantID, MemberID: admin.MemberID, Role: authz.Administrator, Scope: Scope{All: true}},
		RoleGranted{GrantID: officer.GrantID, MemberID: officer.MemberID, Role: authz.ComplianceOfficer, Scope: Scope{All: true}},
	}, nil
}

func (m FirstMember) check(f *check.Form, at string) {
	f.ID(at+"/memberId", m.MemberID)
	f.ID(at+"/subjectId", m.SubjectID)
	f.Name(at+"/issuer", m.Issuer)
	f.Hash(at+"/externalIdHash", m.ExternalIDHash)
	f.ID(at+"/grantId", m.GrantID)
}

func (m FirstMember) enrolled() MemberEnrolled {
	return MemberEnrolled{MemberID: m.MemberID, SubjectID: m.SubjectID, Issuer: m.Issuer, ExternalIDHash: m.ExternalIDHash, Kind: Person}
}

func (s State) enrol(by fact.Actor, c EnrolMember) ([]Event, error) {
	if err := authz.Check(by, authz.EnrolMember); err != nil {
		return nil, err
	}
	var f check.Form
	f.ID("#/memberId", c.MemberID)
	f.ID("#/subjectId", c.SubjectID)
	f.Name("#/issuer", c.Issuer)
	f.Hash("#/externalIdHash", c.ExternalIDHash)
	if c.Kind != Person && c.Kind != Service {
		f.Object("#/kind", "enum", "Give person or service.")
	}
	f.Sealed("#/displayName", c.DisplayName, c.SubjectID)
	f.Sealed("#/email", c.Email, c.SubjectID)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if _, used := s.members.Get(c.MemberID); used {
		return nil, ErrMemberIDUsed.Detailf("Member ids are never used again: enrol under a new one.")
	}
	if id := s.enrolledAs(c.ExternalIDHash); id != "" {
		return nil, ErrIdentityInUse.Detailf("This identity is enrolled as member %s: offboard that member first, or grant it what is needed.", id)
	}
	for _, id := range s.samePerson(Member{SubjectID: c.SubjectID, ExternalIDHash: c.ExternalIDHash}) {
		if m, _ := s.members.Get(id); !m.Offboarded {
			return nil, ErrSubjectEnrolled.Detailf("This person is enrolled as member %s: one person acts under one member at a time.", id)
		}
	}
	return []Event{MemberEnrolled(c)}, nil
}

func (s State) grant(by fact.Actor, c GrantRole) ([]Event, error) {
	if err := authz.Check(by, authz.GrantRole); err != nil {
		return nil, err
	}
	c, err := c.wellFormed(by.At)
	if err != nil {
		return nil, err
	}
	if err := s.notOwn(by, c.MemberID); err != nil {
		return nil, err
	}
	m, err := s.enrolled(c.MemberID)
	if err != nil {
		return nil, err
	}
	if _, used := s.grants.Get(c.GrantID); used {
		return nil, ErrGrantIDUsed.Detailf("Grant ids are never used again: grant under a new one.")
	}
	switch {
	case m.Kind == Service && c.Role != authz.Integrator && c.Role != authz.Viewer:
		return nil, ErrGrantKind.Detailf("A service account can be integrator or viewer only.")
	case m.Kind == Person && c.Role == authz.Integrator:
		return nil, ErrGrantKind.Detailf("Integrator is a role for service accounts: enrol the system as a service.")
	}
	for _, g := range s.GrantsOf(c.MemberID) {
		if !g.Holds(by.At) {
			continue
		}
		if kind := authz.Between(g.Role, c.Role); kind == authz.Always || (kind == authz.SameStrategy && g.Scope.meets(c.Scope)) {
			return nil, ErrConflict.Detailf("The member is %s (grant %s), which no %s may be. Revoke that first, or choose another member.", g.Role, g.ID, c.Role)
		}
	}
	return []Event{RoleGranted(c)}, nil
}

// wellFormed checks the values of the command and brings its scope and expiry
// to the form that is stored.
func (c GrantRole) wellFormed(now time.Time) (GrantRole, error) {
	var f check.Form
	f.ID("#/grantId", c.GrantID)
	f.ID("#/memberId", c.MemberID)
	f.Short("#/ticketRef", c.TicketRef)
	if !slices.Contains(authz.Grantable(), c.Role) {
		f.Object("#/role", "enum", "There is no such role to grant.")
	}
	c.Scope.StrategyIDs = slices.Clone(c.Scope.StrategyIDs)
	slices.Sort(c.Scope.StrategyIDs)
	c.Scope.StrategyIDs = slices.Compact(c.Scope.StrategyIDs)
	switch ids := c.Scope.StrategyIDs; {
	case c.Scope.All == (len(ids) > 0):
		f.Object("#/scope", "oneOf", "Say either all, or which strategies.")
	case len(ids) > maxScope:
		f.Object("#/scope/strategyIds", "maxItems", "At most %d strategies.", maxScope)
	case slices.ContainsFunc(ids, func(id string) bool { return !ident.Valid(id) }):
		f.Object("#/scope/strategyIds", "format", "Give lower-case UUIDs.")
	case !c.Scope.All && !authz.Limitable(c.Role):
		f.Object("#/scope", "const", "The role %s concerns the whole organization: grant it for all.", c.Role)
	}
	c.ExpiresAt = f.Instant("#/expiresAt", c.ExpiresAt)
	if c.ExpiresAt != nil && !c.ExpiresAt.After(now) {
		f.Object("#/expiresAt", "formatMinimum", "Give an instant in the future.")
	}
	return c, f.Err()
}

// maxScope is how many strategies one grant can be limited to.
const maxScope = 1_000

func (s State) revokeRoles(by fact.Actor, c RevokeRole) ([]Event, error) {
	if err := authz.Check(by, authz.RevokeRole); err != nil {
		return nil, err
	}
	var f check.Form
	f.ID("#/memberId", c.MemberID)
	f.Reason(c.Reason)
	ids := slices.Clone(c.GrantIDs)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 || len(ids) > maxScope {
		f.Object("#/grantIds", "minItems", "Name 1 to %d grants to revoke.", maxScope)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.notOwn(by, c.MemberID); err != nil {
		return nil, err
	}
	if _, err := s.enrolled(c.MemberID); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if g, ok := s.grants.Get(id); !ok || g.MemberID != c.MemberID || g.Revoked {
			return nil, ErrNoGrant.Detailf("The member has no grant %q to revoke; look at its present grants.", id)
		} else if by.Kind != fact.Person && (g.ExpiresAt == nil || g.ExpiresAt.After(by.At)) {
			return nil, ErrMachine.Detailf("Grant %s has not expired: only an administrator takes it away.", id)
		}
	}
	if err := s.keepsWithout(ids); err != nil {
		return nil, err
	}
	return []Event{RoleRevoked{GrantIDs: ids, MemberID: c.MemberID, Reason: c.Reason}}, nil
}

func (s State) offboard(by fact.Actor, c OffboardMember) ([]Event, error) {
	if err := authz.Check(by, authz.OffboardMember); err != nil {
		return nil, err
	}
	var f check.Form
	f.ID("#/memberId", c.MemberID)
	f.Reason(c.Reason)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.notOwn(by, c.MemberID); err != nil {
		return nil, err
	}
	if _, err := s.enrolled(c.MemberID); err != nil {
		return nil, err
	}
	ids := []string{}
	for _, g := range s.GrantsOf(c.MemberID) {
		ids = append(ids, g.ID)
	}
	slices.Sort(ids)
	if err := s.keepsWithout(ids); err != nil {
		return nil, err
	}
	return []Event{RoleRevoked{GrantIDs: ids, MemberID: c.MemberID, Reason: c.Reason, Offboarding: true}}, nil
}

func (s State) enrolled(memberID string) (Member, error) {
	m, ok := s.members.Get(memberID)
	switch {
	case !ok:
		return m, ErrNoMember.Detailf("No member %q is enrolled here: enrol the person first.", memberID)
	case m.Offboarded:
		return m, ErrNoMember.Detailf("Member %s was offboarded: enrol the person again, under a new member id.", memberID)
	}
	return m, nil
}

// notOwn holds the first half of S5, between persons and not between ids.
func (s State) notOwn(by fact.Actor, memberID string) error {
	if by.ID == memberID || slices.Contains(s.SamePerson(memberID), by.ID) {
		return ErrOwnRoles.Detailf("Nobody changes their own roles: ask another administrator.")
	}
	return nil
}

// keepsWithout holds the second half of S5: without these grants there is still
// an administrator and a compliance officer. Grants that will expire do not
// count, so that time alone never leaves an organization without one.
func (s State) keepsWithout(grantIDs []string) error {
	for _, role := range []string{authz.Administrator, authz.ComplianceOfficer} {
		had, has := false, false
		for id, g := range s.grants.All() {
			if g.Role != role || g.Revoked {
				continue
			}
			gone := slices.Contains(grantIDs, id)
			had = had || gone
			has = has || (!gone && g.ExpiresAt == nil)
		}
		if had && !has {
			return ErrLastOfRole.Detailf("This would take away the last lasting %s: grant the role, without expiry, to somebody else first.", role)
		}
	}
	return nil
}
