package archive

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

const timeLayout = "2006-01-02T15:04:05.000000Z"

var (
	errNotAnObject = errors.New("body or metadata is not a JSON object on one line")
	errNotText     = errors.New("a name is not UTF-8")
	errSpelling    = errors.New("the line is not spelled as it is written here")
)

// AppendEvent appends the line of an event, without a line break, to dst. Data and
// Metadata are in it byte for byte. An event that could not be read back as it is
// gets an error.
func AppendEvent(dst []byte, e *eventlog.Event) ([]byte, error) {
	switch {
	case !isObject(e.Data) || !isObject(e.Metadata):
		return dst, errNotAnObject
	case !utf8.ValidString(e.StreamID) || !utf8.ValidString(e.Type):
		return dst, errNotText
	case (e.CommandID == uuid.Nil) != (len(e.CommandHash) == 0):
		return dst, errors.New("of command id and command hash there is only one")
	case !e.RecordedAt.Truncate(time.Microsecond).Equal(e.RecordedAt) || e.RecordedAt.UTC().Year() > 9999:
		return dst, errors.New("the time is not of whole microseconds before the year 10000")
	}
	return appendEvent(dst, e), nil
}

func isObject(b []byte) bool {
	return len(b) >= 2 && b[0] == '{' && b[len(b)-1] == '}' && bytes.IndexByte(b, '\n') < 0 && json.Valid(b)
}

func appendEvent(dst []byte, e *eventlog.Event) []byte {
	dst = strconv.AppendInt(append(dst, `{"position":`...), e.Position, 10)
	dst = append(append(dst, `,"organizationId":"`...), e.OrganizationID.String()...)
	dst = strconv.AppendInt(append(dst, `","organizationSequence":`...), e.OrganizationSequence, 10)
	dst = appendString(append(dst, `,"streamId":`...), e.StreamID)
	dst = strconv.AppendInt(append(dst, `,"version":`...), e.Version, 10)
	dst = append(append(dst, `,"eventId":"`...), e.ID.String()...)
	dst = appendString(append(dst, `","type":`...), e.Type)
	dst = strconv.AppendInt(append(dst, `,"schemaVersion":`...), int64(e.SchemaVersion), 10)
	if e.CommandID != uuid.Nil {
		dst = append(append(dst, `,"commandId":"`...), e.CommandID.String()...)
		dst = hex.AppendEncode(append(dst, `","commandHash":"`...), e.CommandHash)
		dst = append(dst, '"')
	}
	dst = e.RecordedAt.UTC().AppendFormat(append(dst, `,"recordedAt":"`...), timeLayout)
	dst = append(append(dst, `","metadata":`...), e.Metadata...)
	dst = append(append(dst, `,"data":`...), e.Data...)
	return append(dst, '}')
}

// appendString appends s as RFC 8785 spells it.
func appendString(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// eventLine is an event as its line says it.
type eventLine struct {
	Position             int64           `json:"position"`
	OrganizationID       uuid.UUID       `json:"organizationId"`
	OrganizationSequence int64           `json:"organizationSequence"`
	StreamID             string          `json:"streamId"`
	Version              int64           `json:"version"`
	EventID              uuid.UUID       `json:"eventId"`
	Type                 string          `json:"type"`
	SchemaVersion        int             `json:"schemaVersion"`
	CommandID            uuid.UUID       `json:"commandId"`
	CommandHash          string          `json:"commandHash"`
	RecordedAt           string          `json:"recordedAt"`
	Metadata             json.RawMessage `json:"metadata"`
	Data                 json.RawMessage `json:"data"`
}

// ParseEvent reads a line that AppendEvent has written, and no other spelling of
// it: members that are unknown, missing, given twice or in another order, blanks,
// and other escapes are errors. The event shares no memory with line.
func ParseEvent(line []byte) (eventlog.Event, error) {
	var l eventLine
	if err := json.Unmarshal(line, &l); err != nil {
		return eventlog.Event{}, fmt.Errorf("the line is no event: %w", err)
	}
	at, err := time.Parse(timeLayout, l.RecordedAt)
	if err != nil {
		return eventlog.Event{}, fmt.Errorf("recordedAt: %w", err)
	}
	e := eventlog.Event{
		Position: l.Position, OrganizationID: l.OrganizationID, OrganizationSequence: l.OrganizationSequence,
		StreamID: l.StreamID, Version: l.Version, ID: l.EventID, Type: l.Type, SchemaVersion: l.SchemaVersion,
		CommandID: l.CommandID, RecordedAt: at, Data: l.Data, Metadata: l.Metadata,
	}
	if l.CommandHash != "" {
		if e.CommandHash, err = hex.DecodeString(l.CommandHash); err != nil {
			return eventlog.Event{}, fmt.Errorf("commandHash: %w", err)
		}
	}
	again, err := AppendEvent(make([]byte, 0, len(line)), &e)
	if err != nil {
		return eventlog.Event{}, err
	}
	if !bytes.Equal(again, line) {
		return eventlog.Event{}, errSpelling
	}
	return e, nil
}
