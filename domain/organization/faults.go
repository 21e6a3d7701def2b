package organization

import (
	"strata.dev/strata/domain/refusal"
)

// The ways in which commands on an organization are refused, beside
// authz.ErrRole and values that are not acceptable (refusal.Invalid).
var (
	ErrNotRegistered   = refusal.NotFound.WithRule("registered")
	ErrRegistered      = refusal.Violated.WithRule("registered-once")
	ErrNoMember        = refusal.Violated.WithRule("member-enrolled")
	ErrMemberIDUsed    = refusal.Violated.WithRule("member-id-unique")
	ErrIdentityInUse   = refusal.Violated.WithRule("one-enrolment-per-identity")
	ErrSubjectEnrolled = refusal.Violated.WithRule("one-enrolment-per-subject")
	ErrGrantIDUsed     = refusal.Violated.WithRule("grant-id-unique")
	ErrNoGrant         = refusal.Violated.WithRule("grant-living")
	ErrGrantKind       = refusal.Violated.WithRule("role-fits-member")
	ErrConflict        = refusal.Violated.WithRule("S4")
	ErrNothingChanges  = refusal.Violated.WithRule("something-changes")
	ErrHoldIDUsed      = refusal.Violated.WithRule("hold-id-unique")
	ErrTooManyHolds    = refusal.Violated.WithRule("hold-limit")
	ErrNoHold          = refusal.Violated.WithRule("hold-in-place")
	ErrNoSubject       = refusal.NotFound.WithRule("subject-known")
	ErrStillEnrolled   = refusal.Violated.WithRule("subject-enrolled")
	ErrNoCopy          = refusal.Violated.WithRule("redacted-copy") // extra documents: SHA-256 of some
	ErrHeld            = refusal.Forbidden.WithRule("legal-hold")   // extra holdId (R13)
	ErrRetained        = refusal.Forbidden.WithRule("retention")    // extra until, RFC 3339 (R12)
	ErrDualControl     = refusal.Forbidden.WithRule("S8")
	ErrOwnRoles        = refusal.Forbidden.WithRule("S5")
	ErrLastOfRole      = refusal.Violated.WithRule("S5")
	ErrMachine         = refusal.Forbidden.WithRule("S12")
)
