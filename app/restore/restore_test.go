package restore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/restore"
	"strata.dev/strata/domain/journal"
)

// target is a log in memory.
type target struct {
	events  []eventlog.Event
	epochs  []eventlog.Epoch
	cursors map[string]eventlog.Place
	half    bool
	imports map[uuid.UUID]bool // done
	kept    map[string]string
	dies    int // at the n-th write from now
}

func (m *target) Head(context.Context) (int64, error) { return int64(len(m.events)), nil }

func (m *target) Read(_ context.Context, after int64, limit int) ([]eventlog.Event, error) {
	rest := m.events[min(int(after), len(m.events)):]
	return rest[:min(limit, len(rest))], nil
}

func (m *target) Epochs(context.Context) (eventlog.Epochs, error) {
	return eventlog.NewEpochs(m.epochs)
}

var errKilled = errors.New("killed")

func (m *target) Write(_ context.Context, events []eventlog.Event, begun []eventlog.Epoch) error {
	if m.dies--; m.dies == 0 {
		return errKilled
	}
	if events[0].Position != int64(len(m.events))+1 {
		return fmt.Errorf("position %d behind %d", events[0].Position, len(m.events))
	}
	m.events, m.epochs, m.half = append(m.events, events...), append(m.epochs, begun...), true
	return nil
}

func (m *target) Begin(_ context.Context, e eventlog.Epoch, c eventlog.Command) (eventlog.Epoch, error) {
	if e.First != int64(len(m.events))+1 {
		return e, fmt.Errorf("epoch at %d behind %d", e.First, len(m.events))
	}
	n := c.Events[0]
	e.EventID, e.StartedAt = n.ID, time.Now().UTC().Truncate(time.Microsecond)
	m.events = append(m.events, eventlog.Event{
		Position: e.First, OrganizationID: c.OrganizationID, OrganizationSequence: 1, StreamID: c.StreamID, Version: 1, ID: n.ID, Type: n.Type,
		SchemaVersion: n.SchemaVersion, Data: n.Data, Metadata: n.Metadata, CommandID: c.ID, CommandHash: c.Hash, RecordedAt: e.StartedAt,
	})
	m.epochs, m.half = append(m.epochs, e), false
	return e, nil
}

func (m *target) Unfinished(context.Context) (bool, error) { return m.half, nil }

func (m *target) Cursors(context.Context) (map[string]eventlog.Place, error) { return m.cursors, nil }

func (m *target) KeepOriginal(_ context.Context, organization uuid.UUID, sha256 string, stored []byte) error {
	if m.kept == nil {
		m.kept = map[string]string{}
	}
	m.kept[organization.String()+"/"+sha256] = string(stored)
	return nil
}

func (m *target) Imported(_ context.Context, _, id uuid.UUID, done bool) error {
	if m.imports == nil {
		m.imports = map[uuid.UUID]bool{}
	}
	m.imports[id] = done
	return nil
}

var organization = uuid.MustParse("0198c0de-0000-7000-8000-00000000000a")

// recorded makes events of one stream.
func recorded(n int) []eventlog.Event {
	events := make([]eventlog.Event, n)
	for i := range events {
		at := int64(i + 1)
		events[i] = eventlog.Event{
			Position: at, OrganizationID: organization, OrganizationSequence: at, StreamID: "journal-" + organization.String(), Version: at,
			ID: uuid.New(), Type: "journal.sign-in-failed", SchemaVersion: 1,
			Data:       []byte(fmt.Sprintf(`{"count":%d,"firstAt":"2026-01-01T00:00:00Z","lastAt":"2026-01-01T00:00:00Z","reason":"r"}`, at)),
			Metadata:   []byte(`{"actor":{"id":"journal","kind":"process"},"commandId":"00000000-0000-0000-0000-000000000000","correlationId":"c","source":{"kind":"process"}}`),
			RecordedAt: time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC),
		}
	}
	return events
}

