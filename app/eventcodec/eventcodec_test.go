package eventcodec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/strategy"
)

func golden(t testing.TB, typ string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", typ+".v1.json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestGoldenBodies: what was written once is read, and written again as it was.
func TestGoldenBodies(t *testing.T) {
	for _, typ := range eventcodec.Types() {
		t.Run(typ, func(t *testing.T) {
			body := golden(t, typ)
			event, err := eventcodec.Decode(typ, 1, body)
			if err != nil {
				t.Fatal(err)
			}
			if kind := reflect.TypeOf(event).Kind(); kind != reflect.Struct {
				t.Errorf("decoded to a %v, want a struct by value", kind)
			}
			validate(t, compiled(t, typ, true), body)
			gotType, schema, again, err := eventcodec.Encode(event)
			if err != nil {
				t.Fatal(err)
			}
			if gotType != typ || schema != 1 || schema != eventcodec.Schema(typ) {
				t.Errorf("encoded as %s schema %d", gotType, schema)
			}
			if !bytes.Equal(body, again) {
				t.Errorf("re-encoded differently:\n%s", cmp.Diff(string(body), string(again)))
			}
		})
	}
}

// TestNoStrayFiles: bodies and schemas are there for the types of the table, and for nothing else.
func TestNoStrayFiles(t *testing.T) {
	for _, dir := range []string{"testdata", schemas} {
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, f := range files {
			types = append(types, strings.TrimSuffix(filepath.Base(f), ".v1.json"))
		}
		slices.Sort(types)
		if diff := cmp.Diff(eventcodec.Types(), types); diff != "" {
			t.Errorf("%s (-table +files):\n%s", dir, diff)
		}
	}
}

// TestEveryBodyOfASchemaSurvives: whatever the contract allows is read and
// written again byte for byte.
func TestEveryBodyOfASchemaSurvives(t *testing.T) {
	for _, typ := range eventcodec.Types() {
		t.Run(typ, func(t *testing.T) {
			doc, valid := schemaOf(t, typ), compiled(t, typ, true)
			rapid.Check(t, func(t *rapid.T) {
				body, err := eventlog.Canonical(instance(t, doc, doc))
				if err != nil {
					t.Fatal(err)
				}
				validate(t, valid, body)
				event, err := eventcodec.Decode(typ, 1, body)
				if err != nil {
					t.Fatalf("%s: %v", body, err)
				}
				_, _, again, err := eventcodec.Encode(event)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(body, again) {
					t.Fatalf("re-encoded differently:\n%s", cmp.Diff(string(body), string(again)))
				}
			})
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := golden(t, "strategy.goal-added")
	for _, c := range []struct {
		name   string
		typ    string
		schema int
		body   string
		want   error
	}{
		{"an unknown type", "strategy.sold", 1, "{}", eventcodec.ErrUnknown},
		{"a Go name", "strategy.GoalAdded", 1, string(good), eventcodec.ErrUnknown},
		{"a later schema", "strategy.goal-added", 2, string(good), eventcodec.ErrUnknown},
		{"schema 0", "strategy.goal-added", 0, string(good), eventcodec.ErrUnknown},
		{"nothing", "strategy.goal-added", 1, "", eventcodec.ErrMalformed},
		{"null", "strategy.goal-added", 1, "null", eventcodec.ErrMalformed},
		{"a list", "strategy.goal-added", 1, "[]", eventcodec.ErrMalformed},
		{"half a body", "strategy.goal-added", 1, string(good[:len(good)/2]), eventcodec.ErrMalformed},
		{"a body and a half", "strategy.goal-added", 1, string(good) + "{}", eventcodec.ErrMalformed},
		{"another kind of member", "strategy.goal-added", 1, `{"goalId":7}`, eventcodec.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			event, err := eventcodec.Decode(c.typ, c.schema, []byte(c.body))
			if !errors.Is(err, c.want) || event != nil {
				t.Errorf("got %v and %v, want %v", event, err, c.want)
			}
		})
	}
}

func TestDecodeToleratesMembersOfNewerReleases(t *testing.T) {
	event, err := eventcodec.Decode("strategy.revision-withdrawn", 1, []byte(`{"future":[1],"reason":"r","revision":2}`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strategy.RevisionWithdrawn{Revision: 2, Reason: "r"}, event); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeRefusesWhatHasNoName(t *testing.T) {
	for _, v := range []any{nil, 7, &strategy.GoalAdded{}, struct{}{}} {
		if _, _, _, err := eventcodec.Encode(v); !errors.Is(err, eventcodec.ErrUnknown) {
			t.Errorf("%T: got %v, want %v", v, err, eventcodec.ErrUnknown)
		}
	}
}

func TestADoubleRegistrationStopsTheProcess(t *testing.T) {
	type one struct{}
	type two struct{}
	for name, rows := range map[string][]eventcodec.Row{
		"a name twice": {eventcodec.Of[one]("a.b"), eventcodec.Of[two]("a.b")},
		"a type twice": {eventcodec.Of[one]("a.b"), eventcodec.Of[one]("a.c")},
		"no name":      {eventcodec.Of[one]("")},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the table was built")
				}
			}()
			eventcodec.New(rows...)
		})
	}
}

// moved is an event in its third schema: 1 had one name, 2 first and last, 3
// keeps a number as text.
type moved struct {
	First  string `json:"first"`
	Last   string `json:"last"`
	Amount string `json:"amount"`
}

func TestOldBodiesAreBroughtUpToDate(t *testing.T) {
	codec := eventcodec.New(eventcodec.Of[moved]("test.moved",
		func(body map[string]json.RawMessage) error {
			var name string
			if err := json.Unmarshal(body["name"], &name); err != nil {
				return err
			}
			first, last, _ := strings.Cut(name, " ")
			delete(body, "name")
			body["first"], body["last"] = json.RawMessage(fmt.Sprintf("%q", first)), json.RawMessage(fmt.Sprintf("%q", last))
			return nil
		},
		func(body map[string]json.RawMessage) error {
			body["amount"] = json.RawMessage(`"` + string(body["amount"]) + `"`)
			return nil
		}))
	if codec.Schema("test.moved") != 3 {
		t.Fatalf("schema %d, want 3", codec.Schema("test.moved"))
	}
	want := moved{"Ada", "Lovelace", "9007199254740993"} // beyond what a float64 holds
	for schema, body := range map[int]string{
		1: `{"amount":9007199254740993,"name":"Ada Lovelace"}`,
		2: `{"amount":9007199254740993,"first":"Ada","last":"Lovelace"}`,
		3: `{"amount":"9007199254740993","first":"Ada","last":"Lovelace"}`,
	} {
		got, err := codec.Decode("test.moved", schema, []byte(body))
		if err != nil {
			t.Errorf("schema %d: %v", schema, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("schema %d:\n%s", schema, diff)
		}
	}
	if _, err := codec.Decode("test.moved", 1, []byte(`{"name":7}`)); !errors.Is(err, eventcodec.ErrMalformed) {
		t.Errorf("a body that cannot be brought up to date: %v", err)
	}
	if _, _, body, err := codec.Encode(want); err != nil || string(body) != `{"amount":"9007199254740993","first":"Ada","last":"Lovelace"}` {
		t.Errorf("encoded %s, %v", body, err)
	}
}

// BenchmarkDecode goes through the most frequent events of a real log.
func BenchmarkDecode(b *testing.B) {
	for _, typ := range []string{"indicator.measurement-recorded", "indicator.target-set", "strategy.objective-added", "indicator.health-changed"} {
		body := golden(b, typ)
		b.Run(typ, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := eventcodec.Decode(typ, 1, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	event, err := eventcodec.Decode("indicator.measurement-recorded", 1, golden(b, "indicator.measurement-recorded"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := eventcodec.Encode(event); err != nil {
			b.Fatal(err)
		}
	}
}
