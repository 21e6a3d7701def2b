package verifycli_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/verifier"
	"strata.dev/strata/app/verifier/unzstd"
	"strata.dev/strata/app/verifier/verifycli"
)

const logSize = 20

// world is a log, signed, and what is exported of it.
type world struct {
	events []eventlog.Event
	hashes []tlog.Hash // as package tlog stores them
	signer note.Signer
	key    string
}

type seed byte

func (s seed) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s)
	}
	return len(b), nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	private, public, err := note.GenerateKey(seed(1), "strata.example/log")
	must(t, err)
	w := &world{key: public}
	w.signer, err = note.NewSigner(private)
	must(t, err)
	versions := map[string]int64{}
	for i := range int64(logSize) {
		stream := fmt.Sprintf("strategy-%d", i%3)
		versions[stream]++
		w.events = append(w.events, eventlog.Event{
			Position: i + 1, OrganizationID: uuid.UUID{15: 1}, OrganizationSequence: i + 1, StreamID: stream, Version: versions[stream],
			ID: uuid.UUID{1, 15: byte(i)}, Type: "strategy.changed", SchemaVersion: 1, Data: []byte(`{"text":"<&>é"}`), Metadata: []byte(`{}`),
			CommandID: uuid.UUID{2, 15: byte(i)}, CommandHash: make([]byte, 32), RecordedAt: time.UnixMicro(1_900_000_000_000_000 + i).UTC(),
		})
		hashes, err := tlog.StoredHashesForRecordHash(i, eventlog.LeafHash(&w.events[i]), w.reader())
		must(t, err)
		w.hashes = append(w.hashes, hashes...)
	}
	return w
}

func (w *world) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, w.hashes[i])
		}
		return out, nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) checkpoint(t *testing.T, size int64) string {
	t.Helper()
	root, err := tlog.TreeHash(size, w.reader())
	must(t, err)
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("strata.example/log/1\n%d\n%s\n", size, root)}, w.signer)
	must(t, err)
	return string(signed)
}

func (w *world) proof(t *testing.T, position int64) (hashes []string) {
	t.Helper()
	path, err := tlog.ProveRecord(logSize, position-1, w.reader())
	must(t, err)
	hashes = []string{}
	for _, h := range path {
		hashes = append(hashes, hex.EncodeToString(h[:]))
	}
	return hashes
}

func line(t *testing.T, e eventlog.Event) string {
	t.Helper()
	b, err := archive.AppendEvent(nil, &e)
	must(t, err)
	return string(b)
}

func encode(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	must(t, enc.Encode(v))
	return b.String()
}

// pack is the evidence of one stream, as files. change may alter an event behind
// the builder's back.
func (w *world) pack(t *testing.T, change func(e *eventlog.Event)) map[string]string {
	t.Helper()
	files := map[string]string{"checkpoint": w.checkpoint(t, logSize), "report.html": "<p>"}
	var events, proofs strings.Builder
	var lastVersion int64
	for _, e := range w.events {
		if e.StreamID != "strategy-1" {
			continue
		}
		leaf := eventlog.LeafHash(&e)
		lastVersion = e.Version
		if change != nil {
			change(&e)
		}
		events.WriteString(line(t, e) + "\n")
		proofs.WriteString(encode(t, map[string]any{"position": e.Position, "leafHash": hex.EncodeToString(leaf[:]), "proof": w.proof(t, e.Position)}))
	}
	files["events.ndjson"], files["proofs.ndjson"] = events.String(), proofs.String()
	path, err := tlog.ProveTree(logSize, 11, w.reader())
	must(t, err)
	hashes := []string{}
	for _, h := range path {
		hashes = append(hashes, hex.EncodeToString(h[:]))
	}
	files["consistency.json"] = encode(t, []map[string]any{{"checkpoint": w.checkpoint(t, 11), "proof": hashes}})
	var listed []map[string]any
	for name, text := range files {
		sum := sha256.Sum256([]byte(text))
		listed = append(listed, map[string]any{"path": name, "size": len(text), "sha256": hex.EncodeToString(sum[:])})
	}
	files["manifest.json"] = encode(t, map[string]any{
		"format": "strata-pack-1", "checkpoint": "checkpoint", "events": "events.ndjson", "proofs": "proofs.ndjson",
		"stream": map[string]any{"id": "strategy-1", "first": 1, "last": lastVersion}, "files": listed, "made": "by a test",
	})
	return files
}

