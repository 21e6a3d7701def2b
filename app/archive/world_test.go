package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/objectstore"
	"strata.dev/strata/app/personal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	organization = uuid.MustParse("0198c0de-0000-7000-8000-000000000001")
	began        = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
)

// event is one whose every field follows from its position.
func event(position int64) eventlog.Event {
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], uint64(position))
	e := eventlog.Event{
		Position: position, OrganizationID: organization, OrganizationSequence: position, StreamID: "strategy-x", Version: position,
		ID: uuid.NewSHA1(organization, id[:]), Type: "strategy.goal-added", SchemaVersion: 1,
		Data: []byte(fmt.Sprintf(`{"n":"%d"}`, position)), Metadata: []byte(`{"actor":"a"}`), RecordedAt: began.Add(time.Duration(position) * time.Second),
	}
	if position%2 == 1 {
		hash := sha256.Sum256(id[:])
		e.CommandID, e.CommandHash = uuid.NewSHA1(uuid.Nil, id[:]), hash[:]
	}
	return e
}

func events(first, last int64) []eventlog.Event {
	var all []eventlog.Event
	for p := first; p <= last; p++ {
		all = append(all, event(p))
	}
	return all
}

// fakeLog is a log of events in memory, with its epochs.
type fakeLog struct {
	mu     sync.Mutex
	events []eventlog.Event
	epochs eventlog.Epochs
	fail   error
}

func (l *fakeLog) Read(_ context.Context, after int64, limit int) ([]eventlog.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.events[min(after, int64(len(l.events))):]
	return slices.Clone(rest[:min(limit, len(rest))]), l.fail
}

func (l *fakeLog) Head(context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.events)), l.fail
}

func (l *fakeLog) Epochs(context.Context) (eventlog.Epochs, error) { return l.epochs, nil }

// memory is a store in memory that can be made to fail.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	calls   []string
	// before is asked before each call, after behind it; an error of after stands
	// for an answer that was lost, or a process that died there.
	before, after func(call, key string) error
	lie           func(key string, body []byte) []byte // what Get gives
	hide          func(key string) bool                // what List leaves out
}

func newMemory() *memory { return &memory{objects: map[string][]byte{}} }

func (m *memory) do(ctx context.Context, call, key string, fn func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.before != nil {
		if err := m.before(call, key); err != nil {
			return err
		}
	}
	m.calls = append(m.calls, call+" "+key)
	err := fn()
	if m.after != nil {
		if lost := m.after(call, key); lost != nil {
			return lost
		}
	}
	return err
}

func (m *memory) Put(ctx context.Context, key string, body []byte) error {
	return m.do(ctx, "put", key, func() error {
		if _, ok := m.objects[key]; ok {
			return objectstore.ErrExists
		}
		m.objects[key] = bytes.Clone(body)
		return nil
	})
}

func (m *memory) Get(ctx context.Context, key string) (body []byte, err error) {
	err = m.do(ctx, "get", key, func() error {
		found, ok := m.objects[key]
		if !ok {
			return objectstore.ErrNotFound
		}
		if body = bytes.Clone(found); m.lie != nil {
			body = m.lie(key, body)
		}
		return nil
	})
	return body, err
}

func (m *memory) Stat(ctx context.Context, key string) (objectstore.Object, error) {
	body, err := m.Get(ctx, key)
	return objectstore.Object{Key: key, Size: int64(len(body))}, err
}

func (m *memory) List(ctx context.Context, prefix, after string, limit int) (found []objectstore.Object, err error) {
	err = m.do(ctx, "list", prefix, func() error {
		for key, body := range m.objects {
			if strings.HasPrefix(key, prefix) && key > after && (m.hide == nil || !m.hide(key)) {
				found = append(found, objectstore.Object{Key: key, Size: int64(len(body))})
			}
		}
		slices.SortFunc(found, func(a, b objectstore.Object) int { return strings.Compare(a.Key, b.Key) })
		found = found[:min(limit, len(found))]
		return nil
	})
	return found, err
}

