package verifier

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxLine is the longest line of an export that is read: an event at its limits,
// with room for its names.
const MaxLine = maxBytes + 16<<10

var errLine = errors.New("no exported event")

// ParseEvent reads one line of an export: one JSON object with every field of an
// event. A member that is missing, unknown, twice there or out of its range is
// an error. Data and metadata are taken byte for byte.
func ParseEvent(line []byte) (Event, error) {
	if len(line) > MaxLine {
		return Event{}, fmt.Errorf("%w: %d bytes, at most %d are read", errLine, len(line), MaxLine)
	}
	m, err := members(line)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", errLine, err)
	}
	r := memberReader{of: m}
	e := Event{
		Position: r.number("position"), Sequence: r.number("organizationSequence"), Version: r.number("version"),
		Schema: r.number("schemaVersion"), RecordedAt: r.instant("recordedAt"),
		Organization: r.uuid("organizationId"), ID: r.uuid("eventId"),
		Stream: r.text("streamId"), Type: r.text("type"), Data: r.object("data"), Metadata: r.object("metadata"),
	}
	if _, given := m["commandId"]; given {
		e.CommandID, e.CommandHash = r.uuid("commandId"), r.hex("commandHash")
	}
	r.end()
	if r.err != nil {
		return Event{}, fmt.Errorf("%w: %w", errLine, r.err)
	}
	if err := e.check(); err != nil {
		return Event{}, fmt.Errorf("%w: %w", errLine, err)
	}
	return e, nil
}

// members takes a JSON object apart into its members as they are written.
func members(b []byte) (map[string][]byte, error) {
	if !json.Valid(b) || !utf8.Valid(b) {
		return nil, errors.New("it is no JSON")
	}
	at := space(b, 0)
	if b[at] != '{' {
		return nil, errors.New("it is no JSON object")
	}
	found := map[string][]byte{}
	// The JSON is valid: what is expected at a place is there.
	for at = space(b, at+1); b[at] != '}'; {
		end := value(b, at)
		var name string
		if err := json.Unmarshal(b[at:end], &name); err != nil {
			return nil, err
		}
		at = space(b, end)
		at = space(b, at+1) // the colon
		end = value(b, at)
		if _, twice := found[name]; twice {
			return nil, fmt.Errorf("member %q is there twice", name)
		}
		found[name] = b[at:end]
		if at = space(b, end); b[at] == ',' {
			at = space(b, at+1)
		}
	}
	return found, nil
}

func space(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\t' || b[at] == '\n' || b[at] == '\r') {
		at++
	}
	return at
}

// value is the end of the value that begins at a place of valid JSON.
func value(b []byte, at int) int {
	depth := 0
	for ; at < len(b); at++ {
		switch b[at] {
		case '"':
			for at++; b[at] != '"'; at++ {
				if b[at] == '\\' {
					at++
				}
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return at // of what surrounds it
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\n', '\r', ':':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}

// memberReader reads members and keeps the first thing that is wrong.
type memberReader struct {
	of    map[string][]byte
	taken int
	err   error
}

func (r *memberReader) take(name string) ([]byte, bool) {
	raw, ok := r.of[name]
	switch {
	case r.err != nil:
		return nil, false
	case !ok:
		r.err = fmt.Errorf("member %q is missing", name)
		return nil, false
	}
	r.taken++
	return raw, true
}

func (r *memberReader) wrong(name string, err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("member %q: %w", name, err)
	}
}

// number is a whole one, as a number or as a string of its digits.
func (r *memberReader) number(name string) int64 {
	raw, ok := r.take(name)
	if !ok {
		return 0
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(string(raw), `"`), `"`)
	n, err := strconv.ParseInt(digits, 10, 64)
	if err == nil && strconv.FormatInt(n, 10) != digits {
		err = fmt.Errorf("%.40q is no whole number", digits)
	}
	r.wrong(name, err)
	return n
}

func (r *memberReader) text(name string) (s string) {
	if raw, ok := r.take(name); ok {
		r.wrong(name, json.Unmarshal(raw, &s))
	}
	return s
}

func (r *memberReader) uuid(name string) (u UUID) {
	s := r.text(name)
	if r.err == nil {
		var err error
		u, err = ParseUUID(s)
		r.wrong(name, err)
	}
	return u
}

func (r *memberReader) hex(name string) []byte {
	b, err := hex.DecodeString(r.text(name))
	r.wrong(name, err)
	return b
}

func (r *memberReader) instant(name string) int64 {
	s := r.text(name)
	if r.err != nil {
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err == nil && (!strings.HasSuffix(s, "Z") || t.Nanosecond()%1000 != 0) {
		err = fmt.Errorf("%.40q is no instant in UTC to the microsecond", s)
	}
	r.wrong(name, err)
	return t.UnixMicro()
}

func (r *memberReader) object(name string) []byte {
	raw, ok := r.take(name)
	if ok && raw[0] != '{' {
		r.wrong(name, errors.New("it is no object"))
	}
	return raw
}

// end refuses members that nobody has asked for.
func (r *memberReader) end() {
	if r.err == nil && r.taken != len(r.of) {
		r.err = fmt.Errorf("%d members are unknown", len(r.of)-r.taken)
	}
}

func (r *memberReader) hash(name string) (h Hash) {
	s := r.text(name)
	if r.err == nil {
		var err error
		h, err = ParseHash(s)
		r.wrong(name, err)
	}
	return h
}

// hashes is a list of them: a proof or a frontier.
func (r *memberReader) hashes(name string) (all []Hash) {
	raw, ok := r.take(name)
	if !ok {
		return nil
	}
	var texts []string
	if err := json.Unmarshal(raw, &texts); err != nil || len(texts) > maxProof {
		r.wrong(name, errors.New("it is no list of hashes"))
		return nil
	}
	for _, s := range texts {
		h, err := ParseHash(s)
		r.wrong(name, err)
		all = append(all, h)
	}
	return all
}
