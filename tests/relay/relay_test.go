// Package relay_test proves the way of an event from the log to a queue while
// its parts fail: real PostgreSQL, real RabbitMQ, real kills.
package relay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDatabase) != "" {
		os.Exit(runChild())
	}
	os.Exit(testenv.Main(m))
}

const (
	patience = 20 * time.Second
	recovery = 10 * time.Second // from a broker that is ready again to a consumer that has everything
	group    = "relay"
	queue    = "proof"
)

// relay is the production relay: group, publisher, messages.
type relay struct {
	*consumer.Consumers
	publisher *rabbitmq.Publisher
	stop      func() error // drains; runs by itself at the end of the test
}

func newRelay(t testing.TB, database, broker string, encode func(eventlog.Event) (*message.Message, error), log *slog.Logger) *relay {
	t.Helper()
	r, run, err := makeRelay(database, broker, encode, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("the relay does not stop")
		}
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("relay: %v", err)
		}
	})
	return r
}

// makeRelay wires a relay; run works until its context ends.
func makeRelay(database, broker string, encode func(eventlog.Event) (*message.Message, error), log *slog.Logger) (r *relay, run func(context.Context) error, err error) {
	encoder, err := cloudevents.New(cloudevents.Options{})
	if err != nil {
		return nil, nil, err
	}
	if encode == nil {
		encode = rabbitmq.Messages{Encoder: encoder}.Message
	}
	publisher, err := rabbitmq.Open(broker, rabbitmq.Options{Logger: log})
	if err != nil {
		return nil, nil, err
	}
	groups := []consumer.Group{{Name: group, Relay: &consumer.Relay{Publisher: publisher, Topic: rabbitmq.Exchange, Encode: encode}}}
	consumers, err := consumer.New(database, groups, consumer.Options{Logger: log})
	if err != nil {
		return nil, nil, errors.Join(err, publisher.Close())
	}
	r = &relay{Consumers: consumers, publisher: publisher}
	return r, func(ctx context.Context) error { return errors.Join(consumers.Run(ctx), publisher.Close()) }, nil
}

func (r *relay) awaitStatus(t testing.TB, what string, ok func(consumer.GroupStatus, rabbitmq.Status) bool) {
	t.Helper()
	testenv.Eventually(t, patience, what, func() error {
		g, p := r.Status()[0], r.publisher.Status()
		if !ok(g, p) {
			return fmt.Errorf("group %+v, publisher %+v", g, p)
		}
		return nil
	})
}

// proof consumes the queue as another team would, and keeps the account: every
// position, with the id it came with.
type proof struct {
	mu         sync.Mutex
	ids        map[int64]string
	order      []int64 // first occurrences as they came
	next       int64   // first position that is missing
	duplicates int
	wrong      []string
}

func newProof(t testing.TB, broker string) *proof {
	t.Helper()
	p := &proof{ids: map[int64]string{}, next: 1}
	s, err := rabbitmq.NewBatchSubscriber(broker, rabbitmq.SubscriberOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Subscribe(context.Background(), queue)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range in {
			p.take(m)
		}
	}()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-done
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, w := range p.wrong {
			t.Error(w)
		}
	})
	return p
}

func (p *proof) take(m *message.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	deliveries, err := rabbitmq.Deliveries(m)
	if err != nil {
		p.wrong = append(p.wrong, err.Error())
	}
	for _, d := range deliveries {
		e, err := cloudevents.Decode(d.Body)
		if err != nil {
			p.wrong = append(p.wrong, err.Error())
			continue
		}
		if id := logfill.ID(e.Position).String(); e.ID.String() != id || d.MessageID != id || d.Headers[rabbitmq.HeaderPosition] != fmt.Sprint(e.Position) {
			p.wrong = append(p.wrong, fmt.Sprintf("position %d came with id %s, message id %s", e.Position, e.ID, d.MessageID))
		}
		if _, seen := p.ids[e.Position]; seen {
			p.duplicates++
			continue
		}
		p.ids[e.Position] = d.MessageID
		p.order = append(p.order, e.Position)
		if e.Position != p.next && p.next != unordered {
			p.wrong = append(p.wrong, fmt.Sprintf("position %d came before %d", e.Position, p.next))
		}
		if p.next != unordered {
			p.next = e.Position + 1
		}
	}
	m.Ack()
}

