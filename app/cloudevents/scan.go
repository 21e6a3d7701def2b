package cloudevents

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// facts are the metadata values that the document repeats: JSON strings as
// stored, quotes included, or nil. They point into the metadata.
type facts struct {
	actorKind, actorID, causation, correlation, occurred, traceParent, traceState []byte
}

var errMetadata = errors.New("metadata is not canonical JSON as the log stores it")

// scanMetadata finds the facts without building anything: this runs for every
// event. It knows canonical JSON only, which has no white space.
func scanMetadata(metadata []byte) (f facts, err error) {
	err = members(metadata, func(key, value []byte) error {
		switch string(key) {
		case `"actor"`:
			return members(value, func(key, value []byte) error {
				switch string(key) {
				case `"kind"`:
					f.actorKind = value
				case `"id"`:
					f.actorID = value
				}
				return nil
			})
		case `"causationId"`:
			f.causation = value
		case `"correlationId"`:
			f.correlation = value
		case `"occurredAt"`:
			f.occurred = value
		case `"traceparent"`:
			f.traceParent = value
		case `"tracestate"`:
			f.traceState = value
		}
		return nil
	})
	if err != nil {
		return facts{}, err
	}
	for _, v := range [...][]byte{f.actorKind, f.actorID, f.causation, f.correlation, f.occurred, f.traceParent, f.traceState} {
		if v != nil && (len(v) < 2 || v[0] != '"') {
			return facts{}, fmt.Errorf("%w: %.40s is no string", errMetadata, v)
		}
	}
	if f.actorKind == nil || f.actorID == nil {
		return facts{}, fmt.Errorf("%w: no actor", errMetadata)
	}
	return f, nil
}

// members calls f with each member of a canonical JSON object, raw.
func members(object []byte, f func(key, value []byte) error) error {
	if len(object) < 2 || object[0] != '{' || object[len(object)-1] != '}' {
		return errMetadata
	}
	rest := object[1 : len(object)-1]
	for len(rest) > 0 {
		key := valueLen(rest)
		if key <= 0 || rest[0] != '"' || key >= len(rest) || rest[key] != ':' {
			return errMetadata
		}
		value := valueLen(rest[key+1:])
		if value <= 0 {
			return errMetadata
		}
		end := key + 1 + value
		if err := f(rest[:key], rest[key+1:end]); err != nil {
			return err
		}
		if end == len(rest) {
			return nil
		}
		if rest[end] != ',' || end+1 == len(rest) {
			return errMetadata
		}
		rest = rest[end+1:]
	}
	return nil
}

// valueLen is the length of the JSON value that s begins with, 0 if it has no end.
func valueLen(s []byte) int {
	if len(s) == 0 {
		return 0
	}
	switch s[0] {
	case '"':
		return stringLen(s)
	case '{', '[':
		depth := 0
		for i := 0; i < len(s); i++ {
			switch s[i] {
			case '"':
				n := stringLen(s[i:])
				if n == 0 {
					return 0
				}
				i += n - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return 0
	default:
		if n := bytes.IndexByte(s, ','); n >= 0 {
			return n
		}
		return len(s)
	}
}

func stringLen(s []byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return 0
}

// unquote is the text of a JSON string as stored.
func unquote(raw []byte) (string, error) {
	if raw == nil {
		return "", nil
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	return unescape(raw)
}

// authType is the CloudEvents authcontext name of an actor's kind.
func authType(kind []byte) (string, error) {
	switch string(kind) {
	case `"person"`:
		return "app_user", nil
	case `"source"`:
		return "service_account", nil
	case `"process"`:
		return "system", nil
	}
	return "", fmt.Errorf("%w: actor kind %s is unknown", errMetadata, kind)
}

// plural is the name of an aggregate's collection, as in the HTTP paths.
func plural(aggregate string) string {
	if s, y := strings.CutSuffix(aggregate, "y"); y {
		return s + "ies"
	}
	return aggregate + "s"
}
