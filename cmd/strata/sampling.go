package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/fsck"
	"strata.dev/strata/app/query"
)

// sampleShare is the part of the time that sampling may take: however slow the
// databases are, nine tenths of it are left.
const sampleShare = 10

// sampling compares small parts of what is kept with the log, all the time, in
// the instance that reads for the audit database. What does not agree is on the
// log of the service, in the metrics and in /healthz at once, and the read model
// is verified as a whole: that records in the journal what differs, and repairs it.
type sampling struct {
	service *service
	sampler fsck.Sampler
	looked  prometheus.Counter
	found   *prometheus.CounterVec

	start sync.Once // chooses where the first sample is taken

	mu    sync.Mutex
	wrong map[string]string // by section: the first thing, until it is mended
}

func newSampling(s *service, answers fsck.Answers, ledger fsck.Ledger) *sampling {
	g := &sampling{
		service: s, sampler: fsck.Sampler{Log: s.events, Answers: answers, Ledger: ledger}, wrong: map[string]string{},
		looked: prometheus.NewCounter(prometheus.CounterOpts{Name: "strata_sample_events_total", Help: "Events that samples have compared with what is kept of them."}),
		found:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strata_sample_wrong_total", Help: "Things that samples found to be other than the log says."}, []string{"section"}),
	}
	s.registry.MustRegister(g.looked, g.found)
	for _, section := range []string{fsck.LogSection, fsck.StreamsSection, fsck.PlansSection, fsck.AuditSection, fsck.LedgerSection} {
		g.found.WithLabelValues(section)
	}
	return g
}

// run takes samples until ctx ends. One that fails is left out: what is away
// shows elsewhere.
func (g *sampling) run(ctx context.Context) {
	every := g.service.cfg.SampleEvery
	if every <= 0 {
		return
	}
	pause := every
	for wait(ctx, pause) {
		if !g.service.leads(auditdb.Name) {
			continue
		}
		began := time.Now()
		sample, err := g.once(ctx)
		pause = max(every, sampleShare*time.Since(began))
		if err != nil {
			if ctx.Err() == nil {
				g.service.log.DebugContext(ctx, "no sample could be taken", "err", err)
			}
			continue
		}
		g.judge(ctx, sample)
	}
}

func (g *sampling) once(ctx context.Context) (fsck.Sample, error) {
	upTo, err := g.service.events.Head(ctx)
	if err != nil {
		return fsck.Sample{}, err
	}
	for _, p := range g.service.projections() {
		at, err := p.Checkpoint(ctx)
		if err != nil {
			return fsck.Sample{}, err
		}
		upTo = min(upTo, at)
	}
	g.start.Do(func() { // of several instances, and after each start, another place
		if upTo > 0 {
			g.sampler.Next = rand.Int64N(upTo)
		}
	})
	return g.sampler.Once(ctx, upTo)
}

// judge says what a sample has found. A verification that follows has its own
// share of the time.
func (g *sampling) judge(ctx context.Context, sample fsck.Sample) {
	g.looked.Add(float64(max(0, sample.To-sample.From+1)))
	for section, wrong := range sample.Wrong {
		g.report(ctx, section, wrong)
	}
}

func (g *sampling) report(ctx context.Context, section string, wrong []fsck.Wrong) {
	g.found.WithLabelValues(section).Add(float64(len(wrong)))
	first := wrong[0]
	g.service.log.ErrorContext(ctx, "a sample is not what the log says", "section", section, "kind", first.Kind, "position", first.Position,
		"stream", first.Stream, "organization", first.Organization, "detail", first.Detail, "found", len(wrong))
	g.note(section, fmt.Sprintf("%s at position %d (%s): run `strata fsck`", first.Kind, first.Position, first.Detail))
	for _, p := range g.service.projections() {
		if p.Name() == section && g.service.verifying.once(ctx, p) {
			g.note(section, "")
		}
	}
}

// note keeps what is wrong in a section; "" = nothing any more.
func (g *sampling) note(section, text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if text == "" {
		delete(g.wrong, section)
		return
	}
	g.wrong[section] = text
}

// probe is what /healthz tells of samples.
func (g *sampling) probe(context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for section, text := range g.wrong {
		errs = append(errs, fmt.Errorf("%s: %s", section, text))
	}
	return errors.Join(errs...)
}

// answers gives samples what the service answers, and how it would have answered
// from the log.
type answers struct {
	plans query.Plans
	audit query.Audit
}

// Event implements fsck.Answers.
func (a answers) Event(ctx context.Context, organizationID, id uuid.UUID) (query.Entry, error) {
	return a.audit.Event(ctx, query.Read{OrganizationID: organizationID}, id)
}

// Now implements fsck.Answers.
func (a answers) Now(ctx context.Context, organizationID uuid.UUID, streamID string) (answer any, version, position int64, ok bool, err error) {
	answer, version, position, ok, err = a.ask(ctx, query.Read{OrganizationID: organizationID}, streamID)
	if errors.Is(err, query.ErrNotFound) {
		// There is nothing there, at a position that a list gives.
		page, err := a.plans.Holds(ctx, query.Read{OrganizationID: organizationID}, query.HoldFilter{Paging: query.Paging{Limit: 1}})
		return nil, 0, page.Position, true, err
	}
	return answer, version, position, ok, err
}

// Then implements fsck.Answers.
func (a answers) Then(ctx context.Context, organizationID uuid.UUID, streamID string, position int64) (any, error) {
	answer, _, _, _, err := a.ask(ctx, query.Read{OrganizationID: organizationID, AsOf: query.Moment{Position: position}}, streamID)
	return answer, err
}

func (a answers) ask(ctx context.Context, r query.Read, streamID string) (answer any, version, position int64, ok bool, err error) {
	kind, text, _ := strings.Cut(streamID, "-")
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, 0, 0, false, nil //nolint:nilerr // nobody is answered about such a stream
	}
	switch kind {
	case "strategy":
		s, err := a.plans.Strategy(ctx, r, query.StrategyAsk{ID: id})
		return s, s.Version, s.Position, true, err
	case "indicator":
		i, err := a.plans.Indicator(ctx, r, id)
		return i, i.Version, i.Position, true, err
	case "finding":
		f, err := a.plans.Finding(ctx, r, id)
		return f, f.Version, f.Position, true, err
	case "evidence":
		e, err := a.plans.Evidence(ctx, r, id)
		return e, e.Version, e.Position, true, err
	}
	return nil, 0, 0, false, nil
}

// openSampling makes the samples of this instance.
func (s *service) openSampling(ctx context.Context, plans query.Plans, audit query.Audit) error {
	beside, err := postgres.OpenBeside(ctx, s.cfg.LogURL)
	if err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}
	s.closers = append(s.closers, beside.Close)
	s.beside = beside
	s.sampling = newSampling(s, answers{plans, audit}, beside)
	return nil
}
