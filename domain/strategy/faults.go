package strategy

import "strata.dev/strata/domain/refusal"

// The ways in which commands on a strategy are refused, beside authz.ErrRole
// and values that are not acceptable (refusal.Invalid).
var (
	ErrNotDrafted       = refusal.NotFound.WithRule("drafted")
	ErrDrafted          = refusal.Violated.WithRule("drafted-once")
	ErrReplacesItself   = refusal.Violated.WithRule("replaces-another")
	ErrReplacesLate     = refusal.Violated.WithRule("replaces-before-activation")
	ErrNoWorking        = refusal.Violated.WithRule("working-revision")
	ErrFrozen           = refusal.Violated.WithRule("submitted-is-frozen")
	ErrElementIDUsed    = refusal.Violated.WithRule("element-id-unique")
	ErrNoGoal           = refusal.Violated.WithRule("goal-living")
	ErrNoObjective      = refusal.Violated.WithRule("objective-living")
	ErrNothingChanges   = refusal.Violated.WithRule("something-changes")
	ErrTooMany          = refusal.Violated.WithRule("element-limit")
	ErrPlanPeriod       = refusal.Violated.WithRule("period-end-after-start")
	ErrNothingToApprove = refusal.Violated.WithRule("goal-with-objective")
	ErrNotSubmitted     = refusal.Violated.WithRule("submitted")
	ErrAlreadyQuorate   = refusal.Violated.WithRule("quorum-reached-once")
	ErrOtherContent     = refusal.Violated.WithRule("content-hash")
	ErrIndicators       = refusal.Violated.WithRule("indicator-digest")
	ErrRevisionOpen     = refusal.Violated.WithRule("one-working-revision")
	ErrNotInForce       = refusal.Violated.WithRule("in-force")

	ErrClosed      = refusal.Violated.WithRule("closed-is-final")
	ErrOnHold      = refusal.Violated.WithRule("no-blockers")
	ErrBlocked     = refusal.Violated.WithRule("blocker-open")
	ErrNotOnHold   = refusal.Violated.WithRule("on-hold")
	ErrBlockerKind = refusal.Forbidden.WithRule("order-by-person")
	ErrOutcome     = refusal.Violated.WithRule("outcome-fits")
	ErrSuccessor   = refusal.Violated.WithRule("successor-in-force")
	ErrPeriodOpen  = refusal.Violated.WithRule("period-ended")
	ErrUnexplained = refusal.Violated.WithRule("off-track-has-finding")

	ErrOwnWork         = refusal.Forbidden.WithRule("S1")
	ErrApprovedTwice   = refusal.Violated.WithRule("S2")
	ErrNoQuorum        = refusal.Violated.WithRule("S2")
	ErrOwnSubmission   = refusal.Forbidden.WithRule("S3")
	ErrOwnMeasurements = refusal.Forbidden.WithRule("S10")
	ErrMachine         = refusal.Forbidden.WithRule("S12")
)
