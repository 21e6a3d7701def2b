package command

import (
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// Principal is who asks, as the port that authenticated them says. It carries
// no roles: those are read from the organization's own events at decision time (S13).
type Principal struct {
	OrganizationID uuid.UUID // from the token only, never from a path or body
	Issuer         string    // who vouches for Subject
	Subject        string    // the person or service at that issuer
	AuthMethod     string    // e.g. "bearer", "oidc"
	AuthAt         time.Time // when Subject last signed in (auth_time)
	Operator       bool      // may register organizations; no right inside any

	// memberID names a member instead of Issuer and Subject: whoever began what is
	// gone on with here. Only this package can set it.
	memberID string

	// One of these is set instead, of a principal that is no member.

	process  string    // see ProcessPrincipal
	sourceID uuid.UUID // see SourcePrincipal
}

// Call is one request to do something: who, under which key, seen from which
// version, and the facts about the request that go into every event's metadata.
type Call struct {
	Principal Principal

	// CommandID is the image of the idempotency key in (organization, principal);
	// Hash fingerprints what was asked (method, path, canonical body).
	CommandID uuid.UUID
	Hash      []byte

	// Expected is the stream version the caller saw (If-Match); nil = any existing.
	Expected *int64

	// Countersignature is the second person's, if the request brought one; its
	// token has been verified. Whether it counts is decided with the command.
	Countersignature *Countersignature

	Origin        eventlog.Origin
	RequestID     string
	CorrelationID string
	CausationID   string // id of the causing event, for processes
	TraceParent   string
	TraceState    string
	Reason        string
}

// Result is the answer to a command that was recorded (or had nothing to record).
type Result struct {
	ID       uuid.UUID // of the aggregate
	StreamID string
	Version  int64 // of the stream, after
	Revision int   // of the strategy, after; 0 for other aggregates
	Position int64 // of the command's last event; 0 if nothing had to be recorded
	EventIDs []uuid.UUID
	Replayed bool // recorded before under the same key: this is the first answer again
}
