package relay_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/adapters/rabbitmq"
	"strata.dev/strata/app/cloudevents"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

// TestTheBrokerFails takes one broker through everything, under load that never
// stops. After each fault the consumer has every position within the recovery
// time, and at the end the account is whole.
func TestTheBrokerFails(t *testing.T) {
	broker := testenv.StartRabbitMQ(t)
	database := testenv.Log(t)
	admin := testenv.Pool(t, database.Admin)
	declareQueue(t, broker.URL())
	p := newProof(t, broker.URL())
	log := &lines{}
	log.showIfFailed(t)
	r := newRelay(t, database.App, broker.URL(), nil, slog.New(slog.NewTextHandler(log, nil)))
	l := newLoad(t, testenv.Pool(t, database.App))
	l.awaitGrowth(t, 20)
	p.await(t, patience, l.at())

	for _, fault := range []struct {
		name   string
		inject func(t *testing.T)
		away   func(g consumer.GroupStatus, p rabbitmq.Status) bool // how it shows; nil = it need not
		heal   func(t *testing.T)                                   // returns when the broker is ready
	}{
		{
			name: "its queue unbound",
			inject: func(t *testing.T) {
				withChannel(t, broker.URL(), func(ch *amqp.Channel) error { return ch.QueueUnbind(queue, "#", rabbitmq.Exchange, nil) })
			},
			away: func(g consumer.GroupStatus, p rabbitmq.Status) bool {
				return strings.Contains(g.LastError, rabbitmq.ErrUnroutable.Error()) && p.Connected
			},
			heal: func(t *testing.T) {
				withChannel(t, broker.URL(), func(ch *amqp.Channel) error { return ch.QueueBind(queue, "#", rabbitmq.Exchange, false, nil) })
			},
		},
		{
			name:   "memory alarm",
			inject: func(t *testing.T) { ctl(t, broker, "set_vm_memory_high_watermark", "absolute", "1MB") },
			away: func(g consumer.GroupStatus, p rabbitmq.Status) bool {
				return strings.Contains(g.LastError, rabbitmq.ErrBlocked.Error()) && p.Connected && p.Blocked
			},
			heal: func(t *testing.T) { ctl(t, broker, "set_vm_memory_high_watermark", "absolute", "2GB") },
		},
		{
			name:   "connections closed 20 times",
			inject: func(t *testing.T) { closeConnections(t, broker, log, 20) },
			heal:   func(*testing.T) {},
		},
		{
			name: "stopped",
			inject: func(t *testing.T) {
				if err := broker.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
			away: func(g consumer.GroupStatus, p rabbitmq.Status) bool { return g.LastError != "" && !p.Connected },
			heal: func(t *testing.T) { startBroker(t, broker) },
		},
		{
			name: "killed",
			inject: func(t *testing.T) {
				if err := broker.Kill(); err != nil {
					t.Fatal(err)
				}
			},
			away: func(g consumer.GroupStatus, p rabbitmq.Status) bool { return g.LastError != "" && !p.Connected },
			heal: func(t *testing.T) { startBroker(t, broker) },
		},
	} {
		t.Run(fault.name, func(t *testing.T) {
			fault.inject(t)
			if fault.away != nil {
				r.awaitStatus(t, "the fault shows", fault.away)
			}
			before := l.at()
			l.awaitGrowth(t, 20)
			nothingHeld(t, admin)
			if fault.away != nil && len(p.missing(before+1)) == 0 {
				t.Error("events came through: the fault was none")
			}
			fault.heal(t)
			p.await(t, recovery, l.at())
			r.awaitStatus(t, "all is well", func(g consumer.GroupStatus, p rabbitmq.Status) bool {
				return g.LastError == "" && p.Connected && !p.Blocked && p.LastError == ""
			})
		})
	}
	head, err := l.stop()
	if err != nil {
		t.Fatal(err)
	}
	p.await(t, recovery, head)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	var cursor int64
	if err := admin.QueryRow(t.Context(), `SELECT position FROM cursors WHERE consumer_group = $1`, group).Scan(&cursor); err != nil || cursor != head {
		t.Errorf("the cursor is at %d, the log ends at %d: %v", cursor, head, err)
	}
}

func ctl(t testing.TB, broker *embedded.RabbitMQ, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if out, err := broker.Ctl(ctx, args...); err != nil {
		t.Fatalf("rabbitmqctl %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func startBroker(t testing.TB, broker *embedded.RabbitMQ) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := broker.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// closeConnections closes all connections from the broker's side, n times in a row.
func closeConnections(t testing.TB, broker *embedded.RabbitMQ, log *lines, n int) {
	t.Helper()
	before := log.count("lost RabbitMQ")
	ctl(t, broker, "eval", fmt.Sprintf(`[begin
		[rabbit_networking:close_connection(C, "a test does it") || C <- rabbit_networking:local_connections()],
		timer:sleep(250) end || _ <- lists:seq(1, %d)].`, n))
	// A close that comes while the publisher reconnects finds nothing to close.
	if lost := log.count("lost RabbitMQ") - before; lost < n/2 {
		t.Errorf("of %d closes the publisher noticed %d", n, lost)
	}
}

// lines is a log that a test can count in.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), part)
}

func (l *lines) showIfFailed(t testing.TB) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", &l.all)
		}
	})
}

