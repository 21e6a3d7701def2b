package verifier

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventlog"
)

var ids = rapid.Custom(func(t *rapid.T) uuid.UUID {
	return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
})

var words = rapid.StringMatching(`[!-~]{1,200}`)

// recorded is any event that the log may hold.
var recorded = rapid.Custom(func(t *rapid.T) eventlog.Event {
	number := rapid.Int64Range(1, 1<<62)
	e := eventlog.Event{
		Position: number.Draw(t, "position"), OrganizationSequence: number.Draw(t, "sequence"), Version: number.Draw(t, "version"),
		OrganizationID: ids.Draw(t, "organization"), ID: ids.Draw(t, "event"), StreamID: words.Draw(t, "stream"), Type: words.Draw(t, "type"),
		SchemaVersion: rapid.IntRange(1, 1<<31-1).Draw(t, "schema"),
		RecordedAt:    time.UnixMicro(rapid.Int64Range(0, 1<<52).Draw(t, "recorded")).UTC(),
	}
	for _, field := range []*[]byte{&e.Data, &e.Metadata} {
		body, err := eventlog.Canonical(map[string]string{"text": rapid.String().Draw(t, "text"), "<&>": "\u2028"})
		if err != nil {
			t.Fatal(err)
		}
		*field = body
	}
	if rapid.Bool().Draw(t, "first") {
		e.CommandID, e.CommandHash = uuid.UUID{1, 15: rapid.Byte().Draw(t, "command")}, rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash")
	}
	return e
})

// of converts without going through any encoding.
func of(e eventlog.Event) Event {
	return Event{
		Position: e.Position, Sequence: e.OrganizationSequence, Version: e.Version, Schema: int64(e.SchemaVersion),
		RecordedAt: e.RecordedAt.UnixMicro(), Organization: UUID(e.OrganizationID), ID: UUID(e.ID), CommandID: UUID(e.CommandID),
		Stream: e.StreamID, Type: e.Type, Data: e.Data, Metadata: e.Metadata, CommandHash: e.CommandHash,
	}
}

func TestLeafIsTheOneOfTheLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := recorded.Draw(t, "event")
		ours := of(e)
		if !bytes.Equal(ours.AppendLeaf(nil), eventlog.AppendLeaf(nil, &e)) {
			t.Error("other bytes")
		}
		if ours.Leaf() != eventlog.LeafHash(&e) {
			t.Error("another hash")
		}
		back, err := ParseLeaf(ours.AppendLeaf(nil))
		if err != nil || back.Leaf() != ours.Leaf() {
			t.Errorf("a leaf that was taken apart: %v", err)
		}
	})
}

// line is an exported event.
const line = `{"position":12,"organizationId":"0198c0de-0000-7000-8000-000000000001","organizationSequence":3,"streamId":"strategy-1","version":2,` +
	`"eventId":"0198c0de-0000-7000-8000-000000000002","type":"strategy.goal-added","schemaVersion":1,"commandId":"0198c0de-0000-7000-8000-000000000003",` +
	`"commandHash":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","recordedAt":"2026-11-22T03:54:45.123456Z",` +
	`"metadata":{"a":"}\"{"},"data":{"b":[1,{"c":null}],"d":"é"}}`

func TestParseEvent(t *testing.T) {
	e, err := ParseEvent([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	if e.Position != 12 || e.Sequence != 3 || e.Version != 2 || e.Stream != "strategy-1" || e.Type != "strategy.goal-added" ||
		string(e.Data) != `{"b":[1,{"c":null}],"d":"é"}` || string(e.Metadata) != `{"a":"}\"{"}` || len(e.CommandHash) != 32 ||
		e.Time().Format(time.RFC3339Nano) != "2026-11-22T03:54:45.123456Z" || e.CommandID.String() != "0198c0de-0000-7000-8000-000000000003" {
		t.Errorf("%+v", e)
	}
	if again, err := ParseEvent([]byte(strings.Replace(line, `"position":12`, ` "position" : "12"`, 1))); err != nil || again.Leaf() != e.Leaf() {
		t.Errorf("a number as a string, and space: %v", err)
	}
	for name, change := range map[string][2]string{
		"no JSON":                {`"data":{`, `"data":[`},
		"an array":               {line, `[` + line + `]`},
		"two objects":            {`"é"}}`, `"é"}}{}`},
		"a member twice":         {`"version":2`, `"version":2,"version":2`},
		"a member twice, hidden": {`"version":2`, `"version":2,"\u0076ersion":2`},
		"an unknown member":      {`"version":2`, `"version":2,"more":2`},
		"a missing member":       {`"version":2,`, ``},
		"a fraction":             {`"version":2`, `"version":2.0`},
		"a leading zero":         {`"version":2`, `"version":"02"`},
		"a negative":             {`"version":2`, `"version":-2`},
		"too large":              {`"version":2`, `"version":9223372036854775808`},
		"null":                   {`"version":2`, `"version":null`},
		"upper case":             {`0198c0de-0000-7000-8000-000000000001`, `0198C0DE-0000-7000-8000-000000000001`},
		"no UUID":                {`0198c0de-0000-7000-8000-000000000001`, `0198c0de000070008000000000000001`},
		"another time zone":      {`123456Z`, `123456+00:00`},
		"nanoseconds":            {`123456Z`, `1234567Z`},
		"no day":                 {`2026-11-22`, `2026-11-32`},
		"data that is no object": {`"data":{"b":[1,{"c":null}],"d":"é"}`, `"data":"x"`},
		"a hash too short":       {`1d1e1f`, `1d1e`},
		"a hash and no command":  {`"commandId":"0198c0de-0000-7000-8000-000000000003",`, ``},
		"a command and no hash":  {`"commandHash":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",`, ``},
		"an empty stream":        {`"streamId":"strategy-1"`, `"streamId":""`},
		"no UTF-8":               {`é`, "\xff"},
		"a line that is long":    {`é`, strings.Repeat("a", MaxLine)},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(line, change[0], change[1], 1)
			if changed == line {
				t.Fatal("nothing was changed")
			}
			if e, err := ParseEvent([]byte(changed)); err == nil {
				t.Errorf("it was taken: %+v", e)
			}
		})
	}
}

func TestParseLeafRefuses(t *testing.T) {
	e, err := ParseEvent([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	leaf := e.AppendLeaf(nil)
	for n := range leaf {
		if _, err := ParseLeaf(leaf[:n]); err == nil {
			t.Fatalf("%d of %d bytes were taken", n, len(leaf))
		}
	}
	if _, err := ParseLeaf(append(leaf, 0)); err == nil {
		t.Error("a byte too many was taken")
	}
}
