package story

import (
	"encoding/json"
	"slices"

	"strata.dev/strata/tests/system"
)

// entry is a line of a history.
type entry struct {
	ID          string
	Position    int64 `json:",string"`
	Type        string
	ActorKind   string
	ActorID     string
	CausationID string
	StreamID    string
	Source      struct{ Kind, SourceID, MessageID, Channel, PayloadSHA256 string }
	Data        json.RawMessage
}

// history reads all that happened to something.
func (c *cast) history(path string) []entry {
	c.Helper()
	var page struct {
		Items      []entry
		NextCursor string
	}
	c.get("arlo", path+"?limit=200", &page)
	if page.NextCursor != "" {
		c.Fatalf("%s has more than one page", path)
	}
	return page.Items
}

// last is the last entry of a type.
func (c *cast) last(entries []entry, typ string) entry {
	c.Helper()
	for _, e := range slices.Backward(entries) {
		if e.Type == typ {
			return e
		}
	}
	c.Fatalf("there is no %s in the history", typ)
	return entry{}
}

// caused makes sure that one led to the next, all of them by the service itself
// but for the first.
func (c *cast) caused(chain ...entry) {
	c.Helper()
	for i, e := range chain[1:] {
		if e.CausationID != chain[i].ID || e.ActorKind != "process" || e.Position <= chain[i].Position {
			c.Errorf("%s at %d by %s %s is caused by %s, not by %s %s at %d",
				e.Type, e.Position, e.ActorKind, e.ActorID, e.CausationID, chain[i].Type, chain[i].ID, chain[i].Position)
		}
	}
}

// decode reads JSON.
func decode(raw json.RawMessage, v any) error { return json.Unmarshal(raw, v) }

// types are what happened, in order.
func types(entries []entry) (all []string) {
	for _, e := range entries {
		all = append(all, e.Type)
	}
	return all
}

// sawAll makes sure that another team got every event in order, and these in
// theirs.
func (c *cast) sawAll(consumer *system.Consumer, events ...entry) {
	c.Helper()
	log := c.system.Log(c)
	head := log[len(log)-1].Position
	consumer.Await(c, head, patience)
	deliveries := consumer.Deliveries(c)
	for _, v := range system.Check(system.Given(head), nil, log, deliveries) {
		c.Error(v)
	}
	at := -1
	for _, e := range events {
		place := slices.IndexFunc(deliveries, func(d system.Delivery) bool { return d.ID.String() == e.ID })
		if place <= at {
			c.Errorf("%s came as message %d, after message %d", e.Type, place, at)
		}
		at = place
	}
}
