package indicator

import "strata.dev/strata/domain/refusal"

// The ways in which commands on an indicator are refused, beside authz.ErrRole
// and values that are not acceptable (refusal.Invalid).
var (
	ErrNotDefined     = refusal.NotFound.WithRule("defined")
	ErrDefined        = refusal.Violated.WithRule("defined-once")
	ErrRetired        = refusal.Violated.WithRule("no-writes-after-retirement")
	ErrNothingChanges = refusal.Violated.WithRule("something-changes")
	ErrBreakNeeded    = refusal.Violated.WithRule("comparability-break")
	ErrDefinition     = refusal.Violated.WithRule("definition-consistent")

	ErrValueKind       = refusal.Violated.WithRule("value-fits-type")
	ErrOffGrid         = refusal.Violated.WithRule("period-on-grid")
	ErrFuture          = refusal.Violated.WithRule("period-not-in-future")
	ErrDimension       = refusal.Violated.WithRule("known-dimension")
	ErrMeasured        = refusal.Violated.WithRule("one-value-per-key")
	ErrMeasurementID   = refusal.Violated.WithRule("measurement-id-unique")
	ErrNotLiving       = refusal.Violated.WithRule("measurement-living")
	ErrSameValue       = refusal.Violated.WithRule("correction-differs")
	ErrEvidence        = refusal.Violated.WithRule("evidence-exists")
	ErrBreachEvidence  = refusal.Violated.WithRule("S9")
	ErrBreachOwner     = refusal.Forbidden.WithRule("S9")
	ErrSource          = refusal.Forbidden.WithRule("S14") // member reason: not_allowed or protected_value
	ErrSecondPerson    = refusal.Forbidden.WithRule("S15")
	ErrReplacesItself  = refusal.Violated.WithRule("replaced-by-another")
	ErrTooManySeries   = refusal.Violated.WithRule("series-limit")
	ErrReservedRestate = refusal.Forbidden.WithRule("source-restated")
)
