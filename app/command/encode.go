package command

import (
	"fmt"
	"slices"
	"time"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
)

// encode makes events as the log stores them: canonical data, and the facts
// about the fact.
func (x *executor[S, C, E]) encode(call Call, d decision[E]) ([]eventlog.NewEvent, error) {
	events := make([]eventlog.NewEvent, len(d.events))
	var unsigned sharedMetadata
	for i, e := range d.events {
		typ, schema, data, err := eventcodec.Encode(e)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", e, err)
		}
		id, err := x.options.NewEventID()
		if err != nil {
			return nil, fmt.Errorf("new event id: %w", err)
		}
		var signature *eventlog.Signature
		if x.sign != nil {
			signature = x.sign(e, d.by[i].Actor)
		}
		metadata, err := unsigned.encode(call, d.by[i], d.at, signature)
		if err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
		events[i] = eventlog.NewEvent{ID: id, Type: typ, SchemaVersion: schema, Data: data, Metadata: metadata}
	}
	return events, nil
}

// sharedMetadata holds the encoded metadata of the actors of one command: all
// events of one actor have the same, unless they are signed.
type sharedMetadata []struct {
	by      asking
	encoded []byte
}

func (s *sharedMetadata) encode(call Call, by asking, at time.Time, signature *eventlog.Signature) ([]byte, error) {
	if signature != nil {
		return metadataOf(call, by, at, signature).Encode()
	}
	for _, known := range *s {
		if sameActor(known.by, by) {
			return known.encoded, nil
		}
	}
	encoded, err := metadataOf(call, by, at, nil).Encode()
	if err == nil {
		*s = append(*s, struct {
			by      asking
			encoded []byte
		}{by, encoded})
	}
	return encoded, err
}

func sameActor(a, b asking) bool {
	return a.onBehalfOf == b.onBehalfOf && a.ID == b.ID && a.Kind == b.Kind && a.AuthAt.Equal(b.AuthAt) && slices.Equal(a.Roles, b.Roles)
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
