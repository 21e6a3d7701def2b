package source

import "slices"

// Why a message is refused: the codes of IngestRejected.
const (
	UnknownSource       = "unknown_source"
	BadSignature        = "bad_signature"
	SourceSuspended     = "source_suspended"
	RateExceeded        = "rate_exceeded"
	Malformed           = "malformed"
	UnknownIndicator    = "unknown_indicator"
	IndicatorRetired    = "indicator_retired"
	NotAllowed          = "not_allowed"
	UnitMismatch        = "unit_mismatch"
	NotANumber          = "not_a_number"
	PeriodOffGrid       = "period_off_grid"
	PeriodInFuture      = "period_in_future"
	UnknownDimension    = "unknown_dimension"
	DuplicateKeyInBatch = "duplicate_key_in_batch"
	MessageConflict     = "conflict"
	SequenceBack        = "sequence_back"
	ProtectedValue      = "protected_value"
	MessageTooLarge     = "too_large"
)

var codes = []string{
	UnknownSource, BadSignature, SourceSuspended, RateExceeded, Malformed, UnknownIndicator, IndicatorRetired, NotAllowed, UnitMismatch,
	NotANumber, PeriodOffGrid, PeriodInFuture, UnknownDimension, DuplicateKeyInBatch, MessageConflict, SequenceBack, ProtectedValue, MessageTooLarge,
}

// Codes lists why messages of registered sources are refused.
func Codes() []string { return slices.Clone(codes) }
