package eventlogtest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

func testVersionRace(t *testing.T, log eventlog.Log) {
	const racers = 64
	organization, s := uuid.New(), stream()
	commands := make([]eventlog.Command, racers)
	for round := range int64(5) {
		for i := range commands {
			commands[i] = Command(organization, s, round, 1)
		}
		results := together(t.Context(), racers, func(ctx context.Context, i int) result {
			r, err := log.Append(ctx, commands[i])
			return result{r, err}
		})
		var winners []uuid.UUID
		for i, r := range results {
			var wrong *eventlog.VersionError
			switch {
			case r.err == nil:
				winners = append(winners, commands[i].Events[0].ID)
				if r.receipt.Version != round+1 || r.receipt.Replayed {
					t.Errorf("the winner got version %d, replayed %v", r.receipt.Version, r.receipt.Replayed)
				}
			case !errors.As(r.err, &wrong) || wrong.Expected != round || wrong.Actual != round+1:
				t.Errorf("a loser got %v, want ErrWrongVersion: at %d, not %d", r.err, round+1, round)
			}
		}
		events := readStream(t, log, organization, s)
		if len(winners) != 1 || int64(len(events)) != round+1 || events[round].ID != winners[0] {
			t.Fatalf("round %d: winners %v, stream %v", round, winners, events)
		}
	}
	if n := len(all(t, log)); n != 5 {
		t.Errorf("%d events, want one per round", n)
	}
}

// testRetryRace is how applications use the log: load, decide, append, and again after losing.
func testRetryRace(t *testing.T, log eventlog.Log) {
	const writers, each = 16, 4
	organization, s := uuid.New(), stream()
	err := errors.Join(together(t.Context(), writers, func(ctx context.Context, _ int) error {
		for range each {
			cmd := Command(organization, s, 0, 2)
			for {
				_, err := log.Append(ctx, cmd)
				var wrong *eventlog.VersionError
				if err == nil {
					break
				}
				if !errors.As(err, &wrong) {
					return err
				}
				if wrong.Actual == cmd.ExpectedVersion {
					return errors.New("a refusal names the expected version as the actual one: " + err.Error())
				}
				cmd.ExpectedVersion = wrong.Actual
			}
		}
		return nil
	})...)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(all(t, log)); n != writers*each*2 {
		t.Errorf("%d events, want %d", n, writers*each*2)
	}
}

func testReplay(t *testing.T, log eventlog.Log) {
	organization, s := uuid.New(), stream()
	cmd := Command(organization, s, 0, 3)
	want := mustAppend(t, log, cmd)
	mustAppend(t, log, Command(organization, s, 3, 1))
	want.Replayed = true

	later, elsewhere := again(cmd), again(cmd)
	later.ExpectedVersion = 4
	elsewhere.StreamID = stream() // a retried creation: each attempt makes up a new id
	fewer := again(cmd)
	fewer.Events = fewer.Events[:1]
	for name, repeat := range map[string]eventlog.Command{
		"as it was": cmd, "with new event ids": again(cmd), "at the version of now": later,
		"on another stream": elsewhere, "with fewer events": fewer,
	} {
		got, err := log.Append(t.Context(), repeat)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		equal(t, name, got, want)
	}
	if n := len(all(t, log)); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
}

