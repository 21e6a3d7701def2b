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
		var signed signatures
		if x.sign != nil {
			signed.first = x.sign(e, d.by[i].Actor)
		}
		if s := signed.first; s != nil && d.by[i].printed != nil {
			s.PrintedName = d.by[i].printed(s.SignerID)
		}
		if x.second != nil {
			signed.second = countersigned(call.Countersignature, x.second(e))
		}
		if s := signed.second; s != nil && d.by[i].printed != nil {
			s.PrintedName = d.by[i].printed(s.SignerID)
		}
		metadata, err := unsigned.encode(call, d.by[i], d.at, signed)
		if err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
		events[i] = eventlog.NewEvent{ID: id, Type: typ, SchemaVersion: schema, Data: data, Metadata: metadata}
	}
	return events, nil
}

// signatures are what one event carries beside the facts that it shares with
// the others of its command.
type signatures struct {
	first  *eventlog.Signature
	second *eventlog.Countersignature
}

// sharedMetadata holds the encoded metadata of the actors of one command: all
// events of one actor have the same, unless they are signed.
type sharedMetadata []struct {
	by      asking
	encoded []byte
}

func (s *sharedMetadata) encode(call Call, by asking, at time.Time, signed signatures) ([]byte, error) {
	if signed != (signatures{}) {
		return metadataOf(call, by, at, signed).Encode()
	}
	for _, known := range *s {
		if sameActor(known.by, by) {
			return known.encoded, nil
		}
	}
	encoded, err := metadataOf(call, by, at, signatures{}).Encode()
	if err == nil {
		*s = append(*s, struct {
			by      asking
			encoded []byte
		}{by, encoded})
	}
	return encoded, err
}

func sameActor(a, b asking) bool {
	return a.onBehalfOf == b.onBehalfOf && a.policyVersion == b.policyVersion && a.ID == b.ID && a.Kind == b.Kind && a.AuthAt.Equal(b.AuthAt) && slices.Equal(a.Roles, b.Roles)
}

func metadataOf(call Call, by asking, at time.Time, signed signatures) eventlog.Metadata {
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
		PolicyVersion: by.policyVersion,
		Signature:     signed.first,

		Countersignature: signed.second,
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
