package archive_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

func TestSwappedSegmentsAreFound(t *testing.T) {
	for name, tamper := range map[string]func(o map[string][]byte){
		"the one before the last": func(o map[string][]byte) {
			other := events(4, 6)
			other[1].Data = []byte(`{"n":"x"}`)
			var base archive.Frontier
			for _, e := range events(1, 3) {
				base.Append(eventlog.LeafHash(&e))
			}
			first, _ := archive.ReadSegment("", o[archive.SegmentKey(1, 1)])
			o[archive.SegmentKey(1, 4)], _ = write(t, archive.Source{Epoch: 1, Previous: new(first.Link()), Base: base, Events: other})
		},
		"the same, packed anew": func(o map[string][]byte) {
			key := archive.SegmentKey(1, 4)
			o[key] = anew(t, o[key])
		},
		"one removed": func(o map[string][]byte) { delete(o, archive.SegmentKey(1, 4)) },
		"two exchanged": func(o map[string][]byte) {
			a, b := archive.SegmentKey(1, 4), archive.SegmentKey(1, 7)
			o[a], o[b] = o[b], o[a]
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(9)
			if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
				t.Fatal(err)
			}
			tamper(w.store.objects)
			_, err := archive.Walk(t.Context(), w.store, archive.WalkOptions{}, func(*eventlog.Event) error { return nil })
			var about *archive.SegmentError
			if !errors.As(err, &about) || about.Position != 4 && about.Position != 7 {
				t.Errorf("walk: %v", err)
			}
			if _, err := w.archiver(t).Checkpoint(t.Context()); !errors.As(err, &about) {
				t.Errorf("the archiver goes on behind it: %v", err)
			}
		})
	}
}

func TestWalkMendsWhatIsDamagedIfTheRestProvesIt(t *testing.T) {
	mend := func(_ context.Context, _ int, first, last int64, _ error) ([]eventlog.Event, error) {
		if last == 0 {
			last = 9
		}
		return events(first, last), nil
	}
	for name, tt := range map[string]struct {
		damage   func(o map[string][]byte)
		unproven int64
	}{
		"one in the middle": {func(o map[string][]byte) { o[archive.SegmentKey(1, 4)][9] ^= 1 }, 0},
		"one missing":       {func(o map[string][]byte) { delete(o, archive.SegmentKey(1, 4)) }, 0},
		"the first":         {func(o map[string][]byte) { delete(o, archive.SegmentKey(1, 1)) }, 0},
		"two in a row":      {func(o map[string][]byte) { delete(o, archive.SegmentKey(1, 1)); o[archive.SegmentKey(1, 4)] = nil }, 0},
		"the last":          {func(o map[string][]byte) { o[archive.SegmentKey(1, 7)] = nil }, 7},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(9)
			if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
				t.Fatal(err)
			}
			tt.damage(w.store.objects)
			var got []eventlog.Event
			tip, err := archive.Walk(t.Context(), w.store, archive.WalkOptions{Mend: mend}, func(e *eventlog.Event) error {
				got = append(got, *e)
				return nil
			})
			if err != nil || tip.Unproven != tt.unproven || tip.Last != 9 {
				t.Fatalf("%+v %v", tip, err)
			}
			same(t, got, w.log.events)

			// What does not fit is not taken.
			_, err = archive.Walk(t.Context(), w.store, archive.WalkOptions{Mend: func(ctx context.Context, epoch int, first, last int64, cause error) ([]eventlog.Event, error) {
				all, _ := mend(ctx, epoch, first, last, cause)
				all[0].Data = []byte(`{"n":"forged"}`)
				return all, nil
			}}, func(e *eventlog.Event) error {
				if strings.Contains(string(e.Data), "forged") && tt.unproven == 0 {
					t.Error("a forged event was visited")
				}
				return nil
			})
			if tt.unproven == 0 && err == nil {
				t.Error("it was taken")
			}
		})
	}
}

func TestTheEndOfALongArchiveIsFoundInFewQuestions(t *testing.T) {
	w := newWorld(0)
	for first := int64(1); first <= 20_000; first += 3 {
		w.store.objects[archive.CheckpointKey(1, first)] = nil
	}
	size, _, ok, err := archive.LastCheckpoint(t.Context(), w.store, 1)
	if err != nil || !ok || size != 19_999 {
		t.Fatalf("%d %v %v", size, ok, err)
	}
	if n := len(w.store.calls); n > 25 {
		t.Errorf("%d calls", n)
	}
	w.store.objects["epoch-0001/checkpoints/rubbish"] = nil
	if _, _, _, err := archive.LastCheckpoint(t.Context(), w.store, 1); !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("%v", err)
	}
}
