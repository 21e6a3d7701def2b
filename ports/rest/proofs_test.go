package rest_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/ports/rest"
)

// sealedLog is a log with its ledger beside it in memory.
type sealedLog struct {
	eventlog.Log

	mu          sync.Mutex
	size        int64
	tiles       map[[2]int64][]byte
	checkpoints []ledger.Checkpoint
	keys        []ledger.SeenKey
}

func (l *sealedLog) FindEvent(ctx context.Context, organization, id uuid.UUID) (eventlog.Event, bool, error) {
	events, err := l.Read(ctx, 0, 1<<20)
	i := slices.IndexFunc(events, func(e eventlog.Event) bool { return e.ID == id && e.OrganizationID == organization })
	if err != nil || i < 0 {
		return eventlog.Event{}, false, err
	}
	return events[i], true, nil
}

func (l *sealedLog) Size(context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size, nil
}

func (l *sealedLog) Tiles(_ context.Context, tiles []tlog.Tile) (data [][]byte, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range tiles {
		hashes := l.tiles[[2]int64{int64(t.L), t.N}]
		if len(hashes) < t.W*tlog.HashSize {
			return nil, &ledger.TileError{Tile: t, Got: len(hashes) / tlog.HashSize}
		}
		data = append(data, hashes[:t.W*tlog.HashSize])
	}
	return data, nil
}

func (l *sealedLog) Grow(_ context.Context, from, to int64, tiles []ledger.Tile) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from != l.size {
		return ledger.ErrMoved
	}
	l.size = to
	for _, t := range tiles {
		l.tiles[[2]int64{int64(t.Level), t.N}] = slices.Clone(t.Hashes)
	}
	return nil
}

func (l *sealedLog) Events(ctx context.Context, first, last int64, visit func(*eventlog.Event) error) error {
	events, err := l.Read(ctx, first-1, int(last-first+1))
	for i := range events {
		if err := visit(&events[i]); err != nil {
			return err
		}
	}
	return err
}

func (l *sealedLog) LeafHashes(ctx context.Context, first, last int64) (leaves []ledger.Hash, err error) {
	return leaves, l.Events(ctx, first, last, func(e *eventlog.Event) error {
		leaves = append(leaves, eventlog.LeafHash(e))
		return nil
	})
}

func (l *sealedLog) Latest(context.Context, int) (c ledger.Checkpoint, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.checkpoints) == 0 {
		return c, false, nil
	}
	return l.checkpoints[len(l.checkpoints)-1], true, nil
}

func (l *sealedLog) At(_ context.Context, _ int, size int64) (c ledger.Checkpoint, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.checkpoints {
		if c.Size == size {
			return c, true, nil
		}
	}
	return c, false, nil
}

func (l *sealedLog) Save(_ context.Context, _ int, c ledger.Checkpoint, vkeys []string) (ledger.Checkpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoints = append(l.checkpoints, c)
	l.keys = l.keys[:0]
	for _, k := range vkeys {
		l.keys = append(l.keys, ledger.SeenKey{VKey: k, FirstSize: l.checkpoints[0].Size, LastSize: c.Size})
	}
	return c, nil
}

func (l *sealedLog) Keys(context.Context) ([]ledger.SeenKey, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.keys), nil
}

