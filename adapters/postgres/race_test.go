package postgres_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/eventlog/eventlogtest"
	"strata.dev/strata/tests/testenv"
)

// race is many writers on one log, and what each of them was told.
type race struct {
	urls      testenv.LogURLs
	logs      []*postgres.Log
	writers   int
	events    int64 // to be acknowledged before the writers stop
	kill      bool  // writers' connections are killed all the time
	impatient bool  // some callers go away in the middle

	done  atomic.Int64 // events acknowledged
	kills atomic.Int64

	mu       sync.Mutex // protects the rest
	accepted map[uuid.UUID]accepted
	refused  map[uuid.UUID]error // and why
	unknown  map[uuid.UUID]bool
}

type accepted struct {
	cmd     eventlog.Command
	receipt eventlog.Receipt
}

// stream is one that several writers write to.
type stream struct {
	id           string
	organization uuid.UUID
	version      atomic.Int64 // as last seen by anybody: a hint
}

// run lets everybody loose and gives what a reader saw that followed from the beginning.
func (r *race) run(t *testing.T) []eventlog.Event {
	t.Helper()
	r.accepted, r.refused, r.unknown = map[uuid.UUID]accepted{}, map[uuid.UUID]error{}, map[uuid.UUID]bool{}
	organizations := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	streams := make([]*stream, 3*r.writers)
	for i := range streams {
		streams[i] = &stream{id: fmt.Sprintf("strategy-%04d", i), organization: organizations[i%3]}
	}
	var writers sync.WaitGroup
	for i := range r.writers {
		writers.Go(func() { r.write(t, r.logs[i%len(r.logs)], streams, rand.New(rand.NewPCG(7, uint64(i)))) })
	}
	stopKilling := func() {}
	if r.kill {
		stopKilling = r.startKilling(t)
	}
	finished := make(chan struct{})
	go func() {
		writers.Wait()
		stopKilling()
		close(finished)
	}()
	return follow(t, r.logs[0], finished)
}

// startKilling makes connections die until the result is called.
func (r *race) startKilling(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var killer sync.WaitGroup
	admin := testenv.Pool(t, r.urls.Admin)
	killer.Go(func() { r.killConnections(ctx, t, admin) })
	return func() {
		cancel()
		killer.Wait()
	}
}

// write appends until the log has enough, as clients do: some commands rest on a
// version that is gone or never was, some come twice, some keys are used twice.
func (r *race) write(t *testing.T, log *postgres.Log, streams []*stream, rnd *rand.Rand) {
	var last accepted
	for r.done.Load() < r.events && !t.Failed() {
		s := streams[rnd.IntN(len(streams))]
		expected := s.version.Load()
		switch rnd.IntN(10) {
		case 0:
			expected += 1 + rnd.Int64N(5) // nobody can have seen this
		case 1:
			expected = max(0, expected-1-rnd.Int64N(5))
		case 2:
			if last.cmd.ID != uuid.Nil {
				r.repeat(t, log, last, rnd)
				continue
			}
		}
		cmd := eventlogtest.Command(s.organization, s.id, expected, 1+rnd.IntN(12))
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if r.impatient && rnd.IntN(50) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(3000))*time.Microsecond)
		}
		receipt, err := log.Append(ctx, cmd)
		cancel()
		if err == nil {
			last = accepted{cmd, receipt}
			r.done.Add(int64(len(cmd.Events)))
			s.version.Store(receipt.Version)
		}
		r.note(t, cmd, receipt, err)
		var wrong *eventlog.VersionError
		if errors.As(err, &wrong) {
			s.version.Store(wrong.Actual)
		}
		dawdle(rnd)
	}
}

// dawdle is part of the scenario: writers are not in step.
func dawdle(rnd *rand.Rand) {
	switch rnd.IntN(8) {
	case 0:
		time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
	case 1, 2:
		runtime.Gosched()
	}
}

// repeat sends an acknowledged command again, as it was or with another body.
func (r *race) repeat(t *testing.T, log *postgres.Log, first accepted, rnd *rand.Rand) {
	cmd := eventlogtest.Command(first.cmd.OrganizationID, first.cmd.StreamID, rnd.Int64N(100), 2)
	cmd.ID, cmd.Hash = first.cmd.ID, first.cmd.Hash
	other := rnd.IntN(2) == 0
	if other {
		sum := sha256.Sum256([]byte("another body"))
		cmd.Hash = sum[:]
	}
	got, err := log.Append(t.Context(), cmd)
	switch {
	case errors.Is(err, eventlog.ErrUnavailable), errors.Is(err, eventlog.ErrOutcomeUnknown): // a killed connection
	case other && !errors.Is(err, eventlog.ErrCommandReused):
		t.Errorf("another body under a used key: %+v, %v", got, err)
	case !other && (err != nil || !got.Replayed || got.Position != first.receipt.Position || got.EventIDs[0] != first.cmd.Events[0].ID):
		t.Errorf("a repeated command got %+v, %v; first %+v", got, err, first.receipt)
	}
}

func (r *race) note(t *testing.T, cmd eventlog.Command, receipt eventlog.Receipt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.accepted[cmd.ID] = accepted{cmd, receipt}
	case errors.Is(err, eventlog.ErrWrongVersion), errors.Is(err, eventlog.ErrUnavailable):
		r.refused[cmd.ID] = err
	case errors.Is(err, eventlog.ErrOutcomeUnknown):
		r.unknown[cmd.ID] = true
	default:
		t.Errorf("a writer got %v", err)
	}
}

// killConnections ends server processes of writers in the middle of their work.
func (r *race) killConnections(ctx context.Context, t *testing.T, admin *pgxpool.Pool) {
	for ctx.Err() == nil {
		var n int64
		err := admin.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM (
			SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
			AND application_name LIKE 'strata append%' ORDER BY random() LIMIT 1) victim`).Scan(&n)
		if err != nil && ctx.Err() == nil {
			t.Errorf("kill: %v", err)
			return
		}
		r.kills.Add(n)
		time.Sleep(time.Duration(5+rand.IntN(50)) * time.Millisecond) // connections live for a random time
	}
}

// follow reads the log as it grows, until finished is closed and the end is reached.
func follow(t *testing.T, log *postgres.Log, finished <-chan struct{}) []eventlog.Event {
	var seen []eventlog.Event
	for done := false; ; {
		select {
		case <-finished:
			done = true
		default:
		}
		page, err := log.Read(t.Context(), int64(len(seen)), 1000)
		if err != nil {
			t.Errorf("tail: %v", err)
			<-finished
			return seen
		}
		for i, e := range page {
			if want := int64(len(seen) + i + 1); e.Position != want {
				t.Errorf("tail: position %d came where %d was due", e.Position, want)
				<-finished
				return seen
			}
		}
		seen = append(seen, page...)
		if done && len(page) == 0 {
			return seen
		}
		if len(page) == 0 {
			runtime.Gosched()
		}
	}
}
