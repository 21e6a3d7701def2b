package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	connectTimeout = 3 * time.Second
	firstBackoff   = 20 * time.Millisecond
	lastBackoff    = 500 * time.Millisecond
	idleUnchecked  = time.Second // a ping costs a round trip: not for busy connections
)

// session is a lane's connection. Only its lane uses it.
type session struct {
	cfg    *pgx.ConnConfig
	logger *slog.Logger

	conn      *pgx.Conn
	name      string // application_name of conn: unique, so that its server process can be found
	used      time.Time
	backoff   time.Duration
	notBefore time.Time
}

func newSession(base *pgx.ConnConfig, o Options) *session {
	cfg := base.Copy()
	for name, value := range map[string]string{
		// The statements' plans depend on no argument; planning them each time costs a third of a lone client's speed.
		"plan_cache_mode": "force_generic_plan",
		// A plan made while the table was empty must not scan it when it is full.
		"enable_seqscan":    "off",
		"enable_bitmapscan": "off",

		"lock_timeout":                        milliseconds(o.LockTimeout),
		"statement_timeout":                   milliseconds(o.StatementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(o.StatementTimeout),
		"timezone":                            "UTC",
		// A peer that vanished without a word must not keep the append lock.
		"tcp_keepalives_idle":     "10",
		"tcp_keepalives_interval": "5",
		"tcp_keepalives_count":    "3",
	} {
		cfg.RuntimeParams[name] = value
	}
	return &session{cfg: cfg, logger: o.Logger}
}

// open connects and prepares what the lane sends, so that sending is one round trip.
func (s *session) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	cfg := s.cfg.Copy()
	name := "strata append " + uuid.NewString()[:18]
	cfg.RuntimeParams["application_name"] = name
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	for statement, sql := range map[string]string{lockStatement: lockSQL, groupStatement: groupSQL} {
		if _, err := conn.Prepare(ctx, statement, sql); err != nil {
			closeQuietly(conn)
			return fmt.Errorf("prepare %s: %w", statement, err)
		}
	}
	s.conn, s.name, s.used = conn, name, time.Now()
	return nil
}

// alive asks the server whether it is still there, if there was time for it to
// go: what is found out before sending leaves no doubt about what was sent.
func (s *session) alive() bool {
	if s.conn == nil || s.conn.IsClosed() {
		return false
	}
	if time.Since(s.used) < idleUnchecked {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	return s.conn.Ping(ctx) == nil
}

// ensure reconnects if need be: one attempt, not before the backoff has passed.
func (s *session) ensure() error {
	if s.alive() {
		s.used = time.Now()
		return nil
	}
	s.drop()
	time.Sleep(time.Until(s.notBefore))
	err := s.open(context.Background())
	if err != nil {
		if s.backoff == 0 {
			s.logger.Warn("the event log's database cannot be reached", "err", err)
		}
		s.failed()
		return err
	}
	if s.backoff != 0 {
		s.logger.Info("the event log's database can be reached again")
	}
	s.backoff, s.notBefore = 0, time.Time{}
	return nil
}

// failed makes the next attempt wait, longer each time, and not all processes at the same moment.
func (s *session) failed() {
	s.drop()
	s.backoff = min(max(2*s.backoff, firstBackoff), lastBackoff)
	s.notBefore = time.Now().Add(s.backoff/2 + rand.N(s.backoff))
}

// drop gives the connection up. The server ends its transaction, sooner or later.
func (s *session) drop() {
	if s.conn != nil {
		closeQuietly(s.conn)
		s.conn = nil
	}
}

// closeQuietly closes a connection of which nothing more is expected, its error included.
func closeQuietly(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
