package archive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
)

const patience = 30 * time.Second

var errAway = errors.New("the store is away")

func TestTheLogIsArchivedInSegments(t *testing.T) {
	w := newWorld(25)
	a := w.archiver(t)
	if err := w.drive(t.Context(), a, 10); err != nil {
		t.Fatal(err)
	}
	want := []string{archive.SegmentKey(1, 1), archive.SegmentKey(1, 11), archive.SegmentKey(1, 21)}
	if got := w.store.keys(); !slices.Equal(got, want) {
		t.Fatalf("objects %q", got)
	}
	if tip := w.archived(t, 25); tip.Segments != 3 || tip.Link.First != 21 || tip.Unproven != 0 {
		t.Errorf("tip %+v", tip)
	}
	if st := a.Status(); st.Position != 25 || st.Epoch != 1 || st.Segment.Last != 25 || st.At.IsZero() || w.progress.at != 25 {
		t.Errorf("status %+v, noted %d", st, w.progress.at)
	}

	// Another instance goes on where the store says the archive ends, whatever was noted.
	w.log.events, w.progress.at = events(1, 31), 3
	if err := w.drive(t.Context(), w.archiver(t), 100); err != nil {
		t.Fatal(err)
	}
	w.archived(t, 31)
}

func TestEveryPutIsReadBackBeforeItCounts(t *testing.T) {
	w := newWorld(10)
	if err := w.drive(t.Context(), w.archiver(t), 10); err != nil {
		t.Fatal(err)
	}
	key := archive.SegmentKey(1, 1)
	put, got := slices.Index(w.store.calls, "put "+key), slices.Index(w.store.calls, "get "+key)
	if put < 0 || got < put {
		t.Errorf("calls %q", w.store.calls)
	}
}

func TestSegmentsAreCutBySizeAndCount(t *testing.T) {
	w := newWorld(archive.MaxEvents + 20)
	for i := range 12 { // and twelve of a megabyte each, behind
		w.log.events[archive.MaxEvents+i].Data = fmt.Appendf(nil, `{"n":%q}`, strings.Repeat("x", 1_000_000))
	}
	a := w.archiver(t)
	if _, err := a.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Handle(t.Context(), w.log.events); err != nil {
		t.Fatal(err)
	}
	var cuts []int64
	first := int64(1)
	for range w.store.keys() {
		s, err := archive.ReadSegment("x", w.store.objects[archive.SegmentKey(1, first)])
		if err != nil {
			t.Fatal(err)
		}
		cuts, first = append(cuts, s.Last), s.Last+1
	}
	if want := []int64{archive.MaxEvents, archive.MaxEvents + 9, archive.MaxEvents + 20}; !slices.Equal(cuts, want) {
		t.Errorf("segments end at %d, want %d", cuts, want)
	}
	w.archived(t, archive.MaxEvents+20)
}

// TestACrashAnywhereLosesAndRepeatsNothing ends the archiver before and behind
// each call to the store; the next one finds what it left.
func TestACrashAnywhereLosesAndRepeatsNothing(t *testing.T) {
	calls := func() int {
		w := newWorld(7)
		w.documents["00"] = nil
		if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
			t.Fatal(err)
		}
		return len(w.store.calls)
	}()
	if calls < 7 {
		t.Fatalf("only %d calls to crash at", calls)
	}
	for n := range calls {
		for _, behind := range []bool{false, true} {
			w := newWorld(7)
			count := 0
			crash := func(string, string) error {
				if count++; count == n+1 {
					return errAway
				}
				return nil
			}
			if behind {
				w.store.after = crash
			} else {
				w.store.before = crash
			}
			if err := w.drive(t.Context(), w.archiver(t), 3); !errors.Is(err, errAway) {
				t.Fatalf("call %d: %v", n, err)
			}
			w.store.before, w.store.after = nil, nil
			if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
				t.Fatalf("after a crash at call %d (behind it: %v): %v", n, behind, err)
			}
			if tip := w.archived(t, 7); tip.Segments != 3 {
				t.Errorf("after a crash at call %d there are %d segments", n, tip.Segments)
			}
		}
	}
}

