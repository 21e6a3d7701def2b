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

// ErrNoWatcher: no role of the asking member lets them read the journal.
var ErrNoWatcher = ErrRole.Detailf("To read this, have the role %s or %s here.", Auditor, ComplianceOfficer)

// MayRead says whether a role lets its holder read what the organization has.
func MayRead(role string) bool { return slices.Contains(readers, role) }

// MayReadNames says whether a role lets its holder read who persons are. Viewers
// and administrators need nobody's name for what they do.
func MayReadNames(role string) bool {
	return MayRead(role) && role != Administrator && role != Viewer
}

// MayReadJournal says whether a role lets its holder read who was refused what,
// who read the trail, and what is known of persons: that is for those who watch
// over the others.
func MayReadJournal(role string) bool { return role == Auditor || role == ComplianceOfficer }