func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// run calls the program and gives its exit code and answer.
func run(t *testing.T, args ...string) (code int, r verifycli.Result, text string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = verifycli.Main(t.Context(), append(args, "-o", "json"), &stdout, &stderr, verifycli.Options{Unpack: unzstd.Open})
	if stdout.Len() > 0 {
		must(t, json.Unmarshal(stdout.Bytes(), &r))
	}
	return code, r, stderr.String()
}

func TestPack(t *testing.T) {
	w := newWorld(t)
	good := w.pack(t, nil)
	code, r, text := run(t, "pack", directory(t, good), "--key", w.key)
	if code != 0 || !r.Verified || r.Events != 7 || r.First != 2 || r.Last != 20 || !strings.Contains(r.Complete, "versions 1 to 7") {
		t.Fatalf("exit %d: %+v\n%s", code, r, text)
	}
	t.Run("as a zip", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "pack.zip")
		f, err := os.Create(name)
		must(t, err)
		z := zip.NewWriter(f)
		must(t, z.AddFS(os.DirFS(directory(t, good))))
		must(t, z.Close())
		must(t, f.Close())
		if code, r, text := run(t, "--key", w.key, "pack", name); code != 0 || r.Events != 7 {
			t.Errorf("exit %d: %+v\n%s", code, r, text)
		}
	})
	_, stranger, err := note.GenerateKey(seed(2), "strata.example/log")
	must(t, err)
	for name, c := range map[string]struct {
		change   func(files map[string]string)
		position int64
		check    string
		key      string
	}{
		"an event changed": {func(f map[string]string) {
			for name, text := range w.pack(t, func(e *eventlog.Event) {
				if e.Position == 11 {
					e.Data = []byte(`{"text":"other"}`)
				}
			}) {
				f[name] = text
			}
		}, 11, verifier.CheckLeaf, ""},
		"two proofs swapped": {func(f map[string]string) {
			l := strings.SplitAfter(f["proofs.ndjson"], "\n")
			l[1], l[2] = l[2], l[1]
			f["proofs.ndjson"] = strings.Join(l, "")
		}, 5, verifier.CheckProof, ""},
		"an event left out": {func(f map[string]string) {
			for _, name := range []string{"events.ndjson", "proofs.ndjson"} {
				l := strings.SplitAfter(f[name], "\n")
				f[name] = strings.Join(append(l[:2:2], l[3:]...), "")
			}
		}, 11, verifier.CheckComplete, ""},
		"the last events left out": {func(f map[string]string) {
			for _, name := range []string{"events.ndjson", "proofs.ndjson"} {
				f[name] = strings.Join(strings.SplitAfter(f[name], "\n")[:5], "")
			}
		}, 0, verifier.CheckComplete, ""},
		"a proof changed": {func(f map[string]string) {
			l := strings.SplitAfter(f["proofs.ndjson"], "\n")
			at := strings.Index(l[3], `"proof":["`) + len(`"proof":["`)
			l[3] = l[3][:at] + strings.Repeat("0", 64) + l[3][at+64:]
			f["proofs.ndjson"] = strings.Join(l, "")
		}, 11, verifier.CheckProof, ""},
		"a report changed":               {func(f map[string]string) { f["report.html"] = "<b>" }, 0, verifier.CheckManifest, ""},
		"a file added":                   {func(f map[string]string) { f["more.html"] = "<b>" }, 0, verifier.CheckManifest, ""},
		"a file taken away":              {func(f map[string]string) { delete(f, "report.html") }, 0, verifier.CheckManifest, ""},
		"the checkpoint of a longer log": {func(f map[string]string) { f["checkpoint"] = strings.Replace(f["checkpoint"], "\n20\n", "\n21\n", 1) }, 0, verifier.CheckSignature, ""},
		"an older checkpoint":            {func(f map[string]string) { f["checkpoint"] = w.checkpoint(t, 11) }, 2, verifier.CheckProof, ""},
		"another key":                    {func(map[string]string) {}, 0, verifier.CheckSignature, stranger},
	} {
		t.Run(name, func(t *testing.T) {
			files := w.pack(t, nil)
			c.change(files)
			key := w.key
			if c.key != "" {
				key = c.key
			}
			code, r, text := run(t, "pack", directory(t, files), "--key", key)
			if code != 3 || r.Verified || r.Problem == nil || r.Problem.Check != c.check || r.Problem.Position != c.position {
				t.Errorf("exit %d: %+v\n%s", code, r.Problem, text)
			}
		})
	}
}

