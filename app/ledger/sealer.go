package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"strata.dev/strata/app/eventlog"
)

// What a sealer does where its options are zero.
const (
	DefaultInterval = 500 * time.Millisecond // between signatures while events arrive
	DefaultRetry    = 2 * time.Second        // after a refusal
	defaultRecheck  = 30 * time.Second       // of an idle ledger, in case somebody restored its database

	maxSeal   = 100_000 // events one signature adds: sealing an old log from the start makes progress
	sealChunk = 8_192   // leaf hashes the database gives at once

	witnessTime = time.Second     // how long a signature waits for the witness,
	witnessRest = 5 * time.Second // and how long a witness that failed is left alone
)

// Options of a Sealer. Store, Epoch, Instance and Signers are required.
type Options struct {
	Store    Store
	Epoch    int // the history that is written now
	Instance string
	Signers  []note.Signer // all sign
	VKeys    []string      // their verifier keys
	Archived Archived      // nil = there is no archive
	Witness  Witness       // nil = there is none
	Logger   *slog.Logger  // nil = slog.Default()

	Interval time.Duration // 0 = DefaultInterval
	Retry    time.Duration // 0 = DefaultRetry
	Now      func() time.Time
}

// Sealer makes the tree and signs it; see the package comment. Grow is called by
// one goroutine at a time, the rest is safe for concurrent use.
type Sealer struct {
	o       Options
	origin  string
	known   note.Verifiers
	grown   chan struct{} // holds at most one wake-up
	sealing sync.Mutex    // one at a time

	growing *edge // Grow's; nil = to be read from the store

	// Of seal, under sealing.
	verified    *Frontier  // of the tree that was signed last
	signed      Checkpoint // the last one; zero before it is known
	archiveSeen bool       // the archive has answered once,
	archiveSaid []byte     // what it said then; nil = it holds nothing
	archived    []byte     // its checkpoint that was found to be of the tree that was signed last
	witnessRest time.Time  // until then the witness is left alone

	mu     sync.Mutex
	status Status
}

// Status says how sealing goes, as this process knows it.
type Status struct {
	Size     int64     // leaves in the tiles
	Signed   int64     // of them, under the newest checkpoint known here
	SignedAt time.Time // when that was; zero if none is known

	Refused string    // why nothing is signed; "" = all is well
	Since   time.Time // of the refusal

	WitnessFailed string    // why checkpoints go out without the witness; "" = they do not
	WitnessSince  time.Time // of that
	Cosigned      int64     // the largest size that the witness has cosigned, as known here
}

// New makes a sealer. It asks nobody yet.
func New(o Options) (*Sealer, error) {
	if o.Store == nil || o.Epoch < 1 || o.Instance == "" || len(o.Signers) == 0 || len(o.VKeys) != len(o.Signers) {
		return nil, errors.New("ledger: Store, Epoch, Instance and a key are required")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.Retry <= 0 {
		o.Retry = DefaultRetry
	}
	var own []note.Verifier
	for _, key := range o.VKeys {
		v, err := note.NewVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("ledger: verifier key %q: %w", key, err)
		}
		own = append(own, v)
	}
	return &Sealer{o: o, origin: Origin(o.Instance, o.Epoch), known: note.VerifierList(own...), grown: make(chan struct{}, 1)}, nil
}

// Checkpoint is how far the tiles have taken the log: for consumer.Group.
func (s *Sealer) Checkpoint(ctx context.Context) (int64, error) { return s.o.Store.Size(ctx) }

// Grow takes the log from the position behind after, which the tiles hold, up to
// upTo: for consumer.Group. An error means that nothing was stored.
func (s *Sealer) Grow(ctx context.Context, after, upTo int64) error {
	e, err := s.edgeAt(ctx, after)
	if err != nil {
		return err
	}
	s.growing = nil // until it is known what the store has
	scratch := make([]byte, 0, 4<<10)
	err = s.o.Store.Events(ctx, after+1, upTo, func(event *eventlog.Event) error {
		if event.Position != e.size+1 {
			return fmt.Errorf("position %d came where %d should", event.Position, e.size+1)
		}
		e.append(eventlog.LeafHashIn(&scratch, event))
		return nil
	})
	if err == nil && e.size != upTo {
		err = fmt.Errorf("position %d is not there", e.size+1)
	}
	if err != nil {
		return fmt.Errorf("ledger: read from %d to %d: %w", after+1, upTo, err)
	}
	if err := s.o.Store.Grow(ctx, after, upTo, e.take()); err != nil {
		return fmt.Errorf("ledger: grow from %d to %d: %w", after, upTo, err)
	}
	s.growing = e
	s.note(func(st *Status) { st.Size = max(st.Size, e.size) })
	s.wake()
	return nil
}

// edgeAt is the right edge of the tiles at a size, which must be theirs.
func (s *Sealer) edgeAt(ctx context.Context, size int64) (*edge, error) {
	if s.growing != nil && s.growing.size == size {
		return s.growing, nil
	}
	at, err := s.o.Store.Size(ctx)
	if err != nil {
		return nil, fmt.Errorf("ledger: size of the tiles: %w", err)
	}
	if at != size {
		return nil, fmt.Errorf("ledger: tiles hold %d events, the next batch begins behind %d: %w", at, size, ErrMoved)
	}
	tiles := edgeTiles(size)
	data, err := s.o.Store.Tiles(ctx, tiles)
	if err != nil {
		return nil, fmt.Errorf("ledger: right edge at %d: %w", size, err)
	}
	return newEdge(size, tiles, data), nil
}

// Status says how it goes. It asks nobody.
func (s *Sealer) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

func (s *Sealer) note(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

func (s *Sealer) wake() {
	select {
	case s.grown <- struct{}{}:
	default: // one waits already
	}
}

// Run signs what is durable, while leads says so, until ctx ends. It signs at once
// after a pause and at most once an interval while events arrive; what was grown
// by a process that died is signed when leadership begins.
func (s *Sealer) Run(ctx context.Context, leads func() bool) {
	led := false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.grown:
		}
		next := s.o.Interval
		if now := leads(); now {
			if !led {
				s.forget()
			}
			led = now
			next = s.attempt(ctx)
		} else {
			led = false
			s.note(func(st *Status) { st.Refused, st.Since = "", time.Time{} }) // the leader's to say
		}
		// Not sooner than next, whatever grows meanwhile.
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(s.idle(led))
		}
	}
}

// idle is how long to wait for growth before looking anyway.
func (s *Sealer) idle(led bool) time.Duration {
	st := s.Status()
	switch {
	case !led:
		return time.Second // to notice when leadership comes
	case st.Refused != "" || st.Signed < st.Size:
		return 0
	}
	return defaultRecheck
}

// attempt seals once and says how long to rest.
func (s *Sealer) attempt(ctx context.Context) time.Duration {
	if _, err := s.Seal(ctx); err != nil {
		return s.o.Retry
	}
	return s.o.Interval
}

// forget drops what another leader may have moved on from.
func (s *Sealer) forget() {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	s.signed, s.verified, s.archived = Checkpoint{}, nil, nil
}
