// Package diff says what differs between two states of an aggregate, element by
// element and field by field. Its functions are pure. The states are those of
// the domain, folded as the deciders fold them, so a difference here is one that
// a decision could have seen.
//
// Fields are compared and shown as JSON, under the names that commands and
// events use. What is sealed stays sealed: ciphertext that differs is shown as
// the ciphertext it is.
package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"strata.dev/strata/app/query"
)

// element is one thing that can be added, amended or retired. Its fields have to
// be what is compared, all of it.
type element struct {
	kind   string
	id     string
	name   string
	fields any // a struct or a map that JSON makes an object of
}

// Elements are what an aggregate consists of, in their order. None are those of
// one that there is not.
type Elements []element

// Between says what differs.
func Between(before, after Elements) ([]query.DiffItem, error) { return between(before, after) }

// Fields are the fields of one element as JSON; none if it is not there.
func (all Elements) Fields(kind, id string) (map[string]json.RawMessage, error) {
	for _, e := range all {
		if e.kind == kind && e.id == id {
			return members(e.fields)
		}
	}
	return nil, nil
}

// between compares elements by kind and id. The order is that of after, then
// that of before for those that are gone.
func between(before, after []element) ([]query.DiffItem, error) {
	type key struct{ kind, id string }
	was := map[key]element{}
	for _, e := range before {
		was[key{e.kind, e.id}] = e
	}
	items := []query.DiffItem{}
	for _, e := range after {
		k := key{e.kind, e.id}
		old, amended := was[k]
		delete(was, k)
		change := query.Added
		if amended {
			change = query.Amended
		}
		fields, err := fieldsBetween(old.fields, e.fields)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", e.kind, e.id, err)
		}
		if amended && len(fields) == 0 {
			continue
		}
		items = append(items, query.DiffItem{Change: change, Element: e.kind, ID: e.id, Name: e.name, Fields: fields})
	}
	for _, e := range before {
		if _, gone := was[key{e.kind, e.id}]; !gone {
			continue
		}
		fields, err := fieldsBetween(e.fields, nil)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", e.kind, e.id, err)
		}
		items = append(items, query.DiffItem{Change: query.Retired, Element: e.kind, ID: e.id, Name: e.name, Fields: fields})
	}
	return items, nil
}

// fieldsBetween gives the members that differ, by name. A side that is nil has none.
func fieldsBetween(before, after any) ([]query.FieldChange, error) {
	old, err := members(before)
	if err != nil {
		return nil, err
	}
	is, err := members(after)
	if err != nil {
		return nil, err
	}
	names := slices.Concat(slices.Collect(maps.Keys(old)), slices.Collect(maps.Keys(is)))
	slices.Sort(names)
	changes := []query.FieldChange{}
	for _, name := range slices.Compact(names) {
		if !bytes.Equal(old[name], is[name]) {
			changes = append(changes, query.FieldChange{Field: name, Old: old[name], New: is[name]})
		}
	}
	return changes, nil
}

func members(v any) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if v == nil {
		return m, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return m, json.Unmarshal(b, &m)
}