func TestReceipt(t *testing.T) {
	w := newWorld(t)
	receipt := func(change func(e *eventlog.Event)) string {
		e := w.events[6]
		leaf := eventlog.LeafHash(&e)
		if change != nil {
			change(&e)
		}
		file := filepath.Join(t.TempDir(), "receipt.json")
		text := encode(t, map[string]any{
			"format": "strata-receipt-1", "commandId": w.events[6].CommandID, "durability": "archived", "checkpoint": w.checkpoint(t, logSize),
			"events": []map[string]any{{"event": json.RawMessage(line(t, e)), "position": "7", "leafHash": hex.EncodeToString(leaf[:]), "proof": w.proof(t, 7)}},
		})
		must(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	if code, r, text := run(t, "receipt", receipt(nil), "--key", w.key); code != 0 || r.Events != 1 || r.First != 7 {
		t.Errorf("exit %d: %+v\n%s", code, r, text)
	}
	changed := receipt(func(e *eventlog.Event) { e.Data = []byte(`{}`) })
	if code, r, _ := run(t, "receipt", changed, "--key", w.key); code != 3 || r.Problem.Position != 7 || r.Problem.Check != verifier.CheckLeaf {
		t.Errorf("exit %d: %+v", code, r.Problem)
	}
	other := receipt(func(e *eventlog.Event) { *e = w.events[7] })
	if code, r, _ := run(t, "receipt", other, "--key", w.key); code != 3 || r.Problem.Check != verifier.CheckPosition {
		t.Errorf("exit %d: %+v", code, r.Problem)
	}
	// The proof is for another size than the checkpoint's.
	short := receipt(nil)
	text, err := os.ReadFile(short)
	must(t, err)
	older := strings.Replace(string(text), strings.TrimSpace(encode(t, w.checkpoint(t, logSize))), strings.TrimSpace(encode(t, w.checkpoint(t, 11))), 1)
	must(t, os.WriteFile(short, []byte(older), 0o600))
	if code, _, _ := run(t, "receipt", short, "--key", w.key); code != 3 {
		t.Errorf("a proof for another size was taken: exit %d", code)
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	dir := directory(t, w.pack(t, nil))
	for name, args := range map[string][]string{
		"nothing": {}, "no place": {"pack", "--key", w.key}, "no key": {"pack", dir}, "another thing": {"house", dir, "--key", w.key},
		"another flag": {"pack", dir, "--key", w.key, "--more"}, "no key file": {"pack", dir, "--key", "nowhere"}, "no checkpoint": {"log", dir, "--key", w.key},
	} {
		if code, _, text := run(t, args...); code != 2 || !strings.Contains(text, "usage:") {
			t.Errorf("%s: exit %d: %s", name, code, text)
		}
	}
	if code, _, text := run(t, "pack", filepath.Join(dir, "nowhere"), "--key", w.key); code != 1 || text == "" {
		t.Errorf("a pack that is not there: exit %d: %s", code, text)
	}
	var out bytes.Buffer
	if code := verifycli.Main(t.Context(), []string{"-help"}, &out, &out, verifycli.Options{}); code != 0 || !strings.Contains(out.String(), "Exit codes") {
		t.Errorf("-help: exit %d: %s", code, &out)
	}
}

// The source in a pack is all of it, and runs without a network.
func TestStandaloneRuns(t *testing.T) {
	files, err := verifycli.Standalone()
	must(t, err)
	for dir, prefix := range map[string]string{"..": "app/verifier/", ".": "app/verifier/verifycli/"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		must(t, err)
		for _, name := range names {
			if _, there := files[prefix+filepath.Base(name)]; there == strings.HasSuffix(name, "_test.go") {
				t.Errorf("%s: shipped: %v", name, there)
			}
		}
	}
	w := newWorld(t)
	pack := directory(t, w.pack(t, nil))
	dir := t.TempDir()
	for name, text := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "pack", pack, "--key", w.key)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOTOOLCHAIN=local", "GOWORK=off", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "verified") || !strings.Contains(string(out), "strata.example/log/1") {
		t.Fatalf("%v\n%s", err, out)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	list.Dir, list.Env = dir, cmd.Env
	deps, err := list.Output()
	must(t, err)
	for dep := range strings.Lines(string(deps)) {
		if !strings.HasPrefix(dep, "strata.dev/strata") {
			t.Errorf("it needs %s", dep)
		}
	}
}
