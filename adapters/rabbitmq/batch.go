package rabbitmq

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"
)

// spreadFrom is how many messages a batch must have to be spread over the lanes.
// Smaller ones keep the order of all their messages for nothing.
const spreadFrom = 64

// batch is one Publish on its way.
type batch struct {
	session   *session
	exchange  string
	mandatory bool
	messages  []*message.Message

	confirms []*amqp.DeferredConfirmation // of the messages sent
	waiting  [lanes][]int                 // per lane: messages sent and not settled, oldest first
	chosen   map[string]int               // lanes of the ordering keys of the batch
	bad      int                          // first message that was refused; -1 = none
	cause    error                        // why it was
}

// publish sends everything and waits for everything. After the first refusal
// it sends nothing more, and only waits.
func (b *batch) publish(ctx context.Context) *PublishError {
	b.bad = -1
	b.confirms = make([]*amqp.DeferredConfirmation, 0, len(b.messages))
	headers := amqp.Table{}
	b.session.link.socket.cork()
	// Nothing of the batch is left behind when it ends well, and when it does not
	// the connection is dropped anyway.
	defer func() { _ = b.session.link.socket.uncork() }()
	for i, m := range b.messages {
		if i > 0 && !b.session.proven {
			if err := b.settleAll(ctx); err != nil {
				return b.fail(err)
			}
		}
		at, err := b.laneOf(ctx, m)
		if err != nil {
			return b.fail(err)
		}
		lane := &b.session.lanes[at]
		for len(b.waiting[at]) >= lane.window {
			if err := b.settle(ctx, at); err != nil {
				return b.fail(err)
			}
		}
		if b.bad >= 0 {
			break
		}
		key, p, err := publishing(m, headers)
		if err != nil {
			return b.unsendable(ctx, i, err)
		}
		d, err := lane.channel.PublishWithDeferredConfirm(b.exchange, key, b.mandatory, false, p)
		if err != nil {
			return b.fail(fmt.Errorf("send: %w", err))
		}
		b.confirms = append(b.confirms, d)
		b.waiting[at] = append(b.waiting[at], i)
	}
	if err := b.settleAll(ctx); err != nil {
		return b.fail(err)
	}
	if b.bad >= 0 {
		return b.refused()
	}
	return nil
}

// laneOf keeps messages of one ordering key on one channel, which keeps their
// order, and gives a key that is new to the batch to the channel with less to
// confirm. Batches follow each other, so the order between them is kept anyway.
func (b *batch) laneOf(ctx context.Context, m *message.Message) (int, error) {
	key := m.Metadata[OrderingKey]
	if key == "" || len(b.messages) < spreadFrom {
		return 0, nil
	}
	if at, known := b.chosen[key]; known {
		return at, nil
	}
	best := 0
	for at := range b.waiting {
		if err := b.settleDone(ctx, at); err != nil {
			return 0, err
		}
		if len(b.waiting[at]) < len(b.waiting[best]) {
			best = at
		}
	}
	if b.chosen == nil {
		b.chosen = make(map[string]int)
	}
	b.chosen[key] = best
	return best, nil
}

// settleDone takes the confirms of a lane that are there.
func (b *batch) settleDone(ctx context.Context, at int) error {
	for len(b.waiting[at]) > 0 {
		select {
		case <-b.confirms[b.waiting[at][0]].Done():
			if err := b.settle(ctx, at); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// settleAll waits for all outstanding confirms.
func (b *batch) settleAll(ctx context.Context) error {
	for at := range b.waiting {
		for len(b.waiting[at]) > 0 {
			if err := b.settle(ctx, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle waits for a lane's oldest outstanding confirm.
func (b *batch) settle(ctx context.Context, at int) error {
	i := b.waiting[at][0]
	d := b.confirms[i]
	select {
	case <-d.Done():
	default:
		if err := b.session.link.socket.flush(); err != nil {
			return fmt.Errorf("%w: send: %w", ErrUnconfirmed, err)
		}
		select {
		case <-d.Done():
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrUnconfirmed, ctx.Err())
		}
	}
	if !d.Acked() {
		if b.session.lanes[at].channel.IsClosed() {
			return fmt.Errorf("%w: the connection was lost", ErrUnconfirmed)
		}
		b.refuse(i, ErrRefused)
	}
	b.session.proven = true
	b.waiting[at] = b.waiting[at][1:]
	b.collectReturns(at)
	return nil
}

// collectReturns takes what has come back on a lane. A return precedes the
// confirm of its message, and one goroutine of the library hands over both: once
// a message is settled, its return, if any, is here.
func (b *batch) collectReturns(at int) {
	for {
		select {
		case r, ok := <-b.session.lanes[at].returns:
			if !ok {
				return
			}
			for i, m := range b.messages[:len(b.confirms)] {
				if m.UUID == r.MessageId {
					b.refuse(i, fmt.Errorf("%w: routing key %q: %s", ErrUnroutable, r.RoutingKey, r.ReplyText))
					break
				}
			}
		default:
			return
		}
	}
}

func (b *batch) refuse(i int, cause error) {
	if b.bad < 0 || i < b.bad {
		b.bad, b.cause = i, cause
	}
}

// refused ends a batch in which the broker said no to a message, and everything
// before it is confirmed.
func (b *batch) refused() *PublishError {
	return &PublishError{Err: b.cause, Count: b.bad, Of: len(b.messages), Single: true, MessageID: b.messages[b.bad].UUID}
}

// fail ends a batch whose connection is in doubt: the messages count up to the
// first that is not confirmed, or came back.
func (b *batch) fail(err error) *PublishError {
	safe := 0
	for safe < len(b.confirms) && b.confirms[safe].Acked() {
		safe++
	}
	for at := range b.session.lanes {
		b.collectReturns(at)
	}
	if b.bad >= 0 {
		safe = min(safe, b.bad)
	}
	return &PublishError{Err: err, Count: safe, Of: len(b.messages)}
}

// unsendable ends a batch at a message that is no AMQP message.
func (b *batch) unsendable(ctx context.Context, i int, cause error) *PublishError {
	if err := b.settleAll(ctx); err != nil {
		return b.fail(err)
	}
	if b.bad >= 0 {
		return b.refused()
	}
	return &PublishError{Err: cause, Count: i, Of: len(b.messages), Single: true, MessageID: b.messages[i].UUID, poison: true}
}
