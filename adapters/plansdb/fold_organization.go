package plansdb

import (
	"fmt"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/organization"
)

func (w *writer) foldOrganization(c *change, e organization.Event) error {
	row := w.organizations.Get(c.org)
	if registered, first := e.(organization.Registered); first {
		if row != nil {
			return fmt.Errorf("the organization is registered already")
		}
		row = &organizationRow{
			org: c.org, name: registered.Name, acronym: registered.Acronym, identifier: registered.StratMLIdentifier,
			timeZone: registered.TimeZone, fiscalYearStart: int32(registered.FiscalYearStart), registeredAt: c.at,
		}
	}
	if row == nil {
		return fmt.Errorf("the organization is not registered")
	}
	if err := follows(c, row.version); err != nil {
		return err
	}
	switch e := e.(type) {
	case organization.Registered:
	case organization.MemberEnrolled:
		w.members.Put(ref{c.org, e.MemberID}, &memberRow{
			org: c.org, id: e.MemberID, version: c.version, enrolled: c.position, subjectID: e.SubjectID,
			issuer: e.Issuer, kind: string(e.Kind), enrolledAt: c.at, displayName: e.DisplayName, email: e.Email,
		})
	case organization.RoleGranted:
		w.grants.Put(ref{c.org, e.GrantID}, &grantRow{
			org: c.org, id: e.GrantID, version: c.version, memberID: e.MemberID, role: e.Role,
			everywhere: e.Scope.All, strategyIDs: e.Scope.StrategyIDs, expiresAt: e.ExpiresAt,
			grantedAt: c.at, grantedBy: c.by.ID,
		})
	case organization.RoleRevoked:
		w.revoke(c, e)
	case organization.GovernancePolicySet:
		at := c.at
		row.policy = &query.Policy{
			Version: e.Version, SetAt: &at, SetBy: c.by.ID, RequestedBy: e.RequestedBy, AuthorizedBy: e.AuthorizedBy, Rules: e.Policy,
		}
	case organization.LegalHoldPlaced:
		w.holds.Put(ref{c.org, e.HoldID}, &holdRow{
			org: c.org, id: e.HoldID, version: c.version, placed: c.position, matter: e.Matter, basis: e.Basis, scope: e.Scope,
			placedAt: c.at, placedBy: c.by.ID,
		})
	case organization.LegalHoldReleased:
		h := w.holds.Get(ref{c.org, e.HoldID})
		if h == nil || h.releasedAt != nil {
			return fmt.Errorf("there is no legal hold %s", e.HoldID)
		}
		at := c.at
		h.version, h.releasedAt, h.requestedBy, h.authorizedBy, h.releaseReason = c.version, &at, e.RequestedBy, e.AuthorizedBy, e.Reason
		w.holds.Put(ref{c.org, e.HoldID}, h)
	case organization.PersonalDataErased:
		w.erasures.Put(approvalKey{c.org, c.position}, &erasureRow{
			org: c.org, position: c.position, version: c.version, subjectID: e.SubjectID, eventID: c.eventID, erasedAt: c.at, event: e,
		})
	default:
		return fmt.Errorf("event %T has no fold", e)
	}
	row.version = c.version
	w.organizations.Put(c.org, row)
	return nil
}

func (w *writer) revoke(c *change, e organization.RoleRevoked) {
	for _, id := range e.GrantIDs {
		if g := w.grants.Get(ref{c.org, id}); g != nil {
			at := c.at
			g.revoked, g.revokedAt, g.version = true, &at, c.version
			w.grants.Put(ref{c.org, id}, g)
		}
	}
	if m := w.members.Get(ref{c.org, e.MemberID}); m != nil && e.Offboarding {
		at := c.at
		m.offboarded, m.offboardedAt, m.version = true, &at, c.version
		w.members.Put(ref{c.org, e.MemberID}, m)
	}
}
