package cloudevents_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/gowebpki/jcs"
	"pgregory.net/rapid"

	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/eventlog"
)

// example is the event that docs/events.md shows.
func example(t testing.TB) eventlog.Event {
	t.Helper()
	meta, err := eventlog.Metadata{
		Actor:         eventlog.Actor{Kind: eventlog.Person, ID: "member-7", Roles: []string{"editor"}},
		Origin:        eventlog.Origin{Kind: "api"},
		CommandID:     uuid.MustParse("0198c0de-0000-7000-8000-00000000000c"),
		CorrelationID: "0198c0de-0000-7000-8000-00000000000d",
		TraceParent:   "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return eventlog.Event{
		Position:             42,
		OrganizationID:       uuid.MustParse("0198c0de-0000-7000-8000-00000000000a"),
		OrganizationSequence: 17,
		StreamID:             "strategy-0198c0de-0000-7000-8000-00000000000b",
		Version:              3,
		ID:                   uuid.MustParse("0198c0de-0000-7000-8000-00000000000e"),
		Type:                 "strategy.goal-added",
		SchemaVersion:        1,
		Data:                 []byte(`{"goalId":"0198c0de-0000-7000-8000-00000000000f","name":"Digital skills"}`),
		Metadata:             meta,
		CommandID:            uuid.MustParse("0198c0de-0000-7000-8000-00000000000c"),
		CommandHash:          bytes.Repeat([]byte{0xab}, 32),
		RecordedAt:           time.Date(2026, 11, 21, 18, 30, 0, 123456000, time.UTC),
	}
}

