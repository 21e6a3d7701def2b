package auditdb

import (
	"encoding/json"
	"fmt"
	"time"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/query"
	"strata.dev/strata/app/query/diff"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/strategy"
)

// past is a recorded event as the domain's folds take it.
type past struct {
	position, version int64
	at                time.Time
	by                fact.Actor
	body              any
}

// pastOf reads an event. One that cannot be read leaves nothing to be said about
// what came of it.
func pastOf(r *row) (*past, error) {
	body, err := eventcodec.Decode(r.event.Type, r.event.SchemaVersion, r.event.Data)
	if err != nil {
		return nil, unreadable(r, err)
	}
	return &past{
		position: r.event.Position, version: r.event.Version, at: r.event.RecordedAt, body: body,
		by: fact.Actor{ID: r.actorID, Kind: fact.Kind(r.actorKind), At: r.event.RecordedAt},
	}, nil
}

func (p *past) end() query.DiffEnd {
	return query.DiffEnd{Position: p.position, Version: p.version, RecordedAt: &p.at}
}

// stray is the refusal for an event that is none of its stream's aggregate.
func (p *past) stray() error {
	return query.ErrIncomplete.Detailf("The event at position %d does not belong to its stream.", p.position)
}

// contentAt folds a strategy up to a position, or to the last content of a revision.
func contentAt(events []*past, m query.Mark, upTo int64) (diff.Content, query.DiffEnd, error) {
	var s strategy.State
	var end query.DiffEnd
	var revision *strategy.Plan // last content of the revision asked for
	var revisionEnd query.DiffEnd
	for _, p := range events {
		e, ok := p.body.(strategy.Event)
		if p.position > upTo {
			break
		}
		if !ok {
			return diff.Content{}, end, p.stray()
		}
		s, end = s.Apply(p.by, e), p.end()
		end.Revision = s.Revision()
		if m.Revision > 0 && s.Working.Number == m.Revision {
			plan := s.Working.Plan
			revision, revisionEnd = &plan, end
		}
	}
	if m.Revision == 0 {
		return diff.ContentOf(s), end, nil
	}
	if revision == nil {
		return diff.Content{}, end, query.ErrNotFound.Detailf("There is no revision %d.", m.Revision)
	}
	return diff.Content{Plan: revision}, revisionEnd, nil
}

// readingOf is the part of an event that states a value.
func readingOf(members map[string]json.RawMessage) (json.RawMessage, error) {
	stated := map[string]json.RawMessage{}
	for _, name := range []string{"value", "originalText", "descriptorName", "descriptor"} {
		if v, ok := members[name]; ok {
			stated[name] = v
		}
	}
	b, err := json.Marshal(stated)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return b, nil
}
