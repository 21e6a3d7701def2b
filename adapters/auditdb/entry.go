package auditdb

import (
	"encoding/json"
	"slices"
	"strings"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
)

func (r *row) entry() query.Entry {
	e := query.Entry{
		Position: r.event.Position, OrganizationSequence: r.event.OrganizationSequence,
		StreamID: r.event.StreamID, Version: r.event.Version,
		ID: r.event.ID.String(), Type: r.event.Type, SchemaVersion: r.event.SchemaVersion,
		RecordedAt: r.event.RecordedAt, StrategyID: r.strategyID, SubjectID: r.subjectID,
		ActorKind: r.actorKind, ActorID: r.actorID, Reason: r.reason,
		CorrelationID: r.correlation, CausationID: r.causation,
		Changes: changesOf(r.event.Data), Data: r.event.Data, Metadata: r.event.Metadata,
	}
	if r.roles != "" {
		e.ActorRoles = strings.Split(r.roles, ",")
	}
	if m, err := eventlog.DecodeMetadata(r.event.Metadata); err == nil { // else it is there to be read as it is
		e.Signature = m.Signature
		if m.Origin.Kind != "" {
			e.Source = &m.Origin
		}
	}
	if r.commandID != nil {
		e.CommandID = r.commandID.String()
	}
	return e
}

// pairs are the members of events that stand for a field before and after.
var pairs = []struct{ field, before, after string }{
	{"value", "old", "new"},  // a correction, and a void, which has no new one
	{"status", "from", "to"}, // a health
}

// changesOf reads old and new values out of an event, wherever it has them.
func changesOf(data []byte) []query.FieldChange {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil
	}
	if list, ok := members["changes"]; ok {
		var changes []query.FieldChange
		if err := json.Unmarshal(list, &changes); err != nil {
			return nil
		}
		return changes
	}
	if old, ok := members["old"]; ok && members["quorum"] != nil {
		return policyChanges(members, old)
	}
	for _, p := range pairs {
		if before, ok := members[p.before]; ok {
			return []query.FieldChange{{Field: p.field, Old: before, New: members[p.after]}}
		}
	}
	if before, ok := members["previous"]; ok { // of a target: the new one's members are the event's own
		if after, err := readingOf(members); err == nil {
			return []query.FieldChange{{Field: "target", Old: before, New: after}}
		}
	}
	return nil
}

// policyChanges compares a policy's members with those of the one before.
func policyChanges(members map[string]json.RawMessage, before json.RawMessage) []query.FieldChange {
	var old map[string]json.RawMessage
	if err := json.Unmarshal(before, &old); err != nil {
		return nil
	}
	var changes []query.FieldChange
	for field, was := range old {
		if is := members[field]; string(is) != string(was) { // both canonical
			changes = append(changes, query.FieldChange{Field: field, Old: was, New: is})
		}
	}
	slices.SortFunc(changes, func(a, b query.FieldChange) int { return strings.Compare(a.Field, b.Field) })
	return changes
}
