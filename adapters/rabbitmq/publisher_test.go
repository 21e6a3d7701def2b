package rabbitmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/tests/testenv"
)

func TestAMessageIsAsPromised(t *testing.T) {
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{})
	awaitConnected(t, p)
	r := newRig(t, url)
	r.queue("q", nil)
	r.bind("q", "strategy.#", rabbitmq.Exchange)
	sent := messages(t, 42, 42)
	if err := p.Publish(rabbitmq.Exchange, sent...); err != nil {
		t.Fatal(err)
	}
	d := r.take("q")
	const id = "0198c0de-0000-7000-8000-00000000002a"
	wantHeaders := amqp.Table{
		"cloudEvents_id": id, "cloudEvents_type": "dev.strata.strategy.goal-added.v1",
		"cloudEvents_source":  "https://strata.local/orgs/0198c0de-0000-7000-8000-00000000000a",
		"cloudEvents_subject": "strategies/0198c0de-0000-7000-8000-00000000000b",
		"cloudEvents_time":    "2026-11-21T18:30:00.987654Z", "cloudEvents_specversion": "1.0",
		"strata-position": "42", "_watermill_message_uuid": id,
		"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b",
	}
	delete(d.Headers, "x-delivery-count") // the quorum queue's own
	if diff := cmp.Diff(wantHeaders, d.Headers); diff != "" {
		t.Error(diff)
	}
	got := []any{
		d.Exchange, d.RoutingKey, d.MessageId, d.Type, d.AppId, d.CorrelationId, d.ContentType, d.ContentEncoding,
		d.DeliveryMode, d.UserId, d.Expiration, d.Priority, d.ReplyTo, d.Timestamp.UTC(),
	}
	want := []any{
		"strata.events", "strategy.goal-added.v1", id, "dev.strata.strategy.goal-added.v1", "strata", "correlation-1",
		"application/cloudevents+json", "", uint8(2), "", "", uint8(0), "", time.Date(2026, 11, 21, 18, 30, 0, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(d.Body, sent[0].Payload) {
		t.Error("the body was changed")
	}
	if m, err := cloudevents.Decode(d.Body); err != nil || m.Position != 42 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestManyMessagesKeepTheirOrder(t *testing.T) {
	noLeaks(t)
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{Window: 50, CatchAll: "all"})
	sent := messages(t, 1, 2000)
	if err := p.Publish(rabbitmq.Exchange, sent...); err != nil {
		t.Fatal(err)
	}
	if got := newRig(t, url).takeIDs("all"); !slices.Equal(got, ids(sent)) {
		t.Errorf("%d of %d came, or not in order", len(got), len(sent))
	}
}

// TestUnroutableIsAnError is how RabbitMQ treats a mandatory message that the
// alternate exchange cannot place: it comes back.
func TestUnroutableIsAnError(t *testing.T) {
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{})
	awaitConnected(t, p)
	err := p.Publish(rabbitmq.Exchange, messages(t, 1, 2500)...) // more than there is room for returns
	var failed *rabbitmq.PublishError
	if !errors.Is(err, rabbitmq.ErrUnroutable) || !errors.As(err, &failed) {
		t.Fatalf("Publish: %v", err)
	}
	if !failed.Refused() || failed.Delivered() != 0 || failed.Poison() || !contains(err, "strategy.goal-added.v1") {
		t.Errorf("%+v", failed)
	}
	if s := p.Status(); !s.Connected {
		t.Errorf("a return cost the connection: %+v", s)
	}

	r := newRig(t, url)
	r.queue("q", nil)
	r.bind("q", "#", rabbitmq.Exchange)
	sent := messages(t, 1, 100)
	if err := p.Publish(rabbitmq.Exchange, sent...); err != nil {
		t.Fatal(err)
	}
	if got := r.takeIDs("q"); !slices.Equal(got, ids(sent)) {
		t.Errorf("%d came", len(got))
	}

	r.unbind("q", "#", rabbitmq.Exchange)
	r.queue("aside", nil)
	r.bind("aside", "", rabbitmq.Unrouted)
	if err := p.Publish(rabbitmq.Exchange, sent...); err != nil {
		t.Fatalf("with a queue on %s: %v", rabbitmq.Unrouted, err)
	}
	if got := r.takeIDs("aside"); !slices.Equal(got, ids(sent)) {
		t.Errorf("%d were kept aside", len(got))
	}
}

