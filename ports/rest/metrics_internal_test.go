package rest

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Only what was asked for has series: an idle instance tells next to nothing.
func TestMetricsHaveFewSeries(t *testing.T) {
	registry := prometheus.NewRegistry()
	operations := map[string]*operation{"getStrategy": {id: "getStrategy"}, "listStrategies": {id: "listStrategies"}}
	m, err := newMetrics(registry, operations)
	if err != nil {
		t.Fatal(err)
	}
	series := func() map[string]int {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int{}
		for _, f := range families {
			found[f.GetName()] = len(f.GetMetric())
		}
		return found
	}
	if got := series(); len(got) != 0 {
		t.Errorf("series of nothing: %v", got)
	}
	x := &exchange{operation: operations["getStrategy"]}
	for _, status := range []int{200, 201, 404, 999, -1} {
		m.observe(x, status, time.Millisecond)
	}
	got := series()
	if got["strata_http_request_duration_seconds"] != 1 || got["strata_http_requests_total"] != 4 {
		t.Errorf("series %v: want one operation timed and four classes counted", got)
	}
}
