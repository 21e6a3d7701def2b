package archive_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

func TestALaterEpochContinuesWhatBothHaveInCommon(t *testing.T) {
	for _, restored := range []int64{9, 8, 6, 5, 4, 1} {
		t.Run(fmt.Sprint("restored to ", restored), func(t *testing.T) {
			w := newWorld(9)
			if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
				t.Fatal(err)
			}
			w.log.restore(t, restored, 9)
			w.log.grow(5)
			if err := w.drive(t.Context(), w.archiver(t), 2); err != nil {
				t.Fatal(err)
			}
			tip := w.archived(t, restored+5)
			if tip.Epoch != 2 {
				t.Errorf("tip %+v", tip)
			}
			s, err := archive.ReadSegment("", w.store.objects[archive.SegmentKey(2, restored+1)])
			if err != nil || s.Previous.Epoch != 1 || s.Previous.Last < restored || s.Previous.First > restored {
				t.Errorf("%+v %v", s, err)
			}
			// The former history can still be read.
			old, err := archive.Walk(t.Context(), w.store, archive.WalkOptions{Epoch: 1}, func(*eventlog.Event) error { return nil })
			if err != nil || old.Last != 9 || old.Frontier.Root() != rootOf(events(1, 9)) {
				t.Errorf("%+v %v", old, err)
			}

			// And a third one, which begins inside the second.
			w.log.restore(t, restored+3, restored+5)
			w.log.grow(4)
			if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
				t.Fatal(err)
			}
			if tip := w.archived(t, restored+7); tip.Epoch != 3 {
				t.Errorf("tip %+v", tip)
			}
		})
	}
}

// restore takes the end of the log away and begins another epoch.
func (l *fakeLog) restore(t *testing.T, to, lost int64) {
	t.Helper()
	var later []eventlog.Epoch
	if all := l.epochs.All(); len(all) > 1 {
		later = all[1:]
	}
	epochs, err := eventlog.NewEpochs(append(later, eventlog.Epoch{Number: len(later) + 2, First: to + 1, RestoredTo: to, LostHead: lost}))
	if err != nil {
		t.Fatal(err)
	}
	l.epochs, l.events = epochs, slices.Clone(l.events[:to])
}

// grow appends events that were not there before.
func (l *fakeLog) grow(n int) {
	for range n {
		e := event(int64(len(l.events) + 1))
		e.ID = uuid.New()
		l.events = append(l.events, e)
	}
}

// TestAnEpochThatBeganBehindTheArchive: the log was restored from a backup that had
// more than the archive. The new epoch's folder gets what is missing, too.
func TestAnEpochThatBeganBehindTheArchive(t *testing.T) {
	w := newWorld(6)
	if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
		t.Fatal(err)
	}
	w.log.grow(2) // not archived
	w.log.restore(t, 8, 9)
	w.log.grow(2)
	if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
		t.Fatal(err)
	}
	if tip := w.archived(t, 10); tip.Epoch != 2 {
		t.Errorf("tip %+v", tip)
	}
}

func TestAnEmptyArchiveOfALaterEpochBeginsAtOne(t *testing.T) {
	w := newWorld(6)
	w.log.restore(t, 5, 6)
	w.log.grow(2)
	if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
		t.Fatal(err)
	}
	if tip := w.archived(t, 7); tip.Epoch != 2 || tip.Segments != 3 {
		t.Errorf("tip %+v", tip)
	}
}