func TestAPublishStopsAtTheFirstUnroutableMessage(t *testing.T) {
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{Window: 10})
	awaitConnected(t, p)
	r := newRig(t, url)
	r.queue("q", nil)
	r.bind("q", "strategy.goal-added.v1", rabbitmq.Exchange)
	sent := messages(t, 1, 200)
	sent[60].Metadata[rabbitmq.RoutingKeyProperty] = "nobody.wants-this.v1"
	err := p.Publish(rabbitmq.Exchange, sent...)
	var failed *rabbitmq.PublishError
	if !errors.As(err, &failed) || failed.Delivered() != 60 || !failed.Refused() || failed.MessageID != sent[60].UUID {
		t.Fatalf("Publish: %+v", err)
	}
	got := r.takeIDs("q")
	if len(got) < 60 || len(got) > 75 || !slices.Equal(got[:60], ids(sent[:60])) {
		t.Errorf("%d were sent", len(got))
	}
}

func TestUnroutedMayBeAllowed(t *testing.T) {
	p := open(t, testenv.AMQP(t), rabbitmq.Options{AllowUnrouted: true})
	if err := p.Publish(rabbitmq.Exchange, messages(t, 1, 5)...); err != nil {
		t.Error(err)
	}
}

func TestAQueueThatRefusesIsAnError(t *testing.T) {
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{})
	awaitConnected(t, p)
	r := newRig(t, url)
	if _, err := r.ch.QueueDeclare("full", true, false, false, false, amqp.Table{"x-max-length": 3, "x-overflow": "reject-publish"}); err != nil {
		t.Fatal(err)
	}
	r.bind("full", "#", rabbitmq.Exchange)
	err := p.Publish(rabbitmq.Exchange, messages(t, 1, 10)...)
	var failed *rabbitmq.PublishError
	if !errors.Is(err, rabbitmq.ErrRefused) || !errors.As(err, &failed) || !failed.Refused() || failed.Delivered() < 3 || failed.Delivered() > 4 {
		t.Errorf("Publish: %+v", err)
	}
}

func TestTheTopologyComesBackByItself(t *testing.T) {
	url := testenv.AMQP(t)
	p := open(t, url, rabbitmq.Options{CatchAll: "all"})
	if err := p.Publish(rabbitmq.Exchange, messages(t, 1, 1)...); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, url)
	if err := r.ch.ExchangeDelete(rabbitmq.Exchange, false, false); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(rabbitmq.Exchange, messages(t, 2, 2)...); err == nil {
		t.Fatal("published to an exchange that is not there")
	}
	testenv.Eventually(t, patience, "published again", func() error { return p.Publish(rabbitmq.Exchange, messages(t, 2, 2)...) })
	if got, want := r.takeIDs("all"), ids(messages(t, 1, 2)); !slices.Equal(got, want) {
		t.Errorf("came: %v", got)
	}
}

