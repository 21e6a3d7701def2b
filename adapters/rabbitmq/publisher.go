package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	// ErrUnroutable: no queue is bound for the message. It was not taken.
	ErrUnroutable = errors.New("no queue is bound for the message")

	// ErrRefused: the broker or one of its queues said no to the message.
	ErrRefused = errors.New("the broker refused the message")

	// ErrBlocked: the broker has raised an alarm (memory or disk) and takes nothing.
	ErrBlocked = errors.New("the broker takes no messages: it is out of memory or disk")

	// ErrUnconfirmed: it is not known whether the broker has the message.
	ErrUnconfirmed = errors.New("the broker did not confirm the message in time")

	// ErrNotConnected: there was no connection within the time.
	ErrNotConnected = errors.New("no connection to the broker")

	// ErrClosed: the publisher has been closed.
	ErrClosed = errors.New("the publisher is closed")
)

// PublishError is how far a failed Publish got.
type PublishError struct {
	Err   error
	Count int // leading messages that the broker has for certain
	Of    int
	// Single means that the message behind those was refused by itself, while the
	// connection is in order: sending it alone is the way to find out when it is taken.
	Single    bool
	MessageID string // of that message
	poison    bool
}

func (e *PublishError) Error() string {
	if e.Single {
		return fmt.Sprintf("publish: message %s: %v (%d of %d were taken)", e.MessageID, e.Err, e.Count, e.Of)
	}
	return fmt.Sprintf("publish: %v (%d of %d were taken)", e.Err, e.Count, e.Of)
}

func (e *PublishError) Unwrap() error { return e.Err }

// Delivered is how many leading messages the broker has.
func (e *PublishError) Delivered() int { return e.Count }

// Refused says that one message holds up the others.
func (e *PublishError) Refused() bool { return e.Single }

// Poison says that the message can never be sent.
func (e *PublishError) Poison() bool { return e.poison }

// Options of a Publisher. The zero value is right for production.
type Options struct {
	Logger *slog.Logger // nil = slog.Default()

	// Timeout bounds one Publish, however many messages; 0 = 5 s.
	Timeout time.Duration

	// Window is how many messages may wait for their confirms, half of them on each
	// channel; 0 = 1000.
	Window int

	// AllowUnrouted accepts that an event for which no queue is bound reaches
	// nobody. Without it the relay waits for a queue.
	AllowUnrouted bool

	// CatchAll names a queue that takes every event; the publisher declares it,
	// durable and of type quorum, and binds it. "" = none. For installations
	// where nobody else does, such as a first run.
	CatchAll string

	// CatchAllLength is how many messages CatchAll keeps, the newest; 0 = 100,000.
	CatchAllLength int
}

// Status is how the connection is.
type Status struct {
	Connected bool
	Blocked   bool      // the broker has an alarm: see LastError
	Since     time.Time // of the present state
	LastError string    // why it is not connected, or blocked; "" when all is well
}

// Publisher is a message.Publisher with confirms. Safe for concurrent use;
// batches go one after the other, so their order is the order of the calls.
type Publisher struct {
	url  string
	opts Options
	log  *slog.Logger

	life context.Context // ends with Close
	end  context.CancelFunc
	over sync.WaitGroup
	turn chan struct{} // held by the Publish at work

	mu      sync.Mutex
	session *session
	changed chan struct{} // closed and replaced when anything below or session changes
	status  Status
}

var _ message.Publisher = (*Publisher)(nil)