func testReuse(t *testing.T, log eventlog.Log) {
	cmd := Command(uuid.New(), stream(), 0, 1)
	mustAppend(t, log, cmd)
	other, fresh, foreign := again(cmd), again(cmd), again(cmd)
	other.Hash, fresh.Hash = hash("another body"), hash("another body")
	other.ExpectedVersion, fresh.StreamID = 1, stream()
	foreign.OrganizationID, foreign.StreamID = uuid.New(), stream()
	for name, cmd := range map[string]eventlog.Command{
		"another body": other, "another body for another stream": fresh, "another organization": foreign,
	} {
		if _, err := log.Append(t.Context(), cmd); !errors.Is(err, eventlog.ErrCommandReused) {
			t.Errorf("%s: %v, want ErrCommandReused", name, err)
		}
	}
	if n := len(all(t, log)); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func testReplayRace(t *testing.T, log eventlog.Log) {
	const racers = 32
	cmd := Command(uuid.New(), stream(), 0, 3)
	results := together(t.Context(), racers, func(ctx context.Context, _ int) result {
		r, err := log.Append(ctx, again(cmd))
		return result{r, err}
	})
	first, want := 0, eventlog.Receipt{}
	for _, r := range results {
		if r.err != nil {
			t.Fatalf("a racer got %v", r.err)
		}
		if !r.receipt.Replayed {
			first++
			want = r.receipt
		}
	}
	if first != 1 {
		t.Fatalf("%d racers were told that they were the first", first)
	}
	for _, r := range results {
		r.receipt.Replayed = false
		equal(t, "receipt", r.receipt, want)
	}
	events := all(t, log)
	if len(events) != 3 || events[0].ID != want.EventIDs[0] || events[2].ID != want.EventIDs[2] {
		t.Errorf("the log has %d events, %v; the receipt says %v", len(events), events, want)
	}
}

func testReuseRace(t *testing.T, log eventlog.Log) {
	const racers = 32
	bodies := [][]byte{hash("one"), hash("other")}
	cmd := Command(uuid.New(), stream(), 0, 2)
	results := together(t.Context(), racers, func(ctx context.Context, i int) result {
		mine := again(cmd)
		mine.Hash = bodies[i%2]
		r, err := log.Append(ctx, mine)
		return result{r, err}
	})
	events := all(t, log)
	if len(events) != 2 {
		t.Fatalf("%d events, want those of one body", len(events))
	}
	won := string(events[0].CommandHash) == string(bodies[1])
	first := 0
	for i, r := range results {
		mine := (i%2 == 1) == won
		switch {
		case mine && r.err != nil:
			t.Errorf("the winning body got %v", r.err)
		case mine && (r.receipt.Position != 2 || r.receipt.EventIDs[0] != events[0].ID):
			t.Errorf("the winning body got the receipt %+v", r.receipt)
		case mine && !r.receipt.Replayed:
			first++
		case !mine && !errors.Is(r.err, eventlog.ErrCommandReused):
			t.Errorf("the losing body got %+v, %v; want ErrCommandReused", r.receipt, r.err)
		}
	}
	if first != 1 {
		t.Errorf("%d racers were told that they were the first", first)
	}
}

func testIsolation(t *testing.T, log eventlog.Log) {
	mine, theirs, s := uuid.New(), uuid.New(), stream()
	mustAppend(t, log, Command(mine, s, 0, 2))
	if events := readStream(t, log, theirs, s); len(events) != 0 {
		t.Errorf("another organization reads %d events", len(events))
	}
	for _, expected := range []int64{0, 1, 2, 3} {
		_, err := log.Append(t.Context(), Command(theirs, s, expected, 1))
		if !errors.Is(err, eventlog.ErrForeignStream) {
			t.Errorf("another organization appends at %d: %v, want ErrForeignStream", expected, err)
		}
	}
	if events := readStream(t, log, mine, s); len(events) != 2 || len(all(t, log)) != 2 {
		t.Errorf("the stream has %d events, want 2", len(events))
	}
}

func testOrganizationSequence(t *testing.T, log eventlog.Log) {
	organizations := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	err := errors.Join(together(t.Context(), 24, func(ctx context.Context, i int) error {
		s := stream()
		for n := range int64(6) {
			if _, err := log.Append(ctx, Command(organizations[i%3], s, 2*n, 2)); err != nil {
				return err
			}
		}
		return nil
	})...)
	if err != nil {
		t.Fatal(err)
	}
	count := map[uuid.UUID]int{}
	for _, e := range all(t, log) { // all checks that they count up by one
		count[e.OrganizationID]++
	}
	for _, o := range organizations {
		if count[o] != 96 {
			t.Errorf("an organization has %d events, want 96", count[o])
		}
	}
}
