package main

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wamqp "github.com/ThreeDotsLabs/watermill-amqp/v2/pkg/amqp"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"
)

// stockTopic names the rival's outbox table and its exchange.
const stockTopic = "stock"

// stockRelay is watermill-sql into watermill-amqp with confirms at the settings
// that measured best: batches of 1,000, a 10 ms poll, pooled channels.
type stockRelay struct {
	servers *servers
	db      *sql.DB
	url     string
	body    []byte // of every message: the same document that ours sends
}

func (s stockRelay) schema() wsql.DefaultPostgreSQLSchema {
	return wsql.DefaultPostgreSQLSchema{SubscribeBatchSize: 1000}
}

// fill replaces the outbox by n messages.
func (s stockRelay) fill(ctx context.Context, n int) error {
	statements := []string{
		`DROP TABLE IF EXISTS watermill_stock, watermill_offsets_stock`,
	}
	for _, q := range s.schema().SchemaInitializingQueries(stockTopic) {
		statements = append(statements, q.Query)
	}
	for _, q := range (wsql.DefaultPostgreSQLOffsetsAdapter{}).SchemaInitializingQueries(stockTopic) {
		statements = append(statements, q.Query)
	}
	for _, q := range statements {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("stock schema: %w", err)
		}
	}
	const perTransaction = 50
	for done := 0; done < n; done += perTransaction {
		_, err := s.db.ExecContext(ctx, `INSERT INTO watermill_stock (uuid, payload, metadata, transaction_id)
			SELECT gen_random_uuid()::text, $3::json, '{"event_type":"indicator.measurement-recorded","correlation_id":"0191f9a0-0000-7000-8000-000000000001"}'::json, pg_current_xact_id()
			FROM generate_series($1::int, $2::int) g`, done+1, min(done+perTransaction, n), string(s.body))
		if err != nil {
			return fmt.Errorf("stock backlog: %w", err)
		}
	}
	return nil
}

// run relays for d, or until the backlog is gone, and gives confirmed messages per second.
func (s stockRelay) run(ctx context.Context, backlog int, d time.Duration) (sample, error) {
	if err := s.fill(ctx, backlog); err != nil {
		return sample{}, err
	}
	logger := watermill.NopLogger{}
	subscriber, err := wsql.NewSubscriber(s.db, wsql.SubscriberConfig{
		ConsumerGroup: "relay", SchemaAdapter: s.schema(), OffsetsAdapter: wsql.DefaultPostgreSQLOffsetsAdapter{},
		PollInterval: 10 * time.Millisecond,
	}, logger)
	if err != nil {
		return sample{}, err
	}
	config := wamqp.NewDurablePubSubConfig(s.url, nil)
	config.Exchange.Type = "topic"
	config.Publish.ConfirmDelivery = true
	config.Publish.ChannelPoolSize = 4
	publisher, err := wamqp.NewPublisher(config, logger)
	if err != nil {
		return sample{}, err
	}
	counted := &countingPublisher{Publisher: publisher, target: int64(backlog), all: make(chan struct{})}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 5 * time.Second}, logger)
	if err != nil {
		return sample{}, err
	}
	router.AddHandler("relay", stockTopic, subscriber, stockTopic, counted, message.PassthroughHandler)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- router.Run(ctx) }()
	<-router.Running()
	before, start := s.servers.usage(), time.Now()
	select {
	case <-counted.all:
	case <-time.After(d):
	}
	done := counted.n.Load()
	got := sample{perSecond: float64(done) / time.Since(start).Seconds(), used: s.servers.usage().per(before, done)}
	cancel()
	if err := router.Close(); err != nil {
		return sample{}, err
	}
	return got, <-over
}

// countingPublisher counts what was published and closes all at target.
type countingPublisher struct {
	message.Publisher
	n      atomic.Int64
	target int64
	all    chan struct{}
}

func (p *countingPublisher) Publish(topic string, messages ...*message.Message) error {
	if err := p.Publisher.Publish(topic, messages...); err != nil {
		return err
	}
	n := int64(len(messages))
	if now := p.n.Add(n); now >= p.target && now-n < p.target {
		close(p.all)
	}
	return nil
}

// rawPublish is the client library as it is: n messages of body's size with the
// properties and headers of ours, over one channel, pipelined with a window of
// 1,000 confirms, and no database.
func rawPublish(ctx context.Context, servers *servers, exchange, key string, headers amqp.Table, body []byte, n int) (sample, error) {
	connection, err := amqp.Dial(servers.mq.URL())
	if err != nil {
		return sample{}, err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return sample{}, err
	}
	if err := channel.Confirm(false); err != nil {
		return sample{}, err
	}
	const window = 1000
	pending := make([]*amqp.DeferredConfirmation, window)
	before, start := servers.usage(), time.Now()
	for i := range n + window {
		if p := pending[i%window]; p != nil {
			if ok, err := p.WaitContext(ctx); err != nil || !ok {
				return sample{}, fmt.Errorf("message %d not confirmed: %w", i-window, err)
			}
			pending[i%window] = nil
		}
		if i >= n {
			continue
		}
		pending[i%window], err = channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, true, false, amqp.Publishing{
			ContentType: "application/cloudevents+json", DeliveryMode: amqp.Persistent,
			MessageId: fmt.Sprintf("0191f9a0-0000-7000-8000-%012d", i), Type: key, AppId: "strata",
			CorrelationId: "0191f9a0-0000-7000-8000-000000000001", Timestamp: start, Headers: headers, Body: body,
		})
		if err != nil {
			return sample{}, err
		}
	}
	return sample{perSecond: float64(n) / time.Since(start).Seconds(), used: servers.usage().per(before, int64(n))}, nil
}

// onChannel runs do on a connection of its own: set-up, never measured.
func onChannel(url string, do func(*amqp.Channel) error) error {
	connection, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	return do(channel)
}

// declareQueue makes a quorum queue bound to every key of a topic exchange.
func declareQueue(url, exchange, queue string) error {
	return onChannel(url, func(c *amqp.Channel) error {
		if _, err := c.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			return err
		}
		return c.QueueBind(queue, "#", exchange, false, nil)
	})
}

// purge empties a queue between runs.
func purge(url, queue string) error {
	return onChannel(url, func(c *amqp.Channel) error {
		_, err := c.QueuePurge(queue, false)
		return err
	})
}

// declareTopic makes a durable topic exchange.
func declareTopic(url, exchange string) error {
	return onChannel(url, func(c *amqp.Channel) error {
		return c.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil)
	})
}
