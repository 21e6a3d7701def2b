package verifier

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
)

// Hash is a SHA-256 value: of a leaf, an inner node or a whole tree.
type Hash [sha256.Size]byte

// String is the hash in lower-case hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Base64 is the hash as checkpoints write it.
func (h Hash) Base64() string { return base64.StdEncoding.EncodeToString(h[:]) }

// MarshalText writes hex, for reports in JSON.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// ParseHash reads 64 digits of hex.
func ParseHash(s string) (h Hash, err error) {
	if len(s) != 2*len(h) {
		return h, fmt.Errorf("a hash of %d characters, not %d hex digits", len(s), 2*len(h))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return Hash{}, fmt.Errorf("a hash that is no hex: %w", err)
	}
	return h, nil
}

// HashLeaf is the leaf hash of RFC 6962: the domain of leaves is 0x00.
func HashLeaf(leaf []byte) Hash {
	return sha256.Sum256(append(append(make([]byte, 0, 1+len(leaf)), 0x00), leaf...))
}

func sum(b []byte) Hash { return sha256.Sum256(b) }

// HashNodes is the hash of an inner node of RFC 6962: their domain is 0x01.
func HashNodes(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 0x01
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Tree is a Merkle tree that grows at its right end. It keeps the roots of the
// perfect subtrees only, one for every bit set in its size; a copy made with
// Clone grows by itself. The zero value is the empty tree.
type Tree struct {
	size     uint64
	frontier []Hash // of the perfect subtrees, the largest (leftmost) first
}

var errFrontier = errors.New("the frontier does not fit the size")

// NewTree is a tree of a size, from its frontier: the roots of its perfect
// subtrees, the largest first.
func NewTree(size uint64, frontier []Hash) (*Tree, error) {
	if len(frontier) != bits.OnesCount64(size) {
		return nil, fmt.Errorf("%w: %d hashes for %d leaves, not %d", errFrontier, len(frontier), size, bits.OnesCount64(size))
	}
	return &Tree{size: size, frontier: append([]Hash(nil), frontier...)}, nil
}

// Append adds a leaf.
func (t *Tree) Append(leaf Hash) { t.grow(0, leaf) }

// grow adds a perfect subtree of 2^height leaves by its root. The size must be a
// multiple of that.
func (t *Tree) grow(height int, root Hash) {
	// As many subtrees of equal size meet as the old size has trailing ones.
	for n := t.size >> height; n&1 == 1; n >>= 1 {
		last := len(t.frontier) - 1
		root = HashNodes(t.frontier[last], root)
		t.frontier = t.frontier[:last]
	}
	t.frontier = append(t.frontier, root)
	t.size += 1 << height
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Root is the hash of the whole tree. That of the empty one is the hash of nothing.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	root := t.frontier[len(t.frontier)-1]
	for i := len(t.frontier) - 2; i >= 0; i-- {
		root = HashNodes(t.frontier[i], root)
	}
	return root
}

// Frontier gives the roots of the perfect subtrees, the largest first.
func (t *Tree) Frontier() []Hash { return append([]Hash(nil), t.frontier...) }

// Clone gives a tree that grows by itself.
func (t *Tree) Clone() *Tree { return &Tree{size: t.size, frontier: t.Frontier()} }
