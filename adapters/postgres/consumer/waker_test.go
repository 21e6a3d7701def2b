package consumer

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// A commit is announced twice to the process that made it; the second time, and
// whatever was read in passing meanwhile, is no reason to query.
func TestOnlyNewCommitsAreWork(t *testing.T) {
	r := newReader(Group{Name: "g", BatchRows: 10}, Options{Logger: slog.New(slog.DiscardHandler)}, nil)
	r.position = 7
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"nothing happened", func() {}, false},
		{"a head that was taken already", func() { r.notified(7, true) }, false},
		{"a new head", func() { r.notified(9, true) }, true},
		{"the same head, not taken yet", func() { r.notified(9, true) }, true},
		{"the same head, taken", func() { r.position = 9; r.notified(9, true) }, false},
		{"a notification that names no head", func() { r.notified(0, false) }, true},
		{"it counts once", func() {}, false},
		{"a nudge, such as a repair", r.wake, true},
	} {
		step.do()
		if got := r.hasWork(); got != step.want {
			t.Errorf("%s: work is %t, want %t", step.name, got, step.want)
		}
	}
}

func TestLingering(t *testing.T) {
	for linger, want := range map[time.Duration]time.Duration{0: 0, 5 * time.Millisecond: 5 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			r := newReader(Group{Name: "g", Linger: linger}, Options{Logger: slog.New(slog.DiscardHandler), Poll: time.Minute}, nil)
			r.notified(1, true)
			start := time.Now()
			r.awaitWork()
			if waited := time.Since(start); waited != want {
				t.Errorf("with a linger of %s the group waited %s", linger, waited)
			}
			r.position = 1
			r.notified(1, true) // known: only the poll ends the wait
			start = time.Now()
			r.awaitWork()
			if waited := time.Since(start); waited != time.Minute {
				t.Errorf("a known head ended the wait after %s", waited)
			}
		})
	}
}
