package fsck

import (
	"context"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// Beside is what stands beside the log in its database. Every method reads what
// is there now; the log that is read afterwards has what explains it.
type Beside interface {
	Cursors(ctx context.Context) ([]Cursor, error)
	Parked(ctx context.Context) ([]Parked, error)
	Timers(ctx context.Context) ([]Timer, error)
	ImportRuns(ctx context.Context) ([]ImportRun, error)
	// Inbox gives its rows in the order of their keys, as long as take returns nil.
	Inbox(ctx context.Context, take func(InboxRow) error) error
	// Epochs are the histories of the log as the table has them.
	Epochs(ctx context.Context) (eventlog.Epochs, error)
}

// Cursor is where a consumer group is.
type Cursor struct {
	Group    string
	Position int64
	Epoch    int // that it followed
}

// Parked is a stream that a consumer group has set aside.
type Parked struct {
	Group, StreamID string
	Position        int64
	EventID         uuid.UUID
}

// Timer is a stored timer of the processes.
type Timer struct {
	OrganizationID uuid.UUID
	ID             uuid.UUID
	Kind, Subject  string
	DueAt          time.Time
	CauseID        uuid.UUID // event that set it
	CausePosition  int64
	State          string // pending, fired, cancelled
	FiredAt        *time.Time
}

// ImportRun is how far an import is.
type ImportRun struct {
	OrganizationID, ImportID uuid.UUID
	State                    string
	Position                 int64
}

// InboxRow is a message of a source that was settled.
type InboxRow struct {
	SourceID, OrganizationID uuid.UUID
	MessageID                string
	SHA256                   []byte
	Refused                  bool
	Answer                   []byte
}
