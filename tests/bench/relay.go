package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the rival's driver, by its name
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/migrations"
)

// quiet is the logger of everything that is measured.
var quiet = slog.New(slog.DiscardHandler)

// relayParts are a log with its URL, and a publisher whose exchange has one queue.
type relayParts struct {
	servers    *servers
	url, queue string
	log        *postgres.Log
	publisher  *rabbitmq.Publisher
	messages   rabbitmq.Messages
}

func (b *bench) relayParts(ctx context.Context, name string, o postgres.Options) (*relayParts, func(), error) {
	urls, err := b.servers.database(ctx, migrations.Log, name)
	if err != nil {
		return nil, nil, err
	}
	o.Logger = quiet
	log, err := postgres.Open(ctx, urls["strata_log"], o)
	if err != nil {
		return nil, nil, err
	}
	encoder, err := cloudevents.New(cloudevents.Options{})
	if err != nil {
		return nil, nil, err
	}
	publisher, err := rabbitmq.Open(b.servers.mq.URL(), rabbitmq.Options{Logger: quiet})
	if err != nil {
		return nil, nil, err
	}
	for !publisher.Status().Connected { // the exchange is declared by then
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	p := &relayParts{b.servers, urls["strata_log"], "bench.relay", log, publisher, rabbitmq.Messages{Encoder: encoder}}
	closeAll := func() {
		if err := publisher.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: close publisher:", err)
		}
		log.Close()
	}
	return p, closeAll, declareQueue(b.servers.mq.URL(), rabbitmq.Exchange, p.queue)
}

// group is the relay as the service runs it, under a name of its own.
func (p *relayParts) group(name string) consumer.Group {
	return consumer.Group{Name: name, Relay: &consumer.Relay{Publisher: p.publisher, Topic: rabbitmq.Exchange, Encode: p.messages.Message}}
}

// drain relays the whole log as a new group and gives events per second, from
// the first look at the log to the last confirm.
func (p *relayParts) drain(ctx context.Context, group string, head int64) (sample, error) {
	consumers, err := consumer.New(p.url, []consumer.Group{p.group(group)}, consumer.Options{Logger: quiet})
	if err != nil {
		return sample{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan error, 1)
	before, start := p.servers.usage(), time.Now()
	go func() { over <- consumers.Run(ctx) }()
	for consumers.Status()[0].Position < head {
		select {
		case err := <-over:
			return sample{}, err
		case <-time.After(2 * time.Millisecond):
		}
	}
	s := sample{perSecond: float64(head) / time.Since(start).Seconds()}
	s.used = p.servers.usage().per(before, head)
	cancel()
	return s, <-over
}

// benchRelay drains a backlog: stock Watermill, raw pipelined publishing of the
// same messages, and Strata.
func (b *bench) benchRelay(ctx context.Context) error {
	p, closeAll, err := b.relayParts(ctx, "bench_relay", postgres.Options{})
	if err != nil {
		return err
	}
	defer closeAll()
	const backlog, stockBacklog = 40_000, 10_000
	head, err := newIndicators(p.log).fill(ctx, backlog)
	if err != nil {
		return err
	}
	events, err := p.log.Read(ctx, 2, 1) // a measurement: half of the events are
	if err != nil {
		return err
	}
	shape, err := p.messages.Message(events[0])
	if err != nil {
		return err
	}
	headers := amqp.Table{}
	for k, v := range shape.Metadata {
		if !strings.HasPrefix(k, "amqp.") {
			headers[k] = v
		}
	}
	urls, err := b.servers.database(ctx, migrations.Log, "bench_stock")
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", urls[""])
	if err != nil {
		return err
	}
	defer db.Close()
	stock := stockRelay{b.servers, db, b.servers.mq.URL(), shape.Payload}
	// The rival's exchange gets a quorum queue, too.
	if err := declareTopic(b.servers.mq.URL(), stockTopic); err != nil {
		return err
	}
	if err := declareQueue(b.servers.mq.URL(), stockTopic, "bench.stock"); err != nil {
		return err
	}
	runs := 0
	got, err := interleave(ctx, b.reps, []rival{
		{"stock", func(ctx context.Context) (sample, error) { return stock.run(ctx, stockBacklog, b.duration) }},
		{"raw", func(ctx context.Context) (sample, error) {
			if err := purge(b.servers.mq.URL(), p.queue); err != nil {
				return sample{}, err
			}
			return rawPublish(ctx, b.servers, rabbitmq.Exchange, shape.Metadata[rabbitmq.RoutingKeyProperty], headers, shape.Payload, backlog)
		}},
		{"strata", func(ctx context.Context) (sample, error) {
			if err := purge(b.servers.mq.URL(), p.queue); err != nil {
				return sample{}, err
			}
			runs++
			return p.drain(ctx, fmt.Sprintf("relay-%d", runs), head)
		}},
	})
	if err != nil {
		return err
	}
	stockRate, raw, ours := got["stock"].perSecond, got["raw"].perSecond, got["strata"].perSecond
	t := b.table(fmt.Sprintf("Relay: events per second from a backlog of %d to a quorum queue, every one confirmed", backlog),
		"watermill-sql + watermill-amqp", "raw pipelined publishing", "Strata", "× stock", "× raw")
	t.row(rate(stockRate), rate(raw), rate(ours), ratio(ours, stockRate), ratio(ours, raw))
	t = b.table("Relay: processor time for 1,000 events, broker + PostgreSQL + this process", "watermill-sql + watermill-amqp", "raw pipelined publishing", "Strata")
	t.row(got["stock"].used, got["raw"].used, got["strata"].used)
	b.target("relay ≥ 15 × stock", ours/stockRate, 15)
	b.target("relay ≥ 0.75 × raw publishing", ours/raw, 0.75)
	return nil
}
