package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/adapters/postgres"
)

// laneMetrics watches the append lane.
type laneMetrics struct {
	events, refused, failed prometheus.Counter
	size, wait, commit      prometheus.Histogram
}

func newLaneMetrics(r prometheus.Registerer) *laneMetrics {
	seconds := prometheus.ExponentialBuckets(0.0001, 2, 16)
	m := &laneMetrics{
		events:  prometheus.NewCounter(prometheus.CounterOpts{Name: "strata_log_events_appended_total", Help: "Events recorded by this process."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "strata_log_commands_refused_total", Help: "Commands that lost a race or were recorded before."}),
		failed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "strata_log_groups_failed_total", Help: "Commit groups that failed as a whole."}),
		size:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "strata_log_group_commands", Help: "Commands per commit group.", Buckets: prometheus.ExponentialBuckets(1, 2, 10)}),
		wait:    prometheus.NewHistogram(prometheus.HistogramOpts{Name: "strata_log_queue_seconds", Help: "How long the oldest command of a group waited for the lane.", Buckets: seconds}),
		commit:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "strata_log_commit_seconds", Help: "How long a group took from sending to the answer.", Buckets: seconds}),
	}
	r.MustRegister(m.events, m.refused, m.failed, m.size, m.wait, m.commit)
	return m
}

func (m *laneMetrics) observe(g postgres.Group) {
	m.size.Observe(float64(g.Commands))
	m.wait.Observe(g.Waited.Seconds())
	m.commit.Observe(g.Took.Seconds())
	if g.Err != nil {
		m.failed.Inc()
		return
	}
	m.events.Add(float64(g.Events))
	m.refused.Add(float64(g.Commands - g.Recorded))
}

// statusMetrics reads what the parts say about themselves when it is scraped.
type statusMetrics struct{ s *service }

var (
	descQueued    = prometheus.NewDesc("strata_log_queued_commands", "Commands that wait for the append lane.", nil, nil)
	descLeader    = prometheus.NewDesc("strata_group_leader", "1 if this process reads for the consumer group.", []string{"group"}, nil)
	descPosition  = prometheus.NewDesc("strata_group_position", "Position the group has taken up to.", []string{"group"}, nil)
	descLag       = prometheus.NewDesc("strata_group_lag_events", "Events behind the head; only of groups led here.", []string{"group"}, nil)
	descParked    = prometheus.NewDesc("strata_group_parked_streams", "Streams the group has set aside.", []string{"group"}, nil)
	descSetAside  = prometheus.NewDesc("strata_projection_parked_streams", "Streams the read model has set aside.", []string{"projection"}, nil)
	descVerified  = prometheus.NewDesc("strata_projection_verified_timestamp", "When the read model was last known to be what the log says, in seconds since 1970.", []string{"projection"}, nil)
	descFailing   = prometheus.NewDesc("strata_group_failing", "1 while the group cannot move on.", []string{"group"}, nil)
	descConnected = prometheus.NewDesc("strata_broker_connected", "1 while connected to RabbitMQ.", nil, nil)
	descBlocked   = prometheus.NewDesc("strata_broker_blocked", "1 while RabbitMQ has a memory or disk alarm.", nil, nil)
)

func (m *statusMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descQueued, descLeader, descPosition, descLag, descParked, descSetAside, descVerified, descFailing, descConnected, descBlocked,
		descTimersPending, descTimersDue, descTimersFailing,
		descArchivePosition, descArchiveLag, descArchiveRefused, descArchiveCheckpoint,
		descLedgerSize, descLedgerAge, descLedgerRefused, descLedgerWitness,
		descLogFailed, descLogVerified, descLogAt, descLogWhole,
	} {
		out <- d
	}
}

func (m *statusMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descQueued, float64(m.s.events.Queued()))
	for _, g := range m.s.consumers.Status() {
		gauge(descLeader, one(g.Leader), g.Name)
		gauge(descPosition, float64(g.Position), g.Name)
		if g.Leader && g.Lag >= 0 {
			gauge(descLag, float64(g.Lag), g.Name)
		}
		gauge(descParked, float64(g.Parked), g.Name)
		gauge(descFailing, one(g.LastError != ""), g.Name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, p := range m.s.projections() {
		// A read database that is away shows in strata_group_failing; a scrape does not fail of it.
		if st, err := p.Status(ctx); err == nil {
			gauge(descSetAside, float64(st.ParkedTotal), p.Name())
			if v := st.Verified; v != nil {
				gauge(descVerified, float64(v.At.Unix()), p.Name())
			}
		}
	}
	m.collectTimers(ctx, gauge)
	m.collectLedger(gauge)
	m.collectVerified(gauge)
	m.collectArchive(ctx, gauge)
	st := m.s.publisher.Status()
	gauge(descConnected, one(st.Connected))
	gauge(descBlocked, one(st.Blocked))
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
