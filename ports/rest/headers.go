package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/fault"
)

// Names as in the contract, and in Go's canonical form where they are looked up.
const (
	headerKey         = "Idempotency-Key"
	headerIfMatch     = "If-Match"
	headerIfNoneMatch = "If-None-Match"
	headerPrefer      = "Prefer"
	headerMinPosition = "Strata-Min-Position"
	headerPosition    = "Strata-Position"
	headerReplayed    = "Idempotent-Replayed"
	headerRequestID   = "X-Request-Id"
	headerTraceParent = "Traceparent"
	headerTraceState  = "Tracestate"
	headerETag        = "Etag"
	headerLocation    = "Location"
	headerLink        = "Link"
	headerRetryAfter  = "Retry-After"
	headerApplied     = "Preference-Applied"
	headerSecond      = "Strata-Countersignature"
	headerDigest      = "Content-Digest"
	headerDisposition = "Content-Disposition"
	headerSignature   = "Strata-Signature"
	headerDurability  = "Strata-Durability"
)

const (
	maxKey        = 255
	maxTraceState = 512
	maxPrefer     = 1024
)

var (
	errMalformed    = fault.New(fault.Malformed, "malformed-request", "The request cannot be read.")
	errKeyRequired  = fault.New(fault.Malformed, "idempotency-key-required", "Every command needs an Idempotency-Key.")
	errPrecondition = fault.New(fault.PreconditionRequired, "precondition-required", "Say which state you saw: send its ETag in If-Match, or * for whatever is there.")
)

// one gives the only value of a header, or ok = false.
func one(h http.Header, name string) (value string, ok bool) {
	values := h[name]
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// idempotencyKey reads the key in quotes (the draft's sf-string) or bare.
func idempotencyKey(h http.Header) (string, error) {
	if len(h[headerKey]) == 0 {
		return "", errKeyRequired
	}
	v, ok := one(h, headerKey)
	if !ok {
		return "", errMalformed.Detailf("There is more than one %s.", headerKey)
	}
	if strings.HasPrefix(v, `"`) {
		if v, ok = unquoted(v); !ok {
			return "", errMalformed.Detailf("%s is not a quoted string.", headerKey)
		}
	}
	if v == "" || len(v) > maxKey {
		return "", errMalformed.Detailf("%s has %d characters, 1 to %d are allowed.", headerKey, len(v), maxKey)
	}
	for i := range len(v) {
		if v[i] < ' ' || v[i] > '~' {
			return "", errMalformed.Detailf("%s holds characters other than printable ASCII.", headerKey)
		}
	}
	return v, nil
}

func unquoted(v string) (string, bool) {
	if len(v) < 2 || v[len(v)-1] != '"' {
		return "", false
	}
	v = v[1 : len(v)-1]
	if !strings.ContainsAny(v, `"\`) {
		return v, true
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '"':
			return "", false
		case '\\':
			if i++; i == len(v) || (v[i] != '"' && v[i] != '\\') {
				return "", false
			}
		}
		b.WriteByte(v[i])
	}
	return b.String(), true
}

// ifMatch reads the version a caller saw; nil for "*". Weak tags and suffixes
// of other representations ("7-gzip", "7-1f3a") are tolerated: what counts is
// the version.
func ifMatch(h http.Header) (*int64, error) {
	if len(h[headerIfMatch]) == 0 {
		return nil, errPrecondition
	}
	v, ok := one(h, headerIfMatch)
	if !ok {
		return nil, errMalformed.Detailf("There is more than one If-Match.")
	}
	if v == "*" {
		return nil, nil
	}
	tag, ok := strings.CutPrefix(strings.TrimPrefix(v, "W/"), `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	if !ok || !closed {
		return nil, errMalformed.Detailf(`If-Match is not one ETag such as "7", nor *.`)
	}
	digits, _, _ := strings.Cut(tag, "-")
	version, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || version < 0 || digits[0] == '+' {
		return nil, errMalformed.Detailf("If-Match holds an ETag that was not given here.")
	}
	return &version, nil
}

// noneMatch says whether one of the caller's tags is the current one; for
// reading, a weak comparison.
func noneMatch(header, tag string) bool {
	if header == "" {
		return false
	}
	if strings.TrimSpace(header) == "*" {
		return true
	}
	for _, candidate := range strings.Split(header, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == tag || strings.TrimSuffix(candidate, `-gzip"`)+`"` == tag {
			return true
		}
	}
	return false
}

// preferences are what is understood of Prefer (RFC 7240); the rest is ignored,
// as that standard asks.
type preferences struct {
	minimal  bool
	async    bool
	archived bool
	wait     time.Duration
}

// preferArchived is the preference to be answered once the archive has it.
const preferArchived = "strata-durability=archived"

func parsePrefer(h http.Header) preferences {
	var p preferences
	for _, line := range h[headerPrefer] {
		if len(line) > maxPrefer {
			continue
		}
		for _, item := range strings.Split(line, ",") {
			item, _, _ = strings.Cut(item, ";")
			name, value, _ := strings.Cut(item, "=")
			value = strings.Trim(strings.TrimSpace(value), `"`)
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "respond-async":
				p.async = true
			case "strata-durability":
				p.archived = value == durableArchived
			case "return":
				p.minimal = value == "minimal"
			case "wait":
				if s, err := strconv.ParseUint(value, 10, 16); err == nil {
					p.wait = time.Duration(s) * time.Second
				}
			}
		}
	}
	return p
}

func minPosition(h http.Header) (int64, error) {
	if len(h[headerMinPosition]) == 0 {
		return 0, nil
	}
	v, ok := one(h, headerMinPosition)
	n, err := strconv.ParseInt(v, 10, 64)
	if !ok || err != nil || n < 0 || v[0] == '+' {
		return 0, errMalformed.Detailf("%s is not one position.", headerMinPosition)
	}
	return n, nil
}

// requestID takes the caller's id if it is harmless in logs, or makes one.
func requestID(h http.Header) string {
	if v, ok := one(h, headerRequestID); ok && len(v) <= 128 && v != "" && strings.Trim(v, idCharacters) == "" {
		return v
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "unavailable" // no randomness: the request fails for other reasons
	}
	return id.String()
}

const idCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

// traceContext reads the W3C headers; a malformed traceparent is as none.
func traceContext(h http.Header) (parent, state string) {
	parent, ok := one(h, headerTraceParent)
	if !ok || !validTraceParent(parent) {
		return "", ""
	}
	if state, ok = one(h, headerTraceState); ok && len(state) <= maxTraceState && printable(state) {
		return parent, state
	}
	return parent, ""
}

func validTraceParent(v string) bool {
	if len(v) != 55 || v[:3] != "00-" || v[35] != '-' || v[52] != '-' {
		return false
	}
	trace, span := v[3:35], v[36:52]
	return strings.Trim(trace+span+v[53:], "0123456789abcdef") == "" &&
		strings.Trim(trace, "0") != "" && strings.Trim(span, "0") != ""
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// etag is the strong tag of a stream's version; detail, if there is one, tells
// representations of the same version apart.
func etag(version int64, detail string) string {
	b := make([]byte, 0, 32)
	b = append(b, '"')
	b = strconv.AppendInt(b, version, 10)
	if detail != "" {
		b = append(b, '-')
		b = append(b, detail...)
	}
	return string(append(b, '"'))
}
