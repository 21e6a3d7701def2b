// Package check gathers objections to a command's values, so that a refusal
// names all of them at once and where each is.
package check

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/sealed"
)

// Limits of texts, in bytes: names and references, and prose.
const (
	MaxName  = 4_000
	MaxProse = 100_000
)

// Form gathers objections. The zero Form has none.
type Form struct{ refused *fault.Fault }

// Object adds an objection to the member that pointer names.
func (f *Form) Object(pointer, keyword, format string, args ...any) {
	if f.refused == nil {
		f.refused = refusal.Invalid
	}
	f.refused = f.refused.At(pointer, keyword, fmt.Sprintf(format, args...))
}

// Err is the refusal with every objection, or nil.
func (f *Form) Err() error {
	if f.refused == nil {
		return nil
	}
	first := f.refused.Fields[0]
	detail := strings.TrimPrefix(first.Pointer, "#/") + ": " + first.Detail
	if n := len(f.refused.Fields); n > 1 {
		detail += fmt.Sprintf(" (and %d more)", n-1)
	}
	return f.refused.Detailf("%s", detail)
}

// Name takes a short text that must be there.
func (f *Form) Name(pointer, value string) {
	if strings.TrimSpace(value) == "" {
		f.Object(pointer, "minLength", "Say something here.")
		return
	}
	f.text(pointer, value, MaxName)
}

// Short takes a short text that may be empty.
func (f *Form) Short(pointer, value string) { f.text(pointer, value, MaxName) }

// Prose takes a long text that may be empty.
func (f *Form) Prose(pointer, value string) { f.text(pointer, value, MaxProse) }

// Sealed takes a text that was sealed for a subject, and may be empty.
// subjectID says for whom it must be; "" = for anybody.
func (f *Form) Sealed(pointer, value, subjectID string) {
	switch subject := sealed.Subject(value); {
	case value == "":
	case subject == "":
		f.Object(pointer, "pattern", "Who a person is, and what a file is called, is sealed, never in clear.")
	case subjectID != "" && subject != subjectID:
		f.Object(pointer, "const", "It is sealed for somebody else.")
	}
}

// Reason takes the reason that every change must give.
func (f *Form) Reason(value string) { f.Name("#/reason", value) }

// text holds the rules for every text: what JSON and the read databases can
// keep unchanged, and no longer than max bytes.
func (f *Form) text(pointer, value string, limit int) {
	switch {
	case len(value) > limit:
		f.Object(pointer, "maxLength", "At most %d bytes, not %d.", limit, len(value))
	case !utf8.ValidString(value):
		f.Object(pointer, "format", "Not valid UTF-8.")
	case strings.ContainsRune(value, 0):
		f.Object(pointer, "pattern", "NUL characters cannot be kept.")
	}
}

// ID takes an id that must be there.
func (f *Form) ID(pointer, value string) {
	if !ident.Valid(value) {
		f.Object(pointer, "format", "Give a lower-case UUID.")
	}
}

// OptionalID takes an id that may be empty.
func (f *Form) OptionalID(pointer, value string) {
	if value != "" {
		f.ID(pointer, value)
	}
}

// Hash takes a SHA-256 in lower-case hexadecimal.
func (f *Form) Hash(pointer, value string) {
	if !ident.ValidHash(value) {
		f.Object(pointer, "format", "Give a SHA-256 as 64 lower-case hexadecimal digits.")
	}
}

// OptionalDate takes a date that may be empty.
func (f *Form) OptionalDate(pointer string, value calendar.Date) {
	if value != "" && !value.Valid() {
		f.Object(pointer, "format", "Give a date as YYYY-MM-DD.")
	}
}

// maxRevision bounds numbers of revisions to what every reader of JSON takes exactly.
const maxRevision = 1_000_000

// Revision takes the number of a revision of what has type kind; 0 is none, and
// only strategies have any.
func (f *Form) Revision(pointer, kind string, n int) {
	switch {
	case n < 0 || n > maxRevision:
		f.Object(pointer, "maximum", "Give a whole number from 1 to %d.", maxRevision)
	case n > 0 && kind != "strategy":
		f.Object(pointer, "const", "Only strategies have revisions.")
	}
}

// Instant brings an optional instant to what is stored: UTC, whole microseconds.
// Years that RFC 3339 cannot write are objected to.
func (f *Form) Instant(pointer string, value *time.Time) *time.Time {
	if value == nil {
		return nil
	}
	t := value.UTC().Truncate(time.Microsecond)
	if t.Year() < 1 || t.Year() > 9999 {
		f.Object(pointer, "format", "Give a year from 1 to 9999.")
	}
	return &t
}
