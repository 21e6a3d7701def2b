package organization

import (
	"slices"
	"time"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/pmap"
)

// State is what its events say about an organization; zero if it is not registered.
type State struct {
	ID              string
	Name            string
	Acronym         string
	TimeZone        string
	FiscalYearStart int

	policy         Policy
	policySince    time.Time      // zero for the defaults
	formerPolicies []formerPolicy // never changed in place

	members    pmap.Map[Member]
	identities pmap.Map[string] // external identity → member enrolled with it now
	grants     pmap.Map[Grant]
	holds      pmap.Map[Hold]
	erased     pmap.Map[erasure] // by subject
}

// Member is a person or service enrolled here.
type Member struct {
	ID             string
	SubjectID      string
	Issuer         string
	ExternalIDHash string
	Kind           MemberKind
	DisplayName    string // sealed; "" = not known
	EnrolledAt     time.Time
	Offboarded     bool
	OffboardedAt   time.Time // zero while they are a member
	grants         []string  // in order; never changed in place
}

// Grant is a role given to a member.
type Grant struct {
	ID        string
	MemberID  string
	Role      string
	Scope     Scope
	GrantedAt time.Time
	GrantedBy string
	ExpiresAt *time.Time
	Revoked   bool
}

// Exists says whether the organization is registered.
func (s State) Exists() bool { return s.ID != "" }

// Policy is the policy in force.
func (s State) Policy() Policy { return s.policy }

// Member gives a member, present or past, by id.
func (s State) Member(id string) (Member, bool) { return s.members.Get(id) }

// Grant gives a grant, present or past, by id.
func (s State) Grant(id string) (Grant, bool) { return s.grants.Get(id) }

// MemberByIdentity gives the member enrolled now with an external identity
// (see IdentityHash).
func (s State) MemberByIdentity(externalIDHash string) (Member, bool) {
	id, ok := s.identities.Get(externalIDHash)
	if !ok || id == "" {
		return Member{}, false
	}
	return s.members.Get(id)
}

// RolesAt gives the roles that a member holds at an instant, sorted (S13):
// revoked and expired grants and those of other strategies are absent. With no
// strategy named only grants for the whole organization count.
func (s State) RolesAt(memberID string, at time.Time, strategyID string) []string {
	m, ok := s.members.Get(memberID)
	if !ok || m.Offboarded {
		return nil
	}
	var roles []string
	for _, g := range s.GrantsOf(memberID) {
		if g.Holds(at) && g.Scope.covers(strategyID) && !slices.Contains(roles, g.Role) {
			roles = append(roles, g.Role)
		}
	}
	slices.Sort(roles)
	return roles
}

// GrantsOf gives the grants of a member that are not revoked, expired ones
// included, in the order in which they were given.
func (s State) GrantsOf(memberID string) []Grant {
	m, _ := s.members.Get(memberID)
	var live []Grant
	for _, id := range m.grants {
		if g, ok := s.grants.Get(id); ok && !g.Revoked {
			live = append(live, g)
		}
	}
	return live
}

// SamePerson gives the other member ids, past or present, of the person (or
// service) behind a member: independence (S1, S3) is between persons, not ids.
// Members are of one person if they share a subject or an external identity,
// with each other or through further members.
func (s State) SamePerson(memberID string) []string {
	m, ok := s.members.Get(memberID)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(s.samePerson(m), func(id string) bool { return id == memberID })
}

// samePerson gives all member ids of the person with a subject and an identity,
// in their order.
func (s State) samePerson(first Member) (ids []string) {
	subjects, identities := map[string]bool{first.SubjectID: true}, map[string]bool{first.ExternalIDHash: true}
	found := map[string]bool{}
	for grown := true; grown; {
		grown = false
		for id, m := range s.members.All() {
			if !found[id] && (subjects[m.SubjectID] || identities[m.ExternalIDHash]) {
				found[id], subjects[m.SubjectID], identities[m.ExternalIDHash] = true, true, true
				ids = append(ids, id)
				grown = true
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// Holds says whether the grant counts at an instant: not revoked, not expired.
func (g Grant) Holds(at time.Time) bool {
	return !g.Revoked && (g.ExpiresAt == nil || at.Before(*g.ExpiresAt))
}

func (s Scope) covers(strategyID string) bool {
	return s.All || (strategyID != "" && slices.Contains(s.StrategyIDs, strategyID))
}

// meets says whether there is a strategy that both scopes cover.
func (s Scope) meets(o Scope) bool {
	if s.All || o.All {
		return true
	}
	return slices.ContainsFunc(s.StrategyIDs, o.covers)
}

// Apply folds one event into the state. It cannot refuse: an event is a fact.
// The state it is called on stays as it was.
func (s State) Apply(by fact.Actor, e Event) State {
	switch e := e.(type) {
	case Registered:
		s.ID, s.Name, s.Acronym = e.OrganizationID, e.Name, e.Acronym
		s.TimeZone, s.FiscalYearStart = e.TimeZone, e.FiscalYearStart
		s.policy = DefaultPolicy()
	case MemberEnrolled:
		s.members = s.members.Set(e.MemberID, Member{
			ID: e.MemberID, SubjectID: e.SubjectID, Issuer: e.Issuer, ExternalIDHash: e.ExternalIDHash,
			Kind: e.Kind, DisplayName: e.DisplayName, EnrolledAt: by.At,
		})
		s.identities = s.identities.Set(e.ExternalIDHash, e.MemberID)
	case RoleGranted:
		s.grants = s.grants.Set(e.GrantID, Grant{
			ID: e.GrantID, MemberID: e.MemberID, Role: e.Role, Scope: e.Scope,
			GrantedAt: by.At, GrantedBy: by.ID, ExpiresAt: e.ExpiresAt,
		})
		if m, ok := s.members.Get(e.MemberID); ok {
			m.grants = append(slices.Clip(m.grants), e.GrantID)
			s.members = s.members.Set(e.MemberID, m)
		}
	case RoleRevoked:
		s = s.revoke(by, e)
	case GovernancePolicySet:
		s.formerPolicies = append(slices.Clip(s.formerPolicies), formerPolicy{until: by.At, retentionYears: s.policy.RetentionYears})
		s.policy, s.policySince = e.Policy, by.At
	case LegalHoldPlaced:
		s.holds = s.holds.Set(e.HoldID, Hold{ID: e.HoldID, Matter: e.Matter, Scope: e.Scope, Basis: e.Basis, PlacedAt: by.At, PlacedBy: by.ID})
	case LegalHoldReleased:
		if h, ok := s.holds.Get(e.HoldID); ok {
			h.Released = true
			s.holds = s.holds.Set(h.ID, h)
		}
	case PersonalDataErased:
		s = s.applyErased(e)
	}
	return s
}

func (s State) revoke(by fact.Actor, e RoleRevoked) State {
	for _, id := range e.GrantIDs {
		if g, ok := s.grants.Get(id); ok {
			g.Revoked = true
			s.grants = s.grants.Set(id, g)
		}
	}
	if m, ok := s.members.Get(e.MemberID); ok && e.Offboarding {
		m.Offboarded, m.OffboardedAt = true, by.At
		s.members = s.members.Set(e.MemberID, m)
		if s.enrolledAs(m.ExternalIDHash) == m.ID {
			s.identities = s.identities.Set(m.ExternalIDHash, "")
		}
	}
	return s
}

// enrolledAs is the id of the member enrolled now with an identity, or "".
func (s State) enrolledAs(externalIDHash string) string {
	id, _ := s.identities.Get(externalIDHash)
	return id
}
