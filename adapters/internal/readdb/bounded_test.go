package readdb

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb/readdbtest"
)

// A bounded log ends where it is told to, and can be left early.
func TestBounded(t *testing.T) {
	log := readdbtest.NewLog()
	for range 10 {
		log.Append(uuid.New(), "s", nobody, counted, 1, []byte("{}"))
	}
	b := &bounded{log: log, end: 7, share: 0.5}
	for _, c := range []struct{ after, limit, want int }{{0, 5, 5}, {5, 5, 2}, {7, 5, 0}, {9, 5, 0}} {
		if got, err := b.Read(t.Context(), int64(c.after), c.limit); err != nil || len(got) != c.want {
			t.Errorf("behind %d: %d events, %v; want %d", c.after, len(got), err, c.want)
		}
	}
	if head, err := b.Head(t.Context()); err != nil || head != 7 {
		t.Errorf("head %d, %v; want 7", head, err)
	}
	b.end = 99
	if head, err := b.Head(t.Context()); err != nil || head != 10 {
		t.Errorf("head %d, %v; want 10", head, err)
	}
	// An hour of work is followed by a long pause, which ends with its context.
	b.since = time.Now().Add(-time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Read(ctx, 0, 1)
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("no pause: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's end", err)
	}
}
