package resttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// Mutate changes one place of a value that a schema accepts into one that it
// probably does not: another type, a member more or less, in other letters, too
// long, null.
func Mutate(t *rapid.T, value any) any {
	paths := places(value, nil)
	at := rapid.SampledFrom(paths).Draw(t, "place")
	return replace(value, at, func(old any) any {
		if members, ok := old.(map[string]any); ok && len(members) > 0 && rapid.Bool().Draw(t, "members") {
			return mutateMembers(t, members)
		}
		if list, ok := old.([]any); ok && len(list) > 0 && rapid.Bool().Draw(t, "items") {
			return append(slices.Clone(list), list[0], nil)
		}
		return rapid.SampledFrom([]any{
			nil, true, false, 0, -1, 1.5, 9007199254740993, json.Number("1e300"), "", " ", "x", strings.Repeat("x", 20_000), strings.Repeat("ü", 2001),
			"0198c0de-0000-7000-8000-00000000000A", "2025-02-30", "NaN", "1e999999", "-0", "\u202e", "../../etc/passwd", "'; DROP TABLE events; --",
			[]any{},
			[]any{nil},
			[]any{[]any{}},
			map[string]any{},
			map[string]any{"": ""},
			map[string]any{"__proto__": map[string]any{}},
		}).Draw(t, "value")
	})
}

func mutateMembers(t *rapid.T, members map[string]any) any {
	members = maps.Clone(members)
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(members))).Draw(t, "member")
	switch rapid.IntRange(0, 4).Draw(t, "change") {
	case 0:
		delete(members, name)
	case 1:
		members[strings.ToUpper(name)] = members[name]
		delete(members, name)
	case 2:
		members[strings.ToUpper(name[:min(1, len(name))])+name[min(1, len(name)):]] = "other letters"
	case 3: // what only the service sets
		members[rapid.SampledFrom([]string{
			"organizationId", "position", "recordedAt", "actor", "version", "id", "roles", "sealed", "importId", "authorizedBy", "tenantId",
		}).Draw(t, "forbidden")] = "0198c0de-0000-7000-8000-00000000000a"
	case 4:
		members[name] = map[string]any{name: members[name]}
	}
	return members
}

// places are the paths to every node of a value, in a fixed order.
func places(v any, at []any) (all [][]any) {
	all = append(all, slices.Clone(at))
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, places(v[name], append(slices.Clone(at), name))...)
		}
	case []any:
		for i := range v {
			all = append(all, places(v[i], append(slices.Clone(at), i))...)
		}
	}
	return all
}

// replace gives a copy of v that differs at one place.
func replace(v any, at []any, with func(any) any) any {
	if len(at) == 0 {
		return with(v)
	}
	switch v := v.(type) {
	case map[string]any:
		c := maps.Clone(v)
		name, _ := at[0].(string)
		c[name] = replace(v[name], at[1:], with)
		return c
	case []any:
		c := slices.Clone(v)
		i, _ := at[0].(int)
		c[i] = replace(v[i], at[1:], with)
		return c
	}
	return v
}

// NoValues stand where a value stands in JSON and are none, or two readers take
// them differently.
var NoValues = []string{
	`1e999`, `-1e999`, `1E400`, `NaN`, `Infinity`, `0x10`, `01`, `.5`, `1.`, `+1`, `'text'`, `undefined`, `True`, `nul`, ``,
	`"\ud800"`, `"\udc00\ud800"`, `"a\u0000b"`, "\"a\x00b\"", "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"line\nbreak\"", `"\x41"`, `"open`,
	`[1,]`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `{"a":1,"a":2}`, `{"a":{"b":1,"\u0062":2}}`, `/* comment */ 1`, `1 // comment`, `9223372036854775808 1`,
}

// Wreck turns JSON text into what no careful reader takes, and says how. What it
// gives must be refused, and never with our failure.
func Wreck(t *rapid.T, value any) (body, how string) {
	switch how = rapid.SampledFrom([]string{
		"a value", "BOM", "garbage behind", "two texts", "cut", "a member twice", "deep arrays", "deep objects", "deep in a member", "large", "nothing", "UTF-16", "a NUL",
	}).Draw(t, "how"); how {
	case "a value":
		const mark = "\u0001here\u0001"
		at := rapid.SampledFrom(places(value, nil)).Draw(t, "place")
		text := encode(t, replace(value, at, func(any) any { return mark }))
		bad := rapid.SampledFrom(NoValues).Draw(t, "text")
		return strings.Replace(text, encode(t, mark), bad, 1), fmt.Sprintf("%.20q at %v", bad, at)
	case "BOM":
		return "\ufeff" + encode(t, value), how
	case "garbage behind":
		return encode(t, value) + rapid.SampledFrom([]string{"x", "}", "]", ",", "null", "\x00", "\u00a0"}).Draw(t, "garbage"), how
	case "two texts":
		return encode(t, value) + encode(t, value), how
	case "cut":
		text := encode(t, value)
		if len(text) < 3 {
			return "{", how
		}
		return text[:rapid.IntRange(1, len(text)-1).Draw(t, "length")], how
	case "a member twice":
		text := encode(t, value)
		name := rapid.SampledFrom([]string{`"reason"`, `"\u0072eason"`}).Draw(t, "name")
		if !strings.HasPrefix(text, "{") || text == "{}" {
			return `{"reason":"a",` + name + `:"b"}`, how
		}
		first, _, _ := strings.Cut(text[1:], ":")
		return "{" + first + ":null," + text[1:], how
	case "deep arrays":
		return strings.Repeat("[", 100_000), how
	case "deep objects":
		return strings.Repeat(`{"a":`, 5_000) + "1" + strings.Repeat("}", 5_000), how
	case "deep in a member":
		return `{"reason":` + strings.Repeat(`[`, 33) + strings.Repeat(`]`, 33) + `}`, how
	case "large":
		return `{"reason":"` + strings.Repeat("x", 1<<20) + `"}`, how
	case "UTF-16":
		return "\xff\xfe{\x00}\x00", how
	case "a NUL":
		return encode(t, value) + "\x00", how
	}
	return "", how
}

func encode(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// HeaderValues are what a client may put into any header, if its library lets it.
var HeaderValues = []string{
	"", " ", "x", "a\r\nX-Injected: yes", "a\nb", "\x00", "\x1b[31m", "é", "\xff", `"`, `""`, `"\"`, "*", `W/"7"`, `"7"`, `"-1"`, `"9223372036854775808"`,
	"9223372036854775808", "-1", "1e3", "return=minimal", "wait=99999999999999999999", "wait=-1", `wait="`, "respond-async", ",,,;;;===",
	strings.Repeat("x", 300), strings.Repeat("a,", 500), "application/json", "text/html;q=NaN", "*/*;q=0", "gzip, deflate, br", "bytes=0-1", "{}",
}
