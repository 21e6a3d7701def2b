package readdb

import (
	"strings"
	"sync/atomic"
	"testing"

	"strata.dev/strata/app/fsck"
	"strata.dev/strata/app/projection"
)

// A check of the whole installation tells a projector that does not do the same
// thing twice from somebody who wrote to the database, and leaves both as they are.
func TestFsckNamesWhoIsAtFault(t *testing.T) {
	f := setup(t, Options{})
	f.fill(14)
	plans := func(p projection.Projection) fsck.Section {
		t.Helper()
		r, err := fsck.Run(t.Context(), fsck.Options{Log: f.log, Parts: []fsck.Part{fsck.Model(p, f.log)}, Only: []string{fsck.PlansSection}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Sections[0]
	}
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	if s := plans(f.projection); s.State != fsck.OK || s.Checked != 14 {
		t.Errorf("of a sound model: %+v", s)
	}
	f.byHand(t, `UPDATE indicator_authors SET version = version + 1 WHERE indicator_id = (SELECT min(indicator_id) FROM indicator_authors)`)
	for range 2 { // the second time it is still there
		s := plans(f.projection)
		if s.State != fsck.Found || s.Total != 1 || s.Wrong[0].Kind != "tampered" || s.Wrong[0].Table != "indicator_authors" || s.Wrong[0].Organization == "" || s.Wrong[0].Key == "" || s.Wrong[0].Position != 14 {
			t.Errorf("of a row changed by hand: %+v", s)
		}
	}
	p, err := Open(t.Context(), f.urls.Projector, Model[event](fickle{sums{&f.mended}, new(atomic.Int64)}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if s := plans(p); s.State != fsck.Found || s.Wrong[0].Kind != "not deterministic" || !strings.Contains(s.Wrong[0].Do, "fault of the software") {
		t.Errorf("of a projector that is not deterministic: %+v", s)
	}
	f.byHand(t, `UPDATE public.generations SET position = 99 WHERE state = 'live'`)
	if s := plans(f.projection); s.State != fsck.Found || s.Wrong[0].Kind != "ahead" || s.Wrong[0].Position != 99 {
		t.Errorf("of a model ahead of the log: %+v", s)
	}
	f.onlyLive(t)
}
