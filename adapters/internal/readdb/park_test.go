package readdb

import (
	"errors"
	"strings"
	"testing"

	"strata.dev/strata/app/projection"
)

// Each way in which an event can fail parks its stream and nothing else; live,
// and in a rebuild. Resuming fails as long as the event does, and then mends all.
func TestParking(t *testing.T) {
	reasons := map[string]string{
		undecodable: "cannot be decoded", refused: "cannot be folded", panicking: "half folded", unstorable: "invalid byte sequence",
	}
	for typ, reason := range reasons {
		t.Run(typ, func(t *testing.T) {
			f := setup(t, Options{RebuildBatch: 8})
			f.fill(10)
			f.add("poisoned", counted)
			poison := f.add("poisoned", typ)
			f.add("poisoned", counted)
			f.fill(10)
			f.add("poisoned", counted)
			if err := bring(t.Context(), f.projection, f.log, 16); err != nil {
				t.Fatal(err)
			}
			f.checkParked(t, poison.Position, reason)

			if err := f.projection.Rebuild(t.Context(), f.log, nil); err != nil {
				t.Fatal(err)
			}
			f.checkParked(t, poison.Position, reason)

			if err := f.projection.Resume(t.Context(), f.log, "poisoned"); err == nil || !strings.Contains(err.Error(), reason) {
				t.Fatalf("resumed too early: %v", err)
			}
			f.checkParked(t, poison.Position, reason)

			f.mended.Store(true)
			if err := f.projection.Resume(t.Context(), f.log, "poisoned"); err != nil {
				t.Fatal(err)
			}
			f.check(t, 24)
			if err := f.projection.Resume(t.Context(), f.log, "poisoned"); !errors.Is(err, projection.ErrNotParked) {
				t.Errorf("resumed twice: %v", err)
			}
			f.add("poisoned", counted)
			if err := bring(t.Context(), f.projection, f.log, 16); err != nil {
				t.Fatal(err)
			}
			f.check(t, 25)
		})
	}
}

// checkParked: the stream is as it was before the poison, the rest is complete.
func (f *fixture) checkParked(t *testing.T, poison int64, reason string) {
	t.Helper()
	at, got := f.got(t)
	want := f.want(t, 24, "poisoned")
	want["poisoned"] = poison - 1 // the one event before it
	for stream, sum := range want {
		if got[stream] != sum {
			t.Errorf("%s: %d, want %d", stream, got[stream], sum)
		}
	}
	if at != 24 || len(got) != len(want) {
		t.Errorf("%d streams at position %d, want %d at 24", len(got), at, len(want))
	}
	s, err := f.projection.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.ParkedTotal != 1 || len(s.Parked) != 1 {
		t.Fatalf("%d streams are parked, want 1", s.ParkedTotal)
	}
	p := s.Parked[0]
	if p.StreamID != "poisoned" || p.Position != poison || p.Version != 2 || p.Skipped != 2 || !strings.Contains(p.Reason, reason) {
		t.Errorf("parked %+v, want position %d, version 2, 2 skipped, because %q", p, poison, reason)
	}
	if s.State() != "parked" {
		t.Errorf("state %q, want parked", s.State())
	}
}
