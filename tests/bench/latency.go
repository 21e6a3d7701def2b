package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/query"
)

// linger is the projections', as in the service.
const linger = time.Millisecond

// arrivals remembers when each event was committed and when it arrived somewhere.
type arrivals struct {
	mu        sync.Mutex
	committed map[string]time.Time
	seen      map[string]time.Time
}

func newArrivals() *arrivals {
	return &arrivals{committed: map[string]time.Time{}, seen: map[string]time.Time{}}
}

func (a *arrivals) commit(id string, at time.Time) {
	a.mu.Lock()
	a.committed[id] = at
	a.mu.Unlock()
}

func (a *arrivals) arrive(id string, at time.Time) {
	a.mu.Lock()
	if _, again := a.seen[id]; !again {
		a.seen[id] = at
	}
	a.mu.Unlock()
}

// latencies are those of the events that arrived; missing is how many did not.
func (a *arrivals) latencies() (all []time.Duration, missing int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, at := range a.committed {
		if seen, ok := a.seen[id]; ok {
			all = append(all, max(0, seen.Sub(at)))
		} else {
			missing++
		}
	}
	return all, missing
}

// benchLatency runs 200 commands per second, open loop, and measures from the
// acknowledged commit to a RabbitMQ consumer, and to an answer of the read
// database that contains the event.
func (b *bench) benchLatency(ctx context.Context) error {
	const perSecond = 200
	var consumers *consumer.Consumers
	p, closeAll, err := b.relayParts(ctx, "bench_latency", postgres.Options{OnCommit: func(head int64) { consumers.Wake(head) }})
	if err != nil {
		return err
	}
	defer closeAll()
	models, err := b.readModels(ctx, "bench_latency")
	if err != nil {
		return err
	}
	defer models.close()
	plans, audit := models.plans, models.audit
	reader, err := auditdb.OpenReader(ctx, models.auditURLs["strata_audit_reader"], audit)
	if err != nil {
		return err
	}
	defer reader.Close()
	consumers, err = consumer.New(p.url, []consumer.Group{
		p.group("relay"),
		{Name: plans.Name(), Handler: plans.Apply, Checkpoint: plans.Checkpoint, Linger: linger},
		{Name: audit.Name(), Handler: audit.Apply, Checkpoint: audit.Checkpoint, Linger: linger},
	}, consumer.Options{Logger: quiet})
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	over := make(chan error, 1)
	go func() { over <- consumers.Run(running) }()
	defer func() {
		cancel()
		if err := <-over; err != nil {
			fmt.Fprintln(os.Stderr, "bench: consumers:", err)
		}
	}()

	atConsumer, readable := newArrivals(), newArrivals()
	if err := purge(b.servers.mq.URL(), p.queue); err != nil {
		return err
	}
	connection, deliveries, err := consume(b.servers.mq.URL(), p.queue)
	if err != nil {
		return err
	}
	defer connection.Close()
	go func() {
		for d := range deliveries {
			atConsumer.arrive(d.MessageId, time.Now())
			_ = d.Ack(false) // a benchmark's consumer: a lost ack changes nothing
		}
	}()

	in := newIndicators(p.log)
	warm, length := b.warm*2, max(b.duration, 2*time.Second)*time.Duration(b.reps)
	ids := make([]uuid.UUID, int((warm+length).Seconds()*perSecond)+1)
	for i := range ids {
		ids[i] = uuid.New()
		if _, err := in.append(ctx, ids[i], 0, in.definition(ids[i])); err != nil {
			return err
		}
	}
	one := func(ctx context.Context, n int, count bool) error {
		r, err := in.append(ctx, ids[n], 1, measured(2024))
		if err != nil || !count {
			return err
		}
		at := time.Now()
		atConsumer.commit(r.EventIDs[0].String(), at)
		// One in ten asks for its own event as a user does: with the position it was told.
		if n%10 == 0 {
			readable.commit(r.EventIDs[0].String(), at)
			answer, err := reader.Events(ctx, query.Read{OrganizationID: in.organization, MinPosition: r.Position, Wait: 5 * time.Second},
				query.EventsFilter{After: r.Position - 1, Limit: 1})
			if err != nil {
				return fmt.Errorf("read event %d: %w", r.Position, err)
			}
			if len(answer.Events) != 1 || answer.Events[0].ID != r.EventIDs[0] {
				return fmt.Errorf("the answer as of %d does not contain event %d", answer.Position, r.Position)
			}
			readable.arrive(r.EventIDs[0].String(), time.Now())
		}
		return nil
	}
	if err := openLoop(ctx, perSecond, warm, func(ctx context.Context, n int) error { return one(ctx, n, false) }); err != nil {
		return err
	}
	for caughtUp := false; !caughtUp; { // a new queue's first message takes seconds; measured is what comes after
		head, err := p.log.Head(ctx)
		if err != nil {
			return err
		}
		caughtUp = true
		for _, g := range consumers.Status() {
			caughtUp = caughtUp && g.Position >= head
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	ids = ids[int(warm.Seconds()*perSecond):]
	if err := openLoop(ctx, perSecond, length, func(ctx context.Context, n int) error { return one(ctx, n, true) }); err != nil {
		return err
	}
	for range 500 { // the last messages are still on their way
		if _, missing := atConsumer.latencies(); missing == 0 {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	toConsumer, missing := atConsumer.latencies()
	if missing > 0 {
		return fmt.Errorf("%d events never reached the consumer", missing)
	}
	toReader, _ := readable.latencies()
	t := b.table(fmt.Sprintf("Latency at %d commands per second: from the acknowledged commit", perSecond), "to", "samples", "p50", "p99")
	t.row("a RabbitMQ consumer", fmt.Sprint(len(toConsumer)), ms(percentile(toConsumer, 0.5)), ms(percentile(toConsumer, 0.99)))
	t.row("an answer of a read database that contains it", fmt.Sprint(len(toReader)), ms(percentile(toReader, 0.5)), ms(percentile(toReader, 0.99)))
	b.bound("p99 commit → consumer, ms", float64(percentile(toConsumer, 0.99).Microseconds())/1000, 5)
	b.bound("p99 commit → readable, ms", float64(percentile(toReader, 0.99).Microseconds())/1000, 15)
	return nil
}

// consume opens a consumer with a generous prefetch.
func consume(url, queue string) (*amqp.Connection, <-chan amqp.Delivery, error) {
	connection, err := amqp.Dial(url)
	if err != nil {
		return nil, nil, err
	}
	channel, err := connection.Channel()
	if err != nil {
		return nil, nil, err
	}
	if err := channel.Qos(500, 0, false); err != nil {
		return nil, nil, err
	}
	deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
	return connection, deliveries, err
}
