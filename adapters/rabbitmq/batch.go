package rabbitmq

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"
)

// batch is one Publish on its way.
type batch struct {
	session   *session
	exchange  string
	mandatory bool
	messages  []*message.Message

	confirms []*amqp.DeferredConfirmation // of the messages sent
	settled  int                          // how many of them are settled, from the first on
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
		for len(b.confirms)-b.settled >= b.session.window {
			if err := b.settle(ctx); err != nil {
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
		d, err := b.session.channel.PublishWithDeferredConfirm(b.exchange, key, b.mandatory, false, p)
		if err != nil {
			return b.fail(fmt.Errorf("send: %w", err))
		}
		b.confirms = append(b.confirms, d)
	}
	if err := b.settleAll(ctx); err != nil {
		return b.fail(err)
	}
	if b.bad >= 0 {
		return b.refused()
	}
	return nil
}

// settleAll waits for all outstanding confirms.
func (b *batch) settleAll(ctx context.Context) error {
	for b.settled < len(b.confirms) {
		if err := b.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settle waits for the oldest outstanding confirm.
func (b *batch) settle(ctx context.Context) error {
	i := b.settled
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
		if b.session.channel.IsClosed() {
			return fmt.Errorf("%w: the connection was lost", ErrUnconfirmed)
		}
		b.refuse(i, ErrRefused)
	}
	b.session.proven = true
	b.settled++
	b.collectReturns()
	return nil
}

// collectReturns takes what has come back. A return precedes the
// confirm of its message, and one goroutine of the library hands over both: once
// a message is settled, its return, if any, is here.
func (b *batch) collectReturns() {
	for {
		select {
		case r, ok := <-b.session.returns:
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
	b.collectReturns()
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
