// Package memory is an event log in memory, for unit tests only: it passes the
// same conformance suite as the real one and forgets everything.
//
// One mutex makes appends and reads atomic. Nothing fails here except what the
// contract says must be refused, so it cannot stand in where failures matter.
package memory

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// Log is an event log in memory; the zero value is empty and ready. It is safe for concurrent use.
type Log struct {
	mu        sync.Mutex
	events    []eventlog.Event   // events[p-1] has position p
	streams   map[string][]int64 // positions by stream
	sequences map[uuid.UUID]int64
	commands  map[uuid.UUID]command
}

type command struct {
	organization uuid.UUID
	hash         []byte
	receipt      eventlog.Receipt
}

var _ eventlog.Log = (*Log)(nil)

// Append implements eventlog.Appender.
func (l *Log) Append(ctx context.Context, cmd eventlog.Command) (eventlog.Receipt, error) {
	if err := cmd.Validate(); err != nil {
		return eventlog.Receipt{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventlog.Receipt{}, eventlog.ErrUnavailable.Because(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.commands[cmd.ID]; ok {
		if c.organization != cmd.OrganizationID || !bytes.Equal(c.hash, cmd.Hash) {
			return eventlog.Receipt{}, eventlog.ErrCommandReused
		}
		return c.replay(), nil
	}
	stream := l.streams[cmd.StreamID]
	if len(stream) > 0 && l.events[stream[0]-1].OrganizationID != cmd.OrganizationID {
		return eventlog.Receipt{}, eventlog.ErrForeignStream
	}
	if actual := int64(len(stream)); actual != cmd.ExpectedVersion {
		return eventlog.Receipt{}, &eventlog.VersionError{StreamID: cmd.StreamID, Expected: cmd.ExpectedVersion, Actual: actual}
	}
	if l.disturbed(cmd) {
		return eventlog.Receipt{}, eventlog.ErrNotQuiet
	}
	return l.record(cmd), nil
}

// disturbed says whether something was recorded that cmd rules out; l.mu is held.
func (l *Log) disturbed(cmd eventlog.Command) bool {
	q := cmd.Quiet
	if q == nil || q.After >= int64(len(l.events)) {
		return false
	}
	return slices.ContainsFunc(l.events[q.After:], func(e eventlog.Event) bool {
		return e.OrganizationID == cmd.OrganizationID && slices.Contains(q.Types, e.Type)
	})
}

// record appends what has been found acceptable; l.mu is held.
func (l *Log) record(cmd eventlog.Command) eventlog.Receipt {
	if l.commands == nil {
		l.streams, l.sequences, l.commands = map[string][]int64{}, map[uuid.UUID]int64{}, map[uuid.UUID]command{}
	}
	at := time.Now().UTC().Truncate(time.Microsecond)
	if n := len(l.events); n > 0 && at.Before(l.events[n-1].RecordedAt) {
		at = l.events[n-1].RecordedAt
	}
	n := int64(len(cmd.Events))
	receipt := eventlog.Receipt{
		StreamID: cmd.StreamID, FirstPosition: int64(len(l.events)) + 1, Position: int64(len(l.events)) + n,
		Version: cmd.ExpectedVersion + n, RecordedAt: at,
	}
	for i, e := range cmd.Events {
		l.sequences[cmd.OrganizationID]++
		event := eventlog.Event{
			Position: int64(len(l.events)) + 1, OrganizationID: cmd.OrganizationID, OrganizationSequence: l.sequences[cmd.OrganizationID],
			StreamID: cmd.StreamID, Version: cmd.ExpectedVersion + int64(i) + 1, ID: e.ID, Type: e.Type, SchemaVersion: e.SchemaVersion,
			Data: bytes.Clone(e.Data), Metadata: bytes.Clone(e.Metadata), RecordedAt: at,
		}
		if i == 0 {
			event.CommandID, event.CommandHash = cmd.ID, bytes.Clone(cmd.Hash)
		}
		l.events = append(l.events, event)
		l.streams[cmd.StreamID] = append(l.streams[cmd.StreamID], event.Position)
		receipt.EventIDs = append(receipt.EventIDs, e.ID)
	}
	c := command{organization: cmd.OrganizationID, hash: bytes.Clone(cmd.Hash), receipt: receipt}
	l.commands[cmd.ID] = c
	receipt.EventIDs = slices.Clone(receipt.EventIDs)
	return receipt
}

func (c command) replay() eventlog.Receipt {
	r := c.receipt
	r.EventIDs, r.Replayed = slices.Clone(r.EventIDs), true
	return r
}

// FindCommand implements eventlog.CommandFinder.
func (l *Log) FindCommand(ctx context.Context, id uuid.UUID) (eventlog.Receipt, []byte, bool, error) {
	if err := ctx.Err(); err != nil {
		return eventlog.Receipt{}, nil, false, eventlog.ErrUnavailable.Because(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.commands[id]
	if !ok {
		return eventlog.Receipt{}, nil, false, nil
	}
	return c.replay(), bytes.Clone(c.hash), true, nil
}

// ReadStream implements eventlog.StreamReader.
func (l *Log) ReadStream(ctx context.Context, organization uuid.UUID, streamID string, after int64, limit int) ([]eventlog.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, eventlog.ErrUnavailable.Because(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []eventlog.Event
	for i, position := range l.streams[streamID] {
		if e := l.events[position-1]; e.OrganizationID == organization && int64(i) >= after {
			events = append(events, clone(e))
		}
		if limit > 0 && len(events) == limit {
			break
		}
	}
	return events, nil
}

// Read implements eventlog.Reader.
func (l *Log) Read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, eventlog.ErrUnavailable.Because(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	from := sort.Search(len(l.events), func(i int) bool { return l.events[i].Position > after })
	var events []eventlog.Event
	for _, e := range l.events[from:min(len(l.events), from+max(limit, 0))] {
		events = append(events, clone(e))
	}
	return events, nil
}

// Head implements eventlog.Reader.
func (l *Log) Head(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, eventlog.ErrUnavailable.Because(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.events)), nil
}

// clone lets nobody change the log through what it gave out.
func clone(e eventlog.Event) eventlog.Event {
	e.Data, e.Metadata, e.CommandHash = bytes.Clone(e.Data), bytes.Clone(e.Metadata), bytes.Clone(e.CommandHash)
	return e
}
