package rabbitmq_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/tests/testenv"
)

func subscribe(t testing.TB, url, queue string, o rabbitmq.SubscriberOptions) (*rabbitmq.BatchSubscriber, <-chan *message.Message) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = quiet()
	}
	s, err := rabbitmq.NewBatchSubscriber(url, o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Subscribe(t.Context(), queue)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeInTime(t, s) })
	return s, out
}

func receive(t testing.TB, in <-chan *message.Message) (*message.Message, []rabbitmq.Delivery) {
	t.Helper()
	select {
	case m, ok := <-in:
		if !ok {
			t.Fatal("the subscription ended")
		}
		all, err := rabbitmq.Deliveries(m)
		if err != nil {
			t.Fatal(err)
		}
		return m, all
	case <-time.After(patience):
		t.Fatal("nothing came")
		return nil, nil
	}
}

func TestBatchesComeInOrderAndAreAcknowledgedAtOnce(t *testing.T) {
	noLeaks(t)
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{CatchAll: "all"})
	sent := messages(t, 1, 120)
	if err := p.Publish(rabbitmq.Exchange, sent...); err != nil {
		t.Fatal(err)
	}
	s, in := subscribe(t, url, "all", rabbitmq.SubscriberOptions{Max: 50, Linger: 50 * time.Millisecond})
	var got []string
	for len(got) < len(sent) {
		m, batch := receive(t, in)
		if len(batch) > 50 {
			t.Errorf("a batch of %d", len(batch))
		}
		for _, d := range batch {
			got = append(got, d.MessageID)
			if d.RoutingKey != "strategy.goal-added.v1" || d.Headers["cloudEvents_id"] != d.MessageID || d.AppID != "strata" ||
				d.Timestamp.Unix() != 1795285800 || d.CorrelationID != "correlation-1" || d.ContentType != "application/cloudevents+json" {
				t.Fatalf("%+v", d)
			}
		}
		m.Ack()
	}
	if !slices.Equal(got, ids(sent)) {
		t.Error("not in order")
	}
	closeInTime(t, s)
	if left := newRig(t, url).takeIDs("all"); len(left) != 0 {
		t.Errorf("%d were not acknowledged", len(left))
	}
	if _, err := s.Subscribe(t.Context(), "all"); err == nil {
		t.Error("subscribed to a closed subscriber")
	}
}

// TestTheBrokersOwnHeadersAreNoPoison: after a refusal a quorum queue adds an
// integer header, which makes watermill-amqp spin for ever.
func TestTheBrokersOwnHeadersAreNoPoison(t *testing.T) {
	url := testenv.AMQP(t)
	r := newRig(t, url)
	r.queue("q", amqp.Table{"x-delivery-limit": 2, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
	r.queue("dead", nil)
	r.put("q", amqp.Publishing{MessageId: "one", Body: []byte("1"), Headers: amqp.Table{"n": int64(7), "s": "text", "list": []any{"x"}}})
	_, in := subscribe(t, url, "q", rabbitmq.SubscriberOptions{NackDelay: time.Millisecond})
	for attempt := range int64(3) {
		m, batch := receive(t, in)
		d := batch[0]
		if len(batch) != 1 || d.MessageID != "one" || d.DeliveryCount != attempt || d.Redelivered != (attempt > 0) ||
			len(d.Headers) != 1 || d.Headers["s"] != "text" {
			t.Fatalf("attempt %d: %+v", attempt, batch)
		}
		m.Nack()
	}
	_, dead := subscribe(t, url, "dead", rabbitmq.SubscriberOptions{}) // x-death is an array
	m, batch := receive(t, dead)
	if batch[0].MessageID != "one" || string(batch[0].Body) != "1" {
		t.Errorf("%+v", batch)
	}
	m.Ack()
}

// onWrite is a writer that calls itself: for logs that a test waits for.
type onWrite func()

func (f onWrite) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

func TestACancelledConsumerLeavesNoGhost(t *testing.T) {
	url := testenv.AMQP(t)
	r := newRig(t, url)
	r.queue("q", nil)
	r.put("q", amqp.Publishing{MessageId: "before", Body: []byte("1")})
	noticed := make(chan struct{})
	_, in := subscribe(t, url, "q", rabbitmq.SubscriberOptions{Logger: slog.New(slog.NewTextHandler(onWrite(sync.OnceFunc(func() { close(noticed) })), nil))})
	m, _ := receive(t, in)
	m.Ack()
	if _, err := r.ch.QueueDelete("q", false, false, false); err != nil {
		t.Fatal(err)
	}
	// A quorum queue of RabbitMQ 3.10 that is declared again before the old consumer has gone gives it messages it never sends.
	select {
	case <-noticed:
	case <-time.After(patience):
		t.Fatal("the subscriber did not notice")
	}
	r.queue("q", nil)
	r.put("q", amqp.Publishing{MessageId: "after", Body: []byte("2")})
	m, batch := receive(t, in)
	if len(batch) != 1 || batch[0].MessageID != "after" {
		t.Errorf("came: %+v", batch)
	}
	m.Ack()
}

func TestEmptyBodiesGoToTheDeadLetters(t *testing.T) {
	url := testenv.AMQP(t)
	r := newRig(t, url)
	r.queue("q", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
	r.queue("dead", nil)
	r.put("q", amqp.Publishing{MessageId: "empty"})
	r.put("q", amqp.Publishing{MessageId: "full", Body: []byte("1")})
	_, in := subscribe(t, url, "q", rabbitmq.SubscriberOptions{Linger: 100 * time.Millisecond})
	m, batch := receive(t, in)
	if len(batch) != 1 || batch[0].MessageID != "full" {
		t.Errorf("came: %+v", batch)
	}
	m.Ack()
	if d := r.take("dead"); d.MessageId != "empty" {
		t.Errorf("dead: %+v", d)
	}
}

func TestCloseFinishesTheBatchInFlight(t *testing.T) {
	url := testenv.AMQP(t)
	r := newRig(t, url)
	r.queue("q", nil)
	r.put("q", amqp.Publishing{MessageId: "one", Body: []byte("1")})
	s, in := subscribe(t, url, "q", rabbitmq.SubscriberOptions{})
	m, _ := receive(t, in)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		closeInTime(t, s)
	}()
	m.Ack()
	<-closed
	testenv.Eventually(t, patience, "acknowledged", func() error {
		q, err := r.ch.QueueInspect("q") //nolint:staticcheck // a passive declare needs the arguments again
		if err != nil {
			return err
		}
		if q.Messages != 0 || q.Consumers != 0 {
			return fmt.Errorf("%+v", q)
		}
		return nil
	})
}

func TestBrokenBatchesAreRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		if all, err := rabbitmq.Deliveries(message.NewMessage("m", payload)); err == nil && len(payload) > 0 && len(all) == 0 {
			t.Fatal("bytes were read as nothing")
		}
	})
}
