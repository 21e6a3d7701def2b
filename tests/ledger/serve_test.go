package ledger_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/ports/rest"
	"strata.dev/strata/tests/relay/logfill"
)

// tokens knows an operator and nobody else.
type tokens struct{}

func (tokens) Authenticate(_ context.Context, token string) (command.Principal, error) {
	switch token {
	case "operator":
		return command.Principal{Issuer: "test", Subject: "ops", Operator: true}, nil
	case "member":
		return command.Principal{Issuer: "test", Subject: "m", OrganizationID: logfill.Organization}, nil
	}
	return command.Principal{}, fault.New(fault.Unauthenticated, "unauthenticated", "no")
}

// serve is the service's HTTP port over the world's log.
func (w *world) serve() *httptest.Server {
	w.t.Helper()
	encoder, err := cloudevents.New(cloudevents.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	api, err := rest.New(rest.Options{App: &app.App{}, Tokens: tokens{}, Events: encoder, Log: slog.New(slog.DiscardHandler), Ledger: w.reader()})
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(api)
	w.t.Cleanup(server.Close)
	return server
}

type page struct {
	status int
	header http.Header
	body   []byte
}

func get(t testing.TB, url, token string) page {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{a.StatusCode, a.Header, body}
}

// tiles is a foreign verifier's reader: the paths are made here, not by our code.
type tiles struct {
	t    testing.TB
	base string
}

func (tiles) Height() int                     { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tiles) ReadTiles(list []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range list {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1) // C2SP has no height in it
		p := get(r.t, r.base+"/log/"+path, "")
		if p.status != http.StatusOK || p.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			return nil, fmt.Errorf("%s: %d %v %s", path, p.status, p.header, p.body)
		}
		data = append(data, p.body)
	}
	return data, nil
}

// A verifier who knows C2SP and our key, and nothing else of us, finds every event
// in the served log, and old trees at its beginning.
func TestForeignVerifiersVerify(t *testing.T) {
	w := newWorld(t)
	s := w.sealer(nil)
	server := w.serve()
	if p := get(t, server.URL+"/log/checkpoint", ""); p.status != http.StatusServiceUnavailable || p.header.Get("Retry-After") == "" {
		t.Errorf("a log that is not sealed answers %d", p.status)
	}
	old := w.sealed(s, 300)
	w.sealed(s, 66_000-300)

	p := get(t, server.URL+"/log/checkpoint", "")
	c, err := ledger.ReadCheckpoint(p.body, known(t, w.keys.VKeys...))
	if err != nil || c.Size != 66_000 || p.header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("checkpoint: %+v, %v, %v", c, err, p.header)
	}
	tree := tlog.Tree{N: c.Size, Hash: c.Root}
	nodes := tlog.TileHashReader(tree, tiles{t, server.URL})
	for _, position := range []int64{1, 2, 256, 257, 65_536, 65_537, 65_999, 66_000} {
		leaf := leafOf(t, server.URL, position)
		path, err := tlog.ProveRecord(c.Size, position-1, nodes)
		if err != nil {
			t.Fatalf("position %d: %v", position, err)
		}
		if err := tlog.CheckRecord(path, c.Size, c.Root, position-1, tlog.RecordHash(leaf)); err != nil {
			t.Errorf("position %d: %v", position, err)
		}
	}
	path, err := tlog.ProveTree(c.Size, old.Size, nodes)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(path, c.Size, c.Root, old.Size, old.Root); err != nil {
		t.Errorf("old tree: %v", err)
	}
	for _, path := range []string{"/log/tile/0/258", "/log/tile/0/257.p/209", "/log/tile/3/000.p/1", "/log/tile/0/x000/000", "/log/tile/8/0/000", "/log/tile/0/../0/000", "/log/tile/"} {
		if p := get(t, server.URL+path, ""); p.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, p.status)
		}
	}
}

// leafOf reads an entry from its bundle, as an operator may.
func leafOf(t testing.TB, base string, position int64) []byte {
	t.Helper()
	tile := tlog.Tile{H: 8, L: -1, N: (position - 1) / 256, W: 256}
	if tile.N == 66_000/256 {
		tile.W = 66_000 % 256
	}
	url := base + "/log/" + strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
	for token, want := range map[string]int{"": http.StatusUnauthorized, "member": http.StatusForbidden} {
		if p := get(t, url, token); p.status != want {
			t.Errorf("a bundle for %q: %d, want %d", token, p.status, want)
		}
	}
	p := get(t, url, "operator")
	if p.status != http.StatusOK {
		t.Fatalf("%s: %d %s", url, p.status, p.body)
	}
	rest, entries := p.body, 0
	var leaf []byte
	for ; len(rest) > 0; entries++ {
		n := int(binary.BigEndian.Uint16(rest))
		if int64(entries) == (position-1)%256 {
			leaf = rest[2 : 2+n]
		}
		rest = rest[2+n:]
	}
	if entries != tile.W || leaf == nil {
		t.Fatalf("bundle of position %d has %d entries, want %d", position, entries, tile.W)
	}
	return leaf
}

