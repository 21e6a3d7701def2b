package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// How long somebody waits for the log before the server is asked whether it is
// there at all, and how long it has to say so: together, how long a caller waits
// to hear that nothing answers. Answered, the wait goes on: slow is not silent.
const (
	pulseAfter    = 500 * time.Millisecond
	pulsePatience = 1500 * time.Millisecond
	pulseAgain    = 200 * time.Millisecond // between attempts while it is silent
)

var errSilent = errors.New("the database does not answer")

// pulse tells a silent server from a slow one. A connection to a server that
// froze, or behind a network that swallows everything, looks like one whose
// statement takes its time. So a new connection is tried, by one of all who wait,
// and whatever the server says to it is a sign of life. Once it is found silent,
// nobody waits any more until it has given one. Safe for concurrent use.
type pulse struct {
	cfg  *pgx.ConnConfig
	log  *slog.Logger
	life context.Context // ends with close
	end  context.CancelFunc
	over sync.WaitGroup

	mu     sync.Mutex
	asking bool
	silent error               // nil unless the last attempt heard nothing
	waits  map[*watch]struct{} // who is to be told of silence
}

// watch is one who waits; over means that the wait has ended.
type watch struct {
	cancel context.CancelCauseFunc
	over   bool
}

func newPulse(base *pgx.ConnConfig, log *slog.Logger) *pulse {
	cfg := base.Copy()
	cfg.ConnectTimeout = pulsePatience
	cfg.RuntimeParams["application_name"] = "strata pulse"
	life, end := context.WithCancel(context.Background())
	return &pulse{cfg: cfg, log: log, life: life, end: end, waits: map[*watch]struct{}{}}
}

// close ends an attempt under way.
func (p *pulse) close() {
	p.end()
	p.over.Wait()
}

// watch gives a context that ends with errSilent as its cause when the server is
// silent. release ends the watch.
func (p *pulse) watch(ctx context.Context) (watched context.Context, release func()) {
	watched, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel}
	t := time.AfterFunc(pulseAfter, func() { p.wonder(w) })
	p.mu.Lock()
	if p.silent != nil {
		cancel(p.silent)
	}
	p.mu.Unlock()
	return watched, func() {
		t.Stop()
		cancel(nil)
		p.mu.Lock()
		defer p.mu.Unlock()
		w.over = true
		delete(p.waits, w)
	}
}

// wonder has the server asked, unless it is being asked.
func (p *pulse) wonder(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.over {
		return
	}
	if p.silent != nil {
		w.cancel(p.silent)
		return
	}
	p.waits[w] = struct{}{}
	if !p.asking && p.life.Err() == nil {
		p.asking = true
		p.over.Go(p.ask)
	}
}

// ask goes on for as long as somebody waits or the server is silent.
func (p *pulse) ask() {
	for {
		err := p.attempt()
		p.mu.Lock()
		switch {
		case err == nil && p.silent != nil:
			p.log.Info("the event log's database answers again")
		case err != nil && p.silent == nil:
			p.log.Warn("the event log's database is silent; nobody waits for it until it answers", "err", err)
		}
		if p.silent = err; err != nil {
			for w := range p.waits {
				w.cancel(err)
			}
		}
		if p.life.Err() != nil || err == nil && len(p.waits) == 0 {
			p.asking = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		pause := pulseAgain
		if err == nil {
			pause = pulseAfter
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-p.life.Done():
		}
		t.Stop()
	}
}

// attempt returns errSilent if the server says nothing. A busy one may not be
// done with a connection in time, but the first byte of it says that it lives.
func (p *pulse) attempt() error {
	ctx, cancel := context.WithTimeout(p.life, pulsePatience)
	defer cancel()
	var said atomic.Bool
	cfg := p.cfg.Copy()
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &hearing{Conn: conn, said: &said}, nil
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err == nil {
		closeQuietly(conn)
		return nil
	}
	if said.Load() || p.life.Err() != nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errSilent, err)
}

// hearing notes that the server said something.
type hearing struct {
	net.Conn
	said *atomic.Bool
}

func (h *hearing) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		h.said.Store(true)
	}
	return n, err
}
