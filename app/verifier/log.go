package verifier

import (
	"fmt"
	"time"
)

// Log checks the order of events, without looking at hashes: positions,
// organization sequences and stream versions come without gaps, time does not go
// back, events and commands come once. It remembers every id, organization and
// stream it has seen: about 100 bytes an event. It is not safe for concurrent use.
type Log struct {
	next      int64 // the position that must come
	partial   bool  // it began after position 1: what came before is unknown
	at        int64 // of the last event
	sequences map[UUID]int64
	versions  map[string]int64
	streams   map[string]UUID
	events    map[UUID]struct{}
	commands  map[UUID]struct{}
}

// NewLog checks the events after a position: 0 for a whole log.
func NewLog(after int64) *Log {
	return &Log{
		next: after + 1, partial: after > 0, sequences: map[UUID]int64{}, versions: map[string]int64{},
		streams: map[string]UUID{}, events: map[UUID]struct{}{}, commands: map[UUID]struct{}{},
	}
}

// Next is the position that must come.
func (l *Log) Next() int64 { return l.next }

// Add takes the next event and says what is wrong with it. The log goes on from
// the event as it is.
func (l *Log) Add(e *Event) *Problem {
	p := l.check(e)
	if p != nil {
		p = p.at(e)
	}
	l.next, l.at = e.Position+1, e.RecordedAt
	l.sequences[e.Organization], l.versions[e.Stream], l.streams[e.Stream] = e.Sequence, e.Version, e.Organization
	l.events[e.ID] = struct{}{}
	if e.CommandID != (UUID{}) {
		l.commands[e.CommandID] = struct{}{}
	}
	return p
}

func (l *Log) check(e *Event) *Problem {
	if e.Position != l.next {
		p := &Problem{Position: min(l.next, e.Position), Check: CheckPosition, Expected: fmt.Sprint(l.next), Found: fmt.Sprint(e.Position), Kind: Removed}
		if e.Position < l.next {
			p.Kind = Inserted
		}
		return p
	}
	if err := e.check(); err != nil {
		return &Problem{Position: e.Position, Check: CheckFormat, Expected: "an event within its limits", Found: err.Error(), Kind: Edited}
	}
	if sequence, known := l.sequences[e.Organization]; (known || !l.partial) && e.Sequence != sequence+1 {
		return number(e, CheckSequence, sequence+1, e.Sequence)
	}
	if version, known := l.versions[e.Stream]; (known || !l.partial) && e.Version != version+1 {
		return number(e, CheckVersion, version+1, e.Version)
	}
	if owner, known := l.streams[e.Stream]; known && owner != e.Organization {
		return &Problem{Position: e.Position, Check: CheckVersion, Expected: "a stream of organization " + owner.String(), Found: "one of " + e.Organization.String(), Kind: Edited}
	}
	if e.RecordedAt < l.at {
		return &Problem{
			Position: e.Position, Check: CheckTime, Kind: Edited,
			Expected: "not before " + time.UnixMicro(l.at).UTC().Format(time.RFC3339Nano), Found: e.Time().Format(time.RFC3339Nano),
		}
	}
	if _, seen := l.events[e.ID]; seen {
		return &Problem{Position: e.Position, Check: CheckEvent, Expected: "an event that comes once", Found: e.ID.String() + " again", Kind: Inserted}
	}
	if _, seen := l.commands[e.CommandID]; seen {
		return &Problem{Position: e.Position, Check: CheckCommand, Expected: "a command that comes once", Found: e.CommandID.String() + " again", Kind: Inserted}
	}
	return nil
}

func number(e *Event, check string, want, got int64) *Problem {
	kind := Removed
	if got < want {
		kind = Inserted
	}
	return &Problem{Position: e.Position, Check: check, Expected: fmt.Sprint(want), Found: fmt.Sprint(got), Kind: kind}
}
