package command

import (
	"context"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/refusal"
)

// ImportStore keeps what imports need beside the log: the documents as they
// came, and how far each import is. Safe for concurrent use.
type ImportStore interface {
	// Keep stores a document under its SHA-256 (lower-case hexadecimal), for one
	// organization. Keeping it again changes nothing. Once it returns nil the
	// bytes are durable, and nothing in the service can change them.
	Keep(ctx context.Context, organizationID uuid.UUID, sha256 string, document []byte) error

	// Original gives a kept document byte for byte, or ErrNoOriginal. Another
	// organization's is not there.
	Original(ctx context.Context, organizationID uuid.UUID, sha256 string) ([]byte, error)

	// SaveRun notes how far an import is. An applied import stays applied, and
	// progress never goes back, whatever is saved later.
	SaveRun(ctx context.Context, run ImportRun) error

	// Run gives what was saved, ok = false if nothing was.
	Run(ctx context.Context, organizationID, importID uuid.UUID) (run ImportRun, ok bool, err error)

	// UnfinishedRuns gives the accepted and applying imports of all
	// organizations, the longest untouched first.
	UnfinishedRuns(ctx context.Context) ([]ImportRun, error)
}

// ErrNoOriginal: no such document was kept for this organization.
var ErrNoOriginal = refusal.NotFound.WithRule("original")

// ErrNoImport: no such import was accepted in this organization.
var ErrNoImport = refusal.NotFound.WithRule("import")

// ImportState is where an import is.
type ImportState string

// The states of an import. Failed ones can be tried again.
const (
	ImportAccepted ImportState = "accepted" // nothing is applied yet
	ImportApplying ImportState = "applying"
	ImportApplied  ImportState = "applied"
	ImportFailed   ImportState = "failed" // a rule refused the rest
)

// ImportRun says how far an import is.
type ImportRun struct {
	OrganizationID uuid.UUID
	ImportID       uuid.UUID
	State          ImportState
	Progress
	Revision  int            // of the strategy, as of its last append
	Version   int64          // of the strategy's stream, as of its last append
	Position  int64          // of the import's last event so far
	Failure   *ImportFailure // of a failed one
	UpdatedAt time.Time
}

// ImportFailure is the refusal that ended an import.
type ImportFailure struct {
	Slug   string `json:"slug"`
	Rule   string `json:"rule,omitempty"`
	Detail string `json:"detail,omitempty"`
}
