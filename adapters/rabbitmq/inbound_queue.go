package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"strata.dev/strata/app/ingest"
)

const (
	inboundFirstPause = 100 * time.Millisecond // after a failure, doubling
	inboundLastPause  = 10 * time.Second
	// inboundHold is how long one message is held while something is away. Far
	// below the broker's patience for an acknowledgement, which is 30 minutes.
	inboundHold = 5 * time.Minute
	// inboundLook is how often a queue is asked how much is in it.
	inboundLook = 10 * time.Second
	// inboundAttempts is a delivery limit that is never reached: a queue without
	// one gets 20 from RabbitMQ 4, and deletes what is over it.
	inboundAttempts = 1_000_000_000
)

// errHeld ends a session in which one message could not be decided for long.
var errHeld = errors.New("a message could not be decided")

// inboundQueue is the queue of one source.
type inboundQueue struct {
	*Inbound
	source InboundSource // but for Active
	name   string
	life   context.Context
	end    context.CancelFunc

	mu        sync.Mutex
	active    bool
	changed   chan struct{} // closed and replaced when active changes
	consuming bool
	waiting   int64
	failed    error
}

func newInboundQueue(ctx context.Context, in *Inbound, s InboundSource) *inboundQueue {
	q := &inboundQueue{Inbound: in, source: s, name: InboundPrefix + s.SourceID.String(), changed: make(chan struct{}), active: s.Active}
	q.life, q.end = context.WithCancel(ctx)
	return q
}

// set says whether the source is active.
func (q *inboundQueue) set(active bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.active != active {
		q.active = active
		close(q.changed)
		q.changed = make(chan struct{})
	}
}

func (q *inboundQueue) present() (active bool, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.active, q.changed
}

// run keeps a session until the queue ends.
func (q *inboundQueue) run() {
	defer q.end()
	pause := inboundFirstPause
	for q.life.Err() == nil {
		active, changed := q.present()
		err := q.session(active, changed, func() { pause = inboundFirstPause })
		if errors.Is(err, ingest.ErrSuspended) {
			q.set(false) // Sources will say so, too
			err = nil
		}
		q.noted(err)
		if err == nil {
			continue // the source was suspended or reinstated
		}
		if !q.wait(pause, changed) {
			pause = min(2*pause, inboundLastPause)
		}
	}
	q.noted(nil)
}

// wait lets a pause pass, and says whether something ended it early.
func (q *inboundQueue) wait(pause time.Duration, ended <-chan struct{}) (early bool) {
	t := time.NewTimer(pause - rand.N(pause/2))
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-ended:
	case <-q.life.Done():
	}
	return true
}

// noted remembers how a session ended, and logs the first failure.
func (q *inboundQueue) noted(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.consuming = false
	if q.life.Err() != nil {
		err = nil
	}
	if err != nil && q.failed == nil {
		q.log.WarnContext(q.life, "cannot take messages of a source; trying until it works", "queue", q.name, "error", err)
	}
	q.failed = err
}

func (q *inboundQueue) up(consuming bool, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed != nil && consuming {
		q.log.InfoContext(q.life, "taking messages of a source again", "queue", q.name)
	}
	q.consuming, q.waiting, q.failed = consuming, int64(waiting), nil
}

// session is one channel's life. It returns nil if the source was suspended or
// reinstated, or the queue ends.
func (q *inboundQueue) session(active bool, changed <-chan struct{}, well func()) error {
	l, err := q.connection(q.life)
	if err != nil {
		return err
	}
	ch, err := l.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	defer func() { _ = ch.Close() }() // what was not acknowledged goes back, in its order
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	waiting, err := q.declare(ch)
	if err != nil {
		return err
	}
	var deliveries <-chan amqp.Delivery // none of a suspended source
	if active {
		if err := ch.Qos(q.opts.Prefetch, 0, false); err != nil {
			return fmt.Errorf("prefetch: %w", err)
		}
		if deliveries, err = ch.Consume(q.name, "", false, false, false, false, nil); err != nil {
			return fmt.Errorf("consume: %w", err)
		}
	}
	q.up(active, waiting)
	look := time.NewTicker(inboundLook)
	defer look.Stop()
	for {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return errCancelled // and not an empty message
			}
			if err := q.handle(d, changed, closed); err != nil {
				return err
			}
			well()
			q.decided()
		case <-look.C:
			state, err := ch.QueueDeclarePassive(q.name, true, false, false, false, nil)
			if err != nil {
				return fmt.Errorf("look at queue %s: %w", q.name, err)
			}
			q.up(active, state.Messages)
		case err := <-closed:
			if err == nil {
				return errCancelled
			}
			return err
		case <-changed:
			return nil
		case <-q.life.Done():
			return nil
		}
	}
}

