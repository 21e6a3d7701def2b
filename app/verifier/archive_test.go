package verifier_test

import (
	"bytes"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/verifier"
	"strata.dev/strata/app/verifier/unzstd"
)

// archived is an archive that is being written by who writes it in the service.
type archived struct {
	t     *testing.T
	files fstest.MapFS
	last  *archive.Link
	tree  archive.Frontier
}

func (a *archived) write(epoch int, events []eventlog.Event) (archive.Link, archive.Frontier) {
	a.t.Helper()
	var object bytes.Buffer
	h, err := archive.WriteSegment(&object, archive.Source{Epoch: epoch, Previous: a.last, Base: a.tree, Events: events})
	if err != nil {
		a.t.Fatal(err)
	}
	segment, err := archive.ReadSegment("", object.Bytes())
	if err != nil {
		a.t.Fatal(err)
	}
	if a.tree, err = archive.NewFrontier(h.Last, h.Frontier); err != nil {
		a.t.Fatal(err)
	}
	link := segment.Link()
	a.last = &link
	a.files[archive.SegmentKey(epoch, h.First)] = &fstest.MapFile{Data: object.Bytes()}
	return link, a.tree.Clone()
}

// recordedAfter is n events behind a position, other ones for another mark.
func recordedAfter(position int64, n int, mark string) (events []eventlog.Event) {
	for i := range int64(n) {
		at := position + i + 1
		events = append(events, eventlog.Event{
			Position: at, OrganizationID: uuid.UUID{15: 1}, OrganizationSequence: at, StreamID: "strategy-1", Version: at, ID: uuid.UUID{14: mark[0], 15: byte(at)},
			Type: "strategy.changed", SchemaVersion: 1, Data: fmt.Appendf(nil, `{"mark":%q}`, mark), Metadata: []byte(`{}`), RecordedAt: time.UnixMicro(at).UTC(),
		})
	}
	return events
}

// A log that was restored goes on in a new epoch: its archive is one history,
// from the first event of the first epoch to the last of the last.
func TestArchiveOfARestoredLog(t *testing.T) {
	a := &archived{t: t, files: fstest.MapFS{}}
	first := recordedAfter(0, 90, "a")
	a.write(1, first[:50])
	base := a.tree.Clone()
	inside, _ := a.write(1, first[50:]) // restored to 80, in the middle of it
	for i := 50; i < 80; i++ {
		base.Append(eventlog.LeafHash(&first[i]))
	}
	second := recordedAfter(80, 30, "b")
	a.last, a.tree = &inside, base
	a.write(2, second[:10])
	a.write(2, second[10:])

	history := append(append([]eventlog.Event{}, first[:80]...), second...)
	walk := func() (*verifier.Problem, []verifier.Hash) {
		t.Helper()
		var seen []verifier.Hash
		reader := &verifier.Archive{Objects: verifier.Directory{FS: a.files}, Unpack: unzstd.Open}
		p, err := reader.Walk(t.Context(), func(_ []verifier.Event, hashes []verifier.Hash) error {
			seen = append(seen, hashes...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		shared, err := reader.Shared(t.Context())
		if err != nil || shared(1) != 80 || shared(2) < 1<<60 {
			t.Errorf("epoch 1 is shared up to %d, epoch 2 up to %d: %v", shared(1), shared(2), err)
		}
		return p, seen
	}
	p, seen := walk()
	if p != nil || len(seen) != len(history) {
		t.Fatalf("%d of %d events: %v", len(seen), len(history), p)
	}
	for i := range history {
		if seen[i] != eventlog.LeafHash(&history[i]) {
			t.Fatalf("position %d is another event", i+1)
		}
	}
	// A segment of the epoch that was left is still what the next one rests on.
	forged := &archived{t: t, files: fstest.MapFS{}}
	other := recordedAfter(0, 90, "a")
	other[59].Data = []byte(`{"mark":"c"}`)
	forged.write(1, other[:50])
	forged.write(1, other[50:])
	a.files[archive.SegmentKey(1, 51)] = forged.files[archive.SegmentKey(1, 51)]
	if p, _ := walk(); p == nil || p.Position != 51 || p.Through != 90 {
		t.Errorf("found %v", p)
	}
}
