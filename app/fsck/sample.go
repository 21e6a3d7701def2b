package fsck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
)

// Answers is what a service answers from its read databases.
type Answers interface {
	// Now gives what is known about a stream's entity, its version, and the
	// position that the answer is of; ok is false if there is no answer for such
	// streams. An entity that is not there has version 0.
	Now(ctx context.Context, organizationID uuid.UUID, streamID string) (answer any, version, position int64, ok bool, err error)
	// Then gives the same answer, folded from the events up to a position.
	Then(ctx context.Context, organizationID uuid.UUID, streamID string, position int64) (answer any, err error)
	// Event is an event as the audit database has it; query.ErrNotFound if it does not.
	Event(ctx context.Context, organizationID, id uuid.UUID) (query.Entry, error)
}

// Sampler compares small parts of a running installation with its log: a range of
// events at a time, and the entities that they are about. The ranges follow one
// another from a random place on and begin again at the start, so that everything
// has its turn within a time that can be told. Not for concurrent use.
type Sampler struct {
	Log     Log
	Answers Answers
	Ledger  Ledger // nil = the ledger is not looked at

	Events  int // in one sample; 0 = 50
	Streams int // in one sample; 0 = 5

	Next int64 // position behind which the next sample begins
}

// Sample is what one look has found.
type Sample struct {
	From, To int64 // positions
	Streams  int
	Wrong    map[string][]Wrong // by section
}

func (s *Sample) wrong(section string, w Wrong) {
	if s.Wrong == nil {
		s.Wrong = map[string][]Wrong{}
	}
	s.Wrong[section] = append(s.Wrong[section], w)
}

// Once takes one sample, up to a position that both read databases have reached.
// An error means that something could not be asked: nothing is known then.
func (s *Sampler) Once(ctx context.Context, upTo int64) (found Sample, err error) {
	if upTo < 1 {
		return Sample{}, nil
	}
	if s.Next >= upTo {
		s.Next = 0
	}
	many, most := s.Events, s.Streams
	if many <= 0 {
		many = 50
	}
	if most <= 0 {
		most = 5
	}
	events, err := s.Log.Read(ctx, s.Next, many)
	if err != nil {
		return Sample{}, err
	}
	found.From, found.To = s.Next+1, s.Next
	asked := map[string]bool{}
	for _, event := range events {
		if event.Position > upTo {
			break
		}
		e := decode(event)
		if err := s.event(ctx, e, found.To, &found); err != nil {
			return Sample{}, err
		}
		found.To = event.Position
		if asked[event.StreamID] {
			continue
		}
		asked[event.StreamID] = true
		if err := s.entity(ctx, e, &found); err != nil {
			return Sample{}, err
		}
		if found.Streams++; found.Streams >= most {
			break
		}
	}
	s.Next = max(found.To, s.Next+1) // past a gap, too
	return found, nil
}

// event compares one event with what follows it, with its leaf, and with its copy
// in the audit database.
func (s *Sampler) event(ctx context.Context, e *Entry, before int64, found *Sample) error {
	switch {
	case e.Position != before+1:
		found.wrong(LogSection, e.wrong("gap", fmt.Sprintf("Position %d follows position %d.", e.Position, before), restoreLog))
	case e.unreadable != nil:
		found.wrong(LogSection, e.wrong("unreadable", e.unreadable.Error(), upgradeLog+" "+compareLogs))
	case e.loose:
		found.wrong(LogSection, e.wrong("not canonical", "Its data or metadata is not canonical JSON.", compareLogs))
	}
	if err := s.leaf(ctx, e, found); err != nil {
		return err
	}
	entry, err := s.Answers.Event(ctx, e.OrganizationID, e.ID)
	switch {
	case errors.Is(err, query.ErrNotFound):
		found.wrong(AuditSection, e.wrong("missing", "The audit database does not have the event.", "`strata projections verify audit` repairs it."))
	case err != nil:
		return err
	case !sameEntry(e, entry):
		found.wrong(AuditSection, e.wrong("tampered", "The audit database has another event.", "`strata projections verify audit` repairs it."))
	}
	return nil
}

