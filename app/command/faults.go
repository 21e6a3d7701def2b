package command

import (
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/refusal"
)

// Faults of this package; the domain's and the log's pass through as they are.
var (
	// ErrNotMember: the token is good, but its subject is nobody in the organization.
	ErrNotMember = refusal.Forbidden.WithRule("membership").Detailf("You are not a member of this organization.")

	// ErrOperatorOnly: only the operator of the service registers organizations.
	ErrOperatorOnly = refusal.Forbidden.WithRule("operator").Detailf("Only the operator of this service may do this.")

	// ErrStale: the aggregate is at another version than the caller saw. Member currentRevision.
	ErrStale = eventlog.ErrWrongVersion

	// ErrContended: the command lost the race too often. Nothing was recorded.
	ErrContended = fault.New(fault.Unavailable, "contended", "Too many are changing this at the same time. Try again.")

	// ErrIncomplete: a command without id or body hash; a port forgot to make them.
	ErrIncomplete = fault.New(fault.Malformed, "idempotency-key-required", "Every command needs an Idempotency-Key.")
)
