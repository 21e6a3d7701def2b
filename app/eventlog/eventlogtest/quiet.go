package eventlogtest

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// typed is a command of one event of a type.
func typed(organization uuid.UUID, stream string, expected int64, eventType string) eventlog.Command {
	cmd := Command(organization, stream, expected, 1)
	cmd.Events[0].Type = eventType
	return cmd
}

func testQuiet(t *testing.T, log eventlog.Log) {
	organization, other := uuid.New(), uuid.New()
	score := stream()
	mustAppend(t, log, typed(organization, score, 0, "indicator.target-set"))
	mustAppend(t, log, typed(organization, stream(), 0, "strategy.goal-added"))
	mustAppend(t, log, typed(other, stream(), 0, "indicator.target-set"))

	ask := func(after int64, types ...string) eventlog.Command {
		cmd := typed(organization, stream(), 0, "strategy.activated")
		cmd.Quiet = &eventlog.Quiet{After: after, Types: types}
		return cmd
	}
	for _, c := range []struct {
		name string
		cmd  eventlog.Command
		ok   bool
	}{
		{"seen all of it", ask(3, "indicator.target-set"), true},
		{"seen up to before it", ask(0, "indicator.target-set"), false},
		{"another organization's and another type", ask(1, "indicator.target-set", "indicator.defined"), true},
		{"one type of several", ask(1, "indicator.defined", "strategy.goal-added"), false},
		{"a position that is not there yet", ask(1_000, "indicator.target-set"), true},
	} {
		_, err := log.Append(t.Context(), c.cmd)
		if c.ok && err != nil || !c.ok && !errors.Is(err, eventlog.ErrNotQuiet) {
			t.Errorf("%s: %v", c.name, err)
		}
	}

	// What was recorded is answered again, whatever has happened since.
	first := ask(3, "strategy.submitted")
	receipt := mustAppend(t, log, first)
	mustAppend(t, log, typed(organization, stream(), 0, "strategy.submitted"))
	again, err := log.Append(t.Context(), first)
	if err != nil || !again.Replayed || again.Position != receipt.Position {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	for name, q := range map[string]*eventlog.Quiet{
		"no types": {After: 1}, "negative": {After: -1, Types: []string{"a"}}, "two in one": {Types: []string{"a,b"}},
	} {
		cmd := ask(1, "x")
		cmd.Quiet = q
		if _, err := log.Append(t.Context(), cmd); err == nil || errors.Is(err, eventlog.ErrNotQuiet) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// testQuietRace lets commands that rule each other out meet: each asks that the
// other kind has not happened since both looked, so exactly one kind does.
func testQuietRace(t *testing.T, log eventlog.Log) {
	organization := uuid.New()
	for round := range 20 {
		head, err := log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		kinds := []string{"strategy.activated", "indicator.target-set"}
		errs := together(t.Context(), 12, func(ctx context.Context, i int) error {
			cmd := typed(organization, stream(), 0, kinds[i%2])
			cmd.Quiet = &eventlog.Quiet{After: head, Types: kinds[(i+1)%2 : (i+1)%2+1]}
			_, err := log.Append(ctx, cmd)
			return err
		})
		recorded := map[string]int{}
		for i, err := range errs {
			switch {
			case err == nil:
				recorded[kinds[i%2]]++
			case !errors.Is(err, eventlog.ErrNotQuiet):
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if len(recorded) != 1 {
			t.Fatalf("round %d: recorded %v, want one kind only", round, recorded)
		}
		for kind, n := range recorded {
			if n != len(errs)/2 {
				t.Errorf("round %d: %d of %s, want all %d: they do not rule each other out", round, n, kind, len(errs)/2)
			}
		}
	}
}
