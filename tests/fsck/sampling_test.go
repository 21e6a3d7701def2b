package fsck

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// A running service finds by itself what is changed past it, within the time that
// its samples take to go around, and mends what can be made from the log.
func TestSamplesFindWhatIsChanged(t *testing.T) {
	s, service := system.Start(t, system.Options{
		Queues: []string{"tests.fsck"}, Env: map[string]string{"STRATA_SAMPLE_EVERY": "100ms", "STRATA_VERIFY_EVERY": "0"},
	})
	w := &world{System: s}
	var drafted struct{ StrategyID string }
	last := system.MustPost(t, s.Client(service.Base, "sam"), "/v1/strategies", map[string]any{"frame": map[string]string{"name": "Looked at"}}, &drafted)
	testenv.Eventually(t, patience, "the read models have it", func() error {
		plans := w.number(t, s.PlansAdmin, `SELECT max(position) FROM generations WHERE state = 'live'`)
		audit := w.number(t, s.AuditAdmin, `SELECT max(position) FROM generations WHERE state = 'live'`)
		if plans < last || audit < last {
			return fmt.Errorf("plans is at %d, audit at %d of %d", plans, audit, last)
		}
		return nil
	})
	for _, c := range []struct {
		section, url, do string
		changed          string // how many rows are still as they were changed to
	}{
		{"plans", s.PlansAdmin, `UPDATE %s.strategies SET state = 'closed'`, `SELECT count(*) FROM %s.strategies WHERE state = 'closed'`},
		{"audit", s.AuditAdmin, `UPDATE %s.events SET actor_id = 'somebody' WHERE type = 'strategy.drafted'`, `SELECT count(*) FROM %s.events WHERE actor_id = 'somebody'`},
	} {
		w.do(t, c.url, fmt.Sprintf(c.do, w.live(t, c.url)))
		began := time.Now()
		testenv.Eventually(t, patience, "a sample finds it, and it is mended", func() error {
			if n := sampled(service.Metrics(), c.section); n == "" || n == "0" {
				return fmt.Errorf("%q found in %s", n, c.section)
			}
			if n := w.number(t, c.url, fmt.Sprintf(c.changed, w.live(t, c.url))); n > 0 {
				return fmt.Errorf("%d rows of %s are still changed", n, c.section)
			}
			return nil
		})
		t.Logf("%s: found and mended within %s", c.section, time.Since(began).Round(time.Millisecond))
	}
	testenv.Eventually(t, patience, "it is in the journal", func() error {
		found := w.number(t, s.LogAdmin, `SELECT count(*) FROM events WHERE type = 'journal.read-model-diverged'`)
		mended := w.number(t, s.LogAdmin, `SELECT count(*) FROM events WHERE type = 'journal.read-model-repaired'`)
		if found < 2 || mended < 2 {
			return fmt.Errorf("%d found, %d mended", found, mended)
		}
		return nil
	})
}

// sampled is how much samples have found in a section, by a scrape.
func sampled(metrics, section string) string {
	for line := range strings.Lines(metrics) {
		if n, ok := strings.CutPrefix(line, `strata_sample_wrong_total{section="`+section+`"} `); ok {
			return strings.TrimSpace(n)
		}
	}
	return ""
}
