package contract

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// node is one JSON Schema, as text.
type node = map[string]any

// prose are keywords that readers see and validators do not.
var prose = []string{"title", "description", "examples", "$comment", "$id", "$schema", "$defs", "$ref"}

// breaks lists what makes the schema now another one than the schema was: stored
// events that would no longer be valid, or readers that would meet what they were
// told could not come. Optional members may be added, everything else stays.
func breaks(was, now node) []string {
	c := comparison{was: was, now: now, seen: map[[2]string]bool{}}
	c.compare("#", was, now)
	slices.Sort(c.found)
	return c.found
}

type comparison struct {
	was, now node
	seen     map[[2]string]bool // pairs of definitions under way: schemas may be recursive
	found    []string
}

func (c *comparison) add(at, format string, args ...any) {
	c.found = append(c.found, at+": "+fmt.Sprintf(format, args...))
}

func (c *comparison) compare(at string, was, now node) {
	refs := [2]string{ref(was), ref(now)}
	if refs[0] != "" || refs[1] != "" {
		if c.seen[refs] && refs[0] != "" && refs[1] != "" {
			return
		}
		c.seen[refs] = true
	}
	was, now = resolve(was, c.was), resolve(now, c.now)
	for _, keyword := range slices.Sorted(maps.Keys(union(was, now))) {
		a, b := was[keyword], now[keyword]
		switch {
		case slices.Contains(prose, keyword):
		case keyword == "properties":
			c.members(at, object(a), object(b))
		case keyword == "required":
			c.required(at, texts(a), texts(b))
		case isObject(a) && isObject(b):
			c.compare(at+"/"+keyword, object(a), object(b))
		case !reflect.DeepEqual(a, b):
			c.add(at, "%s was %v and is %v", keyword, a, b)
		}
	}
}

func (c *comparison) members(at string, was, now node) {
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if !isObject(now[name]) {
			c.add(at, "the member %s is gone", name)
			continue
		}
		c.compare(at+"/"+name, object(was[name]), object(now[name]))
	}
}

func (c *comparison) required(at string, was, now []string) {
	for _, name := range was {
		if !slices.Contains(now, name) {
			c.add(at, "the member %s was always there and is optional", name)
		}
	}
	for _, name := range now {
		if !slices.Contains(was, name) {
			c.add(at, "the member %s is required; events that are stored lack it", name)
		}
	}
}

func ref(n node) string {
	r, _ := n["$ref"].(string)
	return r
}

func resolve(n, doc node) node {
	if name, ok := strings.CutPrefix(ref(n), "#/$defs/"); ok {
		return object(object(doc["$defs"])[name])
	}
	return n
}

func isObject(v any) bool {
	_, ok := v.(node)
	return ok
}

func object(v any) node {
	n, _ := v.(node)
	return n
}

func texts(v any) []string {
	list, _ := v.([]any)
	out := make([]string, 0, len(list))
	for _, t := range list {
		out = append(out, fmt.Sprint(t))
	}
	return out
}

func union(a, b node) node {
	all := maps.Clone(a)
	if all == nil {
		all = node{}
	}
	maps.Copy(all, b)
	return all
}
