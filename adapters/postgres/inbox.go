package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ingest"
)

const (
	// inboxConnections is how many sources are served at the same moment; a
	// message holds one while it is decided.
	inboxConnections = 8
	// inboxSpace tells the inbox's advisory locks from others of this database.
	inboxSpace = 0x494e4258
	// inboxPatience bounds the wait for another message of the same source, and
	// how long a connection may stand open between statements meanwhile.
	inboxPatience = 60 * time.Second
)

// Inbox remembers the settled messages of sources, beside the log in its
// database. It is safe for concurrent use.
type Inbox struct {
	pool *pgxpool.Pool

	mu    sync.Mutex
	turns map[uuid.UUID]*turn // of sources with messages here
}

// turn lets the messages of one source in this process wait without a connection.
type turn struct {
	token chan struct{} // holds one
	users int           // waiting or at work; the last one removes the turn
}

var _ ingest.Inbox = (*Inbox)(nil)

// OpenInbox connects to the log database that url names, as the role that writes
// the log. It fails if the database cannot be reached now. Close ends it.
func OpenInbox(ctx context.Context, url string) (*Inbox, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	cfg.MaxConns = inboxConnections
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	patience := fmt.Sprint(inboxPatience.Milliseconds())
	for setting, value := range map[string]string{
		"application_name": "strata inbox", "timezone": "UTC", "statement_timeout": patience, "idle_in_transaction_session_timeout": patience,
	} {
		cfg.ConnConfig.RuntimeParams[setting] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("inbox: %w", err)
	}
	return &Inbox{pool: pool, turns: map[uuid.UUID]*turn{}}, nil
}

// Close waits for what is under way and closes the connections.
func (i *Inbox) Close() { i.pool.Close() }

// Serially implements ingest.Inbox. The lock is the transaction's: it ends with
// the connection, whatever becomes of this process. The transaction holds no
// snapshot and writes nothing before do has returned.
func (i *Inbox) Serially(ctx context.Context, m ingest.MessageKey, do func(context.Context, ingest.Known) (*ingest.Entry, error)) error {
	leave, err := i.enter(ctx, m.SourceID)
	if err != nil {
		return inboxFailed(m, err)
	}
	defer leave()
	tx, err := i.pool.Begin(ctx)
	if err != nil {
		return inboxFailed(m, err)
	}
	// After a commit it does nothing; its own error says nothing that counts.
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, int32(inboxSpace), lockOf(m)); err != nil {
		return inboxFailed(m, err)
	}
	known, err := i.known(ctx, tx, m)
	if err != nil {
		return inboxFailed(m, err)
	}
	entry, err := do(ctx, known)
	if err != nil || entry == nil {
		return err
	}
	var sequence *int64
	if entry.Sequence > 0 {
		sequence = &entry.Sequence
	}
	if _, err := tx.Exec(ctx, `INSERT INTO public.inbox (source_id, message_id, organization_id, sha256, sequence, refused, answer)
VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		[16]byte(m.SourceID), m.MessageID, [16]byte(m.OrganizationID), entry.SHA256, sequence, entry.Refused, entry.Answer); err != nil {
		return inboxFailed(m, err)
	}
	return inboxFailed(m, tx.Commit(ctx))
}

// enter waits for the source's turn and gives the way out, which must be called once.
func (i *Inbox) enter(ctx context.Context, source uuid.UUID) (leave func(), err error) {
	i.mu.Lock()
	t := i.turns[source]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		t.token <- struct{}{}
		i.turns[source] = t
	}
	t.users++
	i.mu.Unlock()
	out := func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(i.turns, source)
		}
	}
	select {
	case <-t.token:
		return func() { t.token <- struct{}{}; out() }, nil
	case <-ctx.Done():
		out()
		return nil, ctx.Err()
	}
}

func (i *Inbox) known(ctx context.Context, tx pgx.Tx, m ingest.MessageKey) (k ingest.Known, err error) {
	// A statement after the one that locked: it sees what the former holder wrote.
	err = tx.QueryRow(ctx, `SELECT coalesce(max(sequence), 0) FROM public.inbox WHERE source_id = $1`, [16]byte(m.SourceID)).Scan(&k.Sequence)
	if err != nil {
		return ingest.Known{}, err
	}
	var e ingest.Entry
	err = tx.QueryRow(ctx, `SELECT sha256, coalesce(sequence, 0), refused, answer FROM public.inbox WHERE source_id = $1 AND message_id = $2`,
		[16]byte(m.SourceID), m.MessageID).Scan(&e.SHA256, &e.Sequence, &e.Refused, &e.Answer)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return k, nil
	case err != nil:
		return ingest.Known{}, err
	}
	k.Entry = &e
	return k, nil
}

// lockOf spreads sources over locks; two that share one only wait for each other.
func lockOf(m ingest.MessageKey) int32 {
	h := fnv.New32a()
	_, _ = h.Write(m.SourceID[:]) // never fails
	return int32(h.Sum32())
}

// inboxFailed makes every failure of the database one of the log: the message is
// not settled, and may come again.
func inboxFailed(m ingest.MessageKey, err error) error {
	if err == nil {
		return nil
	}
	return eventlog.ErrUnavailable.Because(fmt.Errorf("inbox: message %s of source %s: %w", m.MessageID, m.SourceID, err))
}
