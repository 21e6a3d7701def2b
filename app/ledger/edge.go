package ledger

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// Tile is a tile's hashes: 32 bytes each, at most 256 of them. At level 0 they are
// leaf hashes, above that the roots of full tiles of the level below.
type Tile struct {
	Level  int
	N      int64 // from the left
	Hashes []byte
}

// edge is the last tile of each level, to which leaves are appended. Its tiles
// are full never: one that fills goes to the changed ones, and the next begins.
type edge struct {
	size    int64
	levels  [][]byte
	changed []Tile // full since the last call of take
}

// widths gives, level by level, the number of hashes in the last tile of a tree.
func widths(size int64) (w []int) {
	for n := size; n > 0; n >>= tileHeight {
		w = append(w, int(n%tileWidth))
	}
	return w
}

// edgeTiles are the last tiles of a tree that are not full, to be read from a store.
func edgeTiles(size int64) (tiles []tlog.Tile) {
	for level, w := range widths(size) {
		if w > 0 {
			tiles = append(tiles, tlog.Tile{H: tileHeight, L: level, N: size >> (tileHeight * (level + 1)), W: w})
		}
	}
	return tiles
}

func newEdge(size int64, tiles []tlog.Tile, data [][]byte) *edge {
	e := &edge{size: size, levels: make([][]byte, len(widths(size)))}
	for i, t := range tiles {
		e.levels[t.L] = append(make([]byte, 0, tileWidth*tlog.HashSize), data[i]...)
	}
	return e
}

func (e *edge) append(leaf Hash) {
	e.size++
	node := leaf
	for level := 0; ; level++ {
		if level == len(e.levels) {
			e.levels = append(e.levels, nil)
		}
		e.levels[level] = append(e.levels[level], node[:]...)
		if len(e.levels[level]) < tileWidth*tlog.HashSize {
			return
		}
		full := e.levels[level]
		e.changed = append(e.changed, Tile{Level: level, N: e.size>>(tileHeight*(level+1)) - 1, Hashes: full})
		e.levels[level] = nil
		node = tileRoot(full)
	}
}

// take gives the tiles that changed, each as it is now, the full ones first.
func (e *edge) take() []Tile {
	tiles := e.changed
	e.changed = nil
	for level, hashes := range e.levels {
		if len(hashes) > 0 {
			tiles = append(tiles, Tile{Level: level, N: e.size >> (tileHeight * (level + 1)), Hashes: hashes})
		}
	}
	return tiles
}

// tileRoot is the root of a full tile.
func tileRoot(hashes []byte) Hash {
	var nodes [tileWidth]Hash
	for i := range nodes {
		nodes[i] = Hash(hashes[i*tlog.HashSize:])
	}
	for n := tileWidth; n > 1; n /= 2 {
		for i := range n / 2 {
			nodes[i] = tlog.NodeHash(nodes[2*i], nodes[2*i+1])
		}
	}
	return nodes[0]
}

// TilePath is a tile's path in a served log (C2SP tlog-tiles): 0/x001/067 or
// 0/x001/067.p/8.
func TilePath(t tlog.Tile) string {
	return t.Path()[len("tile/8/"):]
}

// ParseTilePath reads what TilePath writes. The level of entry bundles, which are
// no hashes, is -1; they are written entries/<N>.
func ParseTilePath(path string) (tlog.Tile, error) {
	if rest, ok := cutEntries(path); ok {
		path = "data/" + rest
	}
	t, err := tlog.ParseTilePath("tile/8/" + path)
	if err != nil || t.L > maxLevel {
		return tlog.Tile{}, fmt.Errorf("%q is no path of a tile", path)
	}
	return t, nil
}

// maxLevel is the highest level of a tree with 2^63 leaves: 256^8 > 2^63.
const maxLevel = 7

func cutEntries(path string) (string, bool) {
	const prefix = "entries/"
	if len(path) > len(prefix) && path[:len(prefix)] == prefix {
		return path[len(prefix):], true
	}
	return "", false
}
