package pack

import (
	"context"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/refusal"
)

// Limits of one pack.
const (
	MaxEvents        = 50_000
	MaxEvidenceBytes = 256 << 20
)

var (
	// ErrNothing: nothing was recorded of it in this span, in this organization.
	ErrNothing = refusal.NotFound.WithRule("pack")

	// ErrTooLarge: more than MaxEvents, or more evidence than MaxEvidenceBytes.
	ErrTooLarge = fault.New(fault.TooLarge, "too-large", "The pack would be larger than one may be: ask for a shorter span.")

	// ErrNotSealed: the ledger has not sealed the span within the time that was waited.
	ErrNotSealed = fault.New(fault.Unavailable, "unavailable", "The ledger has not sealed these events yet. Try again.").WithRule("ledger")

	// ErrNoLedger: this installation seals nothing, so nothing can be proved.
	ErrNoLedger = fault.New(fault.Unavailable, "unavailable", "This installation has no ledger: nothing can be proved.").WithRule("ledger")
)

// Ask is what is to be packed. The zero times and positions mean: from the
// beginning, to now.
type Ask struct {
	OrganizationID uuid.UUID
	StreamID       string // one entity: "strategy-<id>"; "" = the whole organization

	FromPosition, ToPosition int64     // both included; 0 = not given
	From, To                 time.Time // recorded at or after From, and before To

	Evidence bool // with the bytes of evidence
}

// Log reads the events of an organization.
type Log interface {
	eventlog.StreamReader
	// ReadOrganization gives the organization's events with OrganizationSequence >
	// after, in order, at most limit.
	ReadOrganization(ctx context.Context, organizationID uuid.UUID, after int64, limit int) ([]eventlog.Event, error)
	// Head is the last position, 0 for an empty log.
	Head(ctx context.Context) (int64, error)
}

// Checkpoint is a signed one.
type Checkpoint struct {
	Size int64
	Root [32]byte
	Note []byte
}

// Tree is the ledger.
type Tree interface {
	// Covering gives the oldest checkpoint of at least size leaves; ok is false if
	// there is none yet.
	Covering(ctx context.Context, size int64) (c Checkpoint, ok bool, err error)
	// Until gives the newest checkpoint of at most size leaves.
	Until(ctx context.Context, size int64) (c Checkpoint, ok bool, err error)
	// Tile gives a tile's hashes, as many as there are.
	Tile(ctx context.Context, level int, n int64) ([]byte, error)
	// SignedBy lists the verifier keys that have signed.
	SignedBy(ctx context.Context) ([]string, error)
}

// States says what was known at a position: members of a JSON object by name. A
// stream that was not there yet has none.
type States interface {
	At(ctx context.Context, organizationID uuid.UUID, streamID string, position int64) (map[string]any, error)
}

// Evidence gives bytes of evidence that the asker may read.
type Evidence interface {
	// Of lists the evidence that concerned a stream ("" = all of the organization)
	// at a moment.
	Of(ctx context.Context, organizationID uuid.UUID, streamID string, at query.Moment) ([]uuid.UUID, error)
	// Content gives the bytes; a fault of kind Gone if they were erased.
	Content(ctx context.Context, id uuid.UUID) (content []byte, mediaType string, err error)
}

// Options wires a Packer.
type Options struct {
	Log      Log
	Tree     Tree                              // nil = ErrNoLedger
	States   States                            // nil = packs have none
	Verifier func() (map[string][]byte, error) // the verifier's source, by path
	Patience time.Duration                     // to wait for the seal; 0 = 10 seconds
}

// Packer makes packs. Safe for concurrent use.
type Packer struct{ o Options }

// New makes a Packer.
func New(o Options) *Packer {
	if o.Patience <= 0 {
		o.Patience = 10 * time.Second
	}
	return &Packer{o}
}

// Summary says what a pack holds.
type Summary struct {
	Events                      int
	FirstPosition, LastPosition int64
	First, Last                 int64 // organization sequences, or versions of the stream
	Checkpoint                  int64 // size of the tree that the proofs are for
	SHA256                      string
	Bytes                       int64
	Evidence                    int
	Withheld                    int // pieces of evidence that were erased
}
