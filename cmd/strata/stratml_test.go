package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// importer is a service that takes documents and works on them for some polls.
type importer struct {
	server *httptest.Server
	keys   []string
	paths  []string
	polls  atomic.Int64
	ends   string // the operation's last answer
}

func newImporter(t *testing.T, ends string) *importer {
	t.Helper()
	i := &importer{ends: ends}
	mux := http.NewServeMux()
	accept := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "<plan/>" || r.Header.Get("Content-Type") != "application/xml" || r.Header.Get("Prefer") != "respond-async" {
			t.Errorf("%s, %q, %v", body, r.Header, err)
		}
		i.keys, i.paths = append(i.keys, r.Header.Get("Idempotency-Key")), append(i.paths, r.URL.RequestURI())
		w.Header().Set("Location", "/v1/operations/7")
		w.WriteHeader(http.StatusAccepted)
	}
	mux.HandleFunc("POST /v1/strategies/stratml", accept)
	mux.HandleFunc("POST /v1/strategies/{id}/stratml", accept)
	mux.HandleFunc("GET /v1/operations/7", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		switch n := i.polls.Add(1); n {
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable) // restarted meanwhile
		case 1, 3:
			fmt.Fprintf(w, `{"status":"running","progress":{"done":%d,"total":40}}`, 10*n)
		default:
			fmt.Fprint(w, i.ends)
		}
	})
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	return i
}

func (i *importer) run(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plan.xml")
	if err := os.WriteFile(file, []byte("<plan/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	args = append([]string{"import", "stratml", file, "--url", i.server.URL, "--token", "x"}, args...)
	code = run(t.Context(), args, nil, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

const result = `{"strategyId":"s-1","importId":"i-1","version":"9","position":"120","recorded":{"goals":3,"targets":0},"deviationCounts":{"no-namespace":1},` +
	`"deviations":[{"code":"no-namespace","line":2,"column":1,"path":"/StrategicPlan","text":""}]}`

func TestImportIsFollowedToItsEnd(t *testing.T) {
	i := newImporter(t, `{"status":"succeeded","progress":{"done":40,"total":40},"result":`+result+`}`)
	code, out, errs := i.run(t)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"s-1, a draft in version 9, at position 120", "3 goals", "1 no-namespace", "line 2, /StrategicPlan: no-namespace"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "targets") {
		t.Errorf("nothing is worth a mention:\n%s", out)
	}
	var done []int64
	for line := range strings.Lines(errs) {
		var p progress
		if err := json.Unmarshal([]byte(line), &p); err != nil || p.Task != "import" || p.Total != 40 {
			t.Fatalf("progress line %q: %v", line, err)
		}
		done = append(done, p.Done)
	}
	if fmt.Sprint(done) != "[10 30 40]" {
		t.Errorf("progress %v", done)
	}
}

func TestImportAsJSONIsTheServicesAnswer(t *testing.T) {
	i := newImporter(t, `{"status":"succeeded","result":`+result+`}`)
	code, out, errs := i.run(t, "-o", "json", "--progress", "none")
	if code != exitOK || strings.TrimSpace(out) != result || errs != "" {
		t.Errorf("exit code %d, printed\n%s\nsaid %q", code, out, errs)
	}
}

func TestImportThatFailsSaysWhy(t *testing.T) {
	i := newImporter(t, `{"status":"failed","problem":{"status":409,"code":"import-identical","title":"This content was imported before."}}`)
	code, _, errs := i.run(t, "--progress", "none")
	if code != exitFailure || !strings.Contains(errs, "409 import-identical: This content was imported before.") {
		t.Errorf("exit code %d, said %q", code, errs)
	}
}

func TestImportCanBeRepeated(t *testing.T) {
	i := newImporter(t, `{"status":"succeeded","result":`+result+`}`)
	for _, args := range [][]string{{}, {}, {"--again", "--reason", "restored"}, {"--again", "--reason", "restored"}, {"--strategy", "s-2"}, {"--key", "mine"}} {
		if code, _, errs := i.run(t, args...); code != exitOK {
			t.Fatalf("%v: exit code %d: %s", args, code, errs)
		}
	}
	k := i.keys
	if k[0] != k[1] || k[1] == k[2] || k[2] == k[3] || k[4] == k[0] || k[5] != "mine" {
		t.Errorf("keys %q: a repetition has the same one, a second import and another target have not", k)
	}
	if i.paths[2] != "/v1/strategies/stratml?again=true&reason=restored" || i.paths[4] != "/v1/strategies/s-2/stratml" {
		t.Errorf("paths %q", i.paths)
	}
	if code, _, errs := i.run(t, "--again"); code != exitUsage || !strings.Contains(errs, "--reason") {
		t.Errorf("again without a reason: exit code %d, %q", code, errs)
	}
}

func TestExportGoesWhereItIsWanted(t *testing.T) {
	const document = "<PerformancePlanOrReport/>\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RequestURI() != "/v1/strategies/s-1/stratml?part=1&revision=in-force" {
			t.Errorf("asked %s", r.URL.RequestURI())
		}
		fmt.Fprint(w, document)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "out.xml")
	args := []string{"export", "stratml", "s-1", "--url", server.URL, "--token", "x", "--part", "1", "--revision", "in-force"}
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, nil, strings.NewReader(""), &out, &errs); code != exitOK || out.String() != document {
		t.Errorf("exit code %d, %q, %s", code, out.String(), errs.String())
	}
	out.Reset()
	if code := run(t.Context(), append(args, "--file", file), nil, strings.NewReader(""), &out, &errs); code != exitOK || out.Len() > 0 {
		t.Errorf("exit code %d, %q, %s", code, out.String(), errs.String())
	}
	if written, err := os.ReadFile(file); err != nil || string(written) != document {
		t.Errorf("%q, %v", written, err)
	}
}
