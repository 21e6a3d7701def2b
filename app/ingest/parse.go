package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"strata.dev/strata/app/strictjson"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/quantity"
	"strata.dev/strata/domain/source"
)

// reading is one measurement as a message states it. With a code it cannot be
// taken, whatever the state.
type reading struct {
	ref         string
	period      calendar.Period
	dims        indicator.Dims
	value       indicator.Stated
	unit        string
	observedAt  *time.Time
	externalRef string
	note        string
	sequence    int64 // 0 = none

	code, detail string
}

func (r reading) refuse(code, format string, args ...any) reading {
	r.code, r.detail = code, fmt.Sprintf(format, args...)
	return r
}

// refused is a message that is refused as a whole.
type refused struct{ code, detail string }

func (r *refused) Error() string { return r.code + ": " + r.detail }

// parse reads a body: one measurement, or {"measurements": [...]}. What is wrong
// with one measurement is in its reading; what makes the text as a whole
// doubtful, or too long, is a *refused.
func parse(body []byte) ([]reading, error) {
	if _, err := strictjson.Canonical(body); err != nil {
		return nil, &refused{source.Malformed, detailOf(err)}
	}
	top, err := members(body)
	if err != nil {
		return nil, &refused{source.Malformed, detailOf(err)}
	}
	list, ok := top["measurements"]
	if !ok {
		return []reading{read(top)}, nil
	}
	if len(top) > 1 {
		return nil, &refused{source.Malformed, fmt.Sprintf("Beside measurements there is %q.", slices.Sorted(maps.Keys(top))[:2])}
	}
	var items []json.RawMessage
	if kindOf(list) != '[' || json.Unmarshal(list, &items) != nil {
		return nil, &refused{source.Malformed, "measurements is no array."}
	}
	switch {
	case len(items) == 0:
		return nil, &refused{source.Malformed, "measurements is empty."}
	case len(items) > MaxItems:
		return nil, &refused{source.MessageTooLarge, fmt.Sprintf("It holds %d measurements, %d are allowed.", len(items), MaxItems)}
	}
	all := make([]reading, len(items))
	for i, item := range items {
		m, err := members(item)
		if err != nil {
			all[i] = reading{}.refuse(source.Malformed, "%s", detailOf(err))
			continue
		}
		all[i] = read(m)
	}
	return all, nil
}

// members gives an object's members by their exact names; encoding/json would
// take VALUE for value. The text has been checked: names are unique.
func members(text json.RawMessage) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if kindOf(text) != '{' || json.Unmarshal(text, &m) != nil {
		return nil, errNoObject
	}
	return m, nil
}

var errNoObject = ErrMalformed.Detailf("A measurement is an object.")

// kindOf is the first character of a JSON value: one of { [ " t f n - 0–9.
func kindOf(text []byte) byte {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) == 0 {
		return 0
	}
	return text[0]
}

// read takes one measurement from its members.
func read(m map[string]json.RawMessage) reading {
	f := fields{rest: m}
	r := reading{ref: f.text("indicatorRef", true)}
	if period, ok := f.object("period", true); ok {
		r.period = calendar.Period{Start: calendar.Date(period.text("start", true)), End: calendar.Date(period.text("end", true))}
		period.none()
		f.adopt(period, "period")
	}
	if dims, ok := f.object("dims", false); ok {
		r.dims = indicator.Dims{}
		for _, name := range slices.Sorted(maps.Keys(dims.rest)) {
			r.dims[name] = dims.text(name, true)
		}
		f.adopt(dims, "dims")
	}
	number, isNumber := f.number("value")
	r.value = indicator.Stated{Number: number, Descriptor: f.text("descriptor", false)}
	r.unit, r.externalRef, r.note = f.text("unit", false), f.text("externalRef", false), f.text("note", false)
	if at := f.text("observedAt", false); at != "" {
		t, err := time.Parse(time.RFC3339Nano, at)
		if err != nil {
			f.objectTo("observedAt is no instant of RFC 3339.")
		}
		r.observedAt = &t
	}
	r.sequence = f.sequence()
	f.none()
	switch {
	case f.problem != "":
		return r.refuse(source.Malformed, "%s", f.problem)
	case !r.period.Valid():
		return r.refuse(source.Malformed, "period: give start and end as YYYY-MM-DD, the end not before the start.")
	case !isNumber && r.value.Descriptor == "":
		return r.refuse(source.Malformed, "Give a value or a descriptor.")
	}
	if isNumber {
		if _, ok := quantity.Parse(number); !ok {
			return r.refuse(source.NotANumber, "%q is no decimal of at most %d digits.", shorten(number), quantity.MaxDigits)
		}
	}
	return r
}

// fields takes members one after the other, and keeps the first objection.
type fields struct {
	rest    map[string]json.RawMessage
	problem string
}

func (f *fields) objectTo(format string, args ...any) {
	if f.problem == "" {
		f.problem = fmt.Sprintf(format, args...)
	}
}

func (f *fields) adopt(inner fields, name string) {
	if inner.problem != "" {
		f.objectTo("%s: %s", name, inner.problem)
	}
}

func (f *fields) take(name string, required bool) (json.RawMessage, bool) {
	text, ok := f.rest[name]
	delete(f.rest, name)
	if !ok && required {
		f.objectTo("%s is missing.", name)
	}
	return text, ok
}

func (f *fields) text(name string, required bool) (s string) {
	raw, ok := f.take(name, required)
	if !ok {
		return ""
	}
	if kindOf(raw) != '"' || json.Unmarshal(raw, &s) != nil {
		f.objectTo("%s is no text.", shorten(name))
	}
	if required && s == "" {
		f.objectTo("%s is empty.", shorten(name))
	}
	return s
}

func (f *fields) object(name string, required bool) (fields, bool) {
	raw, ok := f.take(name, required)
	if !ok {
		return fields{}, false
	}
	m, err := members(raw)
	if err != nil {
		f.objectTo("%s is no object.", name)
		return fields{}, false
	}
	return fields{rest: m}, true
}

// number gives the text of a number as it came: as a JSON number or as text.
func (f *fields) number(name string) (text string, given bool) {
	raw, ok := f.rest[name]
	if !ok {
		return "", false
	}
	switch c := kindOf(raw); {
	case c == '"':
		return f.text(name, true), true
	case c == '-' || c >= '0' && c <= '9':
		delete(f.rest, name)
		return string(bytes.TrimSpace(raw)), true
	}
	delete(f.rest, name)
	f.objectTo("%s is neither a number nor text.", name)
	return "", true
}

// sequence takes a whole number above zero, as a number or as text.
func (f *fields) sequence() int64 {
	text, given := f.number("sequence")
	if !given {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		f.objectTo("sequence is no whole number from 1 to 2^63-1.")
		return 0
	}
	return n
}

// none objects to what was not taken.
func (f *fields) none() {
	if names := slices.Sorted(maps.Keys(f.rest)); len(names) > 0 {
		f.objectTo("There is no member %q here.", shorten(names[0]))
	}
}

// shorten keeps what a sender wrote fit for a detail.
func shorten(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
