package verifier

import (
	"errors"
	"fmt"
	"math/bits"
)

// ErrProof is in every error that says a proof does not hold.
var ErrProof = errors.New("the proof does not hold")

// maxProof is the longest proof there can be: of a tree of 2^63 leaves.
const maxProof = 64

// CheckInclusion checks that a tree of size leaves with this root has leaf at
// index (from 0). The proof goes from the leaf up, as RFC 6962 has it.
func CheckInclusion(index, size uint64, leaf Hash, proof []Hash, root Hash) error {
	if index >= size {
		return fmt.Errorf("%w: leaf %d of a tree of %d", ErrProof, index, size)
	}
	// On the way up, the node is a right child (bit set) or has a sibling to its
	// right; at the tree's right edge levels without a sibling are skipped.
	hash, last, used := leaf, size-1, 0
	for at := index; last > 0; at, last = at>>1, last>>1 {
		if at == last && at&1 == 0 {
			continue // the last node of its level, and no sibling
		}
		if used == len(proof) {
			return fmt.Errorf("%w: %d hashes are too few for leaf %d of %d", ErrProof, len(proof), index, size)
		}
		if at&1 == 1 {
			hash = HashNodes(proof[used], hash)
		} else {
			hash = HashNodes(hash, proof[used])
		}
		used++
	}
	switch {
	case used != len(proof):
		return fmt.Errorf("%w: %d hashes are too many for leaf %d of %d, which takes %d", ErrProof, len(proof), index, size, used)
	case hash != root:
		return fmt.Errorf("%w: leaf %d of %d leads to root %s, not %s", ErrProof, index, size, hash, root)
	}
	return nil
}

// CheckConsistency checks that the tree of size1 leaves with root1 is the
// beginning of that of size2 leaves with root2 (RFC 6962, section 2.1.2). Every
// tree begins with the empty one; that takes no proof.
func CheckConsistency(size1 uint64, root1 Hash, size2 uint64, root2 Hash, proof []Hash) error {
	switch {
	case size1 > size2:
		return fmt.Errorf("%w: a tree of %d leaves cannot begin with one of %d", ErrProof, size2, size1)
	case size1 == 0 && root1 != (&Tree{}).Root():
		return fmt.Errorf("%w: %s is not the root of the empty tree", ErrProof, root1)
	case size1 == size2 && root1 != root2:
		return fmt.Errorf("%w: two trees of %d leaves: %s and %s", ErrProof, size1, root1, root2)
	case size1 == 0 || size1 == size2:
		if len(proof) > 0 {
			return fmt.Errorf("%w: %d hashes where none are needed", ErrProof, len(proof))
		}
		return nil
	case len(proof) == 0 || len(proof) > maxProof:
		return fmt.Errorf("%w: %d hashes for sizes %d and %d", ErrProof, len(proof), size1, size2)
	}
	// The walk begins at the last leaf of the smaller tree, at the lowest node
	// that is whole in both; where the smaller tree is perfect, that is its root.
	up := bits.TrailingZeros64(size1)
	at, last := (size1-1)>>up, (size2-1)>>up
	var hash1 Hash
	if at == 0 {
		hash1 = root1
	} else {
		hash1, proof = proof[0], proof[1:]
	}
	hash2 := hash1
	for ; last > 0; at, last = at>>1, last>>1 {
		if at == last && at&1 == 0 {
			continue
		}
		if len(proof) == 0 {
			return fmt.Errorf("%w: too few hashes for sizes %d and %d", ErrProof, size1, size2)
		}
		if at&1 == 1 {
			hash1, hash2 = HashNodes(proof[0], hash1), HashNodes(proof[0], hash2)
		} else {
			hash2 = HashNodes(hash2, proof[0])
		}
		proof = proof[1:]
	}
	switch {
	case len(proof) > 0:
		return fmt.Errorf("%w: %d hashes too many for sizes %d and %d", ErrProof, len(proof), size1, size2)
	case hash1 != root1:
		return fmt.Errorf("%w: the proof leads to root %s for %d leaves, not %s", ErrProof, hash1, size1, root1)
	case hash2 != root2:
		return fmt.Errorf("%w: the proof leads to root %s for %d leaves, not %s", ErrProof, hash2, size2, root2)
	}
	return nil
}
