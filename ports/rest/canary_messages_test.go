package rest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	watermill "github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/tests/testenv"
)

// messages: every event goes to every queue that is bound (docs/events.md), so a
// consumer tells organizations apart by source. A message is of one only.
func (m *matrix) messages(t *testing.T) {
	const queue = "tests.canary"
	broker := testenv.AMQP(t)
	publisher, err := rabbitmq.Open(broker, rabbitmq.Options{CatchAll: queue, Logger: m.options.Log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := publisher.Close(); err != nil {
			t.Error(err)
		}
	}()
	events, err := m.log.Read(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	var messages []*watermill.Message
	for _, e := range events {
		made, err := rabbitmq.Messages{Encoder: m.options.Events}.Message(e)
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, made)
	}
	if err := publisher.Publish(rabbitmq.Exchange, messages...); err != nil {
		t.Fatal(err)
	}
	conn, err := amqp.Dial(broker)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	deliveries, err := channel.Consume(queue, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	mine, others := 0, 0
	for range events {
		var d amqp.Delivery
		select {
		case d = <-deliveries:
		case <-time.After(20 * time.Second):
			t.Fatalf("only %d messages came", mine+others)
		}
		source, _ := d.Headers["cloudEvents_source"].(string)
		whole := fmt.Sprint(string(d.Body), d.RoutingKey, d.Headers)
		switch {
		case strings.HasSuffix(source, m.mine.id.String()):
			mine++
			if strings.Contains(whole, m.other.id.String()) {
				t.Errorf("a message of mine is also of the other: %s", whole)
			}
		case strings.HasSuffix(source, m.other.id.String()):
			others++
			if strings.Contains(whole, canary) || strings.Contains(whole, m.mine.id.String()) {
				t.Errorf("a message of the other organization sings: %s", whole)
			}
		default:
			t.Errorf("source %q", source)
		}
		if strings.Contains(d.RoutingKey, m.mine.id.String()) || strings.Contains(d.RoutingKey, canary) {
			t.Errorf("routing key %s", d.RoutingKey)
		}
	}
	if mine == 0 || others == 0 {
		t.Errorf("%d messages of mine, %d of the other", mine, others)
	}
}
