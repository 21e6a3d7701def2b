package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

// without leaves out what a stream that is parked from a position on has.
func without(all []int64, stream string, from int64) (kept []int64) {
	for _, p := range all {
		if logfill.Stream(p) != stream || p < from {
			kept = append(kept, p)
		}
	}
	return kept
}

func TestPoisonParksItsStreamAndTheOthersFlow(t *testing.T) {
	for name, refuse := range map[string]func(position int64) error{
		"error":  func(p int64) error { return fmt.Errorf("%w: no rule for position %d", consumer.ErrPoison, p) },
		"marked": func(p int64) error { return consumer.Poison(fmt.Errorf("no rule for position %d", p)) },
		"panic":  func(p int64) error { panic(fmt.Sprintf("no rule for position %d", p)) },
	} {
		t.Run(name, func(t *testing.T) {
			log := testenv.Log(t)
			pool := testenv.Pool(t, log.App)
			logfill.Append(t, pool, 1000)
			const poison = 437
			stream := logfill.Stream(poison)
			var cured atomic.Bool
			var s sink
			s.before = func(_ context.Context, events []eventlog.Event) error {
				for _, e := range events {
					if e.Position == poison && !cured.Load() {
						return refuse(poison)
					}
				}
				return nil
			}
			c := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle, BatchRows: 256})
			s.await(t, without(upTo(1000), stream, poison))
			status := c.awaitStatus(t, "the parked stream shows", func(s consumer.GroupStatus) bool { return s.Parked == 1 && s.Position == 1000 })
			if status.LastError != "" {
				t.Errorf("the group is said to fail: %s", status.LastError)
			}

			logfill.Append(t, pool, 20) // the parked stream goes on, and stays aside
			want := without(upTo(1020), stream, poison)
			s.await(t, want)

			parked, err := c.Parked(t.Context())
			if err != nil || len(parked) != 1 {
				t.Fatalf("parked: %+v, %v", parked, err)
			}
			p := parked[0]
			if p.Group != "all" || p.StreamID != stream || p.Position != poison || p.EventID != logfill.ID(poison) || p.Attempts != 3 {
				t.Errorf("parked: %+v", p)
			}
			if !slices.Contains([]string{
				"the event cannot be taken: no rule for position 437", "no rule for position 437", "handler panicked: no rule for position 437",
			}, p.Reason) {
				t.Errorf("reason %q", p.Reason)
			}
			if n := c.logs.count("its stream is parked"); n != 1 {
				t.Errorf("parking was logged %d times", n)
			}

			if _, err := c.Resume(t.Context(), "all", stream); err == nil {
				t.Error("resumed before the cure")
			}
			cured.Store(true)
			n, err := c.Resume(t.Context(), "all", stream)
			if err != nil {
				t.Fatal(err)
			}
			var missed []int64
			for _, q := range upTo(1020) {
				if logfill.Stream(q) == stream && q >= poison {
					missed = append(missed, q)
				}
			}
			if n != len(missed) {
				t.Errorf("resumed %d events, want %d", n, len(missed))
			}
			s.await(t, append(slices.Clone(want), missed...))
			if _, err := c.Resume(t.Context(), "all", stream); !errors.Is(err, consumer.ErrNotParked) {
				t.Errorf("resumed twice: %v", err)
			}
			logfill.Append(t, pool, 20)
			s.await(t, slices.Concat(want, missed, between(1021, 1040)))
		})
	}
}

func TestParkedStreamsStayParkedAfterARestart(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 30)
	var s sink
	s.before = func(_ context.Context, events []eventlog.Event) error {
		for _, e := range events {
			if e.Position == 5 {
				return consumer.ErrPoison
			}
		}
		return nil
	}
	first := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle})
	want := without(upTo(30), logfill.Stream(5), 5)
	s.await(t, want)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	logfill.Append(t, pool, 20)
	second := start(t, log.App, consumer.Group{Name: "all", Handler: s.handle})
	s.await(t, without(upTo(50), logfill.Stream(5), 5))
	second.awaitStatus(t, "parked", func(s consumer.GroupStatus) bool { return s.Parked == 1 })
	if _, err := second.Resume(t.Context(), "other", "x"); !errors.Is(err, consumer.ErrUnknownGroup) {
		t.Error(err)
	}
}

// outbox is a publisher that remembers, and fails as told.
type outbox struct {
	mu     sync.Mutex
	sent   []string
	calls  [][]string
	refuse func(ids []string) error
	closed bool
}

func (o *outbox) Publish(_ string, messages ...*message.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ids []string
	for _, m := range messages {
		ids = append(ids, m.UUID)
	}
	o.calls = append(o.calls, ids)
	if o.refuse != nil {
		if err := o.refuse(ids); err != nil {
			var p *partial
			if errors.As(err, &p) {
				o.sent = append(o.sent, ids[:p.n]...)
			}
			return err
		}
	}
	o.sent = append(o.sent, ids...)
	return nil
}

func (o *outbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	return nil
}

func (o *outbox) await(t testing.TB, positions []int64) {
	t.Helper()
	testenv.Eventually(t, patience, "everything was published", func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if !slices.Equal(o.sent, ids(positions)) {
			return fmt.Errorf("%d published, want %d", len(o.sent), len(positions))
		}
		return nil
	})
}

func ids(positions []int64) (all []string) {
	for _, p := range positions {
		all = append(all, logfill.ID(p).String())
	}
	return all
}

type partial struct{ n int }

func (p *partial) Error() string  { return fmt.Sprintf("stopped behind %d", p.n) }
func (p *partial) Delivered() int { return p.n }
func (p *partial) Refused() bool  { return true }

func encode(e eventlog.Event) (*message.Message, error) {
	if _, err := eventlog.DecodeMetadata(e.Metadata); err != nil || e.Type == "strategy.broken" {
		return nil, errors.New("nobody can read this")
	}
	return message.NewMessage(e.ID.String(), e.Data), nil
}

func TestARefusedMessageDoesNotRepeatTheOthers(t *testing.T) {
	log := testenv.Log(t)
	logfill.Append(t, testenv.Pool(t, log.App), 100)
	var open atomic.Bool
	held := logfill.ID(38).String()
	o := &outbox{}
	knocks := 0
	o.refuse = func(ids []string) error {
		if i := slices.Index(ids, held); i >= 0 && !open.Load() {
			if knocks++; knocks > 1 && len(ids) > 1 {
				t.Errorf("knocked with %d messages", len(ids))
			}
			if knocks == 3 {
				open.Store(true)
			}
			return &partial{n: i}
		}
		return nil
	}
	c := start(t, log.App, consumer.Group{Name: "relay", Relay: &consumer.Relay{Publisher: o, Topic: "x", Encode: encode}})
	o.await(t, upTo(100)) // none twice
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}
	if o.closed {
		t.Error("the publisher is the caller's, and was closed")
	}
}

func TestTheRelayParksWhatItCannotEncode(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 17)
	poison := logfill.AppendBroken(t, pool)
	logfill.Append(t, pool, 40)
	o := &outbox{}
	c := start(t, log.App, consumer.Group{Name: "relay", Relay: &consumer.Relay{Publisher: o, Topic: "x", Encode: encode}})
	o.await(t, without(upTo(58), logfill.Stream(poison), poison))
	c.awaitStatus(t, "parked", func(s consumer.GroupStatus) bool { return s.Parked == 1 && s.Position == 58 })
	if _, err := c.Resume(t.Context(), "relay", logfill.Stream(poison)); err == nil {
		t.Error("what cannot be encoded was resumed")
	}
}
