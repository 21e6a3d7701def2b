package pack

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/verifier"
	"strata.dev/strata/app/verifier/verifycli"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testdata/stratml"
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// world is an installation with a plan, evidence and a second organization.
type world struct {
	*system.System
	base     string
	vkey     string
	strategy string
	evidence string
	other    uuid.UUID // organization
	last     int64     // position of the last command
}

// proof is the content of the evidence.
const proof = "what was seen on the day"

func newWorld(t *testing.T) *world {
	t.Helper()
	s, service := system.Start(t, system.Options{Queues: []string{"tests.pack"}})
	w := &world{System: s, base: service.Base}
	operator := &restclient.Client{Base: w.base, HTTP: s.HTTP, Token: s.Token(oidc.Claims{Subject: "operator", Operator: true})}
	var registered struct{ OrganizationID uuid.UUID }
	system.MustPost(t, operator, "/v1/organizations", map[string]any{
		"name": "Canaryland", "administrator": map[string]string{"issuer": oidc.DevIssuer, "subject": "ada"},
		"complianceOfficer": map[string]string{"issuer": oidc.DevIssuer, "subject": "casey"},
	}, &registered)
	w.other = registered.OrganizationID
	keys, err := notekeys.Open(notekeys.Options{File: filepath.Join(filepath.Dir(s.Setting("STRATA_DEV_KEY_FILE")), "ledger.key"), Name: ledger.KeyName(s.Setting("STRATA_INSTANCE"))})
	if err != nil {
		t.Fatal(err)
	}
	w.vkey = keys.VKeys[0]
	plan := w.send(t, "sam", "/v1/strategies/stratml", "application/xml", stratml.Plan(2, 4, 8, 5, 10))
	w.strategy = "strategy-" + plan.text(t, "strategyId")
	found := w.send(t, "arlo", "/v1/evidence?kind=document&mediaType=text/plain", "application/octet-stream", []byte(proof))
	w.evidence = found.text(t, "evidenceId")
	for _, target := range []map[string]string{{"type": "strategy", "id": strings.TrimPrefix(w.strategy, "strategy-")}} {
		w.last = system.MustPost(t, s.Client(w.base, "arlo"), "/v1/evidence/"+w.evidence+"/commands/link", map[string]any{"relation": "supports", "target": target}, nil)
	}
	return w
}

type answer struct{ restclient.Answer }

func (a answer) text(t *testing.T, member string) string {
	t.Helper()
	var body map[string]any
	if err := a.Decode(&body); err != nil {
		t.Fatal(err)
	}
	text, ok := body[member].(string)
	if !ok {
		t.Fatalf("no %s in %s", member, a.Body)
	}
	return text
}

