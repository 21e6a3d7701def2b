package ledger

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a node of the tree: SHA-256 as of RFC 6962.
type Hash = tlog.Hash

// Frontier is the right edge of a Merkle tree: the roots of its full subtrees,
// the largest first. It is all that is needed to append leaves and to tell the
// root, and it is written without the code that makes the tiles: the ledger
// signs what both agree on. The zero value is the empty tree. Not safe for
// concurrent use.
type Frontier struct {
	size   int64
	hashes []Hash
}

// NewFrontier is the frontier of a tree of a size, from the roots of its full
// subtrees, the largest first: as many as size has one bits.
func NewFrontier(size int64, hashes []Hash) (*Frontier, error) {
	if size < 0 || bits.OnesCount64(uint64(size)) != len(hashes) {
		return nil, fmt.Errorf("a tree of size %d has not %d full subtrees", size, len(hashes))
	}
	return &Frontier{size: size, hashes: slices.Clone(hashes)}, nil
}

// Append adds the next leaf, given its hash.
func (f *Frontier) Append(leaf Hash) {
	node := leaf
	// Each trailing one bit of the size is a subtree of the size that node has by then.
	for rest := f.size; rest&1 == 1; rest >>= 1 {
		last := len(f.hashes) - 1
		node = parent(f.hashes[last], node)
		f.hashes = f.hashes[:last]
	}
	f.hashes = append(f.hashes, node)
	f.size++
}

// Size is the number of leaves.
func (f *Frontier) Size() int64 { return f.size }

// Hashes are the roots of the full subtrees, the largest first.
func (f *Frontier) Hashes() []Hash { return slices.Clone(f.hashes) }

// Root is the hash of the whole tree; of the empty one, SHA-256 of nothing.
func (f *Frontier) Root() Hash {
	if len(f.hashes) == 0 {
		return sha256.Sum256(nil)
	}
	root := f.hashes[len(f.hashes)-1]
	for i := len(f.hashes) - 2; i >= 0; i-- {
		root = parent(f.hashes[i], root)
	}
	return root
}

// Clone gives a copy that grows by itself.
func (f *Frontier) Clone() *Frontier { return &Frontier{size: f.size, hashes: slices.Clone(f.hashes)} }

func parent(left, right Hash) Hash {
	var node [1 + 2*sha256.Size]byte
	node[0] = 0x01 // the domain of inner nodes; leaves have 0x00
	copy(node[1:], left[:])
	copy(node[1+sha256.Size:], right[:])
	return sha256.Sum256(node[:])
}