// TestASilentBrokerIsLeft: the TCP connection stands, and nobody answers.
func TestASilentBrokerIsLeft(t *testing.T) {
	noLeaks(t)
	url := testenv.AMQP(t)
	way, via := newProxy(t, url)
	p := open(t, via, rabbitmq.Options{Timeout: 300 * time.Millisecond, CatchAll: "all"})
	testenv.Eventually(t, patience, "published", func() error { return p.Publish(rabbitmq.Exchange, messages(t, 1, 1)...) })
	way.freeze(true)
	began := time.Now()
	err := p.Publish(rabbitmq.Exchange, messages(t, 2, 3)...)
	if !errors.Is(err, rabbitmq.ErrUnconfirmed) || time.Since(began) > 3*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	testenv.Eventually(t, patience, "the loss shows", func() error {
		if s := p.Status(); s.Connected || s.LastError == "" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if err := p.Publish(rabbitmq.Exchange, messages(t, 2, 3)...); !errors.Is(err, rabbitmq.ErrNotConnected) {
		t.Error(err)
	}
	way.freeze(false)
	testenv.Eventually(t, patience, "published", func() error { return p.Publish(rabbitmq.Exchange, messages(t, 2, 3)...) })
	got := slices.Compact(newRig(t, url).takeIDs("all"))
	if want := ids(messages(t, 1, 3)); !slices.Equal(got[len(got)-3:], want) && !slices.Equal(got[len(got)-2:], want[1:]) {
		t.Errorf("came: %v", got)
	}
}

// TestABrokerThatStopsReadingIsLeft: what is sent fills all buffers on the way,
// and the library's own writes would wait for ever.
func TestABrokerThatStopsReadingIsLeft(t *testing.T) {
	noLeaks(t)
	url := testenv.AMQP(t)
	way, via := newProxy(t, url)
	p := open(t, via, rabbitmq.Options{Timeout: 500 * time.Millisecond, AllowUnrouted: true})
	testenv.Eventually(t, patience, "published", func() error { return p.Publish(rabbitmq.Exchange, messages(t, 1, 1)...) })
	large := messages(t, 2, 61)
	for _, m := range large {
		m.Payload = make([]byte, 1<<20)
	}
	way.freeze(true)
	began := time.Now()
	failed := make(chan error, 1)
	go func() { failed <- p.Publish(rabbitmq.Exchange, large...) }()
	select {
	case err := <-failed:
		if err == nil || time.Since(began) > 10*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	case <-time.After(patience):
		t.Error("Publish hangs")
	}
	closeInTime(t, p)
}

func TestNothingHangsWithoutABroker(t *testing.T) {
	noLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p, err := rabbitmq.Open("amqp://guest:guest@"+l.Addr().String()+"/", rabbitmq.Options{Timeout: 200 * time.Millisecond, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := p.Publish(rabbitmq.Exchange, messages(t, 1, 1)...); !errors.Is(err, rabbitmq.ErrNotConnected) {
		t.Errorf("Publish: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Publish(rabbitmq.Exchange, withContext(ctx, messages(t, 1, 1))...); err == nil {
		t.Error("published with an ended context")
	}
	closeInTime(t, p)
	if err := p.Publish(rabbitmq.Exchange, messages(t, 1, 1)...); !errors.Is(err, rabbitmq.ErrClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestWhatIsNoMessageIsPoison(t *testing.T) {
	p := open(t, testenv.AMQP(t), rabbitmq.Options{CatchAll: "all"})
	sent := messages(t, 1, 3)
	sent[1].Metadata[rabbitmq.RoutingKeyProperty] = strings.Repeat("x", 300)
	err := p.Publish(rabbitmq.Exchange, sent...)
	var failed *rabbitmq.PublishError
	if !errors.As(err, &failed) || !failed.Poison() || failed.Delivered() != 1 {
		t.Errorf("Publish: %+v", err)
	}
	if err := p.Publish(rabbitmq.Exchange); err != nil {
		t.Errorf("nothing to publish: %v", err)
	}
}

func TestABrokenURLIsRefused(t *testing.T) {
	if _, err := rabbitmq.Open("http://localhost", rabbitmq.Options{}); err == nil {
		t.Error("accepted")
	}
	if _, err := rabbitmq.NewBatchSubscriber("http://localhost", rabbitmq.SubscriberOptions{}); err == nil {
		t.Error("accepted")
	}
}