func encoder(t testing.TB) *cloudevents.Encoder {
	t.Helper()
	enc, err := cloudevents.New(cloudevents.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

func TestDocumentIsThisOne(t *testing.T) {
	e := example(t)
	doc, attributes, err := encoder(t).Encode(&e)
	if err != nil {
		t.Fatal(err)
	}
	hash := eventlog.LeafHash(&e)
	want := `{"authid":"member-7","authtype":"app_user","correlationid":"0198c0de-0000-7000-8000-00000000000d",` +
		`"data":{"goalId":"0198c0de-0000-7000-8000-00000000000f","name":"Digital skills"},` +
		`"datacontenttype":"application/json","dataschema":"https://strata.local/v1/schemas/strategy.goal-added.v1.json",` +
		`"id":"0198c0de-0000-7000-8000-00000000000e","leafhash":"` + hex.EncodeToString(hash[:]) + `",` +
		`"organizationsequence":"17","partitionkey":"strategy-0198c0de-0000-7000-8000-00000000000b",` +
		`"recordedtime":"2026-11-21T18:30:00.123456Z","sequence":"00000000000000000042",` +
		`"source":"https://strata.local/orgs/0198c0de-0000-7000-8000-00000000000a","specversion":"1.0","streamversion":"3",` +
		`"subject":"strategies/0198c0de-0000-7000-8000-00000000000b","time":"2026-11-21T18:30:00.123456Z",` +
		`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","type":"dev.strata.strategy.goal-added.v1"}`
	if diff := cmp.Diff(want, string(doc)); diff != "" {
		t.Error(diff)
	}
	wantAttributes := cloudevents.Attributes{
		ID: "0198c0de-0000-7000-8000-00000000000e", Source: "https://strata.local/orgs/0198c0de-0000-7000-8000-00000000000a",
		Type: "dev.strata.strategy.goal-added.v1", Subject: "strategies/0198c0de-0000-7000-8000-00000000000b",
		Time: "2026-11-21T18:30:00.123456Z", CorrelationID: "0198c0de-0000-7000-8000-00000000000d",
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", RoutingKey: "strategy.goal-added.v1",
	}
	if diff := cmp.Diff(wantAttributes, attributes); diff != "" {
		t.Error(diff)
	}
}

// What was recorded after a restore says in which history of the log it was.
func TestDocumentsOfLaterEpochsSaySo(t *testing.T) {
	epochs, err := eventlog.NewEpochs([]eventlog.Epoch{{Number: 2, First: 41, RestoredTo: 40}, {Number: 3, First: 42, RestoredTo: 41}})
	if err != nil {
		t.Fatal(err)
	}
	enc, err := cloudevents.New(cloudevents.Options{Epochs: epochs})
	if err != nil {
		t.Fatal(err)
	}
	for position, want := range map[int64]int{1: 1, 40: 1, 41: 2, 42: 3, 99: 3} {
		e := example(t)
		e.Position = position
		doc, err := enc.Append(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := jcs.Transform(doc)
		if err != nil || !bytes.Equal(canonical, doc) {
			t.Errorf("not canonical, %v:\n%s", err, doc)
		}
		if said := bytes.Contains(doc, []byte(`"epoch":"`+strconv.Itoa(want)+`"`)); said != (want > 1) {
			t.Errorf("position %d is of epoch %d:\n%s", position, want, doc)
		}
		if m, err := cloudevents.Decode(doc); err != nil || m.Epoch != want {
			t.Errorf("position %d comes back as of epoch %d, %v; want %d", position, m.Epoch, err, want)
		}
	}
}

func TestDocumentsAreCanonicalAndComeBack(t *testing.T) {
	enc := encoder(t)
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent(t)
		doc, err := enc.Append(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		canonical, err := jcs.Transform(doc)
		if err != nil {
			t.Fatalf("not JSON: %v\n%s", err, doc)
		}
		if !bytes.Equal(canonical, doc) {
			t.Fatalf("not canonical:\n%s\n%s", doc, canonical)
		}
		got, err := cloudevents.Decode(doc)
		if err != nil {
			t.Fatal(err)
		}
		meta, err := eventlog.DecodeMetadata(e.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		hash := eventlog.LeafHash(&e)
		occurred := e.RecordedAt
		if meta.OccurredAt != nil {
			occurred = *meta.OccurredAt
		}
		want := cloudevents.Message{
			ID: e.ID, Source: "https://strata.local/orgs/" + e.OrganizationID.String(), OrganizationID: e.OrganizationID,
			Type: "dev.strata." + cloudevents.RoutingKey(&e), Name: e.Type, SchemaVersion: e.SchemaVersion,
			Subject: got.Subject, Time: occurred, RecordedAt: e.RecordedAt, Epoch: 1,
			Position: e.Position, OrganizationSequence: e.OrganizationSequence, StreamID: e.StreamID, StreamVersion: e.Version,
			CorrelationID: meta.CorrelationID, CausationID: meta.CausationID,
			AuthType: map[eventlog.ActorKind]string{eventlog.Person: "app_user", eventlog.SourceSystem: "service_account", eventlog.SystemProcess: "system"}[meta.Actor.Kind],
			AuthID:   meta.Actor.ID, TraceParent: meta.TraceParent,
			DataSchema: "https://strata.local/v1/schemas/" + cloudevents.RoutingKey(&e) + ".json",
			LeafHash:   hash[:], Data: e.Data,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		prefixed, err := enc.Append([]byte("before"), &e)
		if err != nil || string(prefixed) != "before"+string(doc) {
			t.Fatalf("Append does not append: %v", err)
		}
		_, attributes, err := enc.Encode(&e)
		if err != nil {
			t.Fatal(err)
		}
		if attributes.TraceState != meta.TraceState || attributes.CorrelationID != meta.CorrelationID || attributes.Subject != got.Subject {
			t.Fatalf("attributes %+v differ from the metadata", attributes)
		}
	})
}

func anyEvent(t *rapid.T) eventlog.Event {
	text := rapid.String()
	id := rapid.Custom(func(t *rapid.T) uuid.UUID {
		return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
	})
	number := rapid.Int64Range(1, 1<<62)
	at := func(name string) time.Time {
		return time.UnixMicro(rapid.Int64Range(0, 4102444800000000).Draw(t, name)).UTC()
	}
	meta := eventlog.Metadata{
		Actor: eventlog.Actor{
			Kind: rapid.SampledFrom([]eventlog.ActorKind{eventlog.Person, eventlog.SourceSystem, eventlog.SystemProcess}).Draw(t, "kind"),
			ID:   text.Draw(t, "actor"), Roles: rapid.SliceOf(text).Draw(t, "roles"),
		},
		Origin:        eventlog.Origin{Kind: text.Draw(t, "origin")},
		CommandID:     id.Draw(t, "command"),
		CausationID:   text.Draw(t, "causation"),
		CorrelationID: text.Draw(t, "correlation"),
		TraceParent:   text.Draw(t, "traceparent"),
		TraceState:    text.Draw(t, "tracestate"),
		Reason:        text.Draw(t, "reason"),
		PolicyVersion: rapid.IntRange(0, 9).Draw(t, "policy"),
	}
	if rapid.Bool().Draw(t, "has occurred") {
		occurred := at("occurred")
		meta.OccurredAt = &occurred
	}
	metadata, err := meta.Encode()
	if err != nil {
		t.Fatal(err)
	}
	data, err := eventlog.Canonical(map[string]any{
		text.Draw(t, "key"): text.Draw(t, "value"),
		"list":              rapid.SliceOf(text).Draw(t, "list"),
		"number":            rapid.IntRange(-1000, 1000).Draw(t, "number"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return eventlog.Event{
		Position: number.Draw(t, "position"), OrganizationID: id.Draw(t, "organization"), OrganizationSequence: number.Draw(t, "sequence"),
		StreamID: rapid.StringMatching(`(strategy|indicator|organization)-[0-9a-f]{8}`).Draw(t, "stream"), Version: number.Draw(t, "version"),
		ID: id.Draw(t, "id"), Type: rapid.StringMatching(`[a-z]{1,8}\.[a-z-]{1,8}`).Draw(t, "type"),
		SchemaVersion: rapid.IntRange(1, 20).Draw(t, "schema"), Data: data, Metadata: metadata, RecordedAt: at("recorded"),
	}
}

func TestUnusualNamesDoNotBreakTheDocument(t *testing.T) {
	e := example(t)
	e.StreamID, e.Type = "strat\"egy-\\\u00e9\u2028<", "a\"b.\x01"
	doc, err := encoder(t).Append(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := jcs.Transform(doc)
	if err != nil || !bytes.Equal(canonical, doc) {
		t.Fatalf("%v\n%s\n%s", err, doc, canonical)
	}
	m, err := cloudevents.Decode(doc)
	if err != nil || m.StreamID != e.StreamID || m.Name != e.Type {
		t.Errorf("came back as %q, %q, %v", m.StreamID, m.Name, err)
	}
}

func TestBrokenEventsAreRefused(t *testing.T) {
	for name, breakIt := range map[string]func(*eventlog.Event){
		"data":                 func(e *eventlog.Event) { e.Data = []byte(`{"a":`) },
		"no data":              func(e *eventlog.Event) { e.Data = nil },
		"no metadata":          func(e *eventlog.Event) { e.Metadata = nil },
		"metadata cut":         func(e *eventlog.Event) { e.Metadata = e.Metadata[:len(e.Metadata)-2] },
		"metadata no object":   func(e *eventlog.Event) { e.Metadata = []byte(`[1]`) },
		"no actor":             func(e *eventlog.Event) { e.Metadata = []byte(`{}`) },
		"actor unknown":        func(e *eventlog.Event) { e.Metadata = []byte(`{"actor":{"id":"x","kind":"ghost"}}`) },
		"actor id a number":    func(e *eventlog.Event) { e.Metadata = []byte(`{"actor":{"id":1,"kind":"person"}}`) },
		"string without end":   func(e *eventlog.Event) { e.Metadata = []byte(`{"actor":{"id":"x}}`) },
		"trailing comma":       func(e *eventlog.Event) { e.Metadata = []byte(`{"actor":{"id":"x","kind":"person"},}`) },
		"correlation a number": func(e *eventlog.Event) { e.Metadata = []byte(`{"actor":{"id":"x","kind":"person"},"correlationId":1}`) },
	} {
		e := example(t)
		breakIt(&e)
		dst, err := encoder(t).Append([]byte("kept"), &e)
		if err == nil || string(dst) != "kept" {
			t.Errorf("%s: %q, %v", name, dst, err)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"actor":{"id":"x","kind":"person"},"correlationId":"c"}`))
	f.Add([]byte(`{"actor":{"id":"\\","kind":"person"},"a":[{"b":"]"}]}`))
	enc := encoder(f)
	f.Fuzz(func(t *testing.T, metadata []byte) {
		canonical, err := jcs.Transform(metadata)
		if err != nil {
			return // never stored
		}
		e := example(t)
		e.Metadata = canonical
		doc, err := enc.Append(nil, &e)
		if err == nil && !json.Valid(doc) {
			t.Errorf("metadata %s makes %s", canonical, doc)
		}
	})
}

func TestForeignBodiesAreNotOurs(t *testing.T) {
	e := example(t)
	doc, err := encoder(t).Append(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		"", "{}", "[]", `"x"`,
		strings.Replace(string(doc), `"1.0"`, `"2.0"`, 1),
		strings.Replace(string(doc), "dev.strata.", "dev.other.", 1),
		strings.Replace(string(doc), `"00000000000000000042"`, `"x"`, 1),
	} {
		if m, err := cloudevents.Decode([]byte(body)); err == nil {
			t.Errorf("%.60q was taken for %+v", body, m)
		}
	}
}

func TestInstanceMustBeAHost(t *testing.T) {
	for _, bad := range []string{"a/b", "https://x", "a b", `"`, "ü"} {
		if _, err := cloudevents.New(cloudevents.Options{Instance: bad}); err == nil {
			t.Errorf("instance %q was accepted", bad)
		}
	}
	if _, err := cloudevents.New(cloudevents.Options{Instance: "strata.example.org:8443"}); err != nil {
		t.Error(err)
	}
}

func BenchmarkEncode(b *testing.B) {
	enc, e := encoder(b), example(b)
	e.Data = []byte(`{"note":"` + strings.Repeat("x", 560) + `"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := enc.Encode(&e); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTheDocumentedBodyIsReal compares the body in docs/events.md with what is sent.
func TestTheDocumentedBodyIsReal(t *testing.T) {
	text, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```json\n")
	block, _, found := strings.Cut(block, "```")
	documented, err := jcs.Transform([]byte(block))
	if !found || err != nil {
		t.Fatalf("no JSON example in docs/events.md: %v", err)
	}
	e := example(t)
	doc, err := encoder(t).Append(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(doc), string(documented)); diff != "" {
		t.Errorf("docs/events.md shows another body: %s", diff)
	}
}