// kept is an archive in a directory.
type kept struct {
	t     *testing.T
	dir   string
	store blob.Store
	tree  archive.Frontier
	link  *archive.Link
}

func newArchive(t *testing.T) *kept {
	t.Helper()
	dir := t.TempDir()
	store, err := blob.Open(t.Context(), (&url.URL{Scheme: "file", Path: dir}).String(), blob.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	return &kept{t: t, dir: dir, store: store}
}

// add archives events as one segment.
func (k *kept) add(epoch int, events []eventlog.Event) {
	k.t.Helper()
	var object bytes.Buffer
	h, err := archive.WriteSegment(&object, archive.Source{Epoch: epoch, Previous: k.link, Base: k.tree, Events: events})
	if err == nil {
		err = k.store.Put(k.t.Context(), archive.SegmentKey(epoch, h.First), object.Bytes())
	}
	if err != nil {
		k.t.Fatal(err)
	}
	s, err := archive.ReadSegment("s", object.Bytes())
	if err != nil {
		k.t.Fatal(err)
	}
	link := s.Link()
	k.link = &link
	for i := range events {
		k.tree.Append(eventlog.LeafHash(&events[i]))
	}
}

// sign archives a checkpoint of the tree as it is, for an installation.
func (k *kept) sign(origin string, epoch int) {
	k.t.Helper()
	root := k.tree.Root()
	note := fmt.Sprintf("%s\n%d\n%s\n\n— k signature\n", origin, k.tree.Size(), base64Of(root[:]))
	if err := k.store.Put(k.t.Context(), archive.CheckpointKey(epoch, k.tree.Size()), []byte(note)); err != nil {
		k.t.Fatal(err)
	}
}

// hundred is an archive of 100 events in segments of ten.
func hundred(t *testing.T) (*kept, []eventlog.Event) {
	t.Helper()
	k, events := newArchive(t), recorded(100)
	for part := range slices.Chunk(events, 10) {
		k.add(1, part)
	}
	return k, events
}

func options(k *kept, m *target) restore.Options {
	return restore.Options{Archive: k.store, Target: m, Instance: "strata.test", Begin: restore.NewEpoch{Reason: "a test", Operator: "o"}}
}

func same(t *testing.T, got, want []eventlog.Event) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b eventlog.Event) bool { return eventlog.LeafHash(&a) == eventlog.LeafHash(&b) }) {
		t.Fatalf("the log has %d events, want %d, or they differ", len(got), len(want))
	}
}

