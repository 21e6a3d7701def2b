// Package strictjson refuses JSON that two readers might understand differently,
// before anything of it is believed: duplicate members, bad UTF-8, lone
// surrogates, numbers beyond float64, more than one value, NUL, and nesting that
// would be expensive further in. encoding/json takes all of these silently.
//
// Every refusal is ErrMalformed with a detail for the sender.
package strictjson

import (
	"unicode/utf8"

	"github.com/gowebpki/jcs"

	"strata.dev/strata/domain/fault"
)

// MaxDepth is how deep arrays and objects may be in each other; the contracts need 8.
const MaxDepth = 32

// ErrMalformed: a text that is not exactly one JSON value with one meaning.
var ErrMalformed = fault.New(fault.Malformed, "malformed-request", "The request cannot be read.")

// Canonical checks a text and gives it in canonical form (RFC 8785). In that
// form numbers are as float64 has them: whoever needs them exactly reads the
// text itself, once this has returned without an error.
func Canonical(text []byte) ([]byte, error) {
	switch {
	case len(text) == 0:
		return nil, ErrMalformed.Detailf("The body is empty.")
	case !utf8.Valid(text):
		return nil, ErrMalformed.Detailf("The body is not UTF-8.")
	}
	if err := scan(text); err != nil {
		return nil, err
	}
	canonical, err := jcs.Transform(text)
	if err != nil {
		return nil, ErrMalformed.Detailf("The body is not JSON: %s.", err)
	}
	return canonical, nil
}

// scan refuses, in one pass and before anything recurses, what would be
// expensive or dangerous further in: deep nesting, and NUL, which PostgreSQL's
// text cannot hold. Whether it is JSON at all is the parser's business.
func scan(b []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == 0:
			return ErrMalformed.Detailf("The body holds a NUL.")
		case quoted && c == '\\':
			if i+5 < len(b) && string(b[i+1:i+6]) == "u0000" {
				return ErrMalformed.Detailf("The body holds a NUL.")
			}
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return ErrMalformed.Detailf("The body nests deeper than %d levels.", MaxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
