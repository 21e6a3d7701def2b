package segregation

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/domain/authz"
)

// draw is what one step is made of: everything random in it.
type draw struct{ a, b uint64 }

// TestNoSequenceOfCommandsBreaksARule is the property. Each sequence runs in a
// bubble of its own time, so that days go by in no time; the ledger judges
// every event.
func TestNoSequenceOfCommandsBreaksARule(t *testing.T) {
	seen := newCoverage()
	rapid.Check(t, func(rt *rapid.T) {
		var draws []draw
		for range rapid.SampledFrom([]int{steps, steps / 2, steps / 4, steps / 8}).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "step") {
				draws = append(draws, draw{rapid.Uint64().Draw(rt, "a"), rapid.Uint64().Draw(rt, "b")})
			}
		}
		var trace []string
		var err error
		synctest.Test(t, func(t *testing.T) { trace, err = run(t.Context(), seen, draws) })
		if err != nil {
			rt.Fatalf("%v\nthe whole story:\n%s", err, strings.Join(trace, "\n"))
		}
	})
	if checks := flag.Lookup("rapid.checks").Value.(flag.Getter).Get(); !t.Failed() && checks.(int) >= 100 {
		seen.demand(t)
	}
}

// steps is how many steps are drawn for a sequence; every other one is left out.
const steps = 500

// run attacks an organization of its own.
func run(ctx context.Context, seen *coverage, draws []draw) (trace []string, err error) {
	w, err := newWorld(ctx, &memory.Log{}, seen)
	if err != nil {
		return nil, err
	}
	acts, total := weighted()
	for i, d := range draws {
		w.step = i
		r := rand.New(rand.NewPCG(d.a, d.b)) //nolint:gosec // nothing secret
		if pause := later(r); pause > 0 {
			<-time.After(pause)
		}
		n := r.IntN(total)
		for _, a := range acts {
			if n -= a.weight; n < 0 {
				if err := a.try(w, r); err != nil {
					return w.trace, fmt.Errorf("%s: %w", a.name, err)
				}
				break
			}
		}
	}
	return nil, nil
}

func weighted() (acts []act, total int) {
	acts = slices.Concat(organizationActs, strategyActs, indicatorActs, findingActs, sourceActs)
	for _, a := range acts {
		total += a.weight
	}
	return acts, total
}

// demand makes sure that the property was about something: every command went
// through, every rule refused, and things came to their ends.
func (c *coverage) demand(t *testing.T) {
	t.Helper()
	for _, name := range authz.Commands() {
		switch name {
		case authz.RegisterOrganization, authz.ImportStratML: // once for each sequence; imports give the same commands
			continue
		}
		if n := c.accepted[name]; n < 5 {
			t.Errorf("%s was accepted %d times only", name, n)
		}
	}
	for _, rule := range []string{"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S14", "S15", "role", "membership"} {
		if n := c.refused[rule]; n < 1 {
			t.Errorf("rule %s was never put to the test", rule)
		}
	}
	for _, event := range []string{"strategy.activated", "strategy.resumed", "strategy.period-attested", "finding.closed", "finding.risk-accepted", "indicator.health-changed"} {
		if n := c.events[event]; n < 10 {
			t.Errorf("%s happened %d times only", event, n)
		}
	}
	if testing.Verbose() || t.Failed() {
		for what, counts := range map[string]map[string]int{"accepted": c.accepted, "refused": c.refused, "recorded": c.events} {
			lines := []string{}
			for _, k := range slices.Sorted(maps.Keys(counts)) {
				lines = append(lines, fmt.Sprintf("%6d %s", counts[k], k))
			}
			t.Logf("%s:\n%s", what, strings.Join(lines, "\n"))
		}
	}
}