func TestEverythingComesBack(t *testing.T) {
	k, events := hundred(t)
	k.sign("strata.test/log/1", 1)
	if err := k.store.Put(t.Context(), archive.OriginalKey(organization, strings.Repeat("a", 64)), []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	m := &target{}
	r, err := restore.Log(t.Context(), options(k, m))
	if err != nil {
		t.Fatal(err)
	}
	same(t, m.events[:100], events)
	root := k.tree.Root()
	if r.Restored != 100 || r.Compared != 0 || r.Head != 100 || r.Root != root.String() || r.Proven != 100 || r.Originals != 1 || r.Unproven != 0 {
		t.Errorf("report %+v", r)
	}
	if r.Began == nil || r.Began.Number != 2 || r.Began.First != 101 || r.Began.LostHead != 0 || m.events[100].OrganizationID.String() != journal.InstallationID {
		t.Errorf("epoch %+v", r.Began)
	}
	if m.kept[organization.String()+"/"+strings.Repeat("a", 64)] != "sealed" {
		t.Errorf("originals %v", m.kept)
	}
	// Once more there is nothing to do.
	if r, err = restore.Log(t.Context(), options(k, m)); err != nil || r.Began != nil || r.Restored != 0 || r.Compared != 100 || len(m.events) != 101 {
		t.Errorf("again: %+v, %v", r, err)
	}
}

// It is killed at every write in turn, and goes on each time.
func TestItGoesOnWhereItWasKilled(t *testing.T) {
	k, events := newArchive(t), recorded(25_000)
	for part := range slices.Chunk(events, 5_000) {
		k.add(1, part)
	}
	m := &target{}
	for attempt := 1; ; attempt++ {
		m.dies = 2
		r, err := restore.Log(t.Context(), options(k, m))
		if err == nil {
			if attempt < 3 || r.Began == nil || len(m.epochs) != 1 {
				t.Errorf("after %d attempts: %+v, %d epochs", attempt, r, len(m.epochs))
			}
			break
		}
		if !errors.Is(err, errKilled) || attempt > 10 {
			t.Fatal(err)
		}
	}
	same(t, m.events[:25_000], events)
}

func TestUntilAPositionOrAnInstant(t *testing.T) {
	k, events := hundred(t)
	for name, until := range map[string]restore.Until{
		"position": {Position: 37}, "instant": {At: events[36].RecordedAt}, "between": {At: events[36].RecordedAt.Add(time.Millisecond)},
	} {
		m := &target{}
		o := options(k, m)
		o.Until = until
		o.Followers = []restore.Follower{{Name: "plans", At: eventlog.Place{Position: 90, Epoch: 1}, Remedy: "rebuild"}, {Name: "audit", At: eventlog.Place{Position: 30, Epoch: 1}}}
		r, err := restore.Log(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		same(t, m.events[:37], events[:37])
		if r.Began.First != 38 || r.Began.RestoredTo != 37 || r.Began.LostHead != 100 || len(r.Diverged) != 1 || r.Diverged[0].Who != "plans" || r.Diverged[0].Lost != 53 {
			t.Errorf("%s: %+v, %+v", name, r.Began, r.Diverged)
		}
	}
	m := &target{events: slices.Clone(events)}
	o := options(k, m)
	o.Until = restore.Until{Position: 37}
	if _, err := restore.Log(t.Context(), o); !errors.Is(err, restore.ErrLonger) || len(m.events) != 100 {
		t.Errorf("a longer log was to be cut: %v", err)
	}
}

// What begins after the restore is archived beside what was left behind; the next
// restore follows the newest history, and epochs come out of it.
func TestHistoriesThatWereLeftBehind(t *testing.T) {
	k, events := hundred(t)
	m := &target{}
	o := options(k, m)
	o.Until = restore.Until{Position: 55}
	if _, err := restore.Log(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	// The archiver goes on behind the segment that holds position 55.
	var err error
	if k.tree, err = frontierOf(m.events[:55]); err != nil {
		t.Fatal(err)
	}
	object, err := k.store.Get(t.Context(), archive.SegmentKey(1, 51))
	if err != nil {
		t.Fatal(err)
	}
	s, err := archive.ReadSegment("s", object)
	if err != nil {
		t.Fatal(err)
	}
	link := s.Link()
	k.link = &link
	k.add(2, m.events[55:])
	again := &target{}
	r, err := restore.Log(t.Context(), options(k, again))
	if err != nil {
		t.Fatal(err)
	}
	same(t, again.events[:56], m.events)
	if r.Epoch != 2 || r.Head != 56 || r.Began.Number != 3 || len(again.epochs) != 2 || again.epochs[0] != m.epochs[0] {
		t.Errorf("%+v; epochs %+v", r, again.epochs)
	}
	// A log of the first history alone is not a beginning of it, and is refused at the fork.
	old := &target{events: slices.Clone(events[:70])}
	if _, err := restore.Log(t.Context(), options(k, old)); !errors.Is(err, restore.ErrForeign) || !strings.Contains(err.Error(), "position 56") {
		t.Errorf("another history: %v", err)
	}
}

func TestWhatDoesNotBelongTogetherIsRefused(t *testing.T) {
	k, events := hundred(t)
	k.sign("other.example/log/1", 1)
	m := &target{}
	if _, err := restore.Log(t.Context(), options(k, m)); !errors.Is(err, restore.ErrForeign) || !strings.Contains(err.Error(), "other.example") || len(m.events) != 0 {
		t.Errorf("another installation's archive: %v", err)
	}
	changed := slices.Clone(events[:20])
	changed[12].Data = []byte(`{}`)
	m = &target{events: changed}
	o := options(k, m)
	o.Instance = ""
	if _, err := restore.Log(t.Context(), o); !errors.Is(err, restore.ErrForeign) || !strings.Contains(err.Error(), "position 13") || len(m.events) != 20 {
		t.Errorf("another log: %v", err)
	}
	empty := newArchive(t)
	if _, err := restore.Log(t.Context(), options(empty, &target{})); !errors.Is(err, restore.ErrEmpty) {
		t.Errorf("an empty archive: %v", err)
	}
	swapped, _ := hundred(t)
	swapped.tree = archive.Frontier{}
	other := recorded(100)
	for i := range other {
		swapped.tree.Append(eventlog.LeafHash(&other[i]))
	}
	swapped.sign("strata.test/log/1", 1)
	if _, err := restore.Log(t.Context(), options(swapped, &target{})); err == nil || !strings.Contains(err.Error(), "checkpoint of this size has another root") {
		t.Errorf("a checkpoint of another log: %v", err)
	}
}

// A segment that is gone, or of which one byte is another, ends the restore with
// its name; with the events from elsewhere it goes on.
func TestGapsAreNamedAndMended(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"gone": os.Remove,
		"damaged": func(path string) error {
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			body[len(body)/2] ^= 1
			if err := os.Chmod(path, 0o600); err != nil {
				return err
			}
			return os.WriteFile(path, body, 0o600)
		},
	} {
		k, events := hundred(t)
		if err := harm(filepath.Join(k.dir, filepath.FromSlash(archive.SegmentKey(1, 41)))); err != nil {
			t.Fatal(err)
		}
		m := &target{}
		o := options(k, m)
		_, err := restore.Log(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%020d", 41)) || len(m.events) != 40 || !m.half {
			t.Fatalf("%s: %v with %d events", name, err, len(m.events))
		}
		forged := slices.Clone(events)
		forged[44].Data = []byte(`{"count":1,"firstAt":"2026-01-01T00:00:00Z","lastAt":"2026-01-01T00:00:00Z","reason":"x"}`)
		o.Mend = restore.MendFrom(restore.Lines(forged))
		if _, err := restore.Log(t.Context(), o); err == nil || len(m.events) != 40 {
			t.Errorf("%s: forged events were taken: %v, %d", name, err, len(m.events))
		}
		o.Mend = restore.MendFrom(restore.Lines(events[30:60]))
		r, err := restore.Log(t.Context(), o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		same(t, m.events[:100], events)
		if r.Compared != 40 || r.Restored != 60 || r.Unproven != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Keys of erased persons are destroyed before the events are there to be read.
func TestWhatIsErasedIsDestroyedFirst(t *testing.T) {
	k, _ := hundred(t)
	m := &target{}
	o := options(k, m)
	seen := 0
	o.Erased = func(_ context.Context, events []eventlog.Event) error {
		if len(m.events) != seen {
			t.Errorf("%d events were written before", len(m.events))
		}
		seen += len(events)
		return nil
	}
	if _, err := restore.Log(t.Context(), o); err != nil || seen != 100 {
		t.Fatalf("%d events were looked at, %v", seen, err)
	}
	m = &target{}
	o.Target, o.Erased = m, func(context.Context, []eventlog.Event) error { return errors.New("the key store is away") }
	if _, err := restore.Log(t.Context(), o); err == nil || len(m.events) != 0 {
		t.Errorf("without the key store: %v, %d events", err, len(m.events))
	}
}
