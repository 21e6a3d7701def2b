package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
)

const (
	schemas  = "../../api/schemas"
	bodies   = "../../app/eventcodec/testdata"
	released = "../../api/released"
)

// known are the names of all events of this release: "strategy.drafted.v1".
func known() []string {
	var all []string
	for _, typ := range eventcodec.Types() {
		for v := 1; v <= eventcodec.Schema(typ); v++ {
			all = append(all, fmt.Sprintf("%s.v%d", typ, v))
		}
	}
	return all
}

// files are the JSON files of a folder by their names without the ending.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s holds %d files: %v", dir, len(paths), err)
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(path), ".json")] = bytes.TrimSpace(body)
	}
	return found
}

func compile(t *testing.T, name string, text []byte) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return schema
}

// valid says whether the body satisfies the schema and is read by this release.
func valid(t *testing.T, name string, schema *jsonschema.Schema, body []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	typ, version, _ := strings.Cut(name, ".v")
	var n int
	if _, err := fmt.Sscan(version, &n); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	event, err := eventcodec.Decode(typ, n, body)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if n != eventcodec.Schema(typ) {
		return // brought up to date on the way: other bytes
	}
	_, _, again, err := eventcodec.Encode(event)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if want, err := eventlog.Canonical(json.RawMessage(body)); err != nil || !bytes.Equal(want, again) {
		t.Errorf("%s is read and written again as\n%s\nand was (%v)\n%s", name, again, err, want)
	}
}

func TestEveryEventHasASchemaAndABody(t *testing.T) {
	have, written := files(t, schemas), files(t, bodies)
	names := known()
	for kind, found := range map[string]map[string][]byte{"schema": have, "golden body": written} {
		if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(slices.Values(names)); !slices.Equal(got, want) {
			for _, name := range want {
				if found[name] == nil {
					t.Errorf("%s has no %s", name, kind)
				}
			}
			for _, name := range got {
				if !slices.Contains(want, name) {
					t.Errorf("a %s of %s, which this release does not know", kind, name)
				}
			}
		}
	}
	for _, name := range names {
		if have[name] == nil || written[name] == nil {
			continue // said above
		}
		var head struct {
			ID          string `json:"$id"`
			Description string `json:"description"`
		}
		if err := json.Unmarshal(have[name], &head); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := "https://strata.dev/schemas/" + name + ".json"; head.ID != want || head.Description == "" {
			t.Errorf("%s: $id %q, want %q, and a description (%q)", name, head.ID, want, head.Description)
		}
		valid(t, name, compile(t, name, have[name]), written[name])
	}
}

func TestReleasedSchemasOnlyGrow(t *testing.T) {
	now := files(t, schemas)
	for name, was := range files(t, filepath.Join(released, "schemas")) {
		if now[name] == nil {
			t.Errorf("%s was released and is gone", name)
			continue
		}
		for _, what := range breaks(parse(t, string(was)), parse(t, string(now[name]))) {
			t.Errorf("%s%s: that is a new version beside this one", name, what)
		}
	}
}

func TestReleasedBodiesAreValidAndRead(t *testing.T) {
	now := files(t, schemas)
	for name, body := range files(t, filepath.Join(released, "events")) {
		if now[name] == nil {
			t.Errorf("%s was released and has no schema", name)
			continue
		}
		valid(t, name, compile(t, name, now[name]), body)
	}
}