func (w *world) send(t *testing.T, subject, path, mediaType string, body []byte) answer {
	t.Helper()
	a, err := w.Client(w.base, subject).Do(t.Context(), restclient.Request{Method: http.MethodPost, Path: path, Key: uuid.NewString(), IfMatch: "*", ContentType: mediaType, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return answer{a}
}

// pack asks for a pack over HTTP, and gives its files.
func (w *world) pack(t testing.TB, path string, q url.Values) (fstest.MapFS, []byte) {
	t.Helper()
	a, err := w.Client(w.base, "arlo").Do(context.Background(), restclient.Request{
		Method: http.MethodGet, Path: path + "?" + q.Encode(), MinPosition: w.last, Header: http.Header{"Accept": {"application/zip"}, "Prefer": {"wait=10"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return unzip(t, a.Body), a.Body
}

func unzip(t testing.TB, body []byte) fstest.MapFS {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close()); err != nil {
			t.Fatal(err)
		}
		files[f.Name] = &fstest.MapFile{Data: content}
	}
	return files
}

func (w *world) trust(t testing.TB) verifier.Trust {
	t.Helper()
	key, err := verifier.ParseKey(w.vkey)
	if err != nil {
		t.Fatal(err)
	}
	return verifier.Trust{Log: []verifier.Key{key}}
}

// What a service has packed somebody without it can check, and sees what was changed.
func TestPacks(t *testing.T) {
	w := newWorld(t)
	whole, zipped := w.pack(t, "/v1/packs", url.Values{"evidence": {"true"}, "toPosition": {fmt.Sprint(w.last)}})
	entity, _ := w.pack(t, "/v1/packs/"+w.strategy, url.Values{"evidence": {"true"}, "toPosition": {fmt.Sprint(w.last)}})
	t.Run("of the organization", func(t *testing.T) { w.sound(t, whole, "organization") })
	t.Run("of an entity", func(t *testing.T) { w.sound(t, entity, w.strategy) })
	t.Run("any byte changed", func(t *testing.T) { w.changed(t, entity) })
	t.Run("events and proofs exchanged", func(t *testing.T) { w.exchanged(t, whole) })
	t.Run("any span is complete", func(t *testing.T) { w.spans(t) })
	t.Run("the same again", func(t *testing.T) {
		if _, again := w.pack(t, "/v1/packs", url.Values{"evidence": {"true"}, "toPosition": {fmt.Sprint(w.last)}}); !bytes.Equal(again, zipped) {
			t.Error("the same question has another pack")
		}
	})
	t.Run("by programs of its own", func(t *testing.T) { w.programs(t, zipped, whole) })
	t.Run("by command", func(t *testing.T) { w.command(t) })
	t.Run("not for everybody", func(t *testing.T) { w.refused(t) })
}

// sound judges a pack as it came.
func (w *world) sound(t *testing.T, pack fstest.MapFS, of string) {
	r, err := verifier.CheckPack(pack, w.trust(t))
	if err != nil {
		t.Fatal(err)
	}
	n := int64(bytes.Count(pack["events.ndjson"].Data, []byte("\n")))
	if r.Events != n || n == 0 {
		t.Errorf("%d events verified of %d", r.Events, n)
	}
	if got := pack["evidence/"+w.evidence]; got == nil || string(got.Data) != proof {
		t.Errorf("the evidence is not in it: %v", slices.Sorted(maps.Keys(pack)))
	}
	for name, f := range pack {
		if bytes.Contains(f.Data, []byte(w.other.String())) || bytes.Contains(f.Data, []byte("Canaryland")) {
			t.Errorf("%s tells of another organization", name)
		}
	}
	var after struct{ Known map[string]any }
	if err := json.Unmarshal(pack["states/after.json"].Data, &after); err != nil || len(after.Known) == 0 {
		t.Errorf("%v: states/after.json: %s", err, pack["states/after.json"].Data)
	}
	if !bytes.Contains(pack["report.html"].Data, []byte("strategy.drafted")) || !bytes.Contains(pack["states/after.json"].Data, []byte("Index of Examples")) {
		t.Errorf("report and state of %s do not tell of the plan", of)
	}
}

// changed flips one bit anywhere.
func (w *world) changed(t *testing.T, pack fstest.MapFS) {
	trust, names := w.trust(t), slices.Sorted(maps.Keys(pack))
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom(names).Draw(rt, "file")
		data := pack[name].Data
		if len(data) == 0 {
			rt.Skip()
		}
		spoiled := bytes.Clone(data)
		at := rapid.IntRange(0, len(data)-1).Draw(rt, "byte")
		spoiled[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		copied := maps.Clone(pack)
		copied[name] = &fstest.MapFile{Data: spoiled}
		_, err := verifier.CheckPack(copied, trust)
		if err == nil {
			rt.Fatalf("byte %d of %s is another one, and nobody sees it", at, name)
		}
	})
	for _, name := range names {
		less := maps.Clone(pack)
		delete(less, name)
		if _, err := verifier.CheckPack(less, trust); err == nil {
			t.Errorf("%s is missing, and nobody sees it", name)
		}
	}
	more := maps.Clone(pack)
	more["extra.txt"] = &fstest.MapFile{Data: []byte("x")}
	if _, err := verifier.CheckPack(more, trust); err == nil {
		t.Error("a file is too many, and nobody sees it")
	}
}

// exchanged takes events out and exchanges proofs, and makes the manifest anew, as
// somebody does who knows how packs are made.
func (w *world) exchanged(t *testing.T, pack fstest.MapFS) {
	trust := w.trust(t)
	rapid.Check(t, func(rt *rapid.T) {
		copied := maps.Clone(pack)
		events, proofs := lines(pack["events.ndjson"].Data), lines(pack["proofs.ndjson"].Data)
		i := rapid.IntRange(0, len(events)-1).Draw(rt, "event")
		j := rapid.IntRange(0, len(events)-1).Draw(rt, "other")
		switch what := rapid.SampledFrom([]string{"left out", "twice", "proof", "swapped"}).Draw(rt, "what"); {
		case what == "left out":
			events, proofs = slices.Delete(events, i, i+1), slices.Delete(proofs, i, i+1)
		case what == "twice":
			events, proofs = slices.Insert(events, i, events[i]), slices.Insert(proofs, i, proofs[i])
		case i == j:
			rt.Skip()
		case what == "proof":
			proofs[i] = proofs[j]
		default:
			events[i], events[j] = events[j], events[i]
			proofs[i], proofs[j] = proofs[j], proofs[i]
		}
		copied["events.ndjson"], copied["proofs.ndjson"] = &fstest.MapFile{Data: bytes.Join(events, nil)}, &fstest.MapFile{Data: bytes.Join(proofs, nil)}
		copied["manifest.json"] = remade(rt, copied)
		_, err := verifier.CheckPack(copied, trust)
		var problem *verifier.Problem
		if !errors.As(err, &problem) {
			rt.Fatalf("event %d, other %d: %v", i, j, err)
		}
	})
}

func lines(b []byte) [][]byte { return slices.Collect(bytes.Lines(bytes.Clone(b))) }

// spans: whatever is asked for, what comes is whole and verifies.
func (w *world) spans(t *testing.T) {
	trust := w.trust(t)
	for _, span := range [][2]int64{{1, 7}, {5, 5}, {8, 19}, {12, w.last}, {w.last - 1, w.last}} {
		pack, _ := w.pack(t, "/v1/packs", url.Values{"fromPosition": {fmt.Sprint(span[0])}, "toPosition": {fmt.Sprint(span[1])}})
		r, err := verifier.CheckPack(pack, trust)
		if err != nil {
			t.Errorf("%v: %v", span, err)
			continue
		}
		want := w.recorded(t, span)
		if int(r.Events) != len(want) || !bytes.Contains(pack["about.json"].Data, fmt.Appendf(nil, "sequences %d to %d of organization %s complete", want[0], want[len(want)-1], w.Organization.ID)) {
			t.Errorf("%v: %d events, want sequences %v; %s", span, r.Events, want, pack["about.json"].Data)
		}
	}
}

// recorded are the organization's sequences in a span, by the log's table.
func (w *world) recorded(t *testing.T, span [2]int64) (sequences []int64) {
	t.Helper()
	for _, r := range w.Log(t) {
		if r.Organization == w.Organization.ID && r.Position >= span[0] && r.Position <= span[1] {
			sequences = append(sequences, r.OrganizationSequence)
		}
	}
	return sequences
}

// programs has strata-verify judge the pack, and the source that is in it, run by
// Go with nothing but itself.
func (w *world) programs(t *testing.T, zipped []byte, pack fstest.MapFS) {
	dir := t.TempDir()
	root, err := system.Root()
	if err != nil {
		t.Fatal(err)
	}
	file, binary := filepath.Join(dir, "pack.zip"), filepath.Join(dir, "strata-verify")
	if err := os.WriteFile(file, zipped, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, "./cmd/strata-verify")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), binary, "pack", file, "--key", w.vkey).CombinedOutput(); err != nil {
		t.Errorf("strata-verify: %v\n%s", err, out)
	}
	unpacked := filepath.Join(dir, "unpacked")
	if err := os.CopyFS(unpacked, pack); err != nil {
		t.Fatal(err)
	}
	shipped := func() ([]byte, int) {
		run := exec.CommandContext(t.Context(), "go", "run", ".", "pack", "..", "--key", w.vkey)
		run.Dir = filepath.Join(unpacked, "verifier")
		run.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		out, _ := run.CombinedOutput() // its exit code says it
		return out, run.ProcessState.ExitCode()
	}
	if out, code := shipped(); code != 0 {
		t.Errorf("the source in the pack: exit code %d\n%s", code, out)
	}
	csv := filepath.Join(unpacked, "events.csv")
	if err := os.WriteFile(csv, append(pack["events.csv"].Data, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := shipped(); code == 0 || !strings.Contains(string(out), "events.csv") || !strings.Contains(string(out), "exit status 3") {
		t.Errorf("the source in the pack, of a file that was changed: exit code %d\n%s", code, out)
	}
	var stdout, stderr bytes.Buffer
	if code := verifycli.Main(t.Context(), []string{"pack", unpacked, "--key", w.vkey}, &stdout, &stderr, verifycli.Options{}); code != verifycli.ExitWrong || !strings.Contains(stderr.String(), "events.csv") {
		t.Errorf("exit code %d\n%s", code, stderr.String())
	}
}

// command fetches a pack by `strata pack`.
func (w *world) command(t *testing.T) {
	file := filepath.Join(t.TempDir(), "by-command.zip")
	environ := w.Environ(map[string]string{"STRATA_URL": w.base, "STRATA_TOKEN": w.Organization.Tokens["casey"]})
	if r := system.CLI(t, environ, "pack", w.strategy, "--file", file, "--to-position", fmt.Sprint(w.last)); r.Code != 0 || !strings.Contains(r.Stdout, "SHA-256") {
		t.Fatalf("exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.CheckPack(unzip(t, body), w.trust(t)); err != nil {
		t.Error(err)
	}
	if r := system.CLI(t, environ, "pack"); r.Code != 2 {
		t.Errorf("without a file: exit code %d", r.Code)
	}
}

// refused: packs are for those who watch, of what is theirs; and who took one is
// in the journal.
func (w *world) refused(t *testing.T) {
	for _, c := range []struct {
		subject, path string
		status        int
	}{
		{"vera", "/v1/packs", http.StatusForbidden},
		{"sam", "/v1/packs/" + w.strategy, http.StatusForbidden},
		{"arlo", "/v1/packs/organization-" + w.other.String(), http.StatusNotFound},
		{"arlo", "/v1/packs/strategy-" + uuid.NewString(), http.StatusNotFound},
	} {
		_, err := w.Client(w.base, c.subject).Do(t.Context(), restclient.Request{Method: http.MethodGet, Path: c.path})
		var problem *restclient.Problem
		if !errors.As(err, &problem) || problem.Status != c.status {
			t.Errorf("%s as %s: %v", c.path, c.subject, err)
		}
	}
	var page struct{ Items []map[string]any }
	system.MustGet(t, w.Client(w.base, "casey"), "/v1/journal?kind=audit-read&limit=200", w.Head(t), &page)
	text, err := json.Marshal(page)
	if err != nil || !strings.Contains(string(text), "getStreamPack") || !strings.Contains(string(text), w.strategy) {
		t.Errorf("%v: the journal does not say who took packs: %s", err, text)
	}
}