func (m *memory) keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// documents are originals by their hash.
type documents map[string][]byte

func (d documents) Stored(_ context.Context, _ uuid.UUID, sum string) ([]byte, error) {
	if body, ok := d[sum]; ok {
		if body == nil {
			return nil, personal.ErrErased
		}
		return body, nil
	}
	return nil, errors.New("no such document")
}

// progress is shared by archivers of several instances.
type progress struct {
	mu sync.Mutex
	at int64
}

func (p *progress) Archived(context.Context) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at, nil
}

func (p *progress) NoteArchived(_ context.Context, at int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = max(p.at, at)
	return nil
}

// world is what an archiver works with.
type world struct {
	store     *memory
	log       *fakeLog
	documents documents
	progress  *progress
	signed    archive.Checkpoints
}

func newWorld(n int64) *world {
	return &world{store: newMemory(), log: &fakeLog{events: events(1, n)}, documents: documents{}, progress: &progress{}}
}

func (w *world) archiver(t testing.TB) *archive.Archiver {
	t.Helper()
	return w.over(t, w.store)
}

func (w *world) over(t testing.TB, store archive.Store) *archive.Archiver {
	t.Helper()
	a, err := archive.New(archive.Options{
		Store: store, Log: w.log, Epochs: w.log, Originals: w.documents, Checkpoints: w.signed, Progress: w.progress,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// drive does what the consumer group does, in batches, until the log is archived
// or an attempt fails.
func (w *world) drive(ctx context.Context, a *archive.Archiver, batch int64) error {
	at, err := a.Checkpoint(ctx)
	if err != nil {
		return err
	}
	for {
		page, err := w.log.Read(ctx, at, int(batch))
		if err != nil || len(page) == 0 {
			return err
		}
		if err := a.Handle(ctx, page); err != nil {
			return err
		}
		at = page[len(page)-1].Position
	}
}

// archived reads the whole archive, proven, and compares it with the log's first n events.
func (w *world) archived(t testing.TB, n int64) archive.Tip {
	t.Helper()
	var got []eventlog.Event
	tip, err := archive.Walk(t.Context(), w.store, archive.WalkOptions{}, func(e *eventlog.Event) error {
		got = append(got, *e)
		return nil
	})
	if err != nil {
		t.Fatalf("the archive cannot be read: %v", err)
	}
	same(t, got, w.log.events[:n])
	if tip.Last != n || tip.Frontier.Root() != rootOf(w.log.events[:n]) {
		t.Fatalf("the archive ends at %d with root %s", tip.Last, tip.Frontier.Root())
	}
	return tip
}

func same(t testing.TB, got, want []eventlog.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d events instead of %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if g.Position != w.Position || g.OrganizationID != w.OrganizationID || g.OrganizationSequence != w.OrganizationSequence ||
			g.StreamID != w.StreamID || g.Version != w.Version || g.ID != w.ID || g.Type != w.Type || g.SchemaVersion != w.SchemaVersion ||
			!bytes.Equal(g.Data, w.Data) || !bytes.Equal(g.Metadata, w.Metadata) || g.CommandID != w.CommandID ||
			!bytes.Equal(g.CommandHash, w.CommandHash) || (g.CommandHash == nil) != (w.CommandHash == nil) || !g.RecordedAt.Equal(w.RecordedAt) {
			t.Fatalf("event %d is %+v, not %+v", i, g, w)
		}
	}
}

// rootOf is RFC 6962 as it is written there, recursively.
func rootOf(all []eventlog.Event) archive.Hash {
	leaves := make([]archive.Hash, len(all))
	for i := range all {
		leaves[i] = eventlog.LeafHash(&all[i])
	}
	return merkle(leaves)
}

func merkle(leaves []archive.Hash) archive.Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	left, right := merkle(leaves[:k]), merkle(leaves[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}
