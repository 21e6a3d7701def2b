package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/blob"
	"strata.dev/strata/adapters/countersign"
	"strata.dev/strata/adapters/keystore"
	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/names"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/process"
	"strata.dev/strata/app/projection"
	"strata.dev/strata/ports/rest"
)

// relayGroup is the consumer group that announces events.
const relayGroup = "relay"

// linger is how long the projections let a commit wait: announcing goes first,
// and what is recorded meanwhile comes in the same batch.
const linger = time.Millisecond

// demoQueue takes every event in development, where nobody else has bound a queue yet.
const demoQueue = "strata.demo"

// runService is one instance of Strata. It listens before anything else starts,
// calls ready when requests are answered, and returns when ctx ends and all is
// drained, or when a part fails for good.
func runService(ctx context.Context, cfg config, log *slog.Logger, ready func(ctx context.Context) error) (err error) {
	if err := cfg.need(serviceSettings...); err != nil {
		return err
	}
	tokens, err := openVerifier(cfg, log)
	if err != nil {
		return err
	}
	countersigner, err := openCountersigner(ctx, cfg, log)
	if err != nil {
		return err
	}
	public, err := listen(ctx, "STRATA_HTTP_ADDR", cfg.HTTPAddr)
	if err != nil {
		return err
	}
	defer public.Close()
	admin, err := listen(ctx, "STRATA_ADMIN_ADDR", cfg.AdminAddr)
	if err != nil {
		return err
	}
	defer admin.Close()

	// The live heap is small and most of it short-lived: at the default the
	// collector takes a quarter of the processor under load. GOGC overrides it.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	start, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := migrateAll(start, cfg, log); err != nil {
		return err
	}
	if err := checkSchemas(start, cfg); err != nil {
		return err
	}
	s := &service{cfg: cfg, log: log, tokens: tokens, countersigner: countersigner}
	defer func() { s.close() }()
	if err := s.open(start); err != nil {
		return err
	}
	return s.run(ctx, public, admin, ready)
}

// listen opens a listener, or says in one line what to do.
func listen(ctx context.Context, setting, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen at %s (%w). Stop what uses it, or set %s to another address", addr, rootCause(err), setting)
	}
	return l, nil
}

// service holds one instance's parts: driven side, application, driving side.
type service struct {
	cfg      config
	log      *slog.Logger
	registry *prometheus.Registry

	tokens        *oidc.Verifier
	countersigner *countersign.Signer

	events    *postgres.Log
	epochs    eventlog.Epochs // of the log; none begins while a service is connected
	standing  *standing
	journal   *journal.Recorder
	plans     *plansdb.Projection
	audit     *auditdb.Projection
	publisher *rabbitmq.Publisher
	timers    *postgres.Timers
	processes *process.Runner
	consumers *consumer.Consumers
	intake    *ingest.Intake
	store     blob.Store         // of the archive; nil if nothing is archived
	archived  *postgres.Archived // how far the archive is
	archiver  *archive.Archiver  // nil if nothing is archived
	sealer    *ledger.Sealer     // nil if this instance does not seal the log
	seals     *postgres.Ledger
	sealed    *ledger.Reader
	keys      *keystore.Store // nil if there is no key store
	persons   *personal.Sealer
	documents *postgres.Imports
	inbound   *rabbitmq.Inbound // nil if this instance takes no part in it
	api       *rest.API
	verifying *verifying

	selfVerifying *selfVerifying // of the log; nil if this instance does not
	sampling      *sampling
	beside        *postgres.Beside // tables beside the log, for reading
	parts         systemParts
	tally         tally

	draining atomic.Bool
	closers  []func() // in the order of opening
}

func (s *service) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

