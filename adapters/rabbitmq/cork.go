package rabbitmq

import (
	"net"
	"sync"
	"time"
)

// corkBytes is how much a corked connection keeps back: some dozens of messages,
// and little enough for the broker to begin with the first of a batch early.
const corkBytes = 32 << 10

// corkedConn is the connection under the library. The library writes each message
// by itself; between cork and uncork the writes are gathered instead, and leave
// when there are corkBytes of them or at flush, in their order. What else is
// written meanwhile, such as a heartbeat, leaves with them. Otherwise every write
// leaves at once.
//
// Every write is bounded by patience: the library's own wait for ever when the
// broker stops reading, and hold a lock that its Close needs.
type corkedConn struct {
	net.Conn
	patience time.Duration

	mu     sync.Mutex // protects the rest, and keeps writes whole
	corked bool
	kept   []byte
}

// Write may keep b back: its error is then the next one's, or flush's.
func (c *corkedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.corked && len(c.kept)+len(b) <= corkBytes {
		c.kept = append(c.kept, b...)
		return len(b), nil
	}
	if err := c.send(); err != nil {
		return 0, err
	}
	if c.corked && len(b) <= corkBytes {
		c.kept = append(c.kept, b...)
		return len(b), nil
	}
	if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// cork begins to keep writes back.
func (c *corkedConn) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = true
}

// flush sends what was kept back.
func (c *corkedConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.send()
}

// uncork sends what was kept back, and keeps nothing more.
func (c *corkedConn) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	return c.send()
}

// send empties the cork; mu is held. A frame that left in part makes the rest of
// the connection senseless, and the library, which was told that all was well,
// does not know: so it ends here.
func (c *corkedConn) send() error {
	if len(c.kept) == 0 {
		return nil
	}
	err := c.SetWriteDeadline(time.Now().Add(c.patience))
	if err == nil {
		_, err = c.Conn.Write(c.kept)
	}
	c.kept = c.kept[:0]
	if err != nil {
		_ = c.Close() // the error that counts is the write's
	}
	return err
}
