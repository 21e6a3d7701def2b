package journal_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	facts "strata.dev/strata/domain/journal"
)

// Whatever happens in whatever order, with a log that fails as it likes: once it
// is all written, every occurrence is counted exactly once.
func TestNothingIsCountedTwiceOrNever(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type step struct{ what, who, target, pause int }
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				rapid.IntRange(0, 3).Draw(rt, "what"), rapid.IntRange(0, 3).Draw(rt, "who"), rapid.IntRange(0, 6).Draw(rt, "target"),
				rapid.SampledFrom([]int{0, 0, 0, 1, 30, 90, 700}).Draw(rt, "pause"),
			}
		}), 1, 60).Draw(rt, "steps")
		failures := rapid.SliceOfN(rapid.SampledFrom([]error{nil, nil, errAway, eventlog.ErrOutcomeUnknown, eventlog.ErrOverloaded}), 1, 20).Draw(rt, "failures")
		happened := rapid.Bool().Draw(rt, "failed but happened")
		options := journal.Options{Kinds: rapid.IntRange(3, 40).Draw(rt, "kinds"), PerActor: rapid.IntRange(1, 5).Draw(rt, "perActor"), Backlog: rapid.IntRange(1, 20).Draw(rt, "backlog")}
		want := map[family]int{}
		got := map[family]int{}
		synctest.Test(t, func(t *testing.T) {
			log := &unreliable{}
			verdict := func(n int) error { return failures[n%len(failures)] }
			if happened {
				log.after = verdict
			} else {
				log.fail = verdict
			}
			r := open(t, log, options)
			for _, s := range steps {
				where := org
				if s.who == 3 {
					where = other
				}
				who, target := journal.Who{Kind: eventlog.Person, ID: fmt.Sprint(s.who)}, fmt.Sprint(s.target)
				switch s.what {
				case 0, 1:
					r.Denied(t.Context(), journal.Denial{OrganizationID: where, By: who, Command: fmt.Sprint(s.what), Slug: "forbidden", Target: target})
					want[family{where, "denied"}]++
				case 2:
					r.SignInFailed(t.Context(), journal.SignIn{OrganizationID: where, Reason: target})
					want[family{where, "sign-in"}]++
				case 3:
					r.AuditRead(t.Context(), journal.Read{OrganizationID: where, By: who, Query: "q", Target: target})
					want[family{where, "read"}]++
				}
				pass(time.Duration(s.pause) * time.Second)
			}
			log.mu.Lock()
			log.fail, log.after = nil, nil
			log.mu.Unlock()
			lost := r.Lost()
			_ = r.Close(t.Context()) // says what was lost before
			for _, where := range []uuid.UUID{org, other} {
				for _, e := range written(t, &log.Log, where) {
					switch e := e.(type) {
					case facts.CommandDenied:
						got[family{where, "denied"}] += e.Count
					case facts.SignInFailed:
						got[family{where, "sign-in"}] += e.Count
					case facts.AuditRead:
						got[family{where, "read"}] += e.Count
					}
				}
			}
			if lost > 0 { // so few kinds that even the others had no room: only the sum is known
				sum := func(m map[family]int) (n int) {
					for _, v := range m {
						n += v
					}
					return n
				}
				got = map[family]int{{}: sum(got) + int(lost)}
				want = map[family]int{{}: sum(want)}
			}
		})
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

type family struct {
	Organization uuid.UUID
	Kind         string
}
