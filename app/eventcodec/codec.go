package eventcodec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"strata.dev/strata/domain/fault"
)

var (
	// ErrUnknown: this release has no such event type, or not this schema of it.
	ErrUnknown = fault.New(fault.Internal, "unknown-event", "This release does not know this event.")

	// ErrMalformed: the body is not one of its type and schema.
	ErrMalformed = fault.New(fault.Internal, "malformed-event", "The body of this event cannot be read.")
)

// Upcast brings the members of a body from one schema to the next, in place.
// Members are raw so that no number loses digits on the way.
type Upcast func(body map[string]json.RawMessage) error

// Codec is a table of event types. It does not change after New and is safe for
// concurrent use.
type Codec struct {
	byName map[string]Row
	byType map[reflect.Type]Row
	names  []string
}

// Row ties a Go type to its wire type; make one with Of.
type Row struct {
	name    string
	goType  reflect.Type
	upcasts []Upcast // [0] from schema 1 to 2, and so on
	decode  func(data []byte) (any, error)
}

func (e Row) schema() int { return len(e.upcasts) + 1 }

// Of is a row of the table: events of Go type E are stored as name, now in
// schema len(upcasts)+1.
func Of[E any](name string, upcasts ...Upcast) Row {
	return Row{
		name:    name,
		goType:  reflect.TypeFor[E](),
		upcasts: upcasts,
		decode: func(data []byte) (any, error) {
			var e E
			if err := json.Unmarshal(data, &e); err != nil {
				return nil, err
			}
			return e, nil
		},
	}
}

// New makes a table. It panics if a name or a Go type comes twice: two meanings
// for one stored body must not get as far as a running process.
func New(rows ...Row) *Codec {
	c := &Codec{byName: map[string]Row{}, byType: map[reflect.Type]Row{}}
	for _, r := range rows {
		if _, twice := c.byName[r.name]; twice || r.name == "" {
			panic(fmt.Sprintf("eventcodec: event type %q is registered twice or empty", r.name))
		}
		if other, twice := c.byType[r.goType]; twice {
			panic(fmt.Sprintf("eventcodec: %v is registered as %q and as %q", r.goType, other.name, r.name))
		}
		c.byName[r.name], c.byType[r.goType] = r, r
		c.names = append(c.names, r.name)
	}
	slices.Sort(c.names)
	return c
}

// Types lists the wire types, sorted.
func (c *Codec) Types() []string { return slices.Clone(c.names) }

// Schema is the schema version in which typ is written now, 0 if unknown.
func (c *Codec) Schema(typ string) int {
	e, ok := c.byName[typ]
	if !ok {
		return 0
	}
	return e.schema()
}

// Encode gives the wire type, the schema and the canonical body of an event. A
// Go type that is not in the table is ErrUnknown.
func (c *Codec) Encode(event any) (typ string, schema int, data []byte, err error) {
	e, ok := c.byType[reflect.TypeOf(event)]
	if !ok {
		return "", 0, nil, ErrUnknown.Detailf("Go type %T has no wire type.", event)
	}
	data, err = canonical(event)
	if err != nil {
		return "", 0, nil, fmt.Errorf("encode %s: %w", e.name, err)
	}
	return e.name, e.schema(), data, nil
}

// Decode gives the event as a value of its Go type (strategy.GoalAdded, not a
// pointer). Members that the type does not know are ignored: a newer release of
// the same schema may have added them.
func (c *Codec) Decode(typ string, schema int, data []byte) (any, error) {
	e, ok := c.byName[typ]
	if !ok {
		return nil, ErrUnknown.Detailf("Event type %q is unknown.", typ)
	}
	if schema < 1 || schema > e.schema() {
		return nil, ErrUnknown.Detailf("Schema %d of event type %q is unknown; this release knows 1 to %d.", schema, typ, e.schema())
	}
	if len(data) == 0 || data[0] != '{' {
		return nil, ErrMalformed.Detailf("The body of %s schema %d is not an object.", typ, schema)
	}
	if schema < e.schema() {
		up, err := e.upcast(schema, data)
		if err != nil {
			return nil, ErrMalformed.Detailf("The body of %s cannot be brought from schema %d to %d.", typ, schema, e.schema()).Because(err)
		}
		data = up
	}
	event, err := e.decode(data)
	if err != nil {
		return nil, ErrMalformed.Detailf("The body is not one of %s schema %d.", typ, schema).Because(err)
	}
	return event, nil
}

func (e Row) upcast(from int, data []byte) ([]byte, error) {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(data, &body); err != nil {
		return nil, err
	}
	for i, up := range e.upcasts[from-1:] {
		if err := up(body); err != nil {
			return nil, fmt.Errorf("schema %d to %d: %w", from+i, from+i+1, err)
		}
	}
	return json.Marshal(body)
}
