package ingest

import (
	"errors"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/strictjson"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/source"
)

// How a message is refused as a whole.
var (
	// ErrUnauthenticated: no such source, or not its signature. Rule is the code.
	ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated", "Say who you are: sign the message with the source's key.")

	// ErrSuspended: the source takes nothing until it is reinstated. The message
	// was not taken, and may come again then.
	ErrSuspended = fault.New(fault.Forbidden, "source-suspended", "This source is suspended.")

	// ErrNotAllowed: the source sends by another channel.
	ErrNotAllowed = refusal.Forbidden.WithRule(source.NotAllowed)

	// ErrConflict: another message came under this id before.
	ErrConflict = fault.New(fault.Conflict, "message-conflict", "This message id was used for another message.")

	// ErrTooLarge: over MaxBody or MaxItems.
	ErrTooLarge = fault.New(fault.TooLarge, "too-large", "The message is larger than a source may send.")

	// ErrMalformed: not the message that docs/events.md describes.
	ErrMalformed = strictjson.ErrMalformed

	// ErrRate: more messages than the source's terms allow. It was not taken, and
	// may come again.
	ErrRate = fault.New(fault.RateLimited, "rate-limited", "Too many messages. Try again later.")
)

// faultOf is the error beside the answer to a message that was refused as a whole.
func faultOf(code, detail string) *fault.Fault {
	f := ErrMalformed
	switch code {
	case source.UnknownSource, source.BadSignature:
		f = ErrUnauthenticated.WithRule(code)
	case source.SourceSuspended:
		f = ErrSuspended
	case source.RateExceeded:
		f = ErrRate
	case source.NotAllowed:
		f = ErrNotAllowed
	case source.MessageConflict:
		f = ErrConflict
	case source.MessageTooLarge:
		f = ErrTooLarge
	}
	return f.Detailf("%s", detail)
}

// codes are what refusals of the domain are called here, in the order in which
// they are looked for. S14 says itself which of its reasons it is.
var codes = []struct {
	refused *fault.Fault
	code    string
}{
	{indicator.ErrNotDefined, source.UnknownIndicator},
	{indicator.ErrRetired, source.IndicatorRetired},
	{command.ErrOtherUnit, source.UnitMismatch},
	{command.ErrOtherReference, source.UnknownIndicator},
	{indicator.ErrValueKind, source.UnitMismatch},
	{indicator.ErrOffGrid, source.PeriodOffGrid},
	{indicator.ErrFuture, source.PeriodInFuture},
	{indicator.ErrDimension, source.UnknownDimension},
	{indicator.ErrTooManySeries, source.MessageTooLarge},
	{command.ErrRefusedBefore, source.MessageConflict},
	{refusal.Forbidden, source.NotAllowed},
	{refusal.Invalid, source.Malformed},
}

// codeOf is the code of a measurement's refusal; ok = false if err does not
// refuse the measurement, but something was away.
func codeOf(err error) (code, detail string, ok bool) {
	f, is := errors.AsType[*fault.Fault](err)
	if !is {
		return "", "", false
	}
	if f.Rule == "S14" {
		if reason, ok := f.Extra["reason"].(string); ok {
			return reason, f.Detail, true
		}
	}
	for _, c := range codes {
		if errors.Is(err, c.refused) {
			return c.code, f.Detail, true
		}
	}
	return "", "", false
}

// detailOf is what a fault says to the sender.
func detailOf(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Detail != "" {
		return f.Detail
	}
	return "The message cannot be read."
}
