package rabbitmq

import (
	"context"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	dialTimeout = 3 * time.Second // TCP and, again, the AMQP handshake
	heartbeat   = 5 * time.Second
	goodbye     = time.Second // for an orderly close
)

// link is a connection with a handle on its socket.
type link struct {
	*amqp.Connection
	socket *corkedConn
}

// dial connects. When ctx ends, a handshake under way ends too.
func dial(ctx context.Context, url, name string, writeTimeout time.Duration) (*link, error) {
	l := &link{}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	var release func() bool
	conn, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat:  heartbeat,
		Properties: properties,
		Dial: func(network, addr string) (net.Conn, error) {
			d := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{
				Enable: true, Idle: heartbeat, Interval: heartbeat, Count: 3,
			}}
			c, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			if err := c.SetDeadline(time.Now().Add(dialTimeout)); err != nil { // the library clears it after the handshake
				_ = c.Close() // the first error counts
				return nil, err
			}
			l.socket = &corkedConn{Conn: c, patience: writeTimeout}
			release = context.AfterFunc(ctx, func() { _ = c.Close() })
			return l.socket, nil
		},
	})
	if release != nil {
		release()
	}
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	l.Connection = conn
	return l, nil
}

// cut ends the connection without asking the peer, who may not be there.
func (l *link) cut() {
	_ = l.socket.Close() // the library's reader notices and cleans up
}

// close says goodbye and cuts if nobody answers.
func (l *link) close() {
	_ = l.CloseDeadline(time.Now().Add(goodbye)) // closed or cut, it is over
	l.cut()
}
