package postgres_test

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// wire stands between a log and its database and does what networks do.
type wire struct {
	t        testing.TB
	target   string
	listener net.Listener
	pumps    sync.WaitGroup

	mu     sync.Mutex // protects the rest
	links  []*link
	mute   bool // what the server says to a group does not arrive
	delay  bool // groups do not arrive at the server, until deliver
	refuse bool // nobody gets through
	closed bool
}

// link is one connection, in its two halves.
type link struct {
	client, server net.Conn
	grouped        bool   // a group was sent
	held           []byte // it is under way
	answered       bool   // the server said something, or ended, after deliver
	delivered      bool
}

// newWire returns it and the URL that goes through it.
func newWire(t testing.TB, database string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, target: u.Host, listener: listener}
	w.pumps.Go(w.accept)
	t.Cleanup(w.close)
	u.Host = listener.Addr().String()
	return w, u.String()
}

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.DialTimeout("tcp", w.target, 5*time.Second)
		w.mu.Lock()
		if err != nil || w.refuse || w.closed {
			w.mu.Unlock()
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		l := &link{client: client, server: server}
		w.links = append(w.links, l)
		w.mu.Unlock()
		w.pumps.Go(func() { w.toServer(l) })
		w.pumps.Go(func() { w.toClient(l) })
	}
}

func (w *wire) toServer(l *link) {
	buffer := make([]byte, 1<<20)
	for {
		n, err := l.client.Read(buffer)
		if err != nil {
			return // the server's half stays open: it does not know yet
		}
		w.mu.Lock()
		// A Bind names the statement, a Parse brings its text too.
		group := bytes.Contains(buffer[:n], []byte("strata_append_group")) && !bytes.Contains(buffer[:n], []byte("WITH asked"))
		l.grouped = l.grouped || group
		if w.delay && group {
			l.held = append(l.held, buffer[:n]...)
			w.mu.Unlock()
			continue
		}
		w.mu.Unlock()
		if _, err := l.server.Write(buffer[:n]); err != nil {
			_ = l.client.Close()
			return
		}
	}
}

func (w *wire) toClient(l *link) {
	buffer := make([]byte, 1<<20)
	for {
		n, err := l.server.Read(buffer)
		w.mu.Lock()
		mute := w.mute && l.grouped
		l.answered = l.answered || l.delivered || err != nil
		w.mu.Unlock()
		if err != nil {
			_ = l.client.Close()
			return
		}
		if !mute {
			if _, err := l.client.Write(buffer[:n]); err != nil {
				continue // the client has gone; keep listening to what the server does
			}
		}
	}
}

func (w *wire) set(change func(w *wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// cut loses the connection for the client; the server is none the wiser.
func (w *wire) cut() {
	w.set(func(w *wire) {
		for _, l := range w.links {
			_ = l.client.Close()
		}
	})
}

// held is the number of groups that have not arrived.
func (w *wire) held() (n int) {
	w.set(func(w *wire) {
		for _, l := range w.links {
			if len(l.held) > 0 {
				n++
			}
		}
	})
	return n
}

// deliver lets the held groups arrive, late.
func (w *wire) deliver() {
	w.set(func(w *wire) {
		w.delay = false
		for _, l := range w.links {
			if len(l.held) > 0 {
				l.delivered = true
				_, _ = l.server.Write(l.held) // the server may have gone: then they never arrive
			}
		}
	})
}

// settled says whether the server has reacted to all that was delivered late.
func (w *wire) settled() bool {
	settled := true
	w.set(func(w *wire) {
		for _, l := range w.links {
			settled = settled && (len(l.held) == 0 || l.answered)
		}
	})
	return settled
}

func (w *wire) close() {
	w.set(func(w *wire) {
		w.closed = true
		_ = w.listener.Close()
		for _, l := range w.links {
			_ = l.client.Close()
			_ = l.server.Close()
		}
	})
	w.pumps.Wait()
}