// open connects to everything. PostgreSQL has to be there; RabbitMQ may come later.
func (s *service) open(ctx context.Context) error {
	s.registry = prometheus.NewRegistry()
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	lane := newLaneMetrics(s.registry)

	var err error
	s.events, err = postgres.Open(ctx, s.cfg.LogURL, postgres.Options{
		Logger: s.log, Queue: s.cfg.AppendQueue, OnGroup: lane.observe,
		OnCommit: func(head int64) { s.consumers.Wake(head) },
	})
	if err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}
	s.closers = append(s.closers, s.events.Close)
	if s.epochs, err = s.events.Epochs(ctx); err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}

	s.journal = journal.New(journal.Options{Log: s.events, Logger: s.log})
	s.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "strata_journal_lost_total", Help: "Refusals, failed sign-ins and reads of audit data that were not recorded.",
	}, func() float64 { return float64(s.journal.Lost()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "strata_journal_waiting", Help: "Events of the journal that wait for the event log.",
	}, func() float64 { return float64(s.journal.Waiting()) }))
	s.closers = append(s.closers, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
		defer cancel()
		if err := s.journal.Close(last); err != nil {
			s.log.ErrorContext(last, "close the journal", "err", err)
		}
	})

	if err := s.openPersonal(ctx); err != nil {
		return err
	}
	imports, err := postgres.OpenImports(ctx, s.cfg.LogURL, s.persons)
	if err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}
	s.documents = imports
	s.closers = append(s.closers, imports.Close)

	s.plans, err = plansdb.OpenProjection(ctx, s.cfg.PlansURL, plansdb.Options{Log: s.log, Epochs: s.epochs})
	if err != nil {
		return explain("the plans database", s.cfg.PlansURL, err)
	}
	s.closers = append(s.closers, s.plans.Close)
	plans, err := plansdb.OpenReader(ctx, s.cfg.PlansReadURL, s.plans)
	if err != nil {
		return explain("the plans database", s.cfg.PlansReadURL, err)
	}
	s.closers = append(s.closers, plans.Close)
	s.audit, err = auditdb.OpenProjection(ctx, s.cfg.AuditURL, auditdb.Options{Log: s.log, Epochs: s.epochs})
	if err != nil {
		return explain("the audit database", s.cfg.AuditURL, err)
	}
	s.closers = append(s.closers, s.audit.Close)
	audit, err := auditdb.OpenReader(ctx, s.cfg.AuditReadURL, s.audit)
	if err != nil {
		return explain("the audit database", s.cfg.AuditReadURL, err)
	}
	s.closers = append(s.closers, audit.Close)

	s.standing = &standing{events: s.events, log: s.log}
	if err := s.standing.look(ctx, s.epochs, s.projections()); err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}

	// What a rebuild that died, or was switched away from, has left behind.
	for _, sweep := range []func(context.Context) error{s.plans.Sweep, s.audit.Sweep} {
		if err := sweep(ctx); err != nil {
			return fmt.Errorf("drop retired generations: %w", err)
		}
	}

	encoder, err := cloudevents.New(cloudevents.Options{Instance: s.cfg.Instance, Epochs: s.epochs})
	if err != nil {
		return usageError{fmt.Errorf("STRATA_INSTANCE: %w", err)}
	}
	options := rabbitmq.Options{Logger: s.log, AllowUnrouted: s.cfg.AllowUnrouted}
	if s.cfg.DemoQueue {
		options.CatchAll = demoQueue
	}
	s.publisher, err = rabbitmq.Open(s.cfg.AMQPURL, options)
	if err != nil {
		return usageError{fmt.Errorf("STRATA_AMQP_URL: %w", err)}
	}
	s.closers = append(s.closers, func() {
		if err := s.publisher.Close(); err != nil {
			s.log.WarnContext(context.WithoutCancel(ctx), "close the connection to the broker", "err", err)
		}
	})
	audit.EndsAt(s.events.Head)
	plans.LookBackIn(audit)
	s.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "strata_snapshots_wrong_total", Help: "Snapshots of entities that were not what their events come to, and were thrown away.",
	}, func() float64 { return float64(plans.Snapshots().Wrong) }))
	if err := s.openSealed(ctx); err != nil {
		return err
	}
	commands := command.New(command.Options{
		Log: s.events, Basis: plans, Findings: plans, Persons: plans, Documents: stratml.Parser{}, Writer: stratml.Writer{}, Imports: imports,
		Personal: s.persons, Seals: s.sealed,
	})
	if err := s.openProcesses(ctx, commands, plans); err != nil {
		return err
	}
	if err := s.openIntake(ctx, commands); err != nil {
		return err
	}
	if err := s.openArchiving(ctx, imports); err != nil {
		return err
	}
	if s.store != nil {
		s.standing.compare(ctx, s.store)
	}
	if err := s.openSealing(ctx); err != nil {
		return err
	}
	if err := s.openSelfVerifying(ctx, commands); err != nil {
		return err
	}
	var groups []consumer.Group
	for _, g := range []consumer.Group{
		{Name: relayGroup, Relay: &consumer.Relay{
			Publisher: s.publisher, Topic: rabbitmq.Exchange, Encode: rabbitmq.Messages{Encoder: encoder}.Message,
		}},
		{Name: s.plans.Name(), Handler: s.plans.Apply, Checkpoint: s.plans.Checkpoint, History: s.plans, Linger: linger},
		{Name: s.audit.Name(), Handler: s.audit.Apply, Checkpoint: s.audit.Checkpoint, History: s.audit, Linger: linger},
		s.processGroup(),
	} {
		if s.cfg.takesPart(g.Name) {
			groups = append(groups, g)
		}
	}
	if g, ok := s.sealGroup(); ok {
		groups = append(groups, g)
	}
	if g, ok := s.erasing(); ok {
		groups = append(groups, g)
	}
	if g, ok := s.archiving(); ok {
		groups = append(groups, g)
	}
	s.consumers, err = consumer.New(s.cfg.LogURL, groups, consumer.Options{Logger: s.log, DrainTimeout: s.cfg.DrainTimeout})
	if err != nil {
		return fmt.Errorf("consumer groups: %w", err)
	}
	s.closers = append(s.closers, s.consumers.Close)
	s.registry.MustRegister(&statusMetrics{s})
	s.verifying = newVerifying(s, s.journal)
	if err := s.openSampling(ctx, plans, audit); err != nil {
		return err
	}

	useCases := app.New(commands, names.In(plans, s.persons), audit, stratml.Parser{})
	var archived rest.Archive
	if s.archiver != nil {
		archived = s.archiver
	}
	s.api, err = rest.New(rest.Options{
		App: useCases, Tokens: s.tokens, Countersigner: s.countersigner, Events: encoder, Log: s.log,
		Journal: s.journal, Registry: s.registry, Rate: rest.Rate{Requests: s.cfg.RatePerMinute, Window: time.Minute},
		Checks: s.checks(), Ingest: s.intake, Ledger: s.sealed, Packs: s.packer(plans), Archive: archived, System: s.system, Draining: s.draining.Load,
	})
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}

