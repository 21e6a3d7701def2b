package eventlog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/fault"
)

// Limits of one append; a larger one is refused with ErrTooLarge before anything is sent.
const (
	MaxEventsPerCommand = 1_000
	MaxEventBytes       = 1 << 20  // Data and Metadata of one event together
	MaxCommandBytes     = 32 << 20 // of all events of one command
)

var (
	// ErrWrongVersion: somebody else appended first. Nothing was written. The
	// occurrence is a *VersionError.
	ErrWrongVersion = fault.New(fault.Stale, "stale-revision", "Somebody else changed this since you looked.")

	// ErrNotQuiet: something was recorded that the command's Quiet rules out.
	// Nothing was written: decide again on what the log has now.
	ErrNotQuiet = fault.New(fault.Stale, "stale-revision", "What this rests on has changed since you looked.").WithRule("quiet")

	// ErrCommandReused: this command id was recorded with another body. Nothing was written.
	ErrCommandReused = fault.New(fault.Invalid, "idempotency-key-reused", "This idempotency key was used for another request.")

	// ErrOutcomeUnknown: the connection was lost while committing. The events are
	// in the log completely or not at all; appending the same command id again finds out.
	ErrOutcomeUnknown = fault.New(fault.Unknown, "outcome-unknown", "It is not known whether this was recorded. Repeat it with the same idempotency key.")

	// ErrUnavailable: the log cannot be reached. Nothing was written.
	ErrUnavailable = fault.New(fault.Unavailable, "unavailable", "The event log cannot be reached now. Try again.")

	// ErrBehind: the log lacks what it once held, as its archive or a read model
	// shows, and takes nothing before an operator has restored it. Nothing was written.
	ErrBehind = fault.New(fault.Unavailable, "log-behind", "The event log has lost its end and is to be restored. Nothing is recorded until then.")

	// ErrOverloaded: too many commands wait for the log. Nothing was written.
	ErrOverloaded = fault.New(fault.RateLimited, "overloaded", "Too many commands are waiting. Try again later.")

	// ErrForeignStream: the stream belongs to another organization. Nothing was
	// written, and nothing is said about the stream.
	ErrForeignStream = fault.New(fault.Conflict, "id-taken", "This id cannot be used.")

	// ErrTooLarge: over MaxEventsPerCommand, MaxEventBytes or MaxCommandBytes. Nothing was written.
	ErrTooLarge = fault.New(fault.TooLarge, "too-large", "The command records more than one append may hold.")
)

// VersionError is an occurrence of ErrWrongVersion.
type VersionError struct {
	StreamID         string
	Expected, Actual int64
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("stream %s is at version %d, not %d", e.StreamID, e.Actual, e.Expected)
}

// Is makes errors.Is(err, ErrWrongVersion) true.
func (e *VersionError) Is(target error) bool { return target == error(ErrWrongVersion) }

// Event is a recorded fact: what happened, and the facts about the fact. It is never changed.
type Event struct {
	Position             int64     // place in the whole log: 1, 2, 3 … in commit order, no gaps
	OrganizationID       uuid.UUID // whose log it is
	OrganizationSequence int64     // place in the organization's log: 1, 2, 3 … no gaps
	StreamID             string    // the aggregate: "strategy-<uuid>"
	Version              int64     // place in the stream: 1, 2, 3 … no gaps
	ID                   uuid.UUID // UUIDv7; also the message id on the wire
	Type                 string    // "strategy.goal-added": a wire name, never a Go name
	SchemaVersion        int       // shape of Data; from 1
	Data                 []byte    // canonical JSON (RFC 8785), exactly as hashed
	Metadata             []byte    // canonical JSON of Metadata, exactly as hashed
	CommandID            uuid.UUID // set on the first event of a command only, else zero
	CommandHash          []byte    // SHA-256 of the command's body; with CommandID only
	RecordedAt           time.Time // UTC, whole microseconds, never before the previous position's
}

// NewEvent is a fact to be recorded.
type NewEvent struct {
	ID            uuid.UUID
	Type          string
	SchemaVersion int
	Data          []byte // canonical JSON
	Metadata      []byte // canonical JSON
}

// Command is everything one command records: one stream, all or nothing.
type Command struct {
	ID              uuid.UUID // required: the idempotency key's image
	Hash            []byte    // SHA-256 of what was asked; a replay must bring the same
	OrganizationID  uuid.UUID
	StreamID        string
	ExpectedVersion int64 // version of the last event the decision rests on; 0 = a new stream
	Events          []NewEvent

	// Quiet is what the decision rests on beside its own stream; nil = nothing.
	// It is judged in the moment of recording, like ExpectedVersion.
	Quiet *Quiet
}

// Quiet asks that no event of some types was recorded in the organization since
// the decision looked: on any stream, even one that was not there then.
type Quiet struct {
	After int64    // a position up to which the decision has seen the log
	Types []string // wire types, at least one
}

// Receipt says where a command's events are.
type Receipt struct {
	StreamID      string
	FirstPosition int64
	Position      int64 // of the last event
	Version       int64 // of the last event
	EventIDs      []uuid.UUID
	RecordedAt    time.Time
	Replayed      bool // the command had been recorded before; this is the first answer again
}

// Appender records commands.
//
// Append returns when the events are durable, or with one of the errors above.
// Of commands that race for one stream version exactly one is recorded, the
// others get ErrWrongVersion. A command id that is in the log already answers
// with the first receipt (Replayed) if the hash is equal, whatever the expected
// version, and with ErrCommandReused if it is not. A new command whose Quiet does
// not hold gets ErrNotQuiet, unless another of these errors applies. A canceled ctx stops the
// wait: the result is then ErrOutcomeUnknown if the command may have been sent,
// or ErrUnavailable if it certainly was not. Safe for concurrent use.
type Appender interface {
	Append(ctx context.Context, cmd Command) (Receipt, error)
}

// CommandFinder looks up what a command recorded.
type CommandFinder interface {
	// FindCommand gives the receipt of a recorded command (Replayed is set), or
	// ok = false. The hash is not compared: it is returned.
	FindCommand(ctx context.Context, id uuid.UUID) (r Receipt, hash []byte, ok bool, err error)
}

// StreamReader reads one aggregate.
type StreamReader interface {
	// ReadStream gives the events of a stream with Version > after, in order, at
	// most limit (0 = all). An unknown stream is an empty one. The organization
	// is part of the question: another organization's stream is an empty one too.
	ReadStream(ctx context.Context, organization uuid.UUID, streamID string, after int64, limit int) ([]Event, error)
}

// Reader reads the whole log in order.
type Reader interface {
	// Read gives the events with Position > after, in order without gaps, at
	// most limit. Fewer than limit means that the end was reached.
	Read(ctx context.Context, after int64, limit int) ([]Event, error)
	// Head is the last position, 0 for an empty log.
	Head(ctx context.Context) (int64, error)
}

// Log is all of it. Adapters implement it and pass eventlogtest.
type Log interface {
	Appender
	CommandFinder
	StreamReader
	Reader
}

// BatchHandler is what a consumer group does with the next events: contiguous
// positions in order. It runs to its end before the next batch comes, may see a
// batch again after a failure, and must take that well. An error means: nothing
// of the batch counts, bring it again.
type BatchHandler func(ctx context.Context, events []Event) error
