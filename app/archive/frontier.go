package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// Hash is a SHA-256, in lower case hex where it is text.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != 2*len(h) {
		return fmt.Errorf("a hash of %d characters", len(text))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// Frontier is what is needed of a Merkle tree (RFC 6962) to append to it: the
// roots of its perfect subtrees, largest first. The zero value is the empty tree.
// A copy shares memory: Clone one that is to be kept.
type Frontier struct {
	size  int64
	nodes []Hash
}

// NewFrontier takes up a tree of size leaves.
func NewFrontier(size int64, nodes []Hash) (Frontier, error) {
	if size < 0 || bits.OnesCount64(uint64(size)) != len(nodes) {
		return Frontier{}, errors.New("the frontier has not as many nodes as a tree of that size")
	}
	return Frontier{size, slices.Clone(nodes)}, nil
}

// Size is the number of leaves.
func (f *Frontier) Size() int64 { return f.size }

// Nodes are the roots of the perfect subtrees, largest first.
func (f *Frontier) Nodes() []Hash { return slices.Clone(f.nodes) }

// Clone is a copy that shares nothing.
func (f *Frontier) Clone() Frontier { return Frontier{f.size, slices.Clone(f.nodes)} }

// Append adds a leaf.
func (f *Frontier) Append(leaf Hash) {
	f.nodes = append(f.nodes, leaf)
	f.size++
	for n := f.size; n&1 == 0; n >>= 1 {
		last := len(f.nodes) - 1
		f.nodes[last-1] = node(f.nodes[last-1], f.nodes[last])
		f.nodes = f.nodes[:last]
	}
}

// Root is the tree's hash.
func (f *Frontier) Root() Hash {
	if len(f.nodes) == 0 {
		return sha256.Sum256(nil)
	}
	root := f.nodes[len(f.nodes)-1]
	for _, left := range slices.Backward(f.nodes[:len(f.nodes)-1]) {
		root = node(left, root)
	}
	return root
}

func node(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 0x01
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}
