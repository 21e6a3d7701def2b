package verifier

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"pgregory.net/rapid"
)

// reference is a tree of another implementation, with leaves that differ.
func reference(leaves int) *testonly.Tree {
	t := testonly.New(rfc6962.DefaultHasher)
	for i := range leaves {
		t.AppendData(fmt.Append(nil, "leaf ", i))
	}
	return t
}

func hash(b []byte) (h Hash) { copy(h[:], b); return h }

func hashesOf(raw [][]byte) (hashes []Hash) {
	for _, b := range raw {
		hashes = append(hashes, hash(b))
	}
	return hashes
}

func raw(hashes []Hash) (b [][]byte) {
	for _, h := range hashes {
		b = append(b, slices.Clone(h[:]))
	}
	return b
}

func TestTreeHasThePublishedVectors(t *testing.T) {
	var tree Tree
	if tree.Root() != hash(testonly.EmptyRootHash()) || tree.Root() != sha256.Sum256(nil) {
		t.Error("the empty tree has another root")
	}
	for i, leaf := range testonly.LeafInputs() {
		tree.Append(HashLeaf(leaf))
		if want := hash(testonly.RootHashes()[i+1]); tree.Root() != want {
			t.Errorf("%d leaves: root %s, want %s", i+1, tree.Root(), want)
		}
		if !slices.Equal(tree.Frontier(), hashesOf(testonly.CompactTrees()[i+1])) {
			t.Errorf("%d leaves: frontier %v", i+1, tree.Frontier())
		}
	}
}

func TestTreeIsThatOfAnotherImplementation(t *testing.T) {
	const leaves = 600
	theirs := reference(leaves)
	var tree Tree
	for i := range uint64(leaves) {
		tree.Append(hash(theirs.LeafHash(i)))
		if tree.Root() != hash(theirs.HashAt(i+1)) {
			t.Fatalf("%d leaves: another root", i+1)
		}
		again, err := NewTree(tree.Size(), tree.Frontier())
		if err != nil || again.Root() != tree.Root() {
			t.Fatalf("from its frontier: %v", err)
		}
	}
	if _, err := NewTree(3, make([]Hash, 1)); err == nil {
		t.Error("a tree of three leaves has two perfect subtrees, not one")
	}
}

// tilesOf makes the tiles of a ledger in another way than package ledger.
func tilesOf(leaves []Hash) map[int][]Hash {
	levels := map[int][]Hash{0: leaves}
	for level := 1; len(levels[level-1]) >= tileWidth; level++ {
		below := levels[level-1]
		for i := 0; i+tileWidth <= len(below); i += tileWidth {
			var tree Tree
			for _, h := range below[i : i+tileWidth] {
				tree.Append(h)
			}
			levels[level] = append(levels[level], tree.Root())
		}
	}
	return levels
}

func tilesFrom(levels map[int][]Hash, read *int) Tiles {
	return func(_ context.Context, level int, n int64) ([]Hash, error) {
		*read++
		from := min(int(n)*tileWidth, len(levels[level]))
		return levels[level][from:min(from+tileWidth, len(levels[level]))], nil
	}
}

func TestTilesGiveEveryTree(t *testing.T) {
	const leaves = 70_000 // more than 256 times 256
	all := make([]Hash, leaves)
	for i := range all {
		all[i] = HashLeaf(fmt.Append(nil, i))
	}
	var read int
	tiles := tilesFrom(tilesOf(all), &read)
	var whole Tree
	roots := make([]Hash, leaves+1)
	roots[0] = whole.Root()
	for i, h := range all {
		whole.Append(h)
		roots[i+1] = whole.Root()
	}
	for _, size := range []int64{0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000, leaves} {
		read = 0
		tree, err := tiles.Tree(t.Context(), size)
		if err != nil || tree.Root() != roots[size] {
			t.Fatalf("size %d: %v", size, err)
		}
		if read > 64 {
			t.Errorf("size %d: %d tiles were read", size, read)
		}
		for _, to := range []int64{size, size + 1, size + 256, size + 3_000, leaves} {
			if to > leaves || to < size {
				continue
			}
			grown := tree.Clone()
			if err := tiles.Extend(t.Context(), grown, to); err != nil || grown.Root() != roots[to] {
				t.Fatalf("from %d to %d: %v", size, to, err)
			}
		}
	}
	got, err := tiles.Leaves(leaves)(t.Context(), 200, 400)
	if err != nil || !slices.Equal(got, all[199:599]) {
		t.Errorf("400 leaves from position 200: %d, %v", len(got), err)
	}
	if got, err := tiles.Leaves(leaves)(t.Context(), leaves, 400); err != nil || len(got) != 1 {
		t.Errorf("at the end: %d, %v", len(got), err)
	}
	if _, err := tiles.Leaves(leaves+1)(t.Context(), leaves+1, 1); err == nil {
		t.Error("the tiles do not have so many leaves, and nobody said so")
	}
}

