package auditdb

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/app/eventlog"
)

// row is an event with what is searched for in its metadata.
type row struct {
	event                                              eventlog.Event
	commandID                                          *uuid.UUID
	schema                                             int32
	actorKind, actorID, correlation, causation, reason string
	roles                                              string // sorted, by commas
	subjectID, rule                                    string
	strategyID, movedFrom                              string
	joins                                              string // the strategy that an indicator belongs to from here on, if the event says so
}

func rowOf(e eventlog.Event) *row {
	r := &row{event: e, schema: int32(e.SchemaVersion)}
	r.readData()
	if e.CommandID != uuid.Nil {
		r.commandID = &e.CommandID
	}
	// Only what is searched for: that much can be read even if the rest cannot.
	var m struct {
		Actor struct {
			Kind  string   `json:"kind"`
			ID    string   `json:"id"`
			Roles []string `json:"roles"`
		} `json:"actor"`
		CorrelationID string `json:"correlationId"`
		CausationID   string `json:"causationId"`
		Reason        string `json:"reason"`
	}
	if err := json.Unmarshal(e.Metadata, &m); err != nil {
		return r // kept as it is: see the package comment
	}
	r.actorKind, r.actorID = searchable(m.Actor.Kind), searchable(m.Actor.ID)
	r.roles = rolesText(m.Actor.Roles)
	r.correlation, r.causation, r.reason = searchable(m.CorrelationID), searchable(m.CausationID), text(m.Reason)
	return r
}

// maxSearchable bounds what goes into an index; ours are far shorter.
const maxSearchable = 200

func searchable(s string) string {
	s = text(s)
	if len(s) <= maxSearchable {
		return s
	}
	s = s[:maxSearchable]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// text replaces NUL, which JSON can say and PostgreSQL cannot hold as text.
func text(s string) string { return strings.ReplaceAll(s, "\x00", "\uFFFD") }

// events is the one table. Rows are never changed, so the guard never decides.
var events = readdb.NewTable("events", 2, "position",
	readdb.UUIDCol("organization_id", func(r *row) *uuid.UUID { return &r.event.OrganizationID }),
	readdb.Col("position", "bigint", func(r *row) *int64 { return &r.event.Position }),
	readdb.Col("organization_sequence", "bigint", func(r *row) *int64 { return &r.event.OrganizationSequence }),
	readdb.Col("version", "bigint", func(r *row) *int64 { return &r.event.Version }),
	readdb.Col("recorded_at", "timestamptz", func(r *row) *time.Time { return &r.event.RecordedAt }),
	readdb.UUIDCol("event_id", func(r *row) *uuid.UUID { return &r.event.ID }),
	readdb.NullUUIDCol("command_id", func(r *row) **uuid.UUID { return &r.commandID }),
	readdb.Col("schema_version", "integer", func(r *row) *int32 { return &r.schema }),
	readdb.Col("stream_id", "text", func(r *row) *string { return &r.event.StreamID }),
	readdb.Col("type", "text", func(r *row) *string { return &r.event.Type }),
	readdb.Col("actor_kind", "text", func(r *row) *string { return &r.actorKind }),
	readdb.Col("actor_id", "text", func(r *row) *string { return &r.actorID }),
	readdb.Col("actor_roles", "text", func(r *row) *string { return &r.roles }),
	readdb.Col("strategy_id", "text", func(r *row) *string { return &r.strategyID }),
	readdb.Col("moved_from", "text", func(r *row) *string { return &r.movedFrom }),
	readdb.Col("subject_id", "text", func(r *row) *string { return &r.subjectID }),
	readdb.Col("rule", "text", func(r *row) *string { return &r.rule }),
	readdb.Col("correlation_id", "text", func(r *row) *string { return &r.correlation }),
	readdb.Col("causation_id", "text", func(r *row) *string { return &r.causation }),
	readdb.Col("reason", "text", func(r *row) *string { return &r.reason }),
	readdb.Col("command_hash", "bytea", func(r *row) *[]byte { return &r.event.CommandHash }),
	readdb.Col("data", "bytea", func(r *row) *[]byte { return &r.event.Data }),
	readdb.Col("metadata", "bytea", func(r *row) *[]byte { return &r.event.Metadata }),
)
