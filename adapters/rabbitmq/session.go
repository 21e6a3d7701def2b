package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// session is one connection with a channel in confirm mode.
type session struct {
	link    *link
	channel *amqp.Channel
	window  int
	proven  bool // a message was confirmed; used by the Publish at work only

	returns chan amqp.Return
	closes  chan *amqp.Error // of connection or channel
	blocks  chan amqp.Blocking
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
	s := &session{link: l, dropped: make(chan struct{})}
	stop := context.AfterFunc(p.life, l.cut)
	defer stop()
	if err := s.open(p.opts); err != nil {
		l.close()
		return nil, err
	}
	return s, nil
}

// open makes room for a return per message of two windows (one confirmed and not
// yet looked at, one under way), and for the close of connection and channel.
func (s *session) open(o Options) (err error) {
	// The library hands notices over from its reading goroutine and waits for
	// them to be taken, so each has room for all that can come at once.
	s.blocks = s.link.NotifyBlocked(make(chan amqp.Blocking, 8))
	if s.channel, err = s.link.Channel(); err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	if err := s.channel.Confirm(false); err != nil {
		return fmt.Errorf("confirm mode: %w", err)
	}
	s.window = max(1, o.Window)
	s.returns = s.channel.NotifyReturn(make(chan amqp.Return, 2*s.window+2))
	s.closes = s.channel.NotifyClose(make(chan *amqp.Error, 1))
	return declare(s.channel, o)
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
