package readdbtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
)

// Log is a log in memory. It implements eventlog.Reader and
// eventlog.StreamReader and is safe for concurrent use.
type Log struct {
	mu        sync.Mutex
	events    []eventlog.Event
	versions  map[string]int64
	sequences map[uuid.UUID]int64
}

// NewLog makes an empty log.
func NewLog() *Log {
	return &Log{versions: map[string]int64{}, sequences: map[uuid.UUID]int64{}}
}

// start is when the first event is recorded; each one is a second later.
var start = time.Date(2026, 1, 5, 8, 0, 0, 123456000, time.UTC)

// Now is when the next event will be recorded.
func (l *Log) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now()
}

func (l *Log) now() time.Time { return start.Add(time.Duration(len(l.events)) * time.Second) }

// UpTo is the log as if it had been restored to a position: it goes on from there
// by itself.
func (l *Log) UpTo(position int64) *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := NewLog()
	c.events = append(c.events, l.events[:position]...)
	for _, e := range c.events {
		c.versions[e.StreamID], c.sequences[e.OrganizationID] = e.Version, e.OrganizationSequence
	}
	return c
}

// Record appends domain events to a stream and gives the actors as a fold sees them.
func (l *Log) Record(organization uuid.UUID, streamID string, by fact.Actor, events ...any) []fact.Actor {
	actors := make([]fact.Actor, len(events))
	for i, e := range events {
		typ, schema, data, err := eventcodec.Encode(e)
		if err != nil {
			panic(fmt.Sprintf("readdbtest: %v", err))
		}
		recorded := l.Append(organization, streamID, by, typ, schema, data)
		actors[i] = fact.Actor{ID: by.ID, Kind: by.Kind, At: recorded.RecordedAt}
	}
	return actors
}

// Append appends one event of any content.
func (l *Log) Append(organization uuid.UUID, streamID string, by fact.Actor, typ string, schema int, data []byte) eventlog.Event {
	origin := eventlog.Origin{Kind: "api"}
	if by.Kind == fact.Source {
		origin.SourceID, origin.Channel = by.ID, "amqp"
		origin.MessageID, origin.PayloadSHA256 = "message of "+streamID, digest
	}
	meta, err := eventlog.Metadata{
		Actor:  eventlog.Actor{Kind: eventlog.ActorKind(by.Kind), ID: by.ID, Roles: by.Roles},
		Origin: origin, CorrelationID: "test", Reason: "because",
	}.Encode()
	if err != nil {
		panic(fmt.Sprintf("readdbtest: %v", err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.versions[streamID]++
	l.sequences[organization]++
	e := eventlog.Event{
		Position: int64(len(l.events)) + 1, OrganizationID: organization, OrganizationSequence: l.sequences[organization],
		StreamID: streamID, Version: l.versions[streamID], ID: uuid.Must(uuid.NewV7()), Type: typ, SchemaVersion: schema,
		Data: data, Metadata: meta, CommandID: uuid.New(), CommandHash: make([]byte, 32), RecordedAt: l.now(),
	}
	l.events = append(l.events, e)
	return e
}

// Replace puts another event in the place of one: to break it, or to mend it.
func (l *Log) Replace(e eventlog.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events[e.Position-1] = e
}

// Read implements eventlog.Reader.
func (l *Log) Read(ctx context.Context, after int64, limit int) ([]eventlog.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := min(after, int64(len(l.events)))
	to := min(from+int64(limit), int64(len(l.events)))
	return append([]eventlog.Event(nil), l.events[from:to]...), ctx.Err()
}

// Head implements eventlog.Reader.
func (l *Log) Head(context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.events)), nil
}

// ReadStream implements eventlog.StreamReader.
func (l *Log) ReadStream(ctx context.Context, organization uuid.UUID, streamID string, after int64, limit int) ([]eventlog.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []eventlog.Event
	for _, e := range l.events {
		if e.OrganizationID == organization && e.StreamID == streamID && e.Version > after && (limit == 0 || len(found) < limit) {
			found = append(found, e)
		}
	}
	return found, ctx.Err()
}
