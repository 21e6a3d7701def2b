// Package quantity holds exact decimal numbers. It wraps shopspring/decimal so
// that the rest of the domain sees a plain comparable value whose text is
// already what events carry.
package quantity

import (
	"strings"

	"github.com/shopspring/decimal"
)

// Number is an exact decimal in canonical text: an optional minus, digits, an
// optional fraction without trailing zeros, never an exponent, never "-0". ""
// means that no number is given. Make one with Parse; a Number of another form
// (a damaged event) counts as not given.
type Number string

// Limits of a number: significant digits, and places before or after the point.
const (
	MaxDigits = 40
	MaxPlaces = 40
)

// Parse reads a decimal, with exponent or without ("5.90", "5.53e-05"), and
// says whether it is one within the limits. Spaces, grouping and signs other
// than one leading + or - are not part of a number.
func Parse(text string) (Number, bool) {
	if len(text) == 0 || len(text) > 2*MaxPlaces+10 || !plain(text) {
		return "", false
	}
	d, err := decimal.NewFromString(text)
	if err != nil || !within(d) {
		return "", false
	}
	return Number(d.String()), true
}

// plain keeps out what decimal.NewFromString would take beyond digits, point,
// sign and a short exponent; a long exponent would cost memory before it fails.
func plain(text string) bool {
	mantissa, exponent, has := strings.Cut(strings.ToLower(text), "e")
	if has && (len(exponent) > 4 || !digits(strings.TrimLeft(exponent, "+-"))) {
		return false
	}
	if m := strings.TrimPrefix(strings.TrimPrefix(mantissa, "+"), "-"); len(mantissa)-len(m) <= 1 {
		whole, fraction, point := strings.Cut(m, ".")
		return digits(whole) && (!point || digits(fraction))
	}
	return false
}

func digits(s string) bool {
	return len(s) > 0 && strings.Trim(s, "0123456789") == ""
}

func within(d decimal.Decimal) bool {
	if d.IsZero() {
		return true
	}
	digits, exponent := d.NumDigits(), int(d.Exponent())
	return digits <= MaxDigits && digits+exponent <= MaxPlaces && exponent >= -MaxPlaces
}

// Given says whether there is a number.
func (n Number) Given() bool {
	_, ok := n.decimal()
	return ok
}

// Canonical says whether n is exactly what Parse would make of it.
func (n Number) Canonical() bool {
	p, ok := Parse(string(n))
	return ok && p == n
}

func (n Number) decimal() (decimal.Decimal, bool) {
	if len(n) == 0 || len(n) > 2*MaxPlaces+10 || !plain(string(n)) {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(string(n))
	return d, err == nil
}

func (n Number) must() decimal.Decimal {
	d, _ := n.decimal() // not given counts as zero in arithmetic
	return d
}

// Cmp is -1, 0 or 1 as n is less than, equal to or greater than o.
func (n Number) Cmp(o Number) int { return n.must().Cmp(o.must()) }

// Sign is -1, 0 or 1.
func (n Number) Sign() int { return n.must().Sign() }

// Sub is n − o, exact.
func (n Number) Sub(o Number) Number { return Number(n.must().Sub(o.must()).String()) }

// Mul is n × o, exact.
func (n Number) Mul(o Number) Number { return Number(n.must().Mul(o.must()).String()) }

// Abs is |n|.
func (n Number) Abs() Number { return Number(n.must().Abs().String()) }

// Ratio is n/o rounded half to even at the given number of places (for display
// only: decisions compare products), and "" if o is zero.
func (n Number) Ratio(o Number, places int32) Number {
	divisor := o.must()
	if divisor.IsZero() {
		return ""
	}
	dividend := n.must()
	quotient, rest := dividend.QuoRem(divisor, places) // cut towards zero
	unit := decimal.New(1, -places)
	if dividend.Sign()*divisor.Sign() < 0 {
		unit = unit.Neg()
	}
	half := rest.Abs().Mul(decimal.New(2, 0)).Cmp(divisor.Abs().Mul(unit.Abs()))
	odd := !quotient.Shift(places).Mod(decimal.New(2, 0)).IsZero()
	if half > 0 || (half == 0 && odd) {
		quotient = quotient.Add(unit)
	}
	return Number(quotient.String())
}
