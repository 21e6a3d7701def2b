package command

import (
	"fmt"
	"time"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
)

// encode makes events as the log stores them: canonical data, and the facts
// about the fact.
func (x *executor[S, C, E]) encode(call Call, d decision[E]) ([]eventlog.NewEvent, error) {
	events := make([]eventlog.NewEvent, len(d.events))
	var shared []byte // metadata of unsigned events of one actor is the same for all of a command
	var sharedBy asking
	for i, e := range d.events {
		typ, schema, data, err := eventcodec.Encode(e)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", e, err)
		}
		id, err := x.options.NewEventID()
		if err != nil {
			return nil, fmt.Errorf("new event id: %w", err)
		}
		by := d.by[i]
		var signature *eventlog.Signature
		if x.sign != nil {
			signature = x.sign(e, by.Actor)
		}
		metadata := shared
		if signature != nil || shared == nil || !sameActor(by, sharedBy) {
			if metadata, err = metadataOf(call, by, d.at, signature).Encode(); err != nil {
				return nil, fmt.Errorf("encode metadata: %w", err)
			}
			if signature == nil {
				shared, sharedBy = metadata, by
			}
		}
		events[i] = eventlog.NewEvent{ID: id, Type: typ, SchemaVersion: schema, Data: data, Metadata: metadata}
	}
	return events, nil
}

func sameActor(a, b asking) bool {
	if a.onBehalfOf != b.onBehalfOf || a.ID != b.ID || a.Kind != b.Kind || !a.AuthAt.Equal(b.AuthAt) || len(a.Roles) != len(b.Roles) {
		return false
	}
	for i := range a.Roles {
		if a.Roles[i] != b.Roles[i] {
			return false
		}
	}
	return true
}

func metadataOf(call Call, by asking, at time.Time, signature *eventlog.Signature) eventlog.Metadata {
	at = at.Truncate(time.Microsecond)
	m := eventlog.Metadata{
		Actor: eventlog.Actor{
			Kind:       eventlog.ActorKind(by.Kind),
			ID:         by.ID,
			Roles:      by.Roles,
			AuthMethod: call.Principal.AuthMethod,
		},
		OnBehalfOf:    by.onBehalfOf,
		Origin:        call.Origin,
		CommandID:     call.CommandID,
		CausationID:   call.CausationID,
		CorrelationID: call.CorrelationID,
		RequestID:     call.RequestID,
		TraceParent:   call.TraceParent,
		TraceState:    call.TraceState,
		OccurredAt:    &at,
		Reason:        call.Reason,
		Signature:     signature,
	}
	if !by.AuthAt.IsZero() {
		authAt := by.AuthAt.UTC().Truncate(time.Second)
		m.Actor.AuthAt = &authAt
	}
	if m.CorrelationID == "" {
		m.CorrelationID = call.CommandID.String()
	}
	return m
}