// TestACleanStopRepeatsNothing stops and starts the relay under load.
func TestACleanStopRepeatsNothing(t *testing.T) {
	log, broker := testenv.Log(t), testenv.AMQP(t)
	declareQueue(t, broker)
	p := newProof(t, broker)
	l := newLoad(t, testenv.Pool(t, log.App))
	for range 8 {
		r := newRelay(t, log.App, broker, nil, slog.New(slog.DiscardHandler))
		l.awaitGrowth(t, 10)
		p.await(t, patience, l.at())
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	head, err := l.stop()
	if err != nil {
		t.Fatal(err)
	}
	newRelay(t, log.App, broker, nil, slog.New(slog.DiscardHandler))
	p.await(t, patience, head)
	if n := p.repeated(); n != 0 {
		t.Errorf("%d events came twice", n)
	}
}

// TestAPoisonEventParksItsStream: one stream waits for its cure, the others flow.
func TestAPoisonEventParksItsStream(t *testing.T) {
	log, broker := testenv.Log(t), testenv.AMQP(t)
	declareQueue(t, broker)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 95)
	poison := logfill.AppendBroken(t, pool)
	logfill.Append(t, pool, 100)
	stream := logfill.Stream(poison)

	// The event is broken until its cure, which here is another encoder.
	encoder, err := cloudevents.New(cloudevents.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var cured atomic.Bool
	encode := func(e eventlog.Event) (*message.Message, error) {
		if cured.Load() && e.Position == poison {
			e.Metadata = []byte(`{"actor":{"id":"unknown","kind":"process"}}`)
		}
		return rabbitmq.Messages{Encoder: encoder}.Message(e)
	}
	r := newRelay(t, log.App, broker, encode, slog.New(slog.DiscardHandler))
	p := newProof(t, broker)
	p.next = unordered // a resumed stream comes late by nature
	var kept []int64
	for at := poison; at <= 196; at++ {
		if logfill.Stream(at) == stream {
			kept = append(kept, at)
		}
	}
	testenv.Eventually(t, patience, "everything but the parked stream came", func() error {
		if lost := p.missing(196); fmt.Sprint(lost) != fmt.Sprint(kept) {
			return fmt.Errorf("missing %v, want %v", lost, kept)
		}
		return nil
	})
	r.awaitStatus(t, "it shows", func(g consumer.GroupStatus, _ rabbitmq.Status) bool {
		return g.Parked == 1 && g.LastError == "" && g.Position == 196
	})
	parked, err := r.Parked(t.Context())
	if err != nil || len(parked) != 1 || parked[0].StreamID != stream || parked[0].Position != poison || !strings.Contains(parked[0].Reason, "no actor") {
		t.Errorf("parked: %+v, %v", parked, err)
	}
	if _, err := r.Resume(t.Context(), group, stream); err == nil {
		t.Error("resumed what still cannot be encoded")
	}

	cured.Store(true)
	n, err := r.Resume(t.Context(), group, stream)
	if err != nil || n != len(kept) {
		t.Fatalf("resumed %d events, want %d: %v", n, len(kept), err)
	}
	p.await(t, patience, 196)
	if n := p.repeated(); n != 0 {
		t.Errorf("%d events came twice", n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if late := p.order[len(p.order)-len(kept):]; !slices.Equal(late, kept) {
		t.Errorf("the stream came as %v, want %v", late, kept)
	}
}
