package rabbitmq_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/tests/testenv"
)

// inboundPatience is for what an idle machine does in a second.
const inboundPatience = 40 * time.Second

// intake is a stand-in for what decides messages.
type intake struct {
	mu      sync.Mutex
	taken   []ingest.Message // those that were settled
	calls   int
	trouble func(m ingest.Message, call int) error // not settled then
}

func (i *intake) take(_ context.Context, m ingest.Message) (ingest.Answer, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	if i.trouble != nil {
		if err := i.trouble(m, i.calls); err != nil {
			return ingest.Answer{}, err
		}
	}
	i.taken = append(i.taken, m)
	return ingest.Answer{Settled: true}, nil
}

func (i *intake) ids() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var ids []string
	for _, m := range i.taken {
		ids = append(ids, m.MessageID)
	}
	return ids
}

// has waits until exactly these messages were settled, in this order.
func (i *intake) has(t *testing.T, want ...string) {
	t.Helper()
	testenv.Eventually(t, inboundPatience, fmt.Sprintf("messages %q settled", want), func() error {
		if got := i.ids(); !slices.Equal(got, want) {
			return fmt.Errorf("settled are %q", got)
		}
		return nil
	})
}

// sources is a register that a test changes.
type sources struct {
	mu  sync.Mutex
	all []rabbitmq.InboundSource
}

func (s *sources) list(context.Context) ([]rabbitmq.InboundSource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all), nil
}

func (s *sources) set(id uuid.UUID, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = []rabbitmq.InboundSource{{OrganizationID: uuid.New(), SourceID: id, Active: active}}
}

// inbound runs an Inbound until the test ends, or stop is called.
func inbound(t *testing.T, url string, in *intake, s *sources) (x *rabbitmq.Inbound, stop func()) {
	t.Helper()
	x, err := rabbitmq.NewInbound(url, rabbitmq.InboundOptions{Take: in.take, Sources: s.list, Logger: quiet(), Poll: 50 * time.Millisecond, Prefetch: 4})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(inboundPatience):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(stop)
	return x, stop
}

