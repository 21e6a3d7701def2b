package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/journal"
)

const (
	maxBatch = 500 // events of one append
	// maxLostRaces is how often an append may lose against other instances before
	// it waits like one that the log did not take.
	maxLostRaces = 100
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// entry is an event that is to be written.
type entry struct {
	event         journal.Event
	at            time.Time
	requestID     string
	trace         string
	causation     string
	correlationID string
	tried         chan struct{} // closed when it was written, or could not be for now; nil = nobody waits
}

// count is how many occurrences an entry stands for.
func (e entry) count() int64 {
	switch v := e.event.(type) {
	case journal.CommandDenied:
		return int64(v.Count)
	case journal.SignInFailed:
		return int64(v.Count)
	case journal.AuditRead:
		return int64(v.Count)
	}
	return 1
}

// shelf is what waits to be written for one organization.
type shelf struct {
	waiting []entry
	// sent was given to the log, which has not said what became of it: it is sent
	// again, as it was.
	sent    []entry
	command eventlog.Command
}

// shelve puts an event down to be written. The caller holds mu.
func (r *Recorder) shelve(organization uuid.UUID, e entry) {
	s := r.shelves[organization]
	if s == nil {
		s = &shelf{}
		r.shelves[organization] = s
		r.order = append(r.order, organization)
	}
	s.waiting = append(s.waiting, e)
	r.waiting++
}

// run writes until the recorder is closed, and then what is left.
func (r *Recorder) run() {
	defer close(r.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var pause time.Duration
	var failing bool
	for {
		r.mu.Lock()
		now := r.options.Clock()
		r.expire(now, false)
		next := r.next()
		r.mu.Unlock()
		left := longestPause
		if !next.IsZero() {
			left = min(left, max(0, next.Sub(now)))
		}
		wake := r.wake
		if err := r.writeAll(context.Background()); err != nil {
			if !failing {
				r.options.Logger.Warn("the journal cannot be written now; it is kept", "err", err)
			}
			failing, pause = true, min(max(firstPause, 2*pause), longestPause)
			left, wake = pause, nil // what comes meanwhile does not hurry a log that is away
		} else if failing {
			failing, pause = false, 0
			r.options.Logger.Info("the journal is written again")
		}
		timer.Reset(left)
		select {
		case <-timer.C:
		case <-wake:
		case <-r.closing:
			r.finish()
			return
		}
	}
}

// finish writes everything, as long as Close is willing to wait.
func (r *Recorder) finish() {
	r.mu.Lock()
	ctx := r.closed
	r.expire(r.options.Clock(), true)
	r.mu.Unlock()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, firstPause) {
		err := r.writeAll(ctx)
		if err == nil {
			break
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
			timer.Stop()
		}
		r.options.Logger.ErrorContext(ctx, "the journal could not be written before the end", "err", err)
		break
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.shelves {
		r.lose(append(s.sent, s.waiting...))
	}
	r.shelves, r.order, r.waiting = map[uuid.UUID]*shelf{}, nil, 0
}

// lose counts what will not be written. The caller holds mu.
func (r *Recorder) lose(entries []entry) {
	for _, e := range entries {
		r.lost += e.count()
		if e.tried != nil {
			close(e.tried)
		}
	}
}

// writeAll writes what is on the shelves, in turn, until they are empty or the
// log does not take it.
func (r *Recorder) writeAll(ctx context.Context) error {
	for {
		r.mu.Lock()
		if len(r.order) == 0 {
			r.away = false
			r.mu.Unlock()
			return nil
		}
		organization := r.order[0]
		s := r.shelves[organization]
		r.mu.Unlock()
		if err := r.writeShelf(ctx, organization, s); err != nil {
			return err
		}
	}
}

// writeShelf makes one append for one organization. Only the goroutine that
// writes touches what was sent; mu guards what waits.
func (r *Recorder) writeShelf(ctx context.Context, organization uuid.UUID, s *shelf) error {
	if s.sent == nil {
		r.mu.Lock()
		n := min(len(s.waiting), maxBatch)
		batch := s.waiting[:n:n]
		r.mu.Unlock()
		cmd, err := r.commandOf(organization, uuid.Nil, batch)
		r.mu.Lock()
		s.waiting = s.waiting[n:]
		if err != nil {
			r.waiting -= n
			r.lose(batch)
			r.turn(organization, s)
			r.mu.Unlock()
			r.options.Logger.ErrorContext(ctx, "the journal cannot hold this", "organization", organization.String(), "events", n, "err", err)
			return nil
		}
		s.sent, s.command = batch, cmd
		r.mu.Unlock()
	}
	limited, cancel := context.WithTimeout(ctx, r.options.Timeout)
	_, err := r.append(limited, s.command)
	cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && passes(err) {
		r.away = true
		release(s.sent)
		release(s.waiting)
		return err
	}
	sent := s.sent
	s.sent, s.command = nil, eventlog.Command{}
	r.waiting -= len(sent)
	r.turn(organization, s)
	if err != nil {
		r.lose(sent)
		r.options.Logger.ErrorContext(ctx, "the log refuses a journal", "organization", organization.String(), "events", len(sent), "err", err)
		return nil
	}
	release(sent)
	return nil
}

// turn lets the next organization come first. The caller holds mu.
func (r *Recorder) turn(organization uuid.UUID, s *shelf) {
	r.order = r.order[1:]
	if len(s.waiting) == 0 {
		delete(r.shelves, organization)
		return
	}
	r.order = append(r.order, organization)
}

// release lets those go on who wait for entries.
func release(entries []entry) {
	for i := range entries {
		if entries[i].tried != nil {
			close(entries[i].tried)
			entries[i].tried = nil
		}
	}
}

// passes says whether the same append may be taken later.
func passes(err error) bool {
	if errors.Is(err, errShelved) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return false
	}
	switch f.Kind {
	case fault.Unavailable, fault.Unknown, fault.RateLimited, fault.Stale:
		return true
	}
	return false
}

// append gives a command to the log behind the last version that is known here,
// and behind the one that it is told of if that is not the last.
func (r *Recorder) append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	for range maxLostRaces {
		r.mu.Lock()
		cmd.ExpectedVersion = r.versions[cmd.OrganizationID]
		r.mu.Unlock()
		receipt, err := r.options.Log.Append(ctx, cmd)
		behind, lost := errors.AsType[*eventlog.VersionError](err)
		r.mu.Lock()
		switch {
		case lost:
			r.versions[cmd.OrganizationID] = behind.Actual
		case err == nil:
			r.versions[cmd.OrganizationID] = max(receipt.Version, r.versions[cmd.OrganizationID])
		}
		r.mu.Unlock()
		if !lost {
			return receipt, err
		}
	}
	return eventlog.Receipt{}, fmt.Errorf("%w: others write the same journal all the time", errShelved)
}

