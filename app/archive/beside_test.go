package archive_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"strata.dev/strata/app/archive"
)

func TestDocumentsAreArchivedBeforeTheEventsThatReferToThem(t *testing.T) {
	document := []byte("sealed bytes of a document")
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("a document")))
	erased := fmt.Sprintf("%x", sha256.Sum256([]byte("an erased one")))
	w := newWorld(3)
	w.log.events[1].Type, w.log.events[1].Data = "evidence.registered", fmt.Appendf(nil, `{"sha256":%q}`, sum)
	w.log.events[2].Type, w.log.events[2].Data = "source.import-accepted", fmt.Appendf(nil, `{"documentSha256":%q}`, erased)
	w.documents[erased] = nil

	// Without the document there is no segment either.
	a := w.archiver(t)
	if err := w.drive(t.Context(), a, 9); err == nil || !strings.Contains(err.Error(), "position 2") || len(w.store.keys()) != 0 {
		t.Fatalf("%v, %q", err, w.store.keys())
	}
	w.documents[sum] = document
	if err := w.drive(t.Context(), a, 9); err != nil {
		t.Fatal(err)
	}
	key := archive.OriginalKey(organization, sum)
	if got := w.store.objects[key]; string(got) != string(document) {
		t.Errorf("archived %q", got)
	}
	if slices.Index(w.store.calls, "get "+key) > slices.Index(w.store.calls, "put "+archive.SegmentKey(1, 1)) {
		t.Errorf("calls %q", w.store.calls)
	}
	w.archived(t, 3)
}

// signed is a ledger with checkpoints of some sizes.
type signed []int64

func noteOf(size int64) []byte {
	return fmt.Appendf(nil, "strata/log/1\n%d\nroot\n\n— signature\n", size)
}

func (s signed) Signed(_ context.Context, epoch int, upTo int64) (int64, []byte, bool, error) {
	for _, size := range slices.Backward(s) {
		if epoch == 1 && size <= upTo {
			return size, noteOf(size), true, nil
		}
	}
	return 0, nil, false, nil
}

func TestCheckpointsThatSegmentsCoverAreArchived(t *testing.T) {
	w := newWorld(10)
	w.signed = signed{4, 7, 12}
	a := w.archiver(t)
	if err := a.ArchiveCheckpoint(t.Context()); err != nil || len(w.store.keys()) != 0 {
		t.Fatalf("before anything is archived: %v", err)
	}
	if err := w.drive(t.Context(), a, 10); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.ArchiveCheckpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	size, note, ok, err := archive.LastCheckpoint(t.Context(), w.store, 1)
	if err != nil || !ok || size != 7 || string(note) != string(noteOf(7)) || a.Status().Checkpoint != 7 {
		t.Fatalf("%d %q %v %v", size, note, ok, err)
	}

	// A different text of the same size is a fork of the log.
	w.store.objects[archive.CheckpointKey(1, 7)] = []byte("strata/log/1\n7\nanother root\n\n— signature\n")
	other := w.archiver(t)
	if _, err := other.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := other.ArchiveCheckpoint(t.Context()); !errors.Is(err, archive.ErrDiffers) {
		t.Errorf("%v", err)
	}
}
