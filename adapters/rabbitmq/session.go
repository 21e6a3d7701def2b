package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp "github.com/rabbitmq/amqp091-go"
)

// session is one connection with one channel in confirm mode.
type session struct {
	link    *link
	channel *amqp.Channel
	window  int
	proven  bool // a message was confirmed; used by the Publish at work only

	returns chan amqp.Return
	blocks  chan amqp.Blocking
	closes  chan *amqp.Error // of connection or channel
	dropped chan struct{}
	drop    sync.Once

	mu      sync.Mutex
	blocked string // the broker's reason; "" = it takes messages
	doubted bool   // not all that was sent is accounted for
}

// connect makes a session with its topology declared.
func (p *Publisher) connect() (*session, error) {
	l, err := dial(p.life, p.url, "strata publisher", p.opts.Timeout)
	if err != nil {
		return nil, err
	}
	s := &session{link: l, window: p.opts.Window, dropped: make(chan struct{})}
	stop := context.AfterFunc(p.life, l.cut)
	defer stop()
	if err := s.open(p.opts); err != nil {
		l.close()
		return nil, err
	}
	return s, nil
}

func (s *session) open(o Options) (err error) {
	// The library hands notices over from its reading goroutine and waits for
	// them to be taken, so each has room for all that can come at once: a return
	// per message of two windows (one confirmed and not yet looked at, one under
	// way), the close of connection and channel.
	s.blocks = s.link.NotifyBlocked(make(chan amqp.Blocking, 8))
	if s.channel, err = s.link.Channel(); err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	if err := declare(s.channel, o); err != nil {
		return err
	}
	if err := s.channel.Confirm(false); err != nil {
		return fmt.Errorf("confirm mode: %w", err)
	}
	s.returns = s.channel.NotifyReturn(make(chan amqp.Return, 2*s.window+2))
	s.closes = s.channel.NotifyClose(make(chan *amqp.Error, 1))
	return nil
}

// watch reports blocking (reason, or "" for its end) until the session is over,
// and says why it is.
func (s *session) watch(ctx context.Context, report func(reason string)) error {
	blocks := s.blocks
	for {
		select {
		case b, ok := <-blocks:
			if !ok {
				blocks = nil // closed with the connection; closes says why
				continue
			}
			reason := ""
			if b.Active {
				reason = "the broker says: " + b.Reason
			}
			if s.setBlocked(reason) {
				return ErrUnconfirmed
			}
			report(reason)
		case err := <-s.closes:
			if err == nil {
				return errors.New("the connection was closed")
			}
			return err
		case <-s.dropped:
			return ErrUnconfirmed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// setBlocked notes an alarm or its end; over means that the alarm has ended and
// something sent before it is unaccounted for.
func (s *session) setBlocked(reason string) (over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked = reason
	return reason == "" && s.doubted
}

func (s *session) usable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocked == "" && !s.doubted && !s.channel.IsClosed()
}

// distrust takes the session out of use: at once, or, under an alarm, when the
// alarm ends, since nobody else would be told of that. It returns the alarm.
func (s *session) distrust() (blocked string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubted = true
	if s.blocked == "" {
		s.drop.Do(func() { close(s.dropped) })
	}
	return s.blocked
}

// batch is one Publish on its way.
type batch struct {
	session   *session
	exchange  string
	mandatory bool
	messages  []*message.Message

	confirms []*amqp.DeferredConfirmation // of the messages sent
	settled  int                          // leading messages that are confirmed or refused
	bad      int                          // first message that was refused; -1 = none
	cause    error                        // why it was
}

// publish sends everything and waits for everything. After the first refusal
// it sends nothing more, and only waits.
func (b *batch) publish(ctx context.Context) *PublishError {
	b.bad = -1
	b.confirms = make([]*amqp.DeferredConfirmation, 0, len(b.messages))
	for i, m := range b.messages {
		window := b.session.window
		if !b.session.proven {
			window = 1
		}
		for i-b.settled >= window {
			if err := b.settle(ctx); err != nil {
				return b.fail(err)
			}
		}
		if b.bad >= 0 {
			break
		}
		key, p, err := publishing(m)
		if err != nil {
			return b.unsendable(ctx, i, err)
		}
		d, err := b.session.channel.PublishWithDeferredConfirm(b.exchange, key, b.mandatory, false, p)
		if err != nil {
			return b.fail(fmt.Errorf("send: %w", err))
		}
		b.confirms = append(b.confirms, d)
	}
	for b.settled < len(b.confirms) {
		if err := b.settle(ctx); err != nil {
			return b.fail(err)
		}
	}
	if b.bad >= 0 {
		return &PublishError{Err: b.cause, Count: b.bad, Of: len(b.messages), Single: true, MessageID: b.messages[b.bad].UUID}
	}
	return nil
}

// settle waits for the oldest outstanding confirm.
func (b *batch) settle(ctx context.Context) error {
	d := b.confirms[b.settled]
	select {
	case <-d.Done():
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnconfirmed, ctx.Err())
	}
	if !d.Acked() {
		if b.session.channel.IsClosed() {
			return fmt.Errorf("%w: the connection was lost", ErrUnconfirmed)
		}
		b.refuse(b.settled, ErrRefused)
	}
	b.session.proven = true
	b.settled++
	b.collectReturns()
	return nil
}

// collectReturns takes what has come back. A return precedes the confirm of its
// message, and one goroutine of the library hands over both: once a message is
// settled, its return, if any, is here.
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

// fail ends a batch whose connection is in doubt.
func (b *batch) fail(err error) *PublishError {
	b.collectReturns()
	safe := b.settled
	if b.bad >= 0 {
		safe = min(safe, b.bad)
	}
	return &PublishError{Err: err, Count: safe, Of: len(b.messages)}
}

// unsendable ends a batch at a message that is no AMQP message.
func (b *batch) unsendable(ctx context.Context, i int, cause error) *PublishError {
	for b.settled < len(b.confirms) {
		if err := b.settle(ctx); err != nil {
			return b.fail(err)
		}
	}
	if b.bad >= 0 {
		return &PublishError{Err: b.cause, Count: b.bad, Of: len(b.messages), Single: true, MessageID: b.messages[b.bad].UUID}
	}
	return &PublishError{Err: cause, Count: i, Of: len(b.messages), Single: true, MessageID: b.messages[i].UUID, poison: true}
}
