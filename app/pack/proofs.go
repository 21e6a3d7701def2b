package pack

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/eventlog"
)

// proof is a line of proofs.ndjson.
type proof struct {
	Position int64    `json:"position"`
	LeafHash string   `json:"leafHash"`
	Proof    []string `json:"proof"`
}

// consistent is an entry of consistency.json.
type consistent struct {
	Checkpoint string   `json:"checkpoint"`
	Proof      []string `json:"proof"`
}

// prover makes proofs in the tree of one checkpoint. Every hash that it reads is
// held against the checkpoint's root.
type prover struct {
	at     Checkpoint
	hashes tlog.HashReader
}

func newProver(ctx context.Context, tree Tree, at Checkpoint) *prover {
	tiles := &tileCache{ctx: ctx, tree: tree, known: map[tileKey][]byte{}}
	return &prover{at: at, hashes: tlog.TileHashReader(tlog.Tree{N: at.Size, Hash: at.Root}, tiles)}
}

// inclusion is the proof that the tree has an event.
func (p *prover) inclusion(e *eventlog.Event) (proof, error) {
	leaf := eventlog.LeafHash(e)
	path, err := tlog.ProveRecord(p.at.Size, e.Position-1, p.hashes)
	if err != nil {
		return proof{}, fmt.Errorf("prove position %d: %w", e.Position, err)
	}
	if err := tlog.CheckRecord(path, p.at.Size, p.at.Root, e.Position-1, leaf); err != nil {
		return proof{}, fmt.Errorf("position %d is not what was sealed: %w", e.Position, err)
	}
	return proof{e.Position, hex.EncodeToString(leaf[:]), texts(path)}, nil
}

// consistency is the proof that the tree goes on where an older one ended.
func (p *prover) consistency(old Checkpoint) (consistent, error) {
	path, err := tlog.ProveTree(p.at.Size, old.Size, p.hashes)
	if err != nil {
		return consistent{}, fmt.Errorf("prove that the log only grew from %d: %w", old.Size, err)
	}
	return consistent{string(old.Note), texts(path)}, nil
}

func texts(path []tlog.Hash) []string {
	list := make([]string, len(path))
	for i, h := range path {
		list[i] = hex.EncodeToString(h[:])
	}
	return list
}

// maxTiles bounds the cache: 8 kB each.
const maxTiles = 2_000

type tileKey struct {
	level int
	n     int64
}

// tileCache is a ledger as tlog reads it, within one pack: neighbours in the log
// share their tiles.
type tileCache struct {
	ctx   context.Context //nolint:containedctx // tlog's interface has none
	tree  Tree
	known map[tileKey][]byte
}

const tileHeight = 8

// Height implements tlog.TileReader.
func (*tileCache) Height() int { return tileHeight }

// ReadTiles implements tlog.TileReader.
func (c *tileCache) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	for i, t := range tiles {
		key := tileKey{t.L, t.N}
		hashes, ok := c.known[key]
		if !ok || len(hashes) < t.W*tlog.HashSize {
			var err error
			if hashes, err = c.tree.Tile(c.ctx, t.L, t.N); err != nil {
				return nil, err
			}
			if len(c.known) >= maxTiles {
				clear(c.known)
			}
			c.known[key] = hashes
		}
		if len(hashes) < t.W*tlog.HashSize {
			return nil, fmt.Errorf("tile %d/%d of the ledger has %d hashes, want %d", t.L, t.N, len(hashes)/tlog.HashSize, t.W)
		}
		all[i] = hashes[:t.W*tlog.HashSize]
	}
	return all, nil
}

// SaveTiles implements tlog.TileReader.
func (*tileCache) SaveTiles([]tlog.Tile, [][]byte) {}

// covered waits for the checkpoint that covers a position.
func (p *Packer) covered(ctx context.Context, position int64) (Checkpoint, error) {
	if p.o.Tree == nil {
		return Checkpoint{}, ErrNoLedger
	}
	ctx, cancel := context.WithTimeout(ctx, p.o.Patience)
	defer cancel()
	for {
		c, ok, err := p.o.Tree.Covering(ctx, position)
		if err != nil && ctx.Err() == nil || ok {
			return c, err
		}
		select {
		case <-ctx.Done():
			return Checkpoint{}, ErrNotSealed.Because(context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// proofs writes proofs.ndjson.
func (b *build) proofs(ctx context.Context, w io.Writer) error {
	e := json.NewEncoder(w)
	return b.span.each(ctx, func(event *eventlog.Event) error {
		line, err := b.prover.inclusion(event)
		if err != nil {
			return err
		}
		return e.Encode(line)
	})
}
