package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// takeover is how long it may take until another process reads for a group
// after its reader was killed.
const takeover = 5 * time.Second

var groups = []string{"relay", "plans", "audit"}

// leaderKilled runs two processes on one log. Of each consumer group one reads;
// when it is killed the other takes over. Both append all the time.
func (w *world) leaderKilled(t *testing.T) {
	const kills = 3
	one, two := w.service, w.Service(nil)
	two.Start()
	two.Ready()
	w.load.Target(one.Base, two.Base)
	var longest time.Duration
	w.during(t, func() {
		for range kills {
			testenv.Eventually(t, recovery, "one reader for each group", func() error { return oneLeaderEach(one, two) })
			w.wait(200*time.Millisecond, 600*time.Millisecond)
			leader, other := one, two
			if two.Leads("relay") {
				leader, other = two, one
			}
			leader.Kill()
			began := time.Now()
			w.service = other // to read from
			testenv.Eventually(t, takeover, "the other reads for all groups", func() error {
				for _, g := range groups {
					if !other.Leads(g) {
						return fmt.Errorf("not for %s", g)
					}
				}
				return nil
			})
			longest = max(longest, time.Since(began))
			w.recovered(t, "a kill of the leader")
			leader.Start()
			leader.Ready()
		}
	})
	w.load.Target(w.service.Base)
	for _, s := range []*system.Service{one, two} {
		if s == w.service {
			continue
		}
		if code := s.Stop(); code != 0 {
			t.Errorf("the other service ended with code %d", code)
		}
	}
	t.Logf("%d kills of a leader; the longest takeover %s", kills, longest.Round(time.Millisecond))
}

func oneLeaderEach(services ...*system.Service) error {
	var wrong []string
	for _, g := range groups {
		leaders := 0
		for _, s := range services {
			if s.Leads(g) {
				leaders++
			}
		}
		if leaders != 1 {
			wrong = append(wrong, fmt.Sprintf("%s has %d", g, leaders))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("readers: %s", strings.Join(wrong, ", "))
	}
	return nil
}