// projections are the read models that this instance keeps in step.
func (s *service) projections() []projection.Projection {
	return []projection.Projection{s.plans, s.audit}
}

// checks are what /readyz and /healthz tell. Only the log can stop commands.
func (s *service) checks() []rest.Check {
	return []rest.Check{
		{Name: "log", Critical: true, Probe: func(ctx context.Context) error { _, err := s.events.Head(ctx); return err }},
		{Name: "plans", Probe: func(ctx context.Context) error { _, err := s.plans.Checkpoint(ctx); return err }},
		{Name: "audit", Probe: func(ctx context.Context) error { _, err := s.audit.Checkpoint(ctx); return err }},
		{Name: "rabbitmq", Probe: func(context.Context) error {
			if st := s.publisher.Status(); !st.Connected || st.Blocked {
				return fmt.Errorf("since %s: %s", st.Since.UTC().Format(time.RFC3339), st.LastError)
			}
			return nil
		}},
		{Name: "processes", Probe: s.probeProcesses},
		{Name: "intake", Probe: s.probeIntake},
		{Name: "ledger", Probe: s.probeLedger},
		{Name: "verification", Probe: s.probeVerified},
		{Name: "history", Probe: func(ctx context.Context) error { return s.standing.probe(ctx, s.epochs, s.projections()) }},
		{Name: "archive", Probe: s.probeArchive},
		{Name: "keys", Probe: s.probeKeys},
		{Name: "issuer", Probe: func(context.Context) error { return s.tokens.Status() }},
		{Name: "samples", Probe: s.sampling.probe},
		{Name: "groups", Probe: func(ctx context.Context) error {
			var errs []error
			for _, g := range s.consumers.Status() {
				if g.LastError != "" {
					errs = append(errs, fmt.Errorf("%s has stood at position %d since %s: %s", g.Name, g.Position, g.Since.UTC().Format(time.RFC3339), g.LastError))
				}
				if g.Parked > 0 {
					errs = append(errs, fmt.Errorf("%s has parked %d streams: see `strata relay list`", g.Name, g.Parked))
				}
			}
			for _, p := range s.projections() {
				switch st, err := p.Status(ctx); {
				case err != nil:
					errs = append(errs, fmt.Errorf("%s cannot say where it stands: %w", p.Name(), err))
				case st.ParkedTotal > 0:
					errs = append(errs, fmt.Errorf("%s has parked %d streams: see `strata projections list`", p.Name(), st.ParkedTotal))
				}
			}
			return errors.Join(errs...)
		}},
	}
}

// run serves until ctx ends, then drains: no new requests, those under way
// finish, then the groups finish their batches.
func (s *service) run(ctx context.Context, public, admin net.Listener, ready func(context.Context) error) error {
	// Requests and groups outlive ctx by the drain.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	servers := []*http.Server{rest.NewServer(inner, s.cfg.HTTPAddr, s.api, s.log), rest.NewServer(inner, s.cfg.AdminAddr, s.adminHandler(), s.log)}
	groups, stopGroups := context.WithCancel(inner)
	defer stopGroups()

	parts, failed := errgroup.WithContext(inner)
	for i, l := range []net.Listener{public, admin} {
		parts.Go(func() error {
			if err := servers[i].Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("http at %s: %w", l.Addr(), err)
			}
			return nil
		})
	}
	s.background(groups, parts)
	s.log.InfoContext(inner, "serving", "http", public.Addr().String(), "admin", admin.Addr().String(), "version", buildVersion)
	parts.Go(func() error {
		err := ready(ctx)
		if err == nil {
			select {
			case <-ctx.Done():
			case <-failed.Done():
			}
		}
		s.draining.Store(true)
		s.log.InfoContext(inner, "draining")
		grace, cancel := context.WithTimeout(inner, s.cfg.DrainTimeout)
		defer cancel()
		for _, server := range servers {
			if serr := server.Shutdown(grace); serr != nil {
				s.log.WarnContext(inner, "requests cut off at the end of the drain", "err", serr)
			}
		}
		stopGroups()
		return err
	})
	err := parts.Wait()
	s.log.InfoContext(inner, "stopped")
	return err
}
