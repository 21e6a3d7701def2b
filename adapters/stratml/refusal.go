package stratml

import (
	"strata.dev/strata/app/stratml"
)

func refuse(reason string, at stratml.Place, format string, args ...any) error {
	return stratml.ErrRefused.Detailf(format, args...).
		With("reason", reason).With("line", at.Line).With("column", at.Column)
}

func tooLarge(reason string, at stratml.Place, limit int) error {
	return stratml.ErrTooLarge.Detailf("More than %d (%s), at line %d, column %d.", limit, reason, at.Line, at.Column).
		With("reason", reason).With("limit", limit).With("line", at.Line).With("column", at.Column)
}
