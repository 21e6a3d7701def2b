package pack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"strata.dev/strata/app/eventlog"
)

// line is an event as people read it.
type line struct {
	Position, Sequence, Version int64
	At                          string
	Stream, Type                string
	Who, Kind, OnBehalfOf       string
	Roles                       string
	Source                      string
	Why                         string
	Signed, Countersigned       string
	Fields                      []field
	EventID, CommandID, Leaf    string
}

// field is a member of the event's body. One that changed has an old value, too.
type field struct {
	Name, Old, New string
	Changed        bool
}

func lineOf(e *eventlog.Event) (line, error) {
	m, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		return line{}, fmt.Errorf("position %d: %w", e.Position, err)
	}
	leaf := eventlog.LeafHash(e)
	l := line{
		Position: e.Position, Sequence: e.OrganizationSequence, Version: e.Version, At: stamp(e.RecordedAt), Stream: e.StreamID, Type: e.Type,
		Who: m.Actor.ID, Kind: string(m.Actor.Kind), OnBehalfOf: m.OnBehalfOf, Roles: strings.Join(m.Actor.Roles, ", "),
		Source: sourceOf(m.Origin), Why: m.Reason, EventID: e.ID.String(), CommandID: m.CommandID.String(), Leaf: fmt.Sprintf("%x", leaf),
	}
	if s := m.Signature; s != nil {
		l.Signed = fmt.Sprintf("%s by %s at %s over content %s", s.Meaning, s.SignerID, stamp(s.SignedAt), s.ContentHash)
	}
	if c := m.Countersignature; c != nil {
		l.Countersigned = fmt.Sprintf("%s by %s at %s", c.Meaning, c.SignerID, stamp(c.SignedAt))
	}
	if l.Fields, err = fieldsOf(e.Data); err != nil {
		return line{}, fmt.Errorf("position %d: %w", e.Position, err)
	}
	if l.Why == "" {
		l.Why = reasonIn(e.Data)
	}
	return l, nil
}

func sourceOf(o eventlog.Origin) string {
	parts := []string{o.Kind}
	for _, p := range [...]struct{ name, value string }{{"source", o.SourceID}, {"message", o.MessageID}, {"from", o.Remote}} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// reasonIn is why, where the event itself says it.
func reasonIn(data []byte) string {
	var said struct {
		Reason string `json:"reason"`
	}
	_ = json.Unmarshal(data, &said) // a reason of another shape is none
	return said.Reason
}

// fieldsOf takes a body apart: what changed first, with old and new.
func fieldsOf(data []byte) (list []field, err error) {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(data, &body); err != nil {
		return nil, err
	}
	var changes []struct {
		Field string          `json:"field"`
		Old   json.RawMessage `json:"old"`
		New   json.RawMessage `json:"new"`
	}
	if raw, ok := body["changes"]; ok && json.Unmarshal(raw, &changes) == nil && len(changes) > 0 && changes[0].Field != "" {
		delete(body, "changes")
		for _, c := range changes {
			list = append(list, field{c.Field, textOf(c.Old), textOf(c.New), true})
		}
	}
	for _, pair := range oldAndNew {
		before, after := body[pair.old], body[pair.new]
		if before == nil {
			continue
		}
		delete(body, pair.old)
		delete(body, pair.new)
		list = append(list, field{pair.name, textOf(before), textOf(after), true})
	}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		list = append(list, field{Name: name, New: textOf(body[name])})
	}
	return list, nil
}

// oldAndNew are the pairs of members in which bodies state a change.
var oldAndNew = []struct{ name, old, new string }{
	{"value", "old", "new"}, {"value", "previous", "value"}, {"state", "from", "to"}, {"terms", "oldTerms", "terms"},
}

// textOf is a value as people read it: texts without their quotes, the rest as JSON.
func textOf(raw json.RawMessage) string {
	var s string
	if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// changeText is all fields in one line.
func (l line) changeText() string {
	parts := make([]string, len(l.Fields))
	for i, f := range l.Fields {
		parts[i] = f.Name + ": " + f.New
		if f.Changed {
			parts[i] = f.Name + ": " + f.Old + " → " + f.New
		}
	}
	return strings.Join(parts, "; ")
}
