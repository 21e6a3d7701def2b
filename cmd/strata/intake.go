package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/source"
)

// intakeGroup is what STRATA_GROUPS calls taking messages of sources from their
// queues. It reads no log; over HTTP every instance takes them.
const intakeGroup = "intake"

// openIntake makes what takes measurements of sources in, by HTTP and from queues.
func (s *service) openIntake(ctx context.Context, commands *command.Commands) error {
	inbox, err := postgres.OpenInbox(ctx, s.cfg.LogURL)
	if err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}
	s.closers = append(s.closers, inbox.Close)
	metrics := newIntakeMetrics(s.registry)
	s.intake = ingest.New(ingest.Options{Commands: commands, Log: s.events, Inbox: inbox, Metrics: metrics})
	if !s.cfg.takesPart(intakeGroup) {
		return nil
	}
	s.inbound, err = rabbitmq.NewInbound(s.cfg.AMQPURL, rabbitmq.InboundOptions{Take: s.intake.Take, Sources: queuesOf(s.plans), Logger: s.log})
	if err != nil {
		return usageError{fmt.Errorf("STRATA_AMQP_URL: %w", err)}
	}
	s.registry.MustRegister(&inboundMetrics{s.inbound})
	s.parts.ingest = func() query.IngestState {
		st := s.inbound.Status()
		return query.IngestState{Queues: st.Queues, Waiting: st.Waiting, Rejected: metrics.refused()}
	}
	return nil
}

// queuesOf are the sources that send by queues.
func queuesOf(plans *plansdb.Projection) func(context.Context) ([]rabbitmq.InboundSource, error) {
	return func(ctx context.Context) ([]rabbitmq.InboundSource, error) {
		entries, err := plans.SourceDirectory(ctx)
		if err != nil {
			return nil, err
		}
		var queues []rabbitmq.InboundSource
		for _, e := range entries {
			if e.Channel == string(source.AMQP) {
				queues = append(queues, rabbitmq.InboundSource{
					OrganizationID: e.OrganizationID, SourceID: e.SourceID, Active: e.Status == string(source.Active),
				})
			}
		}
		return queues, nil
	}
}

// probeIntake is what /healthz tells of the queues of sources.
func (s *service) probeIntake(context.Context) error {
	if s.inbound == nil {
		return nil
	}
	if st := s.inbound.Status(); st.LastError != "" {
		return fmt.Errorf("%d of %d queues of sources stand, %d messages wait: %s", st.Failing, st.Queues, st.Waiting, st.LastError)
	}
	return nil
}

// intakeMetrics count what comes in.
type intakeMetrics struct {
	received, settled, rejected *prometheus.CounterVec
	refusals                    atomic.Int64
}

// refused is how many messages and measurements were refused since the start.
func (m *intakeMetrics) refused() int64 { return m.refusals.Load() }

func newIntakeMetrics(r prometheus.Registerer) *intakeMetrics {
	m := &intakeMetrics{
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_ingest_messages_total", Help: "Messages of sources that came in, repetitions included.",
		}, []string{"channel"}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_ingest_measurements_total", Help: "Measurements of sources that were taken, by what became of them: recorded, corrected, unchanged.",
		}, []string{"outcome"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_ingest_rejected_total", Help: "Messages and measurements of sources that were refused, by code.",
		}, []string{"code"}),
	}
	// All there will ever be, so that an alert sees the first one.
	for _, channel := range []string{ingest.HTTP, ingest.AMQP} {
		m.received.WithLabelValues(channel)
	}
	for _, outcome := range []ingest.Status{ingest.Recorded, ingest.Corrected, ingest.Unchanged} {
		m.settled.WithLabelValues(string(outcome))
	}
	for _, code := range source.Codes() {
		m.rejected.WithLabelValues(code)
	}
	r.MustRegister(m.received, m.settled, m.rejected)
	return m
}

// Received implements ingest.Metrics.
func (m *intakeMetrics) Received(kind string) { m.received.WithLabelValues(kind).Inc() }

// Settled implements ingest.Metrics.
func (m *intakeMetrics) Settled(recorded, corrected, unchanged int) {
	m.settled.WithLabelValues(string(ingest.Recorded)).Add(float64(recorded))
	m.settled.WithLabelValues(string(ingest.Corrected)).Add(float64(corrected))
	m.settled.WithLabelValues(string(ingest.Unchanged)).Add(float64(unchanged))
}

// Rejected implements ingest.Metrics.
func (m *intakeMetrics) Rejected(code string) {
	m.refusals.Add(1)
	m.rejected.WithLabelValues(code).Inc()
}

// inboundMetrics read what the queues say about themselves when they are scraped.
type inboundMetrics struct{ inbound *rabbitmq.Inbound }

var (
	descInboundQueues    = prometheus.NewDesc("strata_ingest_queues", "Queues of registered sources.", nil, nil)
	descInboundConsuming = prometheus.NewDesc("strata_ingest_queues_consuming", "Queues from which this process takes messages, or would if another process did not.", nil, nil)
	descInboundFailing   = prometheus.NewDesc("strata_ingest_queues_failing", "Queues that should be consumed and cannot be, or whose next message cannot be decided.", nil, nil)
	descInboundWaiting   = prometheus.NewDesc("strata_ingest_waiting_messages", "Messages that wait in a source's queue, as last heard.", []string{"source"}, nil)
)

// Describe implements prometheus.Collector.
func (m *inboundMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descInboundQueues, descInboundConsuming, descInboundFailing, descInboundWaiting} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *inboundMetrics) Collect(out chan<- prometheus.Metric) {
	st := m.inbound.Status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descInboundQueues, float64(st.Queues))
	gauge(descInboundConsuming, float64(st.Consuming))
	gauge(descInboundFailing, float64(st.Failing))
	for id, n := range m.inbound.Waiting() {
		gauge(descInboundWaiting, float64(n), id.String())
	}
}
