package eventlogtest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

func testStreamParts(t *testing.T, log eventlog.Log) {
	organization, s := uuid.New(), stream()
	mustAppend(t, log, Command(organization, s, 0, 4))
	mustAppend(t, log, Command(organization, stream(), 0, 3))
	mustAppend(t, log, Command(organization, s, 4, 3))
	for _, c := range []struct {
		after int64
		limit int
		want  []int64
	}{
		{0, 0, []int64{1, 2, 3, 4, 5, 6, 7}},
		{0, 3, []int64{1, 2, 3}},
		{3, 2, []int64{4, 5}},
		{5, 10, []int64{6, 7}},
		{7, 0, nil},
		{100, 5, nil},
	} {
		events, err := log.ReadStream(t.Context(), organization, s, c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, e := range events {
			got = append(got, e.Version)
			if e.StreamID != s {
				t.Errorf("an event of %s", e.StreamID)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("after %d, limit %d: %v, want %v", c.after, c.limit, got, c.want)
		}
	}
}

func testResume(t *testing.T, log eventlog.Log) {
	for range 6 {
		mustAppend(t, log, Command(uuid.New(), stream(), 0, 4))
	}
	want := all(t, log)
	for _, limit := range []int{1, 2, 5, 24, 25} {
		var got []eventlog.Event
		for {
			page, err := log.Read(t.Context(), int64(len(got)), limit)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page...)
			if len(page) > limit {
				t.Fatalf("%d events where at most %d were asked for", len(page), limit)
			}
			if len(page) < limit {
				break
			}
		}
		equal(t, "log in pages", got, want)
	}
	for after := range want {
		page, err := log.Read(t.Context(), int64(after), 3)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "page", page, want[after:min(after+3, len(want))])
	}
}

func testTail(t *testing.T, log eventlog.Log) {
	const writers, each = 12, 25
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	finished := make(chan error, 1)
	go func() {
		finished <- errors.Join(together(ctx, writers, func(ctx context.Context, i int) error {
			for range each {
				if _, err := log.Append(ctx, Command(uuid.New(), stream(), 0, 1+i%3)); err != nil {
					return err
				}
			}
			return nil
		})...)
	}()
	var seen []eventlog.Event
	for done := false; ; {
		select {
		case err := <-finished:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
		page, err := log.Read(ctx, int64(len(seen)), 7)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range page {
			if want := int64(len(seen) + i + 1); e.Position != want {
				t.Fatalf("position %d came where %d was due", e.Position, want)
			}
		}
		seen = append(seen, page...)
		if done && len(page) == 0 {
			break
		}
	}
	equal(t, "what the reader saw", seen, all(t, log))
	if len(seen) != each*writers*2 {
		t.Errorf("%d events, want %d", len(seen), each*writers*2)
	}
}

func testCanceled(t *testing.T, log eventlog.Log) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	cmd := Command(uuid.New(), stream(), 0, 1)
	if _, err := log.Append(gone, cmd); !errors.Is(err, eventlog.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v, want ErrUnavailable because of context.Canceled", err)
	}
	_, err := log.Read(gone, 0, 1)
	_, err1 := log.ReadStream(gone, uuid.New(), stream(), 0, 0)
	_, err2 := log.Head(gone)
	_, _, _, err3 := log.FindCommand(gone, uuid.New())
	for i, err := range []error{err, err1, err2, err3} {
		if !errors.Is(err, context.Canceled) || !errors.Is(err, eventlog.ErrUnavailable) {
			t.Errorf("read %d: %v, want ErrUnavailable because of context.Canceled", i, err)
		}
	}
	if n := len(all(t, log)); n != 0 {
		t.Fatalf("%d events, want none", n)
	}

	// Gone in the middle: recorded, certainly not, or unknown, and what was answered is true.
	commands := make([]eventlog.Command, 64)
	results := together(t.Context(), len(commands), func(ctx context.Context, i int) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		commands[i] = Command(uuid.New(), stream(), 0, 1)
		go cancel()
		_, err := log.Append(ctx, commands[i])
		return err
	})
	for i, err := range results {
		again, errAgain := log.Append(t.Context(), commands[i])
		switch {
		case errAgain != nil:
			t.Errorf("the second attempt: %v", errAgain)
		case err == nil && !again.Replayed:
			t.Error("a command was acknowledged and not in the log")
		case errors.Is(err, eventlog.ErrUnavailable) && again.Replayed:
			t.Error("a command was refused and in the log")
		case err != nil && !errors.Is(err, eventlog.ErrUnavailable) && !errors.Is(err, eventlog.ErrOutcomeUnknown):
			t.Errorf("a caller that went away got %v", err)
		}
	}
	if n := len(all(t, log)); n != len(commands) {
		t.Errorf("%d events, want each of %d commands once", n, len(commands))
	}
}
