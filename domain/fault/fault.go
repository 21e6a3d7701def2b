// Package fault is how anything in Strata says no.
//
// A Fault is declared once, as a package variable, and returned as it is or
// with what this occurrence adds (Detailf, With, At). Ports map its Kind to
// their own answers (HTTP status, exit code, nack); nothing here knows about
// them. Two faults are the same for errors.Is when their slugs are equal, so
// an occurrence with details still matches its declaration.
package fault

import (
	"fmt"
	"maps"
)

// Kind says what the caller can do about a fault.
type Kind uint8

const (
	// Internal is the zero value: our mistake; details stay in our log.
	Internal Kind = iota
	// Malformed: the request cannot be read. Change its form.
	Malformed
	// Unauthenticated: say who you are.
	Unauthenticated
	// Forbidden: you are known, and this is not yours to do.
	Forbidden
	// NotFound: it is not there, or not there for you.
	NotFound
	// Conflict: it is there, but not in a state that allows this.
	Conflict
	// Stale: somebody else changed it since you looked. Look again.
	Stale
	// Invalid: readable, but not acceptable. Change the request.
	Invalid
	// PreconditionRequired: say which state you saw (If-Match).
	PreconditionRequired
	// TooLarge: over a limit that the detail names.
	TooLarge
	// UnsupportedMedia: in a format that is not taken here.
	UnsupportedMedia
	// RateLimited: later, please.
	RateLimited
	// Unavailable: nothing happened; the same request may work later.
	Unavailable
	// Unknown: it may or may not have happened; the same request with the same
	// idempotency key finds out.
	Unknown
	// Gone: it was there, and was destroyed on purpose. It will not come back.
	Gone
)

// Fault is one way to be refused.
type Fault struct {
	Kind  Kind
	Slug  string // public and stable: part of the API, listed in docs/problems.md
	Title string // the same for every occurrence

	Detail string         // this occurrence, for people; may change at any time
	Rule   string         // id of the rule that refused: S1–S15 or an invariant's name
	Fields []Field        // what is wrong where, for Malformed and Invalid
	Extra  map[string]any // members a slug documents, such as currentRevision
	cause  error
}

// Field is one objection to one member of a request.
type Field struct {
	Pointer string // JSON pointer as a fragment: "#/reason"
	Keyword string // the constraint: minLength, required, enum …
	Detail  string
}

// New declares a fault.
func New(kind Kind, slug, title string) *Fault {
	return &Fault{Kind: kind, Slug: slug, Title: title}
}

// WithRule returns a copy that names the rule which refused.
func (f *Fault) WithRule(rule string) *Fault {
	c := *f
	c.Rule = rule
	return &c
}

// Detailf returns a copy with this occurrence's detail.
func (f *Fault) Detailf(format string, args ...any) *Fault {
	c := *f
	c.Detail = fmt.Sprintf(format, args...)
	return &c
}

// With returns a copy with one documented extra member.
func (f *Fault) With(key string, value any) *Fault {
	c := *f
	c.Extra = maps.Clone(f.Extra)
	if c.Extra == nil {
		c.Extra = map[string]any{}
	}
	c.Extra[key] = value
	return &c
}

// At returns a copy with one more objection.
func (f *Fault) At(pointer, keyword, detail string) *Fault {
	c := *f
	c.Fields = append(append([]Field(nil), f.Fields...), Field{pointer, keyword, detail})
	return &c
}

// Because returns a copy that wraps err: for the log, never for the caller.
func (f *Fault) Because(err error) *Fault {
	c := *f
	c.cause = err
	return &c
}

func (f *Fault) Error() string {
	s := f.Slug
	if f.Rule != "" {
		s += " [" + f.Rule + "]"
	}
	if f.Detail != "" {
		s += ": " + f.Detail
	}
	if f.cause != nil {
		s += ": " + f.cause.Error()
	}
	return s
}

// Is makes every occurrence of a fault equal to its declaration; a target with
// a rule matches only faults of that rule.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Slug == f.Slug && (t.Rule == "" || t.Rule == f.Rule)
}

// Unwrap gives the cause, if there is one.
func (f *Fault) Unwrap() error { return f.cause }