func consuming(t *testing.T, x *rabbitmq.Inbound, n int) {
	t.Helper()
	testenv.Eventually(t, inboundPatience, fmt.Sprintf("%d queues consumed", n), func() error {
		if s := x.Status(); s.Queues != 1 || s.Consuming != n || s.Failing > 0 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

// left is how many messages a queue has, those on their way to a consumer included.
func (r *rig) left(t *testing.T, queue string, want int) {
	t.Helper()
	testenv.Eventually(t, inboundPatience, fmt.Sprintf("%d messages in %s", want, queue), func() error {
		q, err := r.ch.QueueInspect(queue) //nolint:staticcheck // a passive declare needs the arguments again
		if err == nil && q.Messages != want {
			err = fmt.Errorf("%d", q.Messages)
		}
		return err
	})
}

// What senders and brokers put around a message harms nobody, and each message
// is acknowledged once it is settled.
func TestInboundTakesWhateverIsInTheQueue(t *testing.T) {
	noLeaks(t)
	url, in, s, id := testenv.AMQP(t), &intake{}, &sources{}, uuid.New()
	s.set(id, true)
	x, stop := inbound(t, url, in, s)
	consuming(t, x, 1)
	r, queue := newRig(t, url), rabbitmq.InboundPrefix+id.String()
	death := amqp.Table{"x-death": []any{amqp.Table{"count": int64(3), "queue": "q"}}, "x-delivery-count": int64(7), "n": int32(1), "b": []byte{0}, "t": time.Unix(1, 0)}
	for _, p := range []amqp.Publishing{
		{MessageId: "1", Body: []byte("one"), Headers: amqp.Table{
			"strata-signature": "signed", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b",
		}},
		{MessageId: "2", Body: []byte("two"), Headers: death},
		{MessageId: "3"},
		{Body: []byte("four"), ContentType: "application/x-unheard-of", ContentEncoding: "br"},
		{MessageId: "5", Body: []byte("five"), Headers: amqp.Table{"strata-signature": int64(5), "traceparent": "00-x\n"}},
	} {
		r.put(queue, p)
	}
	in.has(t, "1", "2", "3", "", "5")
	stop()
	r.left(t, queue, 0)
	first := in.taken[0]
	if first.Signature != "signed" || first.TraceParent == "" || first.Kind != ingest.AMQP || first.Channel != queue || string(first.Body) != "one" || first.SourceID != id {
		t.Errorf("%+v", first)
	}
	if fifth := in.taken[4]; fifth.Signature != "" || fifth.TraceParent != "" {
		t.Errorf("%+v", fifth)
	}
	if s := x.Status(); s.Consuming != 0 {
		t.Errorf("%+v", s)
	}
}

// While what decides messages is away, none overtakes another, none is lost, and
// nobody runs hot.
func TestInboundHoldsWhatCannotBeDecided(t *testing.T) {
	url, s, id := testenv.AMQP(t), &sources{}, uuid.New()
	in := &intake{trouble: func(m ingest.Message, call int) error {
		switch {
		case m.MessageID == "2" && call < 5:
			return eventlog.ErrUnavailable
		case m.MessageID == "2" && call == 5:
			panic("a mistake of ours")
		}
		return nil
	}}
	s.set(id, true)
	x, _ := inbound(t, url, in, s)
	consuming(t, x, 1)
	r := newRig(t, url)
	for n := range 6 {
		r.put(rabbitmq.InboundPrefix+id.String(), amqp.Publishing{MessageId: fmt.Sprint(n), Body: []byte("x")})
	}
	in.has(t, "0", "1", "2", "3", "4", "5")
	if in.calls != 6+3 {
		t.Errorf("%d calls for 6 messages and 3 failures", in.calls)
	}
	consuming(t, x, 1) // and says that all is well again
}

// The messages of a suspended source wait, whoever hears of it first.
func TestInboundLetsASuspendedSourceWait(t *testing.T) {
	url, s, id := testenv.AMQP(t), &sources{}, uuid.New()
	var suspended bool
	in := &intake{}
	in.trouble = func(ingest.Message, int) error {
		if suspended {
			return ingest.ErrSuspended
		}
		return nil
	}
	s.set(id, true)
	x, _ := inbound(t, url, in, s)
	consuming(t, x, 1)
	r, queue := newRig(t, url), rabbitmq.InboundPrefix+id.String()
	r.put(queue, amqp.Publishing{MessageId: "before", Body: []byte("x")})
	in.has(t, "before")
	in.mu.Lock()
	suspended = true
	in.mu.Unlock()
	r.put(queue, amqp.Publishing{MessageId: "1", Body: []byte("x")})
	r.put(queue, amqp.Publishing{MessageId: "2", Body: []byte("x")})
	s.set(id, false)
	consuming(t, x, 0)
	r.left(t, queue, 2)
	in.mu.Lock()
	suspended = false
	in.mu.Unlock()
	if got := in.ids(); len(got) != 1 {
		t.Errorf("settled are %q", got)
	}
	s.set(id, true)
	in.has(t, "before", "1", "2")
	r.left(t, queue, 0)
}

// A queue that is deleted comes again, and leaves no message that nobody sent; a
// connection that is cut again and again is made again.
func TestInboundComesBack(t *testing.T) {
	noLeaks(t)
	broker, in, s, id := testenv.AMQP(t), &intake{}, &sources{}, uuid.New()
	way, url := newProxy(t, broker)
	s.set(id, true)
	x, stop := inbound(t, url, in, s)
	consuming(t, x, 1)
	r, queue := newRig(t, broker), rabbitmq.InboundPrefix+id.String()
	if _, err := r.ch.QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, inboundPatience, "the queue is consumed again", func() error {
		q, err := newRig(t, broker).ch.QueueInspect(queue) //nolint:staticcheck // a passive declare needs the arguments again
		if err == nil && q.Consumers != 1 {
			err = fmt.Errorf("%+v", q)
		}
		return err
	})
	r.put(queue, amqp.Publishing{MessageId: "after the queue", Body: []byte("x")})
	in.has(t, "after the queue")
	var want []string
	for n := range 5 {
		way.cut()
		want = append(want, fmt.Sprint("cut ", n))
		r.put(queue, amqp.Publishing{MessageId: want[n], Body: []byte("x")})
	}
	testenv.Eventually(t, inboundPatience, "all messages settled", func() error {
		got := in.ids()[1:]
		// A message whose acknowledgement was cut off comes again: that is the intake's to notice.
		if got = slices.Compact(slices.Sorted(slices.Values(got))); !slices.Equal(got, want) {
			return fmt.Errorf("settled are %q", got)
		}
		return nil
	})
	r.left(t, queue, 0)
	stop()
}

// Of two instances one takes the messages of a source; the other goes on when
// it has ended.
func TestInboundHasOneConsumerPerSource(t *testing.T) {
	url, s, id := testenv.AMQP(t), &sources{}, uuid.New()
	s.set(id, true)
	first, second := &intake{}, &intake{}
	x, stop := inbound(t, url, first, s)
	consuming(t, x, 1)
	y, _ := inbound(t, url, second, s)
	consuming(t, y, 1)
	r, queue := newRig(t, url), rabbitmq.InboundPrefix+id.String()
	var want []string
	for n := range 20 {
		want = append(want, fmt.Sprintf("%02d", n))
		r.put(queue, amqp.Publishing{MessageId: want[n], Body: []byte("x")})
	}
	first.has(t, want...)
	r.left(t, queue, 0)
	stop()
	r.put(queue, amqp.Publishing{MessageId: "last", Body: []byte("x")})
	second.has(t, "last")
}