// Open makes a Publisher and starts connecting in the background. It fails only
// if url is none. Close it.
func Open(url string, opts Options) (*Publisher, error) {
	if _, err := amqp.ParseURI(url); err != nil {
		return nil, fmt.Errorf("RabbitMQ URL: %w", err)
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.Timeout == 0 {
		opts.Timeout = 5 * time.Second
	}
	if opts.Window == 0 {
		opts.Window = 1000
	}
	if opts.CatchAllLength == 0 {
		opts.CatchAllLength = 100_000
	}
	if opts.Timeout < 0 || opts.Window < 0 || opts.CatchAllLength < 0 {
		return nil, errors.New("publisher options must not be negative")
	}
	life, end := context.WithCancel(context.Background())
	p := &Publisher{
		url: url, opts: opts, log: opts.Logger, life: life, end: end,
		turn: make(chan struct{}, 1), changed: make(chan struct{}), status: Status{Since: time.Now(), LastError: ErrNotConnected.Error()},
	}
	p.over.Go(p.supervise)
	return p, nil
}

// Publish sends messages to the exchange called topic, in order, and returns nil when the broker has all of them in queues. Otherwise the
// error is a *PublishError. It ends early when the first message's context does.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(messages[0].Context(), p.opts.Timeout)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()

	nothing := func(err error) error {
		if p.life.Err() != nil {
			err = ErrClosed
		}
		return &PublishError{Err: err, Of: len(messages)}
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nothing(fmt.Errorf("waiting for another batch: %w", ctx.Err()))
	}
	s, err := p.ready(ctx)
	if err != nil {
		return nothing(err)
	}
	b := batch{session: s, exchange: topic, mandatory: !p.opts.AllowUnrouted, messages: messages}
	if err := b.publish(ctx); err != nil {
		if err.Single || err.poison {
			return err
		}
		if p.life.Err() != nil {
			err.Err = ErrClosed
		}
		if blocked := s.distrust(); blocked != "" {
			err.Err = fmt.Errorf("%w: %s: %w", ErrBlocked, blocked, err.Err)
		}
		return err
	}
	return nil
}

// ready gives a session that may be used now.
func (p *Publisher) ready(ctx context.Context) (*session, error) {
	for {
		p.mu.Lock()
		s, changed, status := p.session, p.changed, p.status
		p.mu.Unlock()
		switch {
		case s == nil:
		case s.usable():
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if status.Blocked {
				return nil, fmt.Errorf("%w: %s", ErrBlocked, status.LastError)
			}
			return nil, fmt.Errorf("%w: %s", ErrNotConnected, status.LastError)
		}
	}
}

// supervise keeps one session until Close.
func (p *Publisher) supervise() {
	first := true // never been connected
	for attempt := 0; p.life.Err() == nil; attempt++ {
		s, err := p.connect()
		if err == nil {
			attempt, first = 0, false
			p.set(s, Status{Connected: true})
			err = s.watch(p.life, func(reason string) {
				p.set(s, Status{Connected: true, Blocked: reason != "", LastError: reason})
			})
			s.link.close()
		}
		if p.life.Err() != nil {
			p.set(nil, Status{LastError: ErrClosed.Error()})
			return
		}
		p.set(nil, Status{LastError: err.Error()})
		if attempt == 0 && first {
			p.log.WarnContext(p.life, "cannot reach RabbitMQ; trying until it is there", "error", err)
		}
		pause := min(100*time.Millisecond<<min(attempt, 10), 2*time.Second)
		t := time.NewTimer(pause - rand.N(pause/2))
		select {
		case <-t.C:
		case <-p.life.Done():
		}
		t.Stop()
	}
}

// set publishes a new state, and logs it if it is another kind of state.
func (p *Publisher) set(s *session, next Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.status
	next.Since = was.Since
	if next.Connected != was.Connected || next.Blocked != was.Blocked {
		next.Since = time.Now()
		switch {
		case p.life.Err() != nil:
		case next.Blocked:
			p.log.WarnContext(p.life, "RabbitMQ takes no messages", "reason", next.LastError)
		case next.Connected && was.Blocked:
			p.log.InfoContext(p.life, "RabbitMQ takes messages again", "after", time.Since(was.Since).Round(time.Millisecond))
		case next.Connected:
			p.log.InfoContext(p.life, "connected to RabbitMQ", "after", time.Since(was.Since).Round(time.Millisecond))
		default:
			p.log.WarnContext(p.life, "lost RabbitMQ; reconnecting", "error", next.LastError)
		}
	}
	p.session, p.status = s, next
	close(p.changed)
	p.changed = make(chan struct{})
}

// Status says how the connection is. It asks nobody.
func (p *Publisher) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// Close ends the connection. A Publish under way fails. It never hangs: a
// broker that does not answer is given a second.
func (p *Publisher) Close() error {
	p.end()
	p.over.Wait()
	return nil
}
