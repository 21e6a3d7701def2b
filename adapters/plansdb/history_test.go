package plansdb

import (
	"context"
	"errors"
	"slices"
	"testing"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
)

// A long history has every type of event. The live model, a rebuild that fits
// into memory, and one that has to write and read back what does not, are equal.
func TestLongHistory(t *testing.T) {
	f := setup(t, Options{})
	worlds := []*readdbtest.World{f.history(5, 2200), f.history(2, 300), f.history(3, 1000)}
	events, err := f.log.Read(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range eventcodec.Types() {
		if !slices.ContainsFunc(events, func(e eventlog.Event) bool { return e.Type == typ }) {
			t.Errorf("no %s in the history: it is not tested", typ)
		}
	}
	f.catchUp(t, 333)
	live := f.digest(t)
	if live.Position != int64(len(events)) {
		t.Fatalf("the live model is at %d of %d", live.Position, len(events))
	}
	s, err := f.projection.Status(t.Context())
	if err != nil || s.ParkedTotal != 0 {
		t.Fatalf("status %+v, %v: want nothing parked", s, err)
	}
	for name, o := range map[string]Options{
		"in memory": {}, "in small pieces": {RebuildBatch: 97, RebuildRows: 150},
	} {
		other := f.open(t, o)
		if err := other.Rebuild(t.Context(), f.log, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if rebuilt := f.digest(t); rebuilt != live {
			t.Errorf("%s: rebuilt %+v, live %+v", name, rebuilt, live)
		}
	}
	for _, w := range worlds {
		f.compare(t, w)
	}
}

var errKilled = errors.New("killed")

// The projector and the rebuild die at every step, again and again, while the
// history grows: in the end the model is that of a rebuild without accidents.
func TestDigestAfterKills(t *testing.T) {
	f := setup(t, Options{})
	w := f.history(4, 50)
	steps := []string{
		"before-checkpoint", "before-commit", "after-commit", "created", "before-write", "written",
		"finished", "caught-up", "before-switch", "switched",
	}
	for _, step := range steps {
		for range 20 {
			w.Step()
		}
		dying := f.open(t, Options{RebuildBatch: 31, RebuildRows: 100, Step: func(_ context.Context, name string) error {
			if name == step {
				return errKilled
			}
			return nil
		}})
		events, err := f.log.Read(t.Context(), 0, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		at, err := f.projection.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		applied, rebuilt := dying.Apply(t.Context(), events[at:]), dying.Rebuild(t.Context(), f.log, nil)
		if !errors.Is(applied, errKilled) && !errors.Is(rebuilt, errKilled) {
			t.Errorf("nothing died at %s: %v, %v", step, applied, rebuilt)
		}
	}
	f.catchUp(t, 17)
	live := f.digest(t)
	if err := f.projection.Rebuild(t.Context(), f.log, nil); err != nil {
		t.Fatal(err)
	}
	if rebuilt := f.digest(t); rebuilt != live {
		t.Errorf("rebuilt %+v, live %+v", rebuilt, live)
	}
}