// sealedWorld is a world whose log is sealed when seal is called.
func sealedWorld(t *testing.T) (w *world, known note.Verifiers, seal func()) {
	t.Helper()
	w = newWorld(t)
	keys, err := notekeys.Open(notekeys.Options{File: filepath.Join(t.TempDir(), "ledger.key"), Name: ledger.KeyName("strata.test"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(keys.VKeys[0])
	if err != nil {
		t.Fatal(err)
	}
	store := &sealedLog{Log: w.log, tiles: map[[2]int64][]byte{}}
	sealer, err := ledger.New(ledger.Options{Store: store, Epoch: 1, Instance: "strata.test", Signers: keys.Signers, VKeys: keys.VKeys})
	if err != nil {
		t.Fatal(err)
	}
	w.reopen(func(o *rest.Options) {
		o.Ledger = ledger.NewReader(ledger.ReaderOptions{Store: store, Events: store, Epoch: 1})
	})
	return w, note.VerifierList(verifier), func() {
		t.Helper()
		head, err := w.log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := sealer.Grow(t.Context(), store.size, head); err != nil {
			t.Fatal(err)
		}
		if _, err := sealer.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// offline checks a receipt with nothing but its bytes and the key.
func offline(t *testing.T, receipt []byte, known note.Verifiers) (events []map[string]any) {
	t.Helper()
	var r struct {
		Format, CommandID, OrganizationID, Durability, Checkpoint string
		Events                                                    []struct {
			Event              json.RawMessage
			Position, LeafHash string
			Proof              []string
		}
	}
	if err := json.Unmarshal(receipt, &r); err != nil {
		t.Fatal(err)
	}
	c, err := ledger.ReadCheckpoint([]byte(r.Checkpoint), known)
	if err != nil || r.Format != "strata-receipt-1" || len(r.Events) == 0 {
		t.Fatalf("%v: %s", err, receipt)
	}
	for _, e := range r.Events {
		position, err := strconv.ParseInt(e.Position, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		var path tlog.RecordProof
		for _, h := range e.Proof {
			hash, err := hex.DecodeString(h)
			if err != nil {
				t.Fatal(err)
			}
			path = append(path, tlog.Hash(hash))
		}
		leaf, err := hex.DecodeString(e.LeafHash)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(path, c.Size, c.Root, position-1, tlog.Hash(leaf)); err != nil {
			t.Errorf("position %d: %v", position, err)
		}
		if e.Event == nil {
			continue
		}
		stored := storedOf(t, e.Event)
		if hash := eventlog.LeafHash(&stored); hex.EncodeToString(hash[:]) != e.LeafHash || stored.Position != position {
			t.Errorf("the event in the receipt is not the leaf:\n%s", e.Event)
		}
		var event map[string]any
		if err := json.Unmarshal(e.Event, &event); err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
	return events
}

// storedOf reads an event back from a receipt, byte for byte.
func storedOf(t *testing.T, text []byte) (e eventlog.Event) {
	t.Helper()
	var s struct {
		eventlog.Event
		EventID        uuid.UUID
		CommandHash    string
		Data, Metadata json.RawMessage
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	e, e.ID, e.Data, e.Metadata = s.Event, s.EventID, s.Data, s.Metadata
	var err error
	if e.CommandHash, err = hex.DecodeString(s.CommandHash); err != nil {
		t.Fatal(err)
	}
	if len(e.CommandHash) == 0 {
		e.CommandHash = nil
	}
	return e
}

// Who gives a command is told where its receipt is, keeps it, and needs nobody to
// verify it. Another organization learns nothing of it.
func TestReceiptsVerifyOffline(t *testing.T) {
	w, known, seal := sealedWorld(t)
	mine, other := w.register("Mine", author), w.register("Other", author)
	done := w.do(request{path: "/v1/strategies", token: mine.tokens[author], body: `{"frame":{"name":"A < B & \u2028 \"C\""}}`}).want(201, "")
	link := done.header.Get("Link")
	path, ok := strings.CutPrefix(link, "<")
	path, rel, _ := strings.Cut(path, ">")
	if !ok || rel != `; rel="urn:strata:rel:receipt"` || !strings.HasPrefix(path, "/v1/receipts/") {
		t.Fatalf("Link is %q", link)
	}
	w.do(request{method: http.MethodGet, path: path, token: mine.tokens[author], header: http.Header{"Prefer": {"wait=1"}}}).want(503, "not-sealed")
	seal()
	receipt := w.do(request{method: http.MethodGet, path: path, token: mine.tokens[author]}).want(200, "")
	events := offline(t, receipt.body, known)
	if len(events) != 1 || events[0]["type"] != "strategy.drafted" || receipt.str("durability") != "local" {
		t.Errorf("receipt: %s", receipt.body)
	}
	w.do(request{method: http.MethodGet, path: path, token: other.tokens[author]}).want(404, "not-found")
	w.do(request{method: http.MethodGet, path: "/v1/receipts/" + uuid.NewString(), token: mine.tokens[author]}).want(404, "not-found")

	id := events[0]["eventId"].(string)
	proof := w.do(request{method: http.MethodGet, path: "/v1/events/" + id + "/proof", token: mine.tokens[author]}).want(200, "")
	if c, err := ledger.ReadCheckpoint([]byte(proof.str("checkpoint")), known); err != nil || decimalOf(c.Size) != proof.str("size") ||
		proof.str("position") != receipt.json()["events"].([]any)[0].(map[string]any)["position"] || proof.header.Get("Cache-Control") != "no-cache" {
		t.Errorf("proof: %s, %v, %v", proof.body, err, proof.header)
	}
	pinned := w.do(request{method: http.MethodGet, path: "/v1/events/" + id + "/proof?size=" + proof.str("size"), token: mine.tokens[author]}).want(200, "")
	if pinned.header.Get("Cache-Control") != "private, max-age=31536000, immutable" {
		t.Errorf("a proof in a tree of one size: %v", pinned.header)
	}
	w.do(request{method: http.MethodGet, path: "/v1/events/" + id + "/proof", token: other.tokens[author]}).want(404, "not-found")
	w.do(request{method: http.MethodGet, path: "/v1/events/" + id + "/proof?size=1", token: mine.tokens[author]}).want(404, "not-found")
	w.do(request{method: http.MethodGet, path: "/v1/events/" + id + "/proof?size=999", token: mine.tokens[author], header: http.Header{"Prefer": {"wait=1"}}}).want(404, "not-found")

	// Anybody may have the checkpoint, its keys, and that it continues older ones.
	checkpoint := w.do(request{method: http.MethodGet, path: "/v1/ledger/checkpoint"}).want(200, "")
	root, err := hex.DecodeString(checkpoint.str("root"))
	if err != nil || !strings.Contains(checkpoint.str("checkpoint"), base64.StdEncoding.EncodeToString(root)) || checkpoint.str("origin") != "strata.test/log/1" {
		t.Errorf("checkpoint: %s, %v", checkpoint.body, err)
	}
	w.do(request{method: http.MethodGet, path: "/v1/ledger/consistency?from=1"}).want(200, "")
	keys := w.do(request{method: http.MethodGet, path: "/v1/ledger/keys"}).want(200, "").json()["keys"].([]any)
	if len(keys) != 1 || keys[0].(map[string]any)["current"] != true || keys[0].(map[string]any)["name"] != "strata.test/log" {
		t.Errorf("keys: %v", keys)
	}
}

func decimalOf(n int64) string { return strconv.FormatInt(n, 10) }

// An installation that seals nothing says so.
func TestWithoutALedgerThereAreNoProofs(t *testing.T) {
	w := newWorld(t)
	o := w.register("Mine", author)
	for _, path := range []string{
		"/v1/ledger/checkpoint", "/v1/ledger/keys", "/v1/ledger/consistency?from=1", "/v1/receipts/" + uuid.NewString(), "/v1/events/" + uuid.NewString() + "/proof",
	} {
		w.do(request{method: http.MethodGet, path: path, token: o.tokens[author]}).want(503, "ledger-unavailable")
	}
}
