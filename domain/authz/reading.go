package authz

import "slices"

// readers are the roles that let a member read, and the whole of who may. Grants
// limited to some strategies count too: what one organization knows is one
// picture, and limits are about changing it. An integrator brings measurements
// and reads nothing; who has no role, or none any more, is nobody.
var readers = []string{
	Author, Approver, ComplianceOfficer, IndicatorOwner, Auditor, RiskAcceptor, DataSteward, Administrator, Viewer,
}

// ErrNoReader: no role of the asking member lets them read.
var ErrNoReader = ErrRole.Detailf("To read, have a role here other than %s: an administrator grants them.", Integrator)

// MayRead says whether a role lets its holder read what the organization has.
func MayRead(role string) bool { return slices.Contains(readers, role) }
