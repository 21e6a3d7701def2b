package finding

import "strata.dev/strata/domain/refusal"

// The ways in which commands on a finding are refused, beside authz.ErrRole,
// authz.ErrNotSigned and values that are not acceptable (refusal.Invalid).
var (
	ErrNotRaised       = refusal.NotFound.WithRule("raised")
	ErrRaised          = refusal.Violated.WithRule("raised-once")
	ErrSubject         = refusal.Violated.WithRule("subject-exists")
	ErrSameOpen        = refusal.Violated.WithRule("one-open-finding")
	ErrState           = refusal.Violated.WithRule("finding-state")
	ErrOwnerRole       = refusal.Violated.WithRule("owner-can-respond")
	ErrDueDate         = refusal.Violated.WithRule("due-date")
	ErrNothingChanges  = refusal.Violated.WithRule("something-changes")
	ErrNotOwner        = refusal.Forbidden.WithRule("finding-owner")
	ErrAction          = refusal.Violated.WithRule("planned-action")
	ErrEvidence        = refusal.Violated.WithRule("evidence-exists")
	ErrExpiry          = refusal.Violated.WithRule("S7")
	ErrOwnRisk         = refusal.Forbidden.WithRule("S7")
	ErrTwoAcceptors    = refusal.Forbidden.WithRule("S7")
	ErrReturnReason    = refusal.Violated.WithRule("return-reason-fits")
	ErrNotExpired      = refusal.Violated.WithRule("acceptance-expired")
	ErrOwnVerification = refusal.Forbidden.WithRule("S6")
	ErrMachine         = refusal.Forbidden.WithRule("S12")
)
