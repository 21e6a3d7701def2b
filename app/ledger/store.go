package ledger

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/eventlog"
)

// ErrMoved means that the tiles were not at the size from which they should grow:
// another instance has moved them. Nothing was stored.
var ErrMoved = errors.New("the ledger's tiles are at another size")

// Store keeps tiles and checkpoints where the log is. Safe for concurrent use,
// also by several processes. Its errors are those of a log that cannot be
// reached, unless they are said here.
type Store interface {
	// Size is how many leaves the tiles hold; what it says is durable.
	Size(ctx context.Context) (int64, error)
	// Tiles reads tiles: of each exactly its W hashes. A tile that is not there,
	// or not so wide, is a *TileError.
	Tiles(ctx context.Context, tiles []tlog.Tile) ([][]byte, error)
	// Grow stores tiles and moves the size, all or nothing; ErrMoved if the size is
	// not from.
	Grow(ctx context.Context, from, to int64, tiles []Tile) error

	// Events reads the positions first to last for the tiles, in order. The event
	// and what it points to are visit's until it returns.
	Events(ctx context.Context, first, last int64, visit func(*eventlog.Event) error) error

	// LeafHashes gives the leaf hashes of the positions first to last, computed
	// over the rows as they are stored: bytes read again, and made leaves by no code
	// of Events. A position that is not there is an error.
	LeafHashes(ctx context.Context, first, last int64) ([]Hash, error)

	// Latest is the newest checkpoint of an epoch that was signed; ok = false: none.
	Latest(ctx context.Context, epoch int) (c Checkpoint, ok bool, err error)
	// At is the checkpoint of a size, if that size was signed.
	At(ctx context.Context, epoch int, size int64) (c Checkpoint, ok bool, err error)
	// Save stores a signed checkpoint and notes its keys. If one of that size is
	// there, nothing is stored, and that one is given back.
	Save(ctx context.Context, epoch int, c Checkpoint, vkeys []string) (Checkpoint, error)
	// Keys are those that have signed, the oldest first.
	Keys(ctx context.Context) ([]SeenKey, error)
}

// SeenKey is a key that has signed checkpoints.
type SeenKey struct {
	VKey      string // C2SP signed-note: name, key id, public key
	FirstSize int64  // of the first checkpoint it signed,
	LastSize  int64  // and of the last
}

// TileError says that a tile is missing, or narrower than it was.
type TileError struct {
	Tile tlog.Tile
	Got  int // hashes
}

func (e *TileError) Error() string {
	return fmt.Sprintf("tile %s of the ledger has %d hashes, want %d", TilePath(e.Tile), e.Got, e.Tile.W)
}

// tileReader is a store as tlog sees it, within one call.
type tileReader struct {
	ctx   context.Context // tlog's interface has none
	store Store
}

// Height implements tlog.TileReader.
func (tileReader) Height() int { return tileHeight }

// ReadTiles implements tlog.TileReader.
func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	return r.store.Tiles(r.ctx, tiles)
}

// SaveTiles implements tlog.TileReader: reading again is cheap.
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

// hashes reads nodes of a tree. Each is held against the tree's root before it is
// given: what was tampered with is an error.
func hashes(ctx context.Context, store Store, size int64, root Hash) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tileReader{ctx, store})
}

// subtrees are the places, as tlog numbers them, of the roots of a tree's full
// subtrees, the largest first.
func subtrees(size int64) (indexes []int64) {
	var before int64
	for level := 62; level >= 0; level-- {
		if size&(1<<level) != 0 {
			indexes = append(indexes, tlog.StoredHashIndex(level, before>>level))
			before += 1 << level
		}
	}
	return indexes
}

// Archived is the newest checkpoint of an epoch that the archive holds; ok =
// false: none. It is asked before every signature, so it should be cheap.
type Archived func(ctx context.Context, epoch int) (note []byte, ok bool, err error)

// Witness cosigns checkpoints of ours that are consistent with those it has seen.
type Witness interface {
	// Cosign gives the witness's signature lines. prove makes a consistency proof
	// from the size that the witness has seen to the one of c.
	Cosign(ctx context.Context, c Checkpoint, prove func(ctx context.Context, old int64) ([]Hash, error)) ([]byte, error)
}

// ErrContradicted is what a witness's refusal wraps if it says that this log does
// not continue the one it has seen.
var ErrContradicted = errors.New("the witness has seen another log of this name")
