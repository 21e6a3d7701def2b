package system

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/tests/testenv"
)

// Consumer is another team: a quorum queue of its own, bound to every event,
// and what came out of it. Safe for concurrent use.
type Consumer struct {
	Queue string

	mu         sync.Mutex
	deliveries []Delivery
	positions  map[int64]bool
	contiguous int64 // every position up to this one has come
	errs       []error
}

// Consume declares a queue, binds it, and takes from it until the test ends.
// What was announced before the queue was bound it does not get.
func (s *System) Consume(t testing.TB, queue string) *Consumer {
	t.Helper()
	s.Bind(t, queue)
	c := &Consumer{Queue: queue, positions: map[int64]bool{}}
	subscriber, err := rabbitmq.NewBatchSubscriber(s.AMQP, rabbitmq.SubscriberOptions{
		Logger: slog.New(slog.DiscardHandler), CloseTimeout: time.Second,
	})
	if err != nil {
		t.Fatalf("system: %v", err)
	}
	batches, err := subscriber.Subscribe(t.Context(), queue)
	if err != nil {
		t.Fatalf("system: %v", err)
	}
	var taking sync.WaitGroup
	taking.Go(func() {
		for batch := range batches {
			deliveries, err := rabbitmq.Deliveries(batch)
			c.take(deliveries, err)
			batch.Ack()
		}
	})
	t.Cleanup(func() {
		if err := subscriber.Close(); err != nil {
			t.Errorf("system: %v", err)
		}
		taking.Wait()
	})
	return c
}

// Bind declares a quorum queue and binds it to every event, as docs/events.md
// tells consumers to. The exchange is the service's to declare: wait for it.
func (s *System) Bind(t testing.TB, queue string) {
	t.Helper()
	testenv.Eventually(t, recovery, "the exchange to bind "+queue+" to", func() error {
		return s.channel(func(ch *amqp.Channel) error {
			if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum}); err != nil {
				return err
			}
			return ch.QueueBind(queue, everything, rabbitmq.Exchange, false, nil)
		})
	})
}

// Unbind takes the queue's binding away. If no other queue is bound, nobody
// wants the events any more.
func (s *System) Unbind(t testing.TB, queue string) {
	t.Helper()
	err := s.channel(func(ch *amqp.Channel) error { return ch.QueueUnbind(queue, everything, rabbitmq.Exchange, nil) })
	if err != nil {
		t.Fatalf("system: unbind %s: %v", queue, err)
	}
}

const everything = "#" // routing keys of all events

// channel calls do with a channel of its own.
func (s *System) channel(do func(*amqp.Channel) error) error {
	conn, err := amqp.Dial(s.AMQP)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	return do(ch)
}

func (c *Consumer) take(deliveries []rabbitmq.Delivery, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.errs = append(c.errs, err)
	}
	for _, d := range deliveries {
		m, err := cloudevents.Decode(d.Body)
		switch {
		case err != nil:
			c.errs = append(c.errs, fmt.Errorf("message %s: %w", d.MessageID, err))
			continue
		case m.ID.String() != d.MessageID || fmt.Sprint(m.Position) != d.Headers[rabbitmq.HeaderPosition]:
			c.errs = append(c.errs, fmt.Errorf("message %s with position header %q holds event %s at position %d", d.MessageID, d.Headers[rabbitmq.HeaderPosition], m.ID, m.Position))
		}
		c.deliveries = append(c.deliveries, Delivery{ID: m.ID, Position: m.Position, Version: m.StreamVersion, Stream: m.StreamID, Digest: sha256.Sum256(m.Data)})
		c.positions[m.Position] = true
	}
	for c.positions[c.contiguous+1] {
		delete(c.positions, c.contiguous+1)
		c.contiguous++
	}
}

// Has is the position up to which nothing is missing.
func (c *Consumer) Has() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.contiguous
}

// Await waits until every position up to this one has come.
func (c *Consumer) Await(t testing.TB, position int64, within time.Duration) {
	t.Helper()
	testenv.Eventually(t, within, fmt.Sprintf("%s has everything up to position %d", c.Queue, position), func() error {
		if has := c.Has(); has < position {
			return fmt.Errorf("it has everything up to position %d", has)
		}
		return nil
	})
}

// Deliveries is what came, in order. Messages that are no events of ours fail the test.
func (c *Consumer) Deliveries(t testing.TB) []Delivery {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.errs {
		t.Errorf("%s got what is no event: %v", c.Queue, err)
	}
	return slices.Clone(c.deliveries)
}
