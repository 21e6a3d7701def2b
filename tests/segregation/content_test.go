package segregation

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// content is the content of a plan as its events say, in their own JSON.
type content struct {
	frame    map[string]any
	elements []element // goals and objectives; the order within their kind is theirs
}

type element struct {
	id      string
	goal    bool
	fields  map[string]any
	retired bool
}

func (c *content) clone() content {
	d := content{frame: maps.Clone(c.frame), elements: slices.Clone(c.elements)}
	for i := range d.elements {
		d.elements[i].fields = maps.Clone(d.elements[i].fields)
	}
	return d
}

func (c *content) setFrame(field string, value any) {
	c.frame = maps.Clone(c.frame)
	if c.frame == nil {
		c.frame = map[string]any{}
	}
	switch field {
	case "periodStart", "periodEnd":
		p := maps.Clone(object(c.frame["period"]))
		if p == nil {
			p = map[string]any{}
		}
		p[map[string]string{"periodStart": "start", "periodEnd": "end"}[field]] = value
		c.frame["period"] = p
	default:
		c.frame[field] = value
	}
}

// set changes a field of an element. An objective that moves is the last of its
// new goal.
func (c *content) set(id, field string, value any) {
	i := slices.IndexFunc(c.elements, func(e element) bool { return e.id == id })
	if i < 0 {
		return
	}
	e := c.elements[i]
	e.fields = maps.Clone(e.fields)
	e.fields[field] = value
	if field == "goalId" {
		c.elements = append(slices.Delete(slices.Clone(c.elements), i, i+1), e)
		return
	}
	c.elements[i] = e
}

func (c *content) retire(ids []string) {
	for i, e := range c.elements {
		if slices.Contains(ids, e.id) {
			c.elements[i].retired = true
		}
	}
}

// hash repeats the content hash from its description: lengths in eight bytes
// before texts and lists, fields in their order, nothing sorted.
func (p *plan) hash(c content, digest string) string {
	var w encoder
	w.texts("strata.strategy.content.v1", p.id, p.documentType, p.replaces, digest)
	f := c.frame
	w.members(f, "name", "identifier", "description", "vision", "visionIdentifier", "mission", "missionIdentifier")
	w.list(f["values"], func(v map[string]any) { w.members(v, "name", "description") })
	w.list(f["organizations"], func(v map[string]any) {
		w.members(v, "name", "acronym", "identifier", "description")
		w.stakeholders(v["stakeholders"])
	})
	w.members(object(f["period"]), "start", "end")
	w.members(f, "otherInformation", "sourceUri", "publicationDate")
	goals := slices.DeleteFunc(slices.Clone(c.elements), func(e element) bool { return !e.goal || e.retired })
	w.number(len(goals))
	for _, g := range goals {
		w.texts(g.id)
		w.members(g.fields, "identifier", "sequence", "name", "description")
		w.stakeholders(g.fields["stakeholders"])
		w.members(g.fields, "otherInformation")
		objectives := slices.DeleteFunc(slices.Clone(c.elements), func(e element) bool {
			return e.goal || e.retired || text(e.fields["goalId"]) != g.id
		})
		w.number(len(objectives))
		for _, o := range objectives {
			w.texts(o.id)
			w.members(o.fields, "identifier", "sequence", "name", "description")
			w.stakeholders(o.fields["stakeholders"])
			w.members(o.fields, "otherInformation")
			w.list(o.fields["relationships"], func(r map[string]any) {
				w.members(r, "kind", "identifier")
				w.textList(r["referents"])
				w.members(r, "name", "description")
			})
		}
	}
	return w.sum()
}

// encoder appends the encoding that content hashes and digests share.
type encoder struct{ bytes []byte }

func (w *encoder) sum() string {
	sum := sha256.Sum256(w.bytes)
	return hex.EncodeToString(sum[:])
}

func (w *encoder) number(n int) { w.bytes = binary.BigEndian.AppendUint64(w.bytes, uint64(n)) }

func (w *encoder) texts(all ...string) {
	for _, t := range all {
		w.number(len(t))
		w.bytes = append(w.bytes, t...)
	}
}

func (w *encoder) members(of map[string]any, names ...string) {
	for _, n := range names {
		w.texts(text(of[n]))
	}
}

func (w *encoder) list(of any, each func(map[string]any)) {
	items := list(of)
	w.number(len(items))
	for _, i := range items {
		each(i)
	}
}

func (w *encoder) textList(of any) {
	all := texts(of)
	w.number(len(all))
	w.texts(all...)
}

func (w *encoder) stakeholders(of any) {
	w.list(of, func(s map[string]any) {
		w.members(s, "kind", "name", "description", "sealed")
		w.list(s["roles"], func(r map[string]any) {
			w.members(r, "name", "description")
			w.textList(r["types"])
		})
	})
}

// What is read of decoded JSON: absent members are empty.

func text(v any) string {
	s, _ := v.(string)
	return s
}

func number(v any) int {
	switch n := v.(type) {
	case float64:
		return int(n)
	case json.Number:
		i, _ := n.Int64()
		return int(i)
	}
	return 0
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []map[string]any {
	items, _ := v.([]any)
	all := make([]map[string]any, len(items))
	for i := range items {
		all[i] = object(items[i])
	}
	return all
}

func texts(v any) []string {
	items, _ := v.([]any)
	all := make([]string, len(items))
	for i := range items {
		all[i] = text(items[i])
	}
	return all
}

// fieldValue is what a change says a field has become: the one member of its content.
func fieldValue(v any) any {
	for _, value := range object(v) {
		return value
	}
	return nil
}

func parseTime(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) }
