package ingest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/quantity"
)

// seeds are bodies of all kinds, among them what was really published: dimension
// values, gaps and footnotes in place of numbers.
func seeds(f *testing.F) {
	f.Helper()
	for _, s := range []string{
		``, `{}`, `[]`, `null`, `{"measurements":[]}`, `{"measurements":[{}]}`, `{"measurements":null}`, "\xef\xbb\xbf{}", "{\"a\":\x00}",
		item("un.8.1.1", 2020, `"value":1`), item("un.8.1.1", 2020, `"value":1,"value":2`), item("un.8.1.1", 2020, `"value":1`, `"VALUE":2`),
		list(item("a", 2020, `"value":"redesigned income questions"`), item("a", 2021, `"value":1e308`, `"sequence":9223372036854775807`)),
		item("a", 2020, `"value":-0.000`, `"dims":{"sex":"\ud83d\ude00","":""}`), item("a", 2020, `"value":12345678901234567890123456789012345678901`),
		item("a", 2020, `"descriptor":"suppressed [low reliability]"`, `"observedAt":"2020-02-30T00:00:00Z"`),
	} {
		f.Add([]byte(s))
	}
	file, err := os.Open("../../tests/testdata/sdg/changes.jsonl.gz")
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		f.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 16<<20)
	for n := 0; lines.Scan() && n < 40; n++ {
		var change struct {
			Indicator string
			Added     []struct {
				K map[string]string
				V string
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &change); err != nil {
			f.Fatal(err)
		}
		var items []string
		for _, row := range change.Added[:min(3, len(change.Added))] {
			items = append(items, item(change.Indicator, 2020, `"value":`+asJSON(row.V), `"dims":`+asJSON(row.K)))
		}
		f.Add([]byte(list(items...)))
	}
	if err := lines.Err(); err != nil {
		f.Fatal(err)
	}
}

// FuzzParse: whatever comes is read or refused, and what is read is what stands
// there, character by character.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		readings, err := ingest.Parse(body)
		if err != nil {
			if len(readings) > 0 || !bytes.HasPrefix([]byte(err.Error()), []byte("malformed: ")) && !bytes.HasPrefix([]byte(err.Error()), []byte("too_large: ")) {
				t.Errorf("%v, %v", readings, err)
			}
			return
		}
		if len(readings) == 0 || len(readings) > ingest.MaxItems || !json.Valid(body) {
			t.Fatalf("%d measurements in %q", len(readings), body)
		}
		for _, r := range readings {
			if r.Code != "" {
				continue
			}
			if _, ok := quantity.Parse(r.Number); !ok && (r.Number != "" || r.Descriptor == "") {
				t.Errorf("%+v was taken", r)
			}
			if !bytes.ContainsRune(body, '\\') && (!bytes.Contains(body, []byte(r.Number)) || !bytes.Contains(body, []byte(r.Ref))) {
				t.Errorf("%+v does not stand in %q", r, body)
			}
		}
	})
}