// What is too large for the two bytes of its length is refused, with its place.
func TestAnEntryTooLargeForABundleIsNamed(t *testing.T) {
	w := newWorld(t)
	w.append(5)
	w.superuser(`UPDATE events SET data = convert_to('{"x":"' || repeat('x', 70000) || '"}', 'UTF8') WHERE position = 4`)
	s := w.sealer(nil)
	if err := w.grow(s, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := get(t, w.serve().URL+"/log/tile/entries/000.p/5", "operator")
	var problem struct{ Code, Position string }
	if err := json.Unmarshal(p.body, &problem); err != nil || p.status != http.StatusConflict || problem.Code != "entry-too-large" || problem.Position != "4" {
		t.Errorf("%d %s, %v", p.status, p.body, err)
	}
}

// The proofs that the service makes convince another implementation.
func TestProofsConvinceAnotherImplementation(t *testing.T) {
	w := newWorld(t)
	s := w.sealer(nil)
	const size = 600
	w.sealed(s, 250)
	c := w.sealed(s, size-250)
	r, hasher := w.reader(), rfc6962.DefaultHasher
	for _, at := range []struct{ position, size int64 }{{1, 1}, {1, size}, {250, 250}, {256, 257}, {256, size}, {257, 600}, {600, 600}, {17, 599}} {
		e, p, cp, err := r.Prove(t.Context(), logfill.Organization, logfill.ID(at.position), at.size, 0)
		if err != nil {
			t.Fatal(err)
		}
		leaf := eventlog.LeafHash(&e)
		if err := proof.VerifyInclusion(hasher, uint64(at.position-1), uint64(at.size), leaf[:], slicesOf(p.Path), p.Root[:]); err != nil {
			t.Errorf("position %d in %d: %v", at.position, at.size, err)
		}
		if want := w.root(at.size); p.Root != want {
			t.Errorf("root at %d is %s, want %s", at.size, p.Root, want)
		}
		if signed := at.size == 250 || at.size == size; signed != (cp != nil) {
			t.Errorf("size %d has a checkpoint: %v", at.size, cp != nil)
		}
	}
	for _, sizes := range [][2]int64{{1, 600}, {250, 600}, {256, 512}, {600, 600}, {255, 257}} {
		p, err := r.Continue(t.Context(), sizes[0], sizes[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyConsistency(hasher, uint64(p.From), uint64(p.To), slicesOf(p.Path), p.FromRoot[:], p.ToRoot[:]); err != nil {
			t.Errorf("%v: %v", sizes, err)
		}
	}
	base := w.serve().URL
	p := get(t, base+"/v1/ledger/consistency?from=250&to=600", "")
	if p.status != http.StatusOK || p.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || !bytes.Contains(p.body, []byte(`"toRoot":"`+hexOf(c.Root)+`"`)) {
		t.Errorf("consistency: %d %v %s", p.status, p.header, p.body)
	}
	for _, q := range []string{"from=0", "from=601", "from=600&to=599", "from=1&to=601"} {
		if p := get(t, base+"/v1/ledger/consistency?"+q, ""); p.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", q, p.status, p.body)
		}
	}
	if _, _, _, err := r.Prove(t.Context(), uuid.New(), logfill.ID(1), 0, 0); !isNotFound(err) {
		t.Errorf("another organization's event is proved: %v", err)
	}
	w.append(1)
	if _, _, _, err := r.Prove(t.Context(), logfill.Organization, logfill.ID(601), 0, 0); !strings.Contains(fmt.Sprint(err), "not-sealed") {
		t.Errorf("an event that is not sealed: %v", err)
	}
}

// Tiles that were tampered with after they were signed give no proof.
func TestNoProofOfTamperedTiles(t *testing.T) {
	w := newWorld(t)
	w.sealed(w.sealer(nil), 600)
	w.superuser(`UPDATE ledger.tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE level = 0 AND n = 0`)
	_, _, _, err := w.reader().Prove(t.Context(), logfill.Organization, logfill.ID(7), 0, 0)
	if err == nil || isNotFound(err) || !strings.Contains(err.Error(), "inconsistent tile") {
		t.Errorf("proved from a tile that was changed: %v", err)
	}
}

func isNotFound(err error) bool {
	var f *fault.Fault
	return err != nil && errors.As(err, &f) && f.Kind == fault.NotFound
}

func slicesOf(path []ledger.Hash) [][]byte {
	out := make([][]byte, len(path))
	for i := range path {
		out[i] = path[i][:]
	}
	return out
}

func hexOf(h ledger.Hash) string { return fmt.Sprintf("%x", h[:]) }