// unordered as proof.next switches the check of the order off.
const unordered = -1

// missing says which positions up to head have not come.
func (p *proof) missing(head int64) (lost []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := int64(1); at <= head; at++ {
		if _, ok := p.ids[at]; !ok {
			lost = append(lost, at)
		}
	}
	return lost
}

func (p *proof) await(t testing.TB, within time.Duration, head int64) {
	t.Helper()
	began := time.Now()
	testenv.Eventually(t, within, "the consumer has everything", func() error {
		if lost := p.missing(head); len(lost) > 0 {
			return fmt.Errorf("%d of %d positions are missing, from %d on", len(lost), head, lost[0])
		}
		return nil
	})
	t.Logf("complete up to %d after %s, %d duplicates so far", head, time.Since(began).Round(time.Millisecond), p.repeated())
}

func (p *proof) repeated() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.duplicates
}

// declareQueue makes the other team's queue, bound to everything.
func declareQueue(t testing.TB, broker string) {
	t.Helper()
	withChannel(t, broker, func(ch *amqp.Channel) error {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			return err
		}
		// As the publisher declares it; whoever comes first.
		if err := ch.ExchangeDeclare(rabbitmq.Exchange, "topic", true, false, false, false, amqp.Table{"alternate-exchange": rabbitmq.Unrouted}); err != nil {
			return err
		}
		return ch.QueueBind(queue, "#", rabbitmq.Exchange, false, nil)
	})
}

func withChannel(t testing.TB, broker string, fn func(*amqp.Channel) error) {
	t.Helper()
	conn, err := amqp.Dial(broker)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // what counts is fn
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := fn(ch); err != nil {
		t.Fatal(err)
	}
}

// load appends a few events, over and over, until stopped.
type load struct {
	mu   sync.Mutex
	head int64
	err  error
	stop func() (head int64, err error)
}

func newLoad(t testing.TB, pool *pgxpool.Pool) *load {
	t.Helper()
	l := &load{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(25 * time.Millisecond)
		defer tick.Stop()
		for {
			head, err := logfill.TryAppend(context.Background(), pool, 2, "strategy.goal-added")
			l.mu.Lock()
			l.head, l.err = max(l.head, head), errors.Join(l.err, err)
			l.mu.Unlock()
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	l.stop = sync.OnceValues(func() (int64, error) {
		cancel()
		<-done
		return l.head, l.err
	})
	t.Cleanup(func() {
		if _, err := l.stop(); err != nil {
			t.Errorf("load: %v", err)
		}
	})
	return l
}

func (l *load) at() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// awaitGrowth waits until the log has grown by n events: load goes on whatever
// the broker does.
func (l *load) awaitGrowth(t testing.TB, n int64) {
	t.Helper()
	from := l.at()
	testenv.Eventually(t, patience, "the log grows", func() error {
		if at := l.at(); at < from+n {
			return fmt.Errorf("%d of %d", at-from, n)
		}
		return nil
	})
}

func nothingHeld(t testing.TB, admin *pgxpool.Pool) {
	t.Helper()
	// A statement may be under way at the moment of the look; what is held for long shows again and again.
	var seen []string
	for range 5 {
		held, err := logfill.Held(t.Context(), admin)
		if err != nil {
			t.Fatal(err)
		}
		if len(held) == 0 {
			return
		}
		seen = append(seen, held...)
	}
	slices.Sort(seen)
	t.Errorf("held in the database while the broker is away: %q", slices.Compact(seen))
}
