package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/process"
)

// processTimeout is how long the processes may take over one batch: a strategy
// with thousands of indicators that succeeds another one comes in one.
const processTimeout = time.Minute

// openProcesses makes the processes across aggregates and their timers.
func (s *service) openProcesses(ctx context.Context, commands *command.Commands, index *plansdb.Reader) error {
	timers, err := postgres.OpenTimers(ctx, s.cfg.LogURL)
	if err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}
	s.closers = append(s.closers, timers.Close)
	s.timers = timers
	s.processes = process.New(process.Options{
		Log: s.events, Index: index, Timers: timers, Reminders: s.journal, Logger: s.log, Metrics: newProcessMetrics(s.registry, &s.tally),
		UseCases: process.UseCases{
			Organizations: commands.Organizations, Strategies: commands.Strategies, Indicators: commands.Indicators,
			Findings: commands.Findings, Sources: commands.Sources,
		},
	})
	return nil
}

// processGroup is the consumer group of the processes.
func (s *service) processGroup() consumer.Group {
	return consumer.Group{Name: process.Group, Handler: s.processes.Handle, Linger: linger, HandlerTimeout: processTimeout}
}

// leadsProcesses says whether this instance reads for the processes: it fires
// their timers, too.
func (s *service) leadsProcesses() bool { return s.leads(process.Group) }

// probeProcesses is what /healthz tells of the processes beside their group.
func (s *service) probeProcesses(context.Context) error {
	if st := s.processes.TimerStatus(); st.LastError != "" && s.leadsProcesses() {
		return fmt.Errorf("timers cannot be fired since %s: %s", st.Since.Format(time.RFC3339), st.LastError)
	}
	return nil
}

// processMetrics count what the processes do.
type processMetrics struct {
	steps, timers *prometheus.CounterVec
	tally         *tally
}

func newProcessMetrics(r prometheus.Registerer, t *tally) *processMetrics {
	m := &processMetrics{
		tally:  t,
		steps:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strata_process_steps_total", Help: "Steps of the processes across aggregates, by what came of them."}, []string{"process", "outcome"}),
		timers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strata_process_timers_total", Help: "Timers that were fired, or put off."}, []string{"kind", "outcome"}),
	}
	r.MustRegister(m.steps, m.timers)
	return m
}

// Step implements process.Metrics.
func (m *processMetrics) Step(name, outcome string) {
	m.steps.WithLabelValues(name, outcome).Inc()
	m.tally.add(name, outcome)
}

// Timer implements process.Metrics.
func (m *processMetrics) Timer(kind, outcome string) { m.timers.WithLabelValues(kind, outcome).Inc() }

var (
	descTimersPending = prometheus.NewDesc("strata_process_timers_pending", "Timers that wait for their time; of the instance that fires them.", nil, nil)
	descTimersDue     = prometheus.NewDesc("strata_process_timers_due", "Timers whose time has come and that have not fired.", nil, nil)
	descTimersFailing = prometheus.NewDesc("strata_process_timers_failing", "1 while no timer can be fired.", nil, nil)
)

// collectTimers is the part of a scrape that is about timers.
func (m *statusMetrics) collectTimers(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) {
	if !m.s.leadsProcesses() {
		return
	}
	gauge(descTimersFailing, one(m.s.processes.TimerStatus().LastError != ""))
	// A log that is away shows in strata_group_failing; a scrape does not fail of it.
	if c, err := m.s.timers.Counts(ctx, time.Now().UTC()); err == nil {
		gauge(descTimersPending, float64(c.Pending))
		gauge(descTimersDue, float64(c.Due))
	}
}