// declare makes the queue if it is not there: nothing in it is dropped, whatever
// happens, and of all instances one at a time gets its messages.
func (q *inboundQueue) declare(ch *amqp.Channel) (waiting int, err error) {
	state, err := ch.QueueDeclare(q.name, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg:            amqp.QueueTypeQuorum,
		amqp.SingleActiveConsumerArg: true,
		"x-delivery-limit":           int64(inboundAttempts),
	})
	if err != nil {
		return 0, fmt.Errorf("declare queue %s: %w", q.name, err)
	}
	return state.Messages, nil
}

// handle decides one message and acknowledges it. While something is away the
// message is held: those behind it must not overtake it.
func (q *inboundQueue) handle(d amqp.Delivery, changed <-chan struct{}, closed <-chan *amqp.Error) error {
	m := q.message(d)
	pause, since := inboundFirstPause, time.Now()
	for {
		a, err := q.take(m)
		switch {
		case a.Settled:
			if err := d.Ack(false); err != nil {
				return fmt.Errorf("acknowledge: %w", err)
			}
			return nil
		case q.life.Err() != nil:
			return q.life.Err()
		case errors.Is(err, ingest.ErrSuspended):
			return err // and wait until it is reinstated
		case time.Since(since) > inboundHold:
			return fmt.Errorf("%w for %s: %w", errHeld, inboundHold, err)
		}
		q.holding(err)
		t := time.NewTimer(pause - rand.N(pause/2))
		select {
		case <-t.C:
			pause = min(2*pause, inboundLastPause)
		case gone := <-closed:
			t.Stop()
			return fmt.Errorf("lost the broker while a message waited: %w", errors.Join(err, asError(gone)))
		case <-changed:
			t.Stop()
			return err
		case <-q.life.Done():
			t.Stop()
			return q.life.Err()
		}
	}
}

// take decides a message. A panic is one of its failures: ending the process
// would bring the same message to the next one.
func (q *inboundQueue) take(m ingest.Message) (a ingest.Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			q.log.ErrorContext(q.life, "a message of a source makes the service panic; holding it", "queue", q.name, "stack", string(debug.Stack()))
			a, err = ingest.Answer{}, fmt.Errorf("panic: %v", v)
		}
	}()
	return q.opts.Take(q.life, m)
}

// asError keeps a nil *amqp.Error from becoming an error.
func asError(e *amqp.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// holding notes that a message cannot be decided now.
func (q *inboundQueue) holding(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed == nil {
		q.log.WarnContext(q.life, "cannot decide a message of a source now; holding it", "queue", q.name, "error", err)
	}
	q.failed = err
}

// decided notes that a message was.
func (q *inboundQueue) decided() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed != nil {
		q.log.InfoContext(q.life, "deciding messages of a source again", "queue", q.name)
	}
	q.failed, q.waiting = nil, max(0, q.waiting-1)
}

// message is a delivery as the intake takes it. Headers can be anything, the
// broker's own included; only two are looked at, and only if they are text.
func (q *inboundQueue) message(d amqp.Delivery) ingest.Message {
	text := func(header string) string {
		s, _ := d.Headers[header].(string)
		return s
	}
	return ingest.Message{
		OrganizationID: q.source.OrganizationID, SourceID: q.source.SourceID, MessageID: d.MessageId,
		Kind: ingest.AMQP, Channel: q.name, Body: d.Body, Signature: text(HeaderSignature),
		TraceParent: traceParent(text(HeaderTraceParent)),
	}
}

// traceParent keeps a trace context that is one (W3C, version 00), and nothing else.
func traceParent(s string) string {
	const form = "00-00000000000000000000000000000000-0000000000000000-00"
	if len(s) != len(form) || s[:3] != form[:3] {
		return ""
	}
	for i := range len(s) {
		dash, hex := s[i] == '-', s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f'
		if dash != (form[i] == '-') || !dash && !hex {
			return ""
		}
	}
	return s
}
