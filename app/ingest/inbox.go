package ingest

import (
	"context"

	"github.com/google/uuid"
)

// Inbox remembers which messages were settled, and how. Safe for concurrent use,
// by any number of instances.
type Inbox interface {
	// Serially calls do while nobody else, here or in another process, is within a
	// call for the same source. do is told what the inbox knows, and gives what to
	// remember, or nil. Serially returns nil when that is durable; else the error
	// of do, or a fault of kind Unavailable, and nothing is remembered.
	//
	// Should the lock be lost on the way (its connection broke), do still runs to
	// its end, and nothing is remembered.
	Serially(ctx context.Context, m MessageKey, do func(ctx context.Context, known Known) (*Entry, error)) error
}

// MessageKey names a message.
type MessageKey struct {
	OrganizationID, SourceID uuid.UUID
	MessageID                string
}

// Known is what the inbox knows about a message.
type Known struct {
	Entry    *Entry // of the same message id; nil = it was never settled
	Sequence int64  // the highest that was settled for the source; 0 = none
}

// Entry is one settled message. It is never changed.
type Entry struct {
	SHA256   []byte // of the body
	Sequence int64  // the highest in the message, above all before; 0 = none
	Refused  bool   // as a whole
	Answer   []byte // JSON
}