func TestProofsOfAnotherImplementationHold(t *testing.T) {
	const leaves = 70
	theirs := reference(leaves)
	for size := uint64(1); size <= leaves; size++ {
		root := hash(theirs.HashAt(size))
		for index := range size {
			path, err := theirs.InclusionProof(index, size)
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckInclusion(index, size, hash(theirs.LeafHash(index)), hashesOf(path), root); err != nil {
				t.Fatal(err)
			}
		}
		for older := range size + 1 {
			var path [][]byte
			if older > 0 {
				var err error
				if path, err = theirs.ConsistencyProof(older, size); err != nil {
					t.Fatal(err)
				}
			}
			if err := CheckConsistency(older, hash(theirs.HashAt(older)), size, root, hashesOf(path)); err != nil {
				t.Fatalf("%d to %d: %v", older, size, err)
			}
		}
	}
}

// Whatever is given, both implementations say the same; and what is not as it was
// made holds for neither.
func TestProofsThatWereChangedDoNotHold(t *testing.T) {
	theirs := reference(200)
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Uint64Range(2, 200).Draw(t, "size") // from two leaves on there is a path to change
		index := rapid.Uint64Range(0, size-1).Draw(t, "index")
		path, err := theirs.InclusionProof(index, size)
		if err != nil {
			t.Fatal(err)
		}
		leaf, root, given := hash(theirs.LeafHash(index)), hash(theirs.HashAt(size)), hashesOf(path)
		switch rapid.IntRange(0, 5).Draw(t, "change") {
		case 0:
			leaf[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 1:
			root[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 2:
			given = append(given, leaf)
		case 3:
			given = given[1:]
		case 4:
			given[rapid.IntRange(0, len(given)-1).Draw(t, "at")][0] ^= 1
		case 5:
			index = rapid.Uint64Range(0, 300).Draw(t, "other")
		}
		ours := CheckInclusion(index, size, leaf, given, root)
		other := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf[:], raw(given), root[:])
		if (ours == nil) != (other == nil) {
			t.Errorf("we say %v, they say %v", ours, other)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		size2 := rapid.Uint64Range(2, 200).Draw(t, "size2")
		size1 := rapid.Uint64Range(1, size2-1).Draw(t, "size1")
		path, err := theirs.ConsistencyProof(size1, size2)
		if err != nil {
			t.Fatal(err)
		}
		root1, root2, given := hash(theirs.HashAt(size1)), hash(theirs.HashAt(size2)), hashesOf(path)
		switch rapid.IntRange(0, 5).Draw(t, "change") {
		case 0:
			root1[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 1:
			root2[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 2:
			given = append(given, root1)
		case 3:
			given = given[1:]
		case 4:
			given[rapid.IntRange(0, len(given)-1).Draw(t, "at")][0] ^= 1
		case 5:
			size1 = rapid.Uint64Range(0, 201).Draw(t, "other")
		}
		ours := CheckConsistency(size1, root1, size2, root2, given)
		other := proof.VerifyConsistency(rfc6962.DefaultHasher, size1, size2, raw(given), root1[:], root2[:])
		// Of the empty tree the other one does not look at the root.
		if (ours == nil) != (other == nil) && size1 != 0 {
			t.Errorf("we say %v, they say %v", ours, other)
		}
	})
}
