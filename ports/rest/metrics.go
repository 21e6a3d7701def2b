package rest

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts requests by operation and status class. The observers are made
// at start: looking labels up costs more than counting.
type metrics struct {
	byOperation map[string]*[6]prometheus.Observer // by id; index = status/100
}

func newMetrics(registry prometheus.Registerer, operations map[string]*operation) (*metrics, error) {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "strata_http_request_duration_seconds",
		Help:    "Time from the first byte of a request's header to the end of its handler.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
	}, []string{"operation", "status"})
	if err := registry.Register(h); err != nil {
		return nil, fmt.Errorf("rest: metrics: %w", err)
	}
	m := &metrics{byOperation: map[string]*[6]prometheus.Observer{}}
	add := func(id string) {
		classes := &[6]prometheus.Observer{}
		for i := range classes {
			classes[i] = h.WithLabelValues(id, fmt.Sprintf("%dxx", i))
		}
		m.byOperation[id] = classes
	}
	add((&exchange{}).operationID())
	for id := range operations {
		add(id)
	}
	return m, nil
}

func (m *metrics) observe(x *exchange, status int, took time.Duration) {
	m.byOperation[x.operationID()][min(max(status/100, 0), 5)].Observe(took.Seconds())
}