func sameEntry(e *Entry, have query.Entry) bool {
	return have.Position == e.Position && have.OrganizationSequence == e.OrganizationSequence && have.StreamID == e.StreamID && have.Version == e.Version &&
		have.Type == e.Type && have.SchemaVersion == e.SchemaVersion && have.RecordedAt.Equal(e.RecordedAt) && have.ActorID == e.Metadata.Actor.ID &&
		bytes.Equal(have.Data, e.Data) && bytes.Equal(have.Metadata, e.Event.Metadata)
}

// leaf compares an event with its leaf, if it is sealed.
func (s *Sampler) leaf(ctx context.Context, e *Entry, found *Sample) error {
	if s.Ledger == nil {
		return nil
	}
	n, i := (e.Position-1)/tileHashes, int((e.Position-1)%tileHashes)*tlog.HashSize
	tile, err := s.Ledger.Tile(ctx, 0, n)
	if err != nil || len(tile) < i+tlog.HashSize {
		return err // not sealed yet
	}
	if leaf := eventlog.LeafHash(&e.Event); !bytes.Equal(leaf[:], tile[i:i+tlog.HashSize]) {
		found.wrong(LedgerSection, e.wrong("log differs", "The event is not the one that was sealed, or its tile was changed.", logForged))
	}
	return nil
}

// entity compares what is answered about a stream with what its events make.
func (s *Sampler) entity(ctx context.Context, e *Entry, found *Sample) error {
	// Asked before its events are read: what is recorded meanwhile is among those, and
	// is not missed in an answer that has it.
	answer, version, position, answered, err := s.Answers.Now(ctx, e.OrganizationID, e.StreamID)
	if err != nil {
		return err
	}
	events, err := s.Log.ReadStream(ctx, e.OrganizationID, e.StreamID, 0, 0)
	if err != nil {
		return err
	}
	if _, err := Fold(e.StreamID, events); err != nil {
		found.wrong(StreamsSection, e.wrong("fold", err.Error(), releaseFault))
	}
	if !answered {
		return nil
	}
	var want int64
	for _, event := range events {
		if event.Position <= position {
			want = event.Version
		}
	}
	w := e.wrong("tampered", "", "`strata projections verify plans` repairs it.")
	w.Table, w.Key = "plans", e.StreamID
	w.Position = position
	if version != want {
		w.Detail = fmt.Sprintf("It is answered with version %d, and its events make version %d.", version, want)
		found.wrong(PlansSection, w)
		return nil
	}
	if version == 0 {
		return nil
	}
	then, err := s.Answers.Then(ctx, e.OrganizationID, e.StreamID, position)
	if err != nil {
		return err
	}
	if field, same := sameAnswer(answer, then); !same {
		w.Detail = fmt.Sprintf("What is answered about it is not what its events make: %s.", field)
		found.wrong(PlansSection, w)
	}
	return nil
}

// Fold folds a whole stream from its first event.
func Fold(streamID string, events []eventlog.Event) (*Entity, error) {
	e, ok := NewEntity(streamID)
	if !ok {
		return nil, fmt.Errorf("%s: there is no such kind of stream", streamID)
	}
	for _, event := range events {
		if err := e.Add(event); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// ofToday are the members of answers that depend on the day on which they are
// given, not on what was recorded alone.
var ofToday = map[string]bool{"freshness": true, "overdue": true, "position": true, "asOf": true, "asOfPosition": true}

// sameAnswer compares answers as their readers get them, and names the first
// member that differs.
func sameAnswer(a, b any) (field string, same bool) {
	var plain [2]any
	for i, v := range []any{a, b} {
		text, err := json.Marshal(v)
		if err == nil {
			d := json.NewDecoder(bytes.NewReader(text))
			d.UseNumber()
			err = d.Decode(&plain[i])
		}
		if err != nil {
			return err.Error(), false
		}
	}
	field = differs("", plain[0], plain[1])
	return field, field == ""
}

// differs gives the path of the first difference, "" if there is none.
func differs(path string, a, b any) string {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return path
		}
		for name := range a {
			if _, ok := b[name]; !ok && !ofToday[name] {
				return path + "/" + name
			}
		}
		for name := range b {
			if ofToday[name] {
				continue
			}
			if at := differs(path+"/"+name, a[name], b[name]); at != "" {
				return at
			}
		}
		return ""
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return path
		}
		for i := range a {
			if at := differs(fmt.Sprintf("%s/%d", path, i), a[i], b[i]); at != "" {
				return at
			}
		}
		return ""
	}
	if a != b {
		return strings.TrimPrefix(path, "/")
	}
	return ""
}
