package rest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// statusClasses are 0xx, for requests that got no answer, to 5xx.
const statusClasses = 6

// metrics counts requests by operation and status class, and times them by
// operation. A series begins with the first request that it counts: most
// operations are never asked for on most instances, and none ends in every class.
type metrics struct {
	took   *prometheus.HistogramVec
	status *prometheus.CounterVec

	byOperation map[string]*operationMetrics // by id; complete from the start
}

// operationMetrics are an operation's series, found once: looking labels up costs
// more than counting.
type operationMetrics struct {
	took   atomic.Pointer[prometheus.Observer]
	status [statusClasses]atomic.Pointer[prometheus.Counter]
}

func newMetrics(registry prometheus.Registerer, operations map[string]*operation) (*metrics, error) {
	m := &metrics{
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "strata_http_request_duration_seconds",
			Help:    "Time from the first byte of a request's header to the end of its handler.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"operation"}),
		status: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_http_requests_total", Help: "Requests, by class of the status they were answered with.",
		}, []string{"operation", "status"}),
		byOperation: map[string]*operationMetrics{(&exchange{}).operationID(): {}, opLogCheckpoint: {}, opLogTile: {}},
	}
	for _, c := range []prometheus.Collector{m.took, m.status} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("rest: metrics: %w", err)
		}
	}
	for id := range operations {
		m.byOperation[id] = &operationMetrics{}
	}
	return m, nil
}

func (m *metrics) observe(x *exchange, status int, took time.Duration) {
	id, class := x.operationID(), min(max(status/100, 0), statusClasses-1)
	series := m.byOperation[id]
	observer := series.took.Load()
	if observer == nil {
		first := m.took.WithLabelValues(id)
		observer = &first
		series.took.Store(observer)
	}
	(*observer).Observe(took.Seconds())
	counter := series.status[class].Load()
	if counter == nil {
		first := m.status.WithLabelValues(id, fmt.Sprintf("%dxx", class))
		counter = &first
		series.status[class].Store(counter)
	}
	(*counter).Inc()
}
