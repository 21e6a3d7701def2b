package proving

import (
	"context"
	"errors"
	"math"
	"time"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/verifier"
)

// Source is the log as it is stored, without any promise about it: whoever has
// tampered with it may have removed every constraint. Safe for concurrent use.
type Source interface {
	eventlog.EpochReader
	// Head is the last position, 0 for an empty log.
	Head(ctx context.Context) (int64, error)
	// Between gives all rows with after < position <= through, in the order of
	// their positions, whatever else they are.
	Between(ctx context.Context, after, through int64) ([]eventlog.Event, error)
	// Next is the smallest position > after, 0 if there is none.
	Next(ctx context.Context, after int64) (int64, error)
	// PositionAt is the first position recorded at or after an instant, 0 if there
	// is none.
	PositionAt(ctx context.Context, at time.Time) (int64, error)
	// Tile is the hashes of a tile of the ledger, one behind the other; none if it
	// is not there.
	Tile(ctx context.Context, level int, n int64) ([]byte, error)
	// Notes gives what was signed of more than after leaves, in the order of size.
	Notes(ctx context.Context, after int64) ([]Note, error)
	// NewestNote is what was signed last, zero if nothing was.
	NewestNote(ctx context.Context) (Note, error)
}

// Note is a stored checkpoint: what the row says, and what was signed.
type Note struct {
	Epoch    int
	Size     int64
	Root     []byte
	Signed   []byte
	SignedAt time.Time
}

// ErrNothingSealed says that nothing of the log was signed yet.
var ErrNothingSealed = errors.New("nothing of the log is sealed yet: no checkpoint was signed")

const start = math.MinInt64 // before every position, also those that cannot be

// tilesOf makes the source's tiles those of the verifier.
func tilesOf(s Source) verifier.Tiles {
	return func(ctx context.Context, level int, n int64) ([]verifier.Hash, error) {
		b, err := s.Tile(ctx, level, n)
		if err != nil {
			return nil, err
		}
		hashes := make([]verifier.Hash, len(b)/len(verifier.Hash{}))
		for i := range hashes {
			copy(hashes[i][:], b[i*len(verifier.Hash{}):])
		}
		return hashes, nil
	}
}

// Seen is an event as the verifier knows it.
func Seen(e *eventlog.Event) verifier.Event {
	return verifier.Event{
		Position: e.Position, Sequence: e.OrganizationSequence, Version: e.Version, Schema: int64(e.SchemaVersion), RecordedAt: e.RecordedAt.UnixMicro(),
		Organization: verifier.UUID(e.OrganizationID), ID: verifier.UUID(e.ID), CommandID: verifier.UUID(e.CommandID),
		Stream: e.StreamID, Type: e.Type, Data: e.Data, Metadata: e.Metadata, CommandHash: e.CommandHash,
	}
}
