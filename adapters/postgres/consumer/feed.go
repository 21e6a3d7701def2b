package consumer

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata.dev/strata/app/eventlog"
)

// addTo registers the group with the router.
func (r *reader) addTo(router *message.Router, sub message.Subscriber) {
	if relay := r.group.Relay; relay != nil {
		router.AddHandler(r.group.Name, topic, sub, relay.Topic, recorder{relay.Publisher, r}, r.encode)
		return
	}
	router.AddConsumerHandler(r.group.Name, topic, sub, r.handle)
}

// feed stands between Subscriber and router. It gives every batch a context
// that ends with the lease or the handler's time, and it makes a refused batch
// come again from the database instead of from memory: by then lease, cursor
// and parked streams may be others. To the Subscriber a batch is always done;
// whether the cursor moves is decided by its outcome.
type feed struct {
	message.Subscriber
	reader *reader
}

// Subscribe must be given the context of a router that is closed only after the
// group has drained: its end ends the subscription, whatever is in flight. It is
// all that surely ends it: a router that is closed right after its start may
// find its own context ended first, and then does not close the subscriber.
func (f feed) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := f.Subscriber.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for m := range in {
			f.reader.handOver(m, out)
		}
	}()
	return out, nil
}

func (r *reader) handOver(m *message.Message, out chan<- *message.Message) {
	r.mu.Lock()
	busy := make(chan struct{})
	r.busy = busy
	reign := r.reign
	r.mu.Unlock()
	defer close(busy)
	defer m.Ack()
	if reign == nil {
		return // the lease went between query and here: no outcome, so it comes again
	}

	ctx, cancel := context.WithTimeout(reign, r.group.HandlerTimeout)
	defer cancel()
	c := m.Copy()
	c.SetContext(ctx)
	select {
	case out <- c:
	case <-r.gone:
		return
	}
	select {
	case <-c.Acked():
		r.finish(nil)
	case <-c.Nacked():
		r.finish(errUnnamed)
	case <-r.gone: // the context of a handler that overran its time ended long ago
	}
}

// finish settles the batch in flight. err counts if nobody said more.
func (r *reader) finish(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.batch
	if b == nil {
		return
	}
	if r.raised != nil {
		err = r.raised
	}
	if err == nil {
		r.outcome = &outcome{taken: b.last()}
		return
	}
	r.outcome = &outcome{err: err}
	if n := delivered(err); n > 0 {
		r.outcome.taken = r.sent(n)
	}
}

// sent is the position of the n-th event that was published; mu is held.
func (r *reader) sent(n int) int64 {
	if n > len(r.published) {
		return 0 // a publisher that counts more than it was given is not believed
	}
	return r.published[n-1]
}

func (r *reader) raise(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raised = err
	return err
}

// events decodes the batch and leaves out what is parked, unless the group
// keeps its own account of that.
func (r *reader) events(msg *message.Message) ([]eventlog.Event, error) {
	all, err := Events(msg)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.group.Checkpoint != nil || len(r.parked) == 0 {
		return all, nil
	}
	kept := all[:0]
	for _, e := range all {
		if _, out := r.parked[e.StreamID]; !out {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// handle is the router's handler of a group with a BatchHandler.
func (r *reader) handle(msg *message.Message) error {
	if r.group.Advance != nil {
		return r.advance(msg.Context())
	}
	events, err := r.events(msg)
	if err != nil {
		return r.raise(err)
	}
	if len(events) == 0 {
		return nil
	}
	if err := callSafely(func() error { return r.group.Handler(msg.Context(), events) }); err != nil {
		return r.raise(err)
	}
	return nil
}

// advance is the handler of a group that takes the log by itself.
func (r *reader) advance(ctx context.Context) error {
	r.mu.Lock()
	b := r.batch
	r.mu.Unlock()
	if err := callSafely(func() error { return r.group.Advance(ctx, b.cursor, b.last()) }); err != nil {
		return r.raise(err)
	}
	return nil
}

// encode is the router's handler of a relay: the router publishes what it returns.
func (r *reader) encode(msg *message.Message) ([]*message.Message, error) {
	m, err := r.make(msg)
	if err != nil {
		return nil, r.raise(err)
	}
	r.mu.Lock()
	r.published = m.positions
	r.mu.Unlock()
	r.readAhead(msg.Context())
	return m.within(msg.Context()), nil
}

// make makes messages of the batch, unless that was done ahead.
func (r *reader) make(msg *message.Message) (*made, error) {
	if m := r.madeOf(); m != nil {
		return m, nil
	}
	events, err := r.events(msg)
	if err != nil {
		return nil, err
	}
	return r.encodeAll(events)
}

// made is what events were made into, with their positions.
type made struct {
	messages  []*message.Message
	positions []int64
}

// within gives the messages, to be published within ctx.
func (m *made) within(ctx context.Context) []*message.Message {
	for _, out := range m.messages {
		out.SetContext(ctx)
	}
	return m.messages
}

func (r *reader) encodeAll(events []eventlog.Event) (*made, error) {
	all := &made{make([]*message.Message, 0, len(events)), make([]int64, 0, len(events))}
	for _, e := range events {
		var m *message.Message
		err := callSafely(func() (err error) { m, err = r.group.Relay.Encode(e); return err })
		if err != nil {
			return nil, Poison(fmt.Errorf("encode %s at position %d: %w", e.Type, e.Position, err))
		}
		all.messages, all.positions = append(all.messages, m), append(all.positions, e.Position)
	}
	return all, nil
}

func callSafely(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	return f()
}

// recorder notes what Publish said, since the router only tells its logger. It
// keeps the publisher open: the router closes what it was given.
type recorder struct {
	message.Publisher
	reader *reader
}

func (p recorder) Publish(topic string, messages ...*message.Message) error {
	err := callSafely(func() error { return p.Publisher.Publish(topic, messages...) })
	if err != nil {
		return p.reader.raise(err)
	}
	return nil
}

func (recorder) Close() error { return nil }
