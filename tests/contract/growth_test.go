package contract

import (
	"encoding/json"
	"strings"
	"testing"
)

const base = `{"type":"object","properties":{"id":{"type":"string"},"kind":{"type":"string","enum":["a","b"]},"inner":{"$ref":"#/$defs/inner"},
	"list":{"type":"array","items":{"$ref":"#/$defs/inner"}}},"required":["id","inner"],
	"$defs":{"inner":{"type":"object","description":"x","properties":{"n":{"type":"integer","minimum":1},"self":{"$ref":"#/$defs/inner"}},"required":["n"]}}}`

func parse(t *testing.T, text string) node {
	t.Helper()
	var n node
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return n
}

func TestWhatBreaksASchema(t *testing.T) {
	for name, c := range map[string]struct{ from, to, says string }{
		"nothing":                   {"", "", ""},
		"an optional member more":   {`{"id":`, `{"more":{"type":"string"},"id":`, ""},
		"another description":       {`"description":"x"`, `"description":"y"`, ""},
		"a definition inlined":      {`"inner":{"$ref":"#/$defs/inner"}`, `"inner":{"type":"object","properties":{"n":{"type":"integer","minimum":1},"self":{"$ref":"#/$defs/inner"}},"required":["n"]}`, ""},
		"a member gone":             {`"id":{"type":"string"},`, ``, "#: the member id is gone"},
		"a member of another type":  {`"id":{"type":"string"}`, `"id":{"type":"integer"}`, "#/id: type was string and is integer"},
		"a member required":         {`["id","inner"]`, `["id","inner","kind"]`, "#: the member kind is required"},
		"a member no longer there":  {`["id","inner"]`, `["inner"]`, "#: the member id was always there"},
		"a value more":              {`["a","b"]`, `["a","b","c"]`, "#/kind: enum was [a b] and is [a b c]"},
		"a value less":              {`["a","b"]`, `["a"]`, "#/kind: enum was"},
		"a bound, in a definition":  {`"minimum":1`, `"minimum":0`, "#/inner/n: minimum was 1 and is 0"},
		"a bound that was not":      {`"id":{"type":"string"}`, `"id":{"type":"string","minLength":1}`, "#/id: minLength was <nil> and is 1"},
		"items of another type":     {`"items":{"$ref":"#/$defs/inner"}`, `"items":{"type":"string"}`, "#/list/items: type was object and is string"},
		"a closed object":           {`"required":["id","inner"]`, `"required":["id","inner"],"additionalProperties":false`, "#: additionalProperties was <nil> and is false"},
		"a member below a new one ": {`"self":{"$ref":"#/$defs/inner"}`, `"self":{"type":"object"}`, "#/inner/self"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := base
			if c.from != "" {
				changed = strings.Replace(base, c.from, c.to, 1)
				if changed == base {
					t.Fatal("the case changes nothing")
				}
			}
			got := strings.Join(breaks(parse(t, base), parse(t, changed)), "\n")
			if c.says == "" && got != "" || !strings.Contains(got, c.says) {
				t.Errorf("found %q, want %q", got, c.says)
			}
		})
	}
}
