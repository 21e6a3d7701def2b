package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// lanes is how many channels a session has. To the broker a channel is one
// process, which routes one message after the other: with two of them a second
// processor has something to do.
const lanes = 2

// session is one connection with channels in confirm mode.
type session struct {
	link   *link
	lanes  [lanes]lane
	proven bool // a message was confirmed; used by the Publish at work only

	blocks  chan amqp.Blocking
	dropped chan struct{}
	drop    sync.Once

	mu      sync.Mutex
	blocked string // the broker's reason; "" = it takes messages
	doubted bool   // not all that was sent is accounted for
}

// lane is one channel.
type lane struct {
	channel *amqp.Channel
	window  int
	returns chan amqp.Return
	closes  chan *amqp.Error // of connection or channel
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

func (s *session) open(o Options) error {
	// The library hands notices over from its reading goroutine and waits for
	// them to be taken, so each has room for all that can come at once.
	s.blocks = s.link.NotifyBlocked(make(chan amqp.Blocking, 8))
	for i := range s.lanes {
		if err := s.lanes[i].open(s.link, max(1, o.Window/lanes)); err != nil {
			return err
		}
	}
	return declare(s.lanes[0].channel, o)
}

// open makes room for a return per message of two windows (one confirmed and not
// yet looked at, one under way), and for the close of connection and channel.
func (l *lane) open(link *link, window int) (err error) {
	if l.channel, err = link.Channel(); err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	if err := l.channel.Confirm(false); err != nil {
		return fmt.Errorf("confirm mode: %w", err)
	}
	l.window = window
	l.returns = l.channel.NotifyReturn(make(chan amqp.Return, 2*window+2))
	l.closes = l.channel.NotifyClose(make(chan *amqp.Error, 1))
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
		case err := <-s.lanes[0].closes:
			return closed(err)
		case err := <-s.lanes[1].closes:
			return closed(err)
		case <-s.dropped:
			return ErrUnconfirmed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func closed(err *amqp.Error) error {
	if err == nil {
		return errors.New("the connection was closed")
	}
	return err
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
	open := true
	for i := range s.lanes {
		open = open && !s.lanes[i].channel.IsClosed()
	}
	return s.blocked == "" && !s.doubted && open
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
