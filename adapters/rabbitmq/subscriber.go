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

// SubscriberOptions tune a BatchSubscriber.
type SubscriberOptions struct {
	Logger *slog.Logger  // nil = slog.Default()
	Max    int           // most deliveries in one batch; 0 = 500
	Linger time.Duration // how long to wait for more when fewer are there; 0 = 2 ms

	// NackDelay is the pause before a refused batch is given back to the queue; 0 = 100 ms.
	NackDelay time.Duration

	// CloseTimeout is how long Close waits for the batch in flight; 0 = 10 s.
	// What is not acknowledged by then is delivered again.
	CloseTimeout time.Duration
}

func (o SubscriberOptions) withDefaults() SubscriberOptions {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Max <= 0 {
		o.Max = 500
	}
	if o.Linger <= 0 {
		o.Linger = 2 * time.Millisecond
	}
	if o.NackDelay <= 0 {
		o.NackDelay = 100 * time.Millisecond
	}
	if o.CloseTimeout <= 0 {
		o.CloseTimeout = 10 * time.Second
	}
	return o
}

// BatchSubscriber is a message.Subscriber that hands over one message per batch
// of deliveries; Deliveries unpacks it. Acknowledging the message acknowledges
// the batch, refusing it gives the batch back to the queue, whose delivery limit
// then decides. Deliveries come at least once and, from one queue, in order as
// long as nothing is refused.
//
// Queues are not declared here: they are their consumers' to declare.
type BatchSubscriber struct {
	url  string
	opts SubscriberOptions

	closing chan struct{}
	cut     context.Context // ends when Close has waited long enough
	cutNow  context.CancelFunc
	once    sync.Once
	mu      sync.Mutex // guards running against Close
	running sync.WaitGroup
}

var _ message.Subscriber = (*BatchSubscriber)(nil)

// NewBatchSubscriber makes a subscriber. It connects when subscribed. Close it.
func NewBatchSubscriber(url string, opts SubscriberOptions) (*BatchSubscriber, error) {
	if _, err := amqp.ParseURI(url); err != nil {
		return nil, fmt.Errorf("RabbitMQ URL: %w", err)
	}
	cut, cutNow := context.WithCancel(context.Background())
	return &BatchSubscriber{url: url, opts: opts.withDefaults(), closing: make(chan struct{}), cut: cut, cutNow: cutNow}, nil
}

// Subscribe consumes a queue until ctx ends or Close. It connects, and connects
// again, in the background.
func (s *BatchSubscriber) Subscribe(ctx context.Context, queue string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closing:
		return nil, ErrClosed
	default:
	}
	out := make(chan *message.Message)
	s.running.Go(func() {
		defer close(out)
		s.consume(ctx, queue, out)
	})
	return out, nil
}

// Close stops fetching, waits for batches in flight and their acknowledgement,
// and disconnects.
func (s *BatchSubscriber) Close() error {
	s.mu.Lock()
	s.once.Do(func() { close(s.closing) })
	s.mu.Unlock()
	t := time.AfterFunc(s.opts.CloseTimeout, s.cutNow)
	defer t.Stop()
	s.running.Wait()
	s.cutNow()
	return nil
}

func (s *BatchSubscriber) consume(ctx context.Context, queue string, out chan<- *message.Message) {
	log := s.opts.Logger.With("queue", queue)
	failed := false
	for attempt := 0; ; attempt++ {
		err := s.session(ctx, queue, out, func() {
			if failed {
				log.InfoContext(ctx, "consuming from RabbitMQ again")
			}
			attempt, failed = 0, false
		})
		select {
		case <-s.closing:
			return
		case <-ctx.Done():
			return
		default:
		}
		if !failed {
			log.WarnContext(ctx, "cannot consume from RabbitMQ; trying until it works", "error", err)
			failed = true
		}
		pause := min(50*time.Millisecond<<min(attempt, 10), 2*time.Second)
		t := time.NewTimer(pause - rand.N(pause/2))
		select {
		case <-t.C:
		case <-s.closing:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

var errCancelled = errors.New("the broker ended the consumer: queue or connection went away")

// session is one connection's life.
func (s *BatchSubscriber) session(ctx context.Context, queue string, out chan<- *message.Message, up func()) error {
	dialling, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.cut, cancel)()
	l, err := dial(dialling, s.url, "strata subscriber", 10*time.Second)
	if err != nil {
		return err
	}
	defer l.close()
	defer context.AfterFunc(s.cut, l.cut)()

	ch, err := l.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	// One batch is being handled while the next one is on its way.
	if err := ch.Qos(2*s.opts.Max, 0, false); err != nil {
		return fmt.Errorf("prefetch: %w", err)
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	up()
	for {
		var first amqp.Delivery
		var ok bool
		select {
		case first, ok = <-deliveries:
			if !ok {
				return errCancelled // and not an empty message
			}
		case <-s.closing:
			return nil
		case <-ctx.Done():
			return nil
		}
		payload, last, err := s.gather(first, deliveries)
		if err != nil {
			return err
		}
		if len(payload) == 0 {
			continue // nothing but refused ones
		}
		if err := s.handOver(ctx, ch, payload, last, out); err != nil {
			return err
		}
	}
}

// gather packs what is there, and what comes within the linger, into one
// payload. Empty bodies are nobody's event: they are rejected, which sends them
// to the queue's dead letters.
func (s *BatchSubscriber) gather(d amqp.Delivery, more <-chan amqp.Delivery) (payload []byte, last uint64, err error) {
	linger := time.NewTimer(s.opts.Linger)
	defer linger.Stop()
	payload = make([]byte, 0, 64<<10)
	for n := 0; ; {
		if len(d.Body) == 0 {
			if err := d.Reject(false); err != nil {
				return nil, 0, fmt.Errorf("reject: %w", err)
			}
		} else {
			payload, last = appendDelivery(payload, &d), d.DeliveryTag
			n++
		}
		if n == s.opts.Max {
			return payload, last, nil
		}
		var ok bool
		select {
		case d, ok = <-more:
			if !ok {
				return payload, last, nil
			}
		case <-linger.C:
			return payload, last, nil
		}
	}
}

// handOver gives one batch out and waits until it is settled, also while
// closing. What is left unsettled goes back to the queue with the channel.
func (s *BatchSubscriber) handOver(ctx context.Context, ch *amqp.Channel, payload []byte, last uint64, out chan<- *message.Message) error {
	m := message.NewMessage(fmt.Sprintf("batch-%d", last), payload)
	m.SetContext(context.WithoutCancel(ctx))
	select {
	case out <- m:
	case <-s.closing:
		return nil
	case <-ctx.Done():
		return nil
	}
	select {
	case <-m.Acked():
		if err := ch.Ack(last, true); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
		return nil
	case <-m.Nacked():
	case <-s.cut.Done():
		return s.cut.Err()
	}
	pause := time.NewTimer(s.opts.NackDelay)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-s.closing:
	}
	if err := ch.Nack(last, true, true); err != nil {
		return fmt.Errorf("give back: %w", err)
	}
	return nil
}
