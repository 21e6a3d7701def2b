package pack_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/pack"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
)

// world is a log with a ledger, in memory.
type world struct {
	events []eventlog.Event
	levels [][]byte // hashes of the tree's tiles, level by level
	signed []pack.Checkpoint
	signer note.Signer
	vkey   string
	tree   ledger.Frontier
}

func newWorld(t testing.TB) *world {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, ledger.KeyName("strata.test"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return &world{signer: signer, vkey: vkey}
}

var day = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// add records events of one stream, as one command.
func (w *world) add(t testing.TB, organizationID uuid.UUID, streamID string, bodies ...any) {
	t.Helper()
	command := uuid.New()
	var sequence, version int64
	for _, e := range w.events {
		if e.OrganizationID == organizationID {
			sequence++
		}
		if e.StreamID == streamID {
			version++
		}
	}
	for i, body := range bodies {
		typ, schema, data, err := eventcodec.Encode(body)
		if err != nil {
			t.Fatal(err)
		}
		metadata, err := eventlog.Metadata{
			Actor: eventlog.Actor{Kind: eventlog.Person, ID: "member of " + organizationID.String(), Roles: []string{"auditor"}}, CommandID: command,
			Origin: eventlog.Origin{Kind: "api"}, CorrelationID: command.String(), Reason: `=HYPERLINK("http://x","<script>alert(1)</script>")`,
			Signature: &eventlog.Signature{SignerID: "signer", Meaning: "approval", SignedAt: day, ContentHash: "cafe"},
		}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		sequence, version = sequence+1, version+1
		e := eventlog.Event{
			Position: int64(len(w.events)) + 1, OrganizationID: organizationID, OrganizationSequence: sequence, StreamID: streamID, Version: version,
			ID: uuid.New(), Type: typ, SchemaVersion: schema, Data: data, Metadata: metadata, RecordedAt: day.Add(time.Duration(len(w.events)) * time.Second),
		}
		if i == 0 {
			e.CommandID, e.CommandHash = command, make([]byte, 32)
		}
		w.events = append(w.events, e)
		w.seal(ledger.Hash(eventlog.LeafHash(&e)))
	}
}

func (w *world) seal(node ledger.Hash) {
	w.tree.Append(node)
	for level := 0; ; level++ {
		if level == len(w.levels) {
			w.levels = append(w.levels, nil)
		}
		w.levels[level] = append(w.levels[level], node[:]...)
		if len(w.levels[level])%(256*tlog.HashSize) != 0 {
			return
		}
		var under ledger.Frontier
		for i := len(w.levels[level]) - 256*tlog.HashSize; i < len(w.levels[level]); i += tlog.HashSize {
			under.Append(ledger.Hash(w.levels[level][i : i+tlog.HashSize]))
		}
		node = under.Root()
	}
}

// sign makes a checkpoint over all that is there.
func (w *world) sign(t testing.TB) {
	t.Helper()
	c := ledger.Checkpoint{Origin: ledger.Origin("strata.test", 1), Size: w.tree.Size(), Root: w.tree.Root()}
	signed, err := note.Sign(&note.Note{Text: c.Body()}, w.signer)
	if err != nil {
		t.Fatal(err)
	}
	w.signed = append(w.signed, pack.Checkpoint{Size: c.Size, Root: c.Root, Note: signed})
}

// example has two organizations, whose events are mixed, and a checkpoint after
// every step.
func example(t testing.TB, steps int) (w *world, ours, others uuid.UUID) {
	t.Helper()
	w = newWorld(t)
	ours, others = uuid.New(), uuid.New()
	for _, id := range []uuid.UUID{ours, others} {
		w.add(t, id, "organization-"+id.String(), organization.Registered{OrganizationID: id.String(), Name: "Canary of " + id.String(), TimeZone: "UTC", FiscalYearStart: 1})
	}
	w.sign(t)
	for n := range steps {
		id := []uuid.UUID{ours, others}[n%2]
		findingID := uuid.NewSHA1(id, fmt.Append(nil, n/4)).String()
		stream := "finding-" + findingID
		if n/2%2 == 0 {
			w.add(t, id, stream, finding.Raised{FindingID: findingID, Kind: finding.MinorNC, Severity: severity.High, Title: "=1+1 of " + id.String(), Condition: "<b>bold</b>", Criteria: "c", Origin: finding.FromAudit})
		} else {
			w.add(t, id, stream, finding.Assigned{OwnerID: "m-2", DueDate: "2026-05-01"}, finding.Closed{Reason: "fixed"})
		}
		w.sign(t)
	}
	return w, ours, others
}

// ReadStream implements pack.Log.
func (w *world) ReadStream(_ context.Context, organizationID uuid.UUID, streamID string, after int64, limit int) (found []eventlog.Event, _ error) {
	for _, e := range w.events {
		if e.OrganizationID == organizationID && e.StreamID == streamID && e.Version > after && (limit == 0 || len(found) < limit) {
			found = append(found, e)
		}
	}
	return found, nil
}

// Head implements pack.Log.
func (w *world) Head(context.Context) (int64, error) { return int64(len(w.events)), nil }

// ReadOrganization implements pack.Log.
func (w *world) ReadOrganization(_ context.Context, organizationID uuid.UUID, after int64, limit int) (found []eventlog.Event, _ error) {
	for _, e := range w.events {
		if e.OrganizationID == organizationID && e.OrganizationSequence > after && len(found) < limit {
			found = append(found, e)
		}
	}
	return found, nil
}

// Covering implements pack.Tree.
func (w *world) Covering(_ context.Context, size int64) (pack.Checkpoint, bool, error) {
	for _, c := range w.signed {
		if c.Size >= size {
			return c, true, nil
		}
	}
	return pack.Checkpoint{}, false, nil
}

// Until implements pack.Tree.
func (w *world) Until(_ context.Context, size int64) (pack.Checkpoint, bool, error) {
	for _, c := range slices.Backward(w.signed) {
		if c.Size <= size {
			return c, true, nil
		}
	}
	return pack.Checkpoint{}, false, nil
}

// Tile implements pack.Tree.
func (w *world) Tile(_ context.Context, level int, n int64) ([]byte, error) {
	const width = 256 * tlog.HashSize
	if level >= len(w.levels) || int(n)*width >= len(w.levels[level]) {
		return nil, nil
	}
	hashes := w.levels[level][n*width:]
	return hashes[:min(width, len(hashes))], nil
}

// SignedBy implements pack.Tree.
func (w *world) SignedBy(context.Context) ([]string, error) { return []string{w.vkey}, nil }

// At implements pack.States.
func (w *world) At(_ context.Context, organizationID uuid.UUID, streamID string, position int64) (map[string]any, error) {
	return map[string]any{"of": organizationID, "stream": streamID, "position": position}, nil
}

// make packs what is asked for, and gives its files.
func (w *world) make(t testing.TB, ask pack.Ask) (files map[string][]byte, summary pack.Summary) {
	t.Helper()
	body, summary := w.zip(t, ask, nil)
	return unzip(t, body), summary
}

func (w *world) zip(t testing.TB, ask pack.Ask, from pack.Evidence) ([]byte, pack.Summary) {
	t.Helper()
	var body bytes.Buffer
	summary, err := w.packer().Write(context.Background(), &body, ask, from)
	if err != nil {
		t.Fatal(err)
	}
	return body.Bytes(), summary
}

func (w *world) packer() *pack.Packer {
	return pack.New(pack.Options{
		Log: w, Tree: w, States: w, Patience: 50 * time.Millisecond,
		Verifier: func() (map[string][]byte, error) { return map[string][]byte{"main.go": []byte("package main\n")}, nil },
	})
}

func unzip(t testing.TB, body []byte) map[string][]byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