// TestTheSameArchiverGoesOnAfterAFailure is the group's way: an error, the
// checkpoint, and the batch again.
func TestTheSameArchiverGoesOnAfterAFailure(t *testing.T) {
	w := newWorld(9)
	a := w.archiver(t)
	n := 0
	w.store.before = func(string, string) error {
		if n++; n%7 == 0 {
			return errAway
		}
		return nil
	}
	failures := 0
	for w.drive(t.Context(), a, 2) != nil {
		if failures++; failures > 1_000 {
			t.Fatal("it does not go on")
		}
	}
	if failures == 0 {
		t.Fatal("nothing failed")
	}
	w.store.before = nil
	w.archived(t, 9)
}

func TestALyingStoreNeverCounts(t *testing.T) {
	for name, lie := range map[string]func(key string, body []byte) []byte{
		"cut short": func(_ string, body []byte) []byte { return body[:len(body)-1] },
		"nothing":   func(string, []byte) []byte { return nil },
		"a bit":     func(_ string, body []byte) []byte { body[len(body)/2] ^= 4; return body },
		"more":      func(_ string, body []byte) []byte { return append(body, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(5)
			w.store.lie = lie
			a := w.archiver(t)
			for range 3 {
				err := w.drive(t.Context(), a, 5)
				if err == nil || errors.Is(err, errAway) {
					t.Fatalf("it counted: %v", err)
				}
				if st := a.Status(); st.Position != 0 || w.progress.at != 0 {
					t.Fatalf("position %d, noted %d", st.Position, w.progress.at)
				}
			}
			w.store.lie = nil // it passes
			if err := w.drive(t.Context(), a, 5); err != nil {
				t.Fatal(err)
			}
			w.archived(t, 5)
		})
	}
}

// TestOtherBytesAreNotWhatWasPut: even a segment of the same events is not the one
// that the next one would name as its predecessor.
func TestOtherBytesAreNotWhatWasPut(t *testing.T) {
	w := newWorld(5)
	w.store.lie = func(_ string, body []byte) []byte { return anew(t, body) }
	err := w.drive(t.Context(), w.archiver(t), 5)
	if !errors.Is(err, archive.ErrDamaged) || w.progress.at != 0 {
		t.Fatalf("%v, noted %d", err, w.progress.at)
	}
}

func TestAStoreThatLosesWhatItTookIsFound(t *testing.T) {
	w := newWorld(5)
	w.store.after = func(call, key string) error {
		if call == "put" {
			delete(w.store.objects, key)
		}
		return nil
	}
	if err := w.drive(t.Context(), w.archiver(t), 5); err == nil || w.progress.at != 0 {
		t.Fatalf("%v, noted %d", err, w.progress.at)
	}
}

// TestAStaleListDoesNotMisleadTheArchiver hides the last segment from lists: the
// put finds it.
func TestAStaleListDoesNotMisleadTheArchiver(t *testing.T) {
	w := newWorld(6)
	if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
		t.Fatal(err)
	}
	w.log.events = events(1, 8)
	w.store.hide = func(key string) bool { return key == archive.SegmentKey(1, 4) }
	if err := w.drive(t.Context(), w.archiver(t), 3); err != nil {
		t.Fatal(err)
	}
	w.store.hide = nil
	w.archived(t, 8)
}

// TestTwoArchiversWriteOneArchive lets instances race, with batches of different
// sizes, over a log that grows.
func TestTwoArchiversWriteOneArchive(t *testing.T) {
	for _, batches := range [][]int64{{1, 1}, {1, 7}, {3, 5}, {2, 2, 7}, {4, 1, 3}, {6, 6, 6}} {
		t.Run(fmt.Sprint(batches), func(t *testing.T) {
			w := newWorld(0)
			all := events(1, 20)
			var group sync.WaitGroup
			errs := make(chan error, len(batches))
			for _, batch := range batches {
				a := w.archiver(t)
				group.Go(func() {
					for {
						if err := w.drive(context.Background(), a, batch); err != nil {
							errs <- err
							return
						}
						w.log.mu.Lock()
						n := len(w.log.events)
						w.log.events = all[:min(n+3, len(all))]
						w.log.mu.Unlock()
						if n == len(all) {
							return
						}
					}
				})
			}
			group.Wait()
			close(errs)
			for err := range errs {
				t.Fatal(err)
			}
			w.archived(t, 20)
		})
	}
}