// commandOf encodes events as one command; a nil id is replaced by a new one.
func (r *Recorder) commandOf(organization, id uuid.UUID, entries []entry) (eventlog.Command, error) {
	var err error
	if id == uuid.Nil {
		if id, err = r.options.NewEventID(); err != nil {
			return eventlog.Command{}, fmt.Errorf("new command id: %w", err)
		}
	}
	cmd := eventlog.Command{ID: id, OrganizationID: organization, StreamID: Stream(organization)}
	hash := sha256.New()
	for _, e := range entries {
		typ, schema, data, err := eventcodec.Encode(e.event)
		if err != nil {
			return eventlog.Command{}, err
		}
		at := e.at
		m := eventlog.Metadata{
			Actor:     eventlog.Actor{Kind: eventlog.SystemProcess, ID: "journal"},
			Origin:    eventlog.Origin{Kind: "process"},
			CommandID: id, CausationID: e.causation, CorrelationID: e.correlationID,
			RequestID: e.requestID, TraceParent: e.trace, OccurredAt: &at,
		}
		if m.CorrelationID == "" {
			m.CorrelationID = id.String()
		}
		metadata, err := m.Encode()
		if err != nil {
			return eventlog.Command{}, fmt.Errorf("encode metadata: %w", err)
		}
		eventID, err := r.options.NewEventID()
		if err != nil {
			return eventlog.Command{}, fmt.Errorf("new event id: %w", err)
		}
		cmd.Events = append(cmd.Events, eventlog.NewEvent{ID: eventID, Type: typ, SchemaVersion: schema, Data: data, Metadata: metadata})
		fmt.Fprintf(hash, "%s\n%d\n", typ, len(data))
		hash.Write(data)
	}
	cmd.Hash = hash.Sum(nil)
	return cmd, nil
}
