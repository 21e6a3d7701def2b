package pack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/pack"
)

type manifest struct {
	Format       string
	Completeness string `json:"-"` // of about.json
	Organization *struct {
		ID          string
		First, Last int64
	}
	Stream *struct {
		ID          string
		First, Last int64
	}
	Files []pack.File
}

func manifestOf(t testing.TB, files map[string][]byte) (m manifest) {
	t.Helper()
	var about struct{ Completeness string }
	for name, into := range map[string]any{"manifest.json": &m, "about.json": &about} {
		if err := json.Unmarshal(files[name], into); err != nil {
			t.Fatal(err)
		}
	}
	m.Completeness = about.Completeness
	return m
}

// positions are those of the events in a pack.
func positions(t testing.TB, files map[string][]byte) (list []int64) {
	t.Helper()
	for line := range strings.Lines(string(files["events.ndjson"])) {
		var e struct{ Position int64 }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e.Position)
	}
	return list
}

// Whatever is asked for, a pack has exactly the events of the span, in order, says
// so in numbers without gaps, and nothing of anybody else's.
func TestSpans(t *testing.T) {
	w, ours, others := example(t, 24)
	rapid.Check(t, func(rt *rapid.T) {
		ask := pack.Ask{OrganizationID: ours}
		if rapid.Bool().Draw(rt, "entity") {
			ask.StreamID = w.events[rapid.IntRange(0, len(w.events)-1).Draw(rt, "stream")].StreamID
		}
		if rapid.Bool().Draw(rt, "by position") {
			ask.FromPosition, ask.ToPosition = rapid.Int64Range(0, 40).Draw(rt, "from"), rapid.Int64Range(0, 40).Draw(rt, "to")
		} else {
			ask.From = day.Add(seconds(rapid.IntRange(-2, 40).Draw(rt, "from")))
			ask.To = day.Add(seconds(rapid.IntRange(-2, 40).Draw(rt, "to")))
		}
		var want []int64
		var first, last int64
		for _, e := range w.events {
			if e.OrganizationID != ours || ask.StreamID != "" && e.StreamID != ask.StreamID || e.Position < ask.FromPosition || ask.ToPosition > 0 && e.Position > ask.ToPosition ||
				!ask.From.IsZero() && e.RecordedAt.Before(ask.From) || !ask.To.IsZero() && !e.RecordedAt.Before(ask.To) {
				continue
			}
			n := e.OrganizationSequence
			if ask.StreamID != "" {
				n = e.Version
			}
			if len(want) == 0 {
				first = n
			}
			want, last = append(want, e.Position), n
		}
		var body bytes.Buffer
		summary, err := w.packer().Write(t.Context(), &body, ask, nil)
		if len(want) == 0 {
			if !errors.Is(err, pack.ErrNothing) || body.Len() > 0 {
				rt.Fatalf("of nothing: %v, %d bytes", err, body.Len())
			}
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		files := unzip(t, body.Bytes())
		if got := positions(t, files); !slices.Equal(got, want) || summary.Events != len(want) {
			rt.Fatalf("%+v: events at %v, want %v", ask, got, want)
		}
		m := manifestOf(t, files)
		switch {
		case ask.StreamID != "" && (m.Stream == nil || m.Organization != nil || m.Stream.First != first || m.Stream.Last != last || m.Completeness != fmt.Sprintf("versions %d to %d of stream %s complete", first, last, ask.StreamID)):
			rt.Fatalf("%+v", m)
		case ask.StreamID == "" && (m.Organization == nil || m.Stream != nil || m.Organization.First != first || m.Organization.Last != last || m.Completeness != fmt.Sprintf("sequences %d to %d of organization %s complete", first, last, ours)):
			rt.Fatalf("%+v", m)
		}
		for name, content := range files {
			if bytes.Contains(content, []byte(others.String())) {
				rt.Fatalf("%s names another organization", name)
			}
		}
	})
}

// Another organization's stream is no stream.
func TestForeignStream(t *testing.T) {
	w, ours, others := example(t, 4)
	if _, err := w.packer().Write(t.Context(), io.Discard, pack.Ask{OrganizationID: ours, StreamID: "organization-" + others.String()}, nil); !errors.Is(err, pack.ErrNothing) {
		t.Error(err)
	}
}

// The manifest lists every other file, once, with its hash.
func TestManifestListsEverything(t *testing.T) {
	w, ours, _ := example(t, 8)
	files, summary := w.make(t, pack.Ask{OrganizationID: ours})
	m := manifestOf(t, files)
	if m.Format != "strata-pack-1" || len(m.Files) != len(files)-1 || !slices.IsSortedFunc(m.Files, func(a, b pack.File) int { return strings.Compare(a.Path, b.Path) }) {
		t.Errorf("%d files listed of %d: %+v", len(m.Files), len(files), m.Files)
	}
	for _, f := range m.Files {
		sum := sha256.Sum256(files[f.Path])
		if f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != int64(len(files[f.Path])) {
			t.Errorf("%s is not as the manifest says", f.Path)
		}
	}
	for _, name := range []string{
		"README.txt", "about.json", "checkpoint", "consistency.json", "events.csv", "events.ndjson", "keys.txt", "proofs.ndjson", "report.html", "states/after.json", "states/before.json", "verifier/main.go",
	} {
		if len(files[name]) == 0 {
			t.Errorf("%s is missing or empty", name)
		}
	}
	if summary.SHA256 == "" || summary.Bytes == 0 {
		t.Errorf("%+v", summary)
	}
}

// The same question gives the same bytes, also when much was recorded since.
func TestSameQuestionSameBytes(t *testing.T) {
	w, ours, _ := example(t, 8)
	ask := pack.Ask{OrganizationID: ours, FromPosition: 3, ToPosition: 7}
	before, one := w.zip(t, ask, nil)
	for i := range 300 {
		id := uuid.NewString()
		w.add(t, ours, "finding-"+id, closedFinding(i))
	}
	w.sign(t)
	after, two := w.zip(t, ask, nil)
	if !bytes.Equal(before, after) || one != two {
		t.Errorf("%+v, later %+v", one, two)
	}
}

// Every proof is one for the checkpoint, and the older checkpoint is shown to be
// part of it; over more than one tile.
func TestProofs(t *testing.T) {
	w, ours, _ := example(t, 700)
	files, summary := w.make(t, pack.Ask{OrganizationID: ours, FromPosition: 250, ToPosition: 900})
	at, _, _ := w.Covering(t.Context(), summary.LastPosition)
	if string(files["checkpoint"]) != string(at.Note) || summary.Checkpoint != at.Size {
		t.Errorf("the checkpoint is not the oldest that covers position %d", summary.LastPosition)
	}
	checked := 0
	for line := range strings.Lines(string(files["proofs.ndjson"])) {
		var p struct {
			Position int64
			LeafHash string
			Proof    []string
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		leaf := eventlog.LeafHash(&w.events[p.Position-1])
		if err := tlog.CheckRecord(hashes(t, p.Proof), at.Size, at.Root, p.Position-1, leaf); err != nil || p.LeafHash != hex.EncodeToString(leaf[:]) {
			t.Errorf("position %d: %v", p.Position, err)
		}
		checked++
	}
	if checked != summary.Events || checked < 300 {
		t.Errorf("%d proofs of %d events", checked, summary.Events)
	}
	var older []struct {
		Checkpoint string
		Proof      []string
	}
	if err := json.Unmarshal(files["consistency.json"], &older); err != nil || len(older) != 1 {
		t.Fatalf("%v: %s", err, files["consistency.json"])
	}
	old, _, _ := w.Until(t.Context(), summary.FirstPosition-1)
	if err := tlog.CheckTree(hashes(t, older[0].Proof), at.Size, at.Root, old.Size, old.Root); err != nil || older[0].Checkpoint != string(old.Note) {
		t.Error(err)
	}
}

// An event that is not the one that was sealed gets into no pack.
func TestNothingUnprovenIsPacked(t *testing.T) {
	w, ours, _ := example(t, 8)
	w.events[2].Data = bytes.Replace(w.events[2].Data, []byte("bold"), []byte("cold"), 1)
	if _, err := w.packer().Write(t.Context(), io.Discard, pack.Ask{OrganizationID: w.events[2].OrganizationID}, nil); err == nil || !strings.Contains(err.Error(), "position 3") {
		t.Error(err)
	}
	w.signed = w.signed[:1]
	if _, err := w.packer().Write(t.Context(), io.Discard, pack.Ask{OrganizationID: ours}, nil); !errors.Is(err, pack.ErrNotSealed) {
		t.Error(err)
	}
	none := pack.New(pack.Options{Log: w})
	if _, err := none.Write(t.Context(), io.Discard, pack.Ask{OrganizationID: ours}, nil); !errors.Is(err, pack.ErrNoLedger) {
		t.Error(err)
	}
}

// The report is well-formed, shows every event, and runs nothing that somebody
// has typed.
func TestReport(t *testing.T) {
	w, ours, _ := example(t, 12)
	files, _ := w.make(t, pack.Ask{OrganizationID: ours})
	html := files["report.html"]
	d := xml.NewDecoder(bytes.NewReader(html))
	d.Strict, d.Entity = true, xml.HTMLEntity
	sections, depth := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			depth++
			if token.Name.Local == "section" {
				sections++
			}
			if name := token.Name.Local; name == "script" || name == "b" || name == "img" || name == "link" {
				t.Errorf("it has an element %s", name)
			}
		case xml.EndElement:
			depth--
		}
	}
	if n := len(positions(t, files)); sections != n || depth != 0 {
		t.Errorf("%d sections for %d events", sections, n)
	}
	for _, want := range []string{"&lt;b&gt;bold&lt;/b&gt;", "approval by signer", "member of " + ours.String(), "finding.closed", "fixed"} {
		if !bytes.Contains(html, []byte(want)) {
			t.Errorf("it lacks %q", want)
		}
	}
	if bytes.Contains(html, []byte("http://x\"")) || bytes.Contains(html, []byte("<script")) {
		t.Error("what somebody typed is markup")
	}
}

// No cell of the table is a formula, and every event has its line.
func TestTable(t *testing.T) {
	w, ours, _ := example(t, 12)
	files, summary := w.make(t, pack.Ask{OrganizationID: ours})
	lines, err := csv.NewReader(bytes.NewReader(files["events.csv"])).ReadAll()
	if err != nil || len(lines) != summary.Events+1 {
		t.Fatalf("%v: %d lines for %d events", err, len(lines), summary.Events)
	}
	quoted := 0
	for _, line := range lines {
		for _, cell := range line {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("%q is a formula", cell)
			}
			if strings.HasPrefix(cell, "'=HYPERLINK") {
				quoted++
			}
		}
	}
	if quoted != summary.Events {
		t.Errorf("%d of %d reasons are there", quoted, summary.Events)
	}
}