func TestAForeignArchiveIsRefused(t *testing.T) {
	w := newWorld(8)
	if err := w.drive(t.Context(), w.archiver(t), 4); err != nil {
		t.Fatal(err)
	}
	before := w.store.keys()

	t.Run("a log that has lost its end", func(t *testing.T) {
		w.log.events = events(1, 6)
		a := w.archiver(t)
		_, err := a.Checkpoint(t.Context())
		var behind *eventlog.AheadError
		if !errors.As(err, &behind) || behind.At.Position != 8 || behind.Head.Position != 6 || !strings.Contains(err.Error(), "strata restore log") {
			t.Fatalf("%v", err)
		}
		if st := a.Status(); !errors.Is(st.Refused, error(behind)) {
			t.Errorf("status %+v", st)
		}
		// It goes on growing, as if nothing had happened, and is refused all the same.
		w.log.events = append(events(1, 6), events(7, 12)...)
		w.log.events[6].Data = []byte(`{"n":"another seventh"}`)
		other := w.archiver(t)
		_, err = other.Checkpoint(t.Context())
		var differs *archive.SegmentError
		if !errors.As(err, &differs) || !errors.Is(err, archive.ErrDiffers) || differs.Position != 7 || differs.Segment != archive.SegmentKey(1, 5) {
			t.Fatalf("%v", err)
		}
		logged, archived := eventlog.LeafHash(&w.log.events[6]), eventlog.LeafHash(new(event(7)))
		if !strings.Contains(err.Error(), fmt.Sprintf("%x in the archive and %x in the log", archived, logged)) {
			t.Errorf("%v names no hashes", err)
		}
		calls := len(w.store.calls)
		if _, again := other.Checkpoint(t.Context()); !errors.Is(again, archive.ErrDiffers) || len(w.store.calls) != calls {
			t.Error("a refusal was looked into again at once")
		}
	})
	if after := w.store.keys(); !slices.Equal(before, after) {
		t.Errorf("it was written to: %q", after)
	}
}

// TestTheLoserOfARaceAgainstAnotherHistoryRaisesTheAlarm puts a segment of another
// log where the archiver is about to write.
func TestTheLoserOfARaceAgainstAnotherHistoryRaisesTheAlarm(t *testing.T) {
	w := newWorld(4)
	a := w.archiver(t)
	if _, err := a.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	foreign := events(1, 4)
	foreign[2].Metadata = []byte(`{"actor":"b"}`)
	w.store.objects[archive.SegmentKey(1, 1)], _ = write(t, archive.Source{Epoch: 1, Events: foreign})
	err := a.Handle(t.Context(), w.log.events)
	var differs *archive.SegmentError
	if !errors.As(err, &differs) || !errors.Is(err, archive.ErrDiffers) || differs.Position != 3 || a.Status().Refused == nil || w.progress.at != 0 {
		t.Fatalf("%v", err)
	}
}

func TestWaitingForAPosition(t *testing.T) {
	w := newWorld(6)
	here, elsewhere := w.archiver(t), w.archiver(t)
	answers := make(chan error, 2)
	for _, a := range []*archive.Archiver{here, elsewhere} {
		go func() { answers <- a.Wait(t.Context(), 6) }()
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := here.Wait(short, 6); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v", err)
	}
	if err := w.drive(t.Context(), here, 3); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case err := <-answers:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("nobody was woken")
		}
	}
}

func TestStopBreaksOffWhatIsUnderWay(t *testing.T) {
	w := newWorld(6)
	entered := make(chan struct{})
	a := w.over(t, hanging{w.store, entered})
	if _, err := a.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- a.Handle(t.Context(), w.log.events) }()
	<-entered
	a.Stop()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("it still waits for the store")
	}
}

// hanging is a store whose puts do not answer.
type hanging struct {
	*memory
	entered chan struct{}
}

func (h hanging) Put(ctx context.Context, _ string, _ []byte) error {
	close(h.entered)
	<-ctx.Done()
	return ctx.Err()
}
