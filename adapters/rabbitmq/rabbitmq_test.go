package rabbitmq_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

const patience = 15 * time.Second

func noLeaks(t *testing.T) {
	t.Helper()
	options := append(testenv.LeakOptions(), goleak.IgnoreCurrent())
	t.Cleanup(func() { goleak.VerifyNone(t, options...) })
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t testing.TB, url string, o rabbitmq.Options) *rabbitmq.Publisher {
	t.Helper()
	o.Logger = quiet()
	p, err := rabbitmq.Open(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeInTime(t, p) })
	return p
}

func closeInTime(t testing.TB, c io.Closer) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Close: %v", err)
		}
	case <-time.After(patience):
		t.Error("Close hangs")
	}
}

func awaitConnected(t testing.TB, p *rabbitmq.Publisher) {
	t.Helper()
	testenv.Eventually(t, patience, "connected", func() error {
		if s := p.Status(); !s.Connected || s.Blocked {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

// rig is a test's own connection to the broker.
type rig struct {
	t  testing.TB
	ch *amqp.Channel
}

func newRig(t testing.TB, url string) *rig {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the test is over
	return &rig{t: t, ch: ch}
}

func (r *rig) queue(name string, arguments amqp.Table) {
	r.t.Helper()
	all := amqp.Table{"x-queue-type": "quorum"}
	for k, v := range arguments {
		all[k] = v
	}
	if _, err := r.ch.QueueDeclare(name, true, false, false, false, all); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) bind(queue, key, exchange string) {
	r.t.Helper()
	if err := r.ch.QueueBind(queue, key, exchange, false, nil); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) unbind(queue, key, exchange string) {
	r.t.Helper()
	if err := r.ch.QueueUnbind(queue, key, exchange, nil); err != nil {
		r.t.Fatal(err)
	}
}

// take waits for the next message of a queue, and acknowledges it.
func (r *rig) take(queue string) (d amqp.Delivery) {
	r.t.Helper()
	testenv.Eventually(r.t, patience, "a message in "+queue, func() error {
		var ok bool
		var err error
		if d, ok, err = r.ch.Get(queue, true); err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("the queue is empty")
		}
		return nil
	})
	return d
}

// takeIDs empties a queue.
func (r *rig) takeIDs(queue string) (ids []string) {
	r.t.Helper()
	for {
		d, ok, err := r.ch.Get(queue, true)
		if err != nil {
			r.t.Fatal(err)
		}
		if !ok {
			return ids
		}
		ids = append(ids, d.MessageId)
	}
}

func (r *rig) put(queue string, p amqp.Publishing) {
	r.t.Helper()
	p.DeliveryMode = amqp.Persistent
	if err := r.ch.Publish("", queue, false, false, p); err != nil {
		r.t.Fatal(err)
	}
}

func event(t testing.TB, position int64, kind string) eventlog.Event {
	t.Helper()
	metadata, err := eventlog.Metadata{
		Actor: eventlog.Actor{Kind: eventlog.Person, ID: "member-7"}, Origin: eventlog.Origin{Kind: "api"},
		CorrelationID: "correlation-1", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "a=b",
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return eventlog.Event{
		Position: position, OrganizationID: uuid.MustParse("0198c0de-0000-7000-8000-00000000000a"), OrganizationSequence: position,
		StreamID: "strategy-0198c0de-0000-7000-8000-00000000000b", Version: position,
		ID:   uuid.MustParse(fmt.Sprintf("0198c0de-0000-7000-8000-%012x", position)),
		Type: kind, SchemaVersion: 1, Data: []byte(`{"name":"Digital skills"}`), Metadata: metadata,
		RecordedAt: time.Date(2026, 11, 21, 18, 30, 0, 987654000, time.UTC),
	}
}

func messages(t testing.TB, from, to int64) (all []*message.Message) {
	t.Helper()
	encoder, err := cloudevents.New(cloudevents.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for p := from; p <= to; p++ {
		m, err := rabbitmq.Messages{Encoder: encoder}.Message(event(t, p, "strategy.goal-added"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func ids(all []*message.Message) (ids []string) {
	for _, m := range all {
		ids = append(ids, m.UUID)
	}
	return ids
}

// proxy is a TCP way to the broker that can be frozen: nothing passes, nothing closes.
type proxy struct {
	listener net.Listener
	mu       sync.Mutex
	open     *sync.Cond
	frozen   bool
	conns    []net.Conn
}

func newProxy(t testing.TB, broker string) (p *proxy, via string) {
	t.Helper()
	u, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = &proxy{listener: l}
	p.open = sync.NewCond(&p.mu)
	target := u.Host
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			running.Go(func() { p.pass(in, out) })
			running.Go(func() { p.pass(out, in) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.freeze(false)
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		running.Wait()
	})
	u.Host = l.Addr().String()
	return p, u.String()
}

func (p *proxy) pass(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.frozen {
			p.open.Wait()
		}
		p.mu.Unlock()
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (p *proxy) freeze(frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = frozen
	p.open.Broadcast()
}

// cut ends all connections through the proxy.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func withContext(ctx context.Context, all []*message.Message) []*message.Message {
	for _, m := range all {
		m.SetContext(ctx)
	}
	return all
}

func contains(err error, part string) bool { return err != nil && strings.Contains(err.Error(), part) }
