package verifier

import (
	"context"
	"fmt"
	"math/bits"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// Tiles gives tile n of a level, as the ledger keeps them: the roots of up to 256
// perfect subtrees of 256^level leaves each, those from n*256 on. Level 0 is the
// leaf hashes. A tile that is not full is the last of its level.
type Tiles func(ctx context.Context, level int, n int64) ([]Hash, error)

// lacks is a tile that does not have what a tree of a size takes: whoever signed
// the tree has had it.
func lacks(level int, n int64, have int, size int64) *Problem {
	return &Problem{
		Position: (n*tileWidth+int64(have))<<(level*tileHeight) + 1, Check: CheckTile, Kind: TileEdited, Where: fmt.Sprintf("tile %d/%d of the ledger", level, n),
		Expected: fmt.Sprintf("what a tree of %d leaves takes", size), Found: fmt.Sprintf("%d hashes", have),
	}
}

// Leaves are the tiles of level 0 of a tree of size leaves, as a record.
func (t Tiles) Leaves(size int64) Leaves {
	return func(ctx context.Context, first int64, n int) ([]Hash, error) {
		var found []Hash
		for at := first - 1; at < size && len(found) < n; at = first - 1 + int64(len(found)) {
			tile, err := t(ctx, 0, at/tileWidth)
			if err != nil {
				return nil, err
			}
			from, to := at%tileWidth, min(int64(tileWidth), size-at/tileWidth*tileWidth)
			if have := int64(len(tile)); have < to {
				if len(found) == 0 && have <= from {
					return nil, lacks(0, at/tileWidth, len(tile), size)
				}
				return append(found, tile[min(from, have):have]...), nil // the next call says what is missing
			}
			found = append(found, tile[from:to]...)
		}
		return found[:min(n, len(found))], nil
	}
}

// Tree is the tree of the first size leaves, from the highest tiles that have it.
func (t Tiles) Tree(ctx context.Context, size int64) (*Tree, error) {
	var frontier []Hash
	for from, left := int64(0), uint64(size); left > 0; {
		height := bits.Len64(left) - 1 // of the largest perfect subtree that is left
		level, within := height/tileHeight, height%tileHeight
		node := from >> (level * tileHeight) // its first node in the tile's level
		tile, err := t(ctx, level, node/tileWidth)
		if err != nil {
			return nil, err
		}
		at, width := node%tileWidth, int64(1)<<within
		if int64(len(tile)) < at+width {
			return nil, lacks(level, node/tileWidth, len(tile), size)
		}
		var subtree Tree
		for _, h := range tile[at : at+width] {
			subtree.Append(h)
		}
		frontier = append(frontier, subtree.Root())
		from, left = from+(1<<height), left-(1<<height)
	}
	return NewTree(uint64(size), frontier)
}

// Extend lets a tree grow to a size with what the tiles have behind it: by the
// roots of whole tiles where it can, so that it takes few of them.
func (t Tiles) Extend(ctx context.Context, tree *Tree, size int64) error {
	type place struct {
		level int
		n     int64
	}
	var at place
	var tile []Hash
	for from := int64(tree.Size()); from < size; from = int64(tree.Size()) {
		level := 0
		for next := level + 1; next*tileHeight < 63 && from%(1<<(next*tileHeight)) == 0 && from+(1<<(next*tileHeight)) <= size; next++ {
			level = next
		}
		node := from >> (level * tileHeight)
		if want := (place{level, node / tileWidth}); tile == nil || at != want {
			var err error
			if tile, err = t(ctx, want.level, want.n); err != nil {
				return err
			}
			at = want
		}
		if int64(len(tile)) <= node%tileWidth {
			return lacks(at.level, at.n, len(tile), size)
		}
		tree.grow(level*tileHeight, tile[node%tileWidth])
	}
	return nil
}
