package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/app/ingest"
)

// InboundPrefix is before a source's id in the name of its queue.
const InboundPrefix = "strata.ingest."

// HeaderSignature is the header with a message's signature, as text.
const HeaderSignature = "strata-signature"

// InboundSource is a registered source that sends by a queue.
type InboundSource struct {
	OrganizationID uuid.UUID
	SourceID       uuid.UUID
	Active         bool // else its queue is there, and its messages wait
}

// InboundOptions wire an Inbound.
type InboundOptions struct {
	// Take decides a message, as ingest.Intake does; required.
	Take func(context.Context, ingest.Message) (ingest.Answer, error)
	// Sources gives all registered sources that send by queues; required. It is
	// asked again and again, and may be a little behind: Take knows better.
	Sources func(context.Context) ([]InboundSource, error)

	Logger   *slog.Logger  // nil = slog.Default()
	Poll     time.Duration // between questions to Sources; 0 = 2 s
	Prefetch int           // messages of one queue on their way to here; 0 = 16
}

// InboundStatus is how the queues are, as far as this process knows.
type InboundStatus struct {
	Queues    int   // of registered sources
	Consuming int   // from which messages are taken
	Waiting   int64 // messages in all of them, as last heard
	Failing   int   // that should be consumed, and cannot be
	LastError string
}

// Inbound takes messages of sources from their queues, one queue per source. It
// declares the queues, consumes those of active sources, and acknowledges a
// message when what it led to is durable. See the package's documentation.
type Inbound struct {
	url  string
	opts InboundOptions
	log  *slog.Logger

	dialling sync.Mutex
	link     *link // shared by all queues; guarded by dialling

	mu     sync.Mutex
	queues map[uuid.UUID]*inboundQueue
	poll   error // why Sources could not be asked
}

// NewInbound makes an Inbound. It connects when run.
func NewInbound(url string, opts InboundOptions) (*Inbound, error) {
	if _, err := amqp.ParseURI(url); err != nil {
		return nil, fmt.Errorf("RabbitMQ URL: %w", err)
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Poll <= 0 {
		opts.Poll = 2 * time.Second
	}
	if opts.Prefetch <= 0 {
		opts.Prefetch = 16
	}
	return &Inbound{url: url, opts: opts, log: opts.Logger, queues: map[uuid.UUID]*inboundQueue{}}, nil
}

// Run takes messages until ctx ends. A message that is being decided then is cut
// off and comes again: its effect is there once, whatever it had come to.
func (in *Inbound) Run(ctx context.Context) {
	var running sync.WaitGroup
	tick := time.NewTicker(in.opts.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		sources, err := in.opts.Sources(ctx)
		in.polled(ctx, err)
		if err == nil {
			in.follow(ctx, sources, &running)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	running.Wait()
	in.dialling.Lock()
	defer in.dialling.Unlock()
	if in.link != nil {
		in.link.close()
		in.link = nil
	}
}

func (in *Inbound) polled(ctx context.Context, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if err != nil && in.poll == nil && ctx.Err() == nil {
		in.log.WarnContext(ctx, "cannot ask which sources there are; going on with those that are known", "error", err)
	}
	in.poll = err
}

// follow starts and stops queues so that they are those of the sources.
func (in *Inbound) follow(ctx context.Context, sources []InboundSource, running *sync.WaitGroup) {
	in.mu.Lock()
	defer in.mu.Unlock()
	listed := map[uuid.UUID]bool{}
	for _, s := range sources {
		listed[s.SourceID] = true
		q := in.queues[s.SourceID]
		if q == nil {
			q = newInboundQueue(ctx, in, s)
			in.queues[s.SourceID] = q
			running.Go(q.run)
		}
		q.set(s.Active)
	}
	for id, q := range in.queues {
		if !listed[id] {
			q.end()
			delete(in.queues, id)
		}
	}
}

// connection is the connection that all queues share; it is made when there is none.
func (in *Inbound) connection(ctx context.Context) (*link, error) {
	in.dialling.Lock()
	defer in.dialling.Unlock()
	if in.link != nil && !in.link.IsClosed() {
		return in.link, nil
	}
	if in.link != nil {
		in.link.cut()
		in.link = nil
	}
	l, err := dial(ctx, in.url, "strata intake", 10*time.Second)
	if err != nil {
		return nil, err
	}
	in.link = l
	return l, nil
}

// Status says how the queues are. It asks nobody.
func (in *Inbound) Status() InboundStatus {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := InboundStatus{Queues: len(in.queues)}
	var errs []error
	if in.poll != nil {
		errs = append(errs, in.poll)
	}
	for _, id := range in.sorted() {
		q := in.queues[id]
		q.mu.Lock()
		s.Waiting += q.waiting
		if q.consuming {
			s.Consuming++
		}
		if q.failed != nil {
			s.Failing++
			errs = append(errs, fmt.Errorf("%s: %w", q.name, q.failed))
		}
		q.mu.Unlock()
	}
	if err := errors.Join(errs...); err != nil {
		s.LastError = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return s
}

// Waiting gives how many messages wait for each source, as last heard.
func (in *Inbound) Waiting() map[uuid.UUID]int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	waiting := make(map[uuid.UUID]int64, len(in.queues))
	for id, q := range in.queues {
		q.mu.Lock()
		waiting[id] = q.waiting
		q.mu.Unlock()
	}
	return waiting
}

func (in *Inbound) sorted() []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(in.queues))
	for id := range in.queues {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return ids
}
