package restore

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// ErrInUse: a service, or another tool, is connected to the log database. Stop it first.
var ErrInUse = errors.New("the log database is in use: stop every service that works on it")

// Target is the log database that is restored. While there is one, nobody else
// works on the database.
type Target interface {
	eventlog.Reader
	eventlog.EpochReader

	// Write records events that continue the log, exactly as they are, and the
	// epochs that begin among them, in one transaction. The relay's cursor moves
	// with them: what has been recorded before is not announced again.
	Write(ctx context.Context, events []eventlog.Event, begun []eventlog.Epoch) error

	// Begin appends a command's one event at e.First, which must be behind the end
	// of the log, and notes the epoch that begins with it. Cursors beyond the end
	// are set to it.
	Begin(ctx context.Context, e eventlog.Epoch, c eventlog.Command) (eventlog.Epoch, error)

	// Unfinished says whether anything was written since the last epoch began: a
	// restore that is not through. Services do not open such a log.
	Unfinished(ctx context.Context) (bool, error)

	// Cursors are where the consumer groups stand.
	Cursors(ctx context.Context) (map[string]eventlog.Place, error)

	// KeepOriginal keeps the stored form of a document, unless it is there.
	KeepOriginal(ctx context.Context, organizationID uuid.UUID, sha256 string, stored []byte) error

	// Imported notes that an import was accepted, so that a service goes on with it
	// (to a finished one it adds nothing), or that it is done. What is noted
	// already stays.
	Imported(ctx context.Context, organizationID, importID uuid.UUID, done bool) error
}
