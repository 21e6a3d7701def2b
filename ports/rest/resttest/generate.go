package resttest

import (
	"fmt"
	"maps"
	"math/big"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// Values are what the world has that a schema cannot know, by the name of the
// member or parameter: ids of things that are there, numbers worth trying. Drawn
// half of the time, so that requests get past the look for what they name. Under
// no name: what stands in every text whose form is free.
type Values map[string][]string

// most is how many items or members are drawn where the contract allows more:
// its limits of thousands are tried by tests of their own.
const most = 12

// Draw draws a value that the schema accepts. At the edges of what it accepts,
// if edges: the shortest and longest texts, the least and largest numbers, all
// members or only the required ones. A keyword it does not know ends the test.
func (v Values) Draw(t *rapid.T, s *jsonschema.Schema, name string, edges bool) any {
	s = resolved(t, s)
	if s.Const != nil {
		return *s.Const
	}
	if s.Enum != nil {
		return rapid.SampledFrom(s.Enum.Values).Draw(t, name)
	}
	kind := ""
	if s.Types != nil {
		kind = rapid.SampledFrom(s.Types.ToStrings()).Draw(t, name+" type")
	}
	switch kind {
	case "null":
		return nil
	case "boolean":
		return rapid.Bool().Draw(t, name)
	case "integer", "number":
		return v.number(t, s, name, edges)
	case "string":
		return v.text(t, s, name, edges)
	case "array":
		return v.array(t, s, name, edges)
	case "object":
		return v.object(t, s, name, edges)
	}
	// Anything goes: the body of another command, say.
	return rapid.SampledFrom([]any{map[string]any{}, map[string]any{"name": "Goal"}, "text", 1, nil, []any{}}).Draw(t, name)
}

func resolved(t *rapid.T, s *jsonschema.Schema) *jsonschema.Schema {
	for s.Ref != nil {
		s = s.Ref
	}
	if s.AllOf != nil || s.AnyOf != nil || s.OneOf != nil || s.Not != nil || s.If != nil || s.PatternProperties != nil ||
		s.PrefixItems != nil || s.Contains != nil || s.DependentRequired != nil || s.DependentSchemas != nil || s.MultipleOf != nil {
		t.Fatalf("%s: the generator does not know a keyword of this schema", s.Location)
	}
	return s
}

func (v Values) number(t *rapid.T, s *jsonschema.Schema, name string, edges bool) any {
	low, high := int64(-1_000_000), int64(1_000_000)
	if s.Minimum != nil {
		low = whole(s.Minimum)
		high = max(high, low)
	}
	if s.Maximum != nil {
		high = whole(s.Maximum)
		low = min(low, high)
	}
	if edges {
		return rapid.SampledFrom([]int64{low, high}).Draw(t, name)
	}
	return rapid.Int64Range(low, high).Draw(t, name)
}

func whole(r *big.Rat) int64 { return new(big.Int).Quo(r.Num(), r.Denom()).Int64() }

// runes are letters and what is easily broken on the way: quotes, escapes,
// controls, combining and invisible characters, what needs surrogates in JSON.
var runes = []rune("abcXYZ 019.,:-_/\\\"'<>&{}[]%$\n\t\u007f\u0085éßçµ\u0301\u200b\u202e\u2028\u2029\ufeff\ufffd中あ😀𝒳")

func (v Values) text(t *rapid.T, s *jsonschema.Schema, name string, edges bool) any {
	known, free := v[name], v[""]
	if len(known) > 0 && (len(free) > 0 || rapid.Bool().Draw(t, name+" known")) {
		return rapid.SampledFrom(known).Draw(t, name)
	}
	if len(free) > 0 && s.Pattern == nil && s.Format == nil {
		return rapid.SampledFrom(free).Draw(t, name)
	}
	least, longest := 0, 40
	if s.MinLength != nil {
		least = *s.MinLength
	}
	if s.MaxLength != nil {
		longest = min(longest, *s.MaxLength)
		if edges {
			longest = *s.MaxLength
		}
	}
	longest = max(longest, least)
	switch {
	case s.Pattern != nil:
		expression := s.Pattern.String()
		if _, err := syntax.Parse(expression, syntax.Perl); err != nil {
			t.Fatalf("%s: %v", s.Location, err)
		}
		return rapid.StringMatching(expression).Filter(func(text string) bool {
			n := len([]rune(text))
			return n >= least && (s.MaxLength == nil || n <= *s.MaxLength) && (s.Format == nil || s.Format.Validate(text) == nil)
		}).Draw(t, name)
	case s.Format != nil:
		return formatted(t, s.Format.Name, name, edges)
	case edges:
		n := rapid.SampledFrom([]int{least, longest}).Draw(t, name+" length")
		return strings.Repeat(string(rapid.SampledFrom(runes).Draw(t, name)), n)
	}
	return rapid.StringOfN(rapid.SampledFrom(runes), least, longest, -1).Draw(t, name)
}

func formatted(t *rapid.T, format, name string, edges bool) string {
	switch format {
	case "date":
		if edges {
			return rapid.SampledFrom([]string{"2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31"}).Draw(t, name)
		}
		return rapid.SampledFrom([]string{"2025-01-01", "2025-12-31", "2026-06-30"}).Draw(t, name)
	case "date-time":
		if edges { // a leap second, and small letters, are in RFC 3339 but not in Go
			return rapid.SampledFrom([]string{
				"2025-06-30T23:59:59.999999999+14:00", "2016-12-31T23:59:60Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01t00:00:00z",
			}).Draw(t, name)
		}
		return rapid.SampledFrom([]string{"2025-01-01T00:00:00Z", "2025-06-30T12:30:00.123456+02:00"}).Draw(t, name)
	case "uuid":
		return rapid.StringMatching(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).Draw(t, name)
	case "uri", "uri-reference":
		return rapid.SampledFrom([]string{"https://example.org/a?b=c#d", "urn:uuid:0198c0de-0000-7000-8000-00000000000a"}).Draw(t, name)
	}
	t.Fatalf("the generator does not know the format %q", format)
	return ""
}

func (v Values) array(t *rapid.T, s *jsonschema.Schema, name string, edges bool) any {
	least, longest := 0, 3
	if s.MinItems != nil {
		least = *s.MinItems
	}
	if s.MaxItems != nil {
		longest = min(longest, *s.MaxItems)
		if edges {
			longest = min(most, *s.MaxItems)
		}
	}
	longest = max(longest, least)
	n := rapid.IntRange(least, longest).Draw(t, name+" items")
	if edges {
		n = rapid.SampledFrom([]int{least, longest}).Draw(t, name+" items")
	}
	items := s.Items2020
	if items == nil {
		items, _ = s.Items.(*jsonschema.Schema)
	}
	list := make([]any, 0, n)
	for range n {
		item := any("item")
		if items != nil {
			item = v.Draw(t, items, name, edges)
		}
		if !s.UniqueItems || !slices.ContainsFunc(list, func(other any) bool { return fmt.Sprint(other) == fmt.Sprint(item) }) {
			list = append(list, item)
		}
	}
	return list
}

func (v Values) object(t *rapid.T, s *jsonschema.Schema, name string, edges bool) any {
	members := map[string]any{}
	least, longest := 0, 100
	if s.MinProperties != nil {
		least = *s.MinProperties
	}
	if s.MaxProperties != nil {
		longest = *s.MaxProperties
	}
	for _, member := range s.Required {
		members[member] = v.Draw(t, s.Properties[member], member, edges)
	}
	all := !edges || rapid.Bool().Draw(t, name+" with all members")
	optional := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Properties)), func(m string) bool { return slices.Contains(s.Required, m) })
	if len(optional) > 0 {
		optional = rapid.Permutation(optional).Draw(t, name+" order")
	}
	for i, member := range optional {
		needed := len(members)+len(optional)-i <= least // "at least one of these"
		if len(members) < longest && (needed || all && (edges || rapid.Bool().Draw(t, name+" with "+member))) {
			members[member] = v.Draw(t, s.Properties[member], member, edges)
		}
	}
	if free, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		for n := rapid.IntRange(least, min(longest, least+2, most)).Draw(t, name+" members"); len(members) < n; {
			key := rapid.StringMatching(`[a-z]{1,8}`).Draw(t, name+" member")
			if s.PropertyNames != nil {
				key = v.propertyName(t, s.PropertyNames)
			}
			members[key] = v.Draw(t, free, key, edges)
		}
	}
	return members
}

// propertyName draws a name for a member that the schema does not list. Schemas
// of names do not repeat that a name is text.
func (v Values) propertyName(t *rapid.T, s *jsonschema.Schema) string {
	for s.Ref != nil {
		s = s.Ref
	}
	name, _ := v.text(t, s, "", false).(string)
	return name
}
