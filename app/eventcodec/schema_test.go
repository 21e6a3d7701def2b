package eventcodec_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventcodec"
)

const schemas = "../../api/schemas"

// node is one JSON Schema, as text.
type node = map[string]any

func schemaOf(t testing.TB, typ string) node {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(schemas, typ+".v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	var n node
	if err := json.Unmarshal(text, &n); err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	return n
}

// compiled is the schema as a validator. Strict ones take no members beyond
// those declared: what this release writes, as opposed to what may be read.
func compiled(t testing.TB, typ string, strict bool) *jsonschema.Schema {
	t.Helper()
	doc := schemaOf(t, typ)
	if strict {
		closed(doc)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(typ, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(typ)
	if err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	return s
}

func closed(v any) {
	switch v := v.(type) {
	case node:
		if _, ok := v["properties"]; ok && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, sub := range v {
			closed(sub)
		}
	case []any:
		for _, sub := range v {
			closed(sub)
		}
	}
}

func validate(t rapid.TB, s *jsonschema.Schema, body []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := s.Validate(v); err != nil {
		t.Fatalf("%s\n%#v", body, err)
	}
}

// TestSchemasSayExactlyWhatIsWritten compares members and which of them are
// always there, of every object in every event, with the Go types.
func TestSchemasSayExactlyWhatIsWritten(t *testing.T) {
	for _, typ := range eventcodec.Types() {
		t.Run(typ, func(t *testing.T) {
			doc := schemaOf(t, typ)
			event, err := eventcodec.Decode(typ, 1, golden(t, typ))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, typ, reflect.TypeOf(event), doc, doc)
		})
	}
}

func compare(t *testing.T, at string, goType reflect.Type, n, doc node) {
	n = resolve(n, doc)
	switch goType.Kind() {
	case reflect.Pointer:
		compare(t, at, goType.Elem(), n, doc)
	case reflect.Slice:
		items, ok := n["items"].(node)
		if !ok {
			t.Errorf("%s: a list in Go, not in the schema", at)
			return
		}
		compare(t, at+"[]", goType.Elem(), items, doc)
	case reflect.Struct:
		if goType.String() == "time.Time" {
			return
		}
		properties, _ := n["properties"].(node)
		members, always := map[string]reflect.Type{}, []string{}
		for _, f := range reflect.VisibleFields(goType) {
			tag, ok := f.Tag.Lookup("json")
			if !ok {
				continue // an embedded struct: its fields are visible, too
			}
			name, options, _ := strings.Cut(tag, ",")
			members[name] = f.Type
			if !strings.Contains(options, "omit") {
				always = append(always, name)
			}
		}
		if got, want := slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(members)); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, Go writes %v", at, got, want)
		}
		var required []string
		if list, ok := n["required"].([]any); ok {
			for _, r := range list {
				required = append(required, r.(string))
			}
		}
		slices.Sort(required)
		slices.Sort(always)
		// A period of a measurement always has both ends; Go leaves open ones of plans out.
		if !slices.Equal(required, always) && !strings.HasSuffix(goType.String(), "calendar.Period") {
			t.Errorf("%s: the schema requires %v, Go always writes %v", at, required, always)
		}
		for name, sub := range members {
			if p, ok := properties[name].(node); ok {
				compare(t, at+"."+name, sub, p, doc)
			}
		}
	}
}

func resolve(n, doc node) node {
	if ref, ok := n["$ref"].(string); ok {
		return doc["$defs"].(node)[strings.TrimPrefix(ref, "#/$defs/")].(node)
	}
	return n
}

// instance draws a value of a schema. Members that are not required are left
// out or not empty, which is how this release writes them.
func instance(t *rapid.T, n, doc node) any {
	n = resolve(n, doc)
	if values, ok := n["enum"].([]any); ok {
		return rapid.SampledFrom(values).Draw(t, "enum")
	}
	switch n["type"] {
	case "boolean":
		return rapid.Bool().Draw(t, "boolean")
	case "integer":
		limit := 1_000_000
		if m, ok := n["maximum"].(float64); ok {
			limit = int(m)
		}
		return rapid.IntRange(int(n["minimum"].(float64)), limit).Draw(t, "integer")
	case "array":
		items := make([]any, rapid.IntRange(1, 2).Draw(t, "items"))
		for i := range items {
			items[i] = instance(t, n["items"].(node), doc)
		}
		return items
	case "object":
		return object(t, n, doc)
	}
	switch n["format"] {
	case "date":
		return rapid.StringMatching(`(19|20)[0-9]{2}-0[1-9]-1[0-9]`).Draw(t, "date")
	case "date-time":
		return rapid.StringMatching(`(19|20)[0-9]{2}-0[1-9]-1[0-9]T1[0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{0,5}[1-9])?Z`).Draw(t, "instant")
	}
	if n["pattern"] == "^-?(0|[1-9][0-9]*)(\\.[0-9]*[1-9])?$" {
		return rapid.StringMatching(`-?[1-9][0-9]{0,20}(\.[0-9]{0,10}[1-9])?`).Draw(t, "decimal")
	}
	if pattern, ok := n["pattern"].(string); ok {
		if strings.HasPrefix(pattern, "^(0|") {
			return rapid.StringMatching(`[1-9][0-9]{0,17}`).Draw(t, "position")
		}
		return rapid.StringMatching(strings.Trim(pattern, "^$")).Draw(t, "pattern")
	}
	return rapid.StringN(1, 20, -1).Draw(t, "text")
}

func object(t *rapid.T, n, doc node) any {
	o := node{}
	if free, ok := n["additionalProperties"].(node); ok {
		o[rapid.StringN(1, 5, -1).Draw(t, "name")] = instance(t, free, doc)
		return o
	}
	properties := n["properties"].(node)
	required, _ := n["required"].([]any)
	names := slices.Sorted(maps.Keys(properties))
	for _, name := range names {
		if slices.Contains(required, any(name)) || rapid.Bool().Draw(t, name) {
			o[name] = instance(t, properties[name].(node), doc)
		}
	}
	if len(o) == 0 {
		o[names[0]] = instance(t, properties[names[0]].(node), doc)
	}
	return o
}
