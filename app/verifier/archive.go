package verifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Objects is where an archive lies: a directory or a bucket.
type Objects interface {
	// List gives the names that begin with a prefix, in the order of their bytes.
	List(ctx context.Context, prefix string) ([]string, error)
	// Get gives an object. One that is not there is fs.ErrNotExist.
	Get(ctx context.Context, name string) ([]byte, error)
}

// Unpack opens what a segment is compressed with.
type Unpack func(packed []byte) (io.ReadCloser, error)

// Archive is the archive of a log: its segments, one epoch after the other, and
// its checkpoints.
type Archive struct {
	Objects Objects
	Unpack  Unpack
}

// maxArchived is how many checkpoints of an epoch are read: the first, the last,
// and others evenly between them.
const maxArchived = 1_000

// Heads are the archived checkpoints that a log of these epochs has to lead to;
// shared is as for Memory.Heads. One that no trusted key has signed is a problem.
func (a *Archive) Heads(ctx context.Context, t Trust, shared func(epoch int) int64) (heads []Head, problem *Problem, err error) {
	t.Quorum = 0
	epochs, err := a.epochs(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, epoch := range epochs {
		names, err := a.Objects.List(ctx, fmt.Sprintf("epoch-%04d/checkpoints/", epoch))
		if err != nil {
			return nil, nil, err
		}
		for i, name := range names {
			if step := 1 + len(names)/maxArchived; i%step != 0 && i != len(names)-1 {
				continue
			}
			signed, err := a.Objects.Get(ctx, name)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
			size, _ := strconv.ParseInt(path.Base(name), 10, 64)
			c, err := OpenCheckpoint(signed, t)
			_, of := c.Log()
			switch {
			case err != nil:
				problem = earlier(problem, &Problem{Position: max(1, size), Check: CheckSignature, Kind: ForgedNote, Where: name, Expected: "a checkpoint that a trusted key has signed", Found: err.Error()})
			case c.Size != size || of != epoch:
				problem = earlier(problem, &Problem{Position: max(1, size), Check: CheckArchive, Kind: Replayed, Where: name, Expected: "the checkpoint it is named after", Found: fmt.Sprintf("%s of size %d", c.Origin, c.Size)})
			case c.Size <= shared(epoch):
				heads = append(heads, Head{Checkpoint: c, From: "the archive's checkpoint", Outside: true})
			}
		}
	}
	return heads, problem, nil
}

// epochs lists the numbers of those that have anything in the archive.
func (a *Archive) epochs(ctx context.Context) (all []int, err error) {
	names, err := a.Objects.List(ctx, "epoch-")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		prefix, _, _ := strings.Cut(strings.TrimPrefix(name, "epoch-"), "/")
		n, err := strconv.Atoi(prefix)
		if err == nil && n > 0 && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// Walk reads the history of the newest epoch from position 1 on, segment by
// segment, and checks of each that it is in its place, follows on the one before
// it, and leads to the root it names. visit gets the events in order, with their
// leaf hashes, as far as they are of that history. A problem ends the walk; an
// error says that something could not be read.
func (a *Archive) Walk(ctx context.Context, visit func([]Event, []Hash) error) (problem *Problem, err error) {
	epochs, err := a.epochs(ctx)
	if err != nil {
		return nil, err
	}
	segments, firsts := make([][]string, len(epochs)), make([]int64, len(epochs))
	for i, epoch := range epochs {
		if segments[i], err = a.Objects.List(ctx, fmt.Sprintf("epoch-%04d/segments/", epoch)); err != nil {
			return nil, err
		}
		firsts[i] = 1
		if len(segments[i]) > 0 {
			firsts[i] = firstOf(segments[i][0])
		}
	}
	w := &walk{archive: a, visit: visit, links: map[Link]bool{}, base: &Tree{}}
	for i, epoch := range epochs {
		// What a later epoch begins with ends this one's share in its history.
		through := int64(1<<63 - 1)
		for _, first := range firsts[i+1:] {
			through = min(through, first-1)
		}
		if err := w.epoch(ctx, int64(epoch), segments[i], through); err != nil {
			if p := (*Problem)(nil); errors.As(err, &p) {
				return p, nil
			}
			return nil, err
		}
	}
	return nil, nil
}

// firstOf is the position in the name of a segment, 0 if it has none.
func firstOf(name string) int64 {
	digits, _, _ := strings.Cut(path.Base(name), ".")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(digits) != 20 {
		return 0
	}
	return n
}

type walk struct {
	archive *Archive
	visit   func([]Event, []Hash) error
	links   map[Link]bool // of the segments read
	last    *Link         // the one read last
	base    *Tree         // of what the next epoch has in common with those before it
}

func (w *walk) epoch(ctx context.Context, epoch int64, names []string, through int64) error {
	tree, base := w.base.Clone(), w.base
	first := int64(tree.Size()) + 1
	for _, name := range names {
		next := int64(tree.Size()) + 1
		if got := firstOf(name); got != next {
			return &Problem{Position: next, Check: CheckArchive, Kind: ArchiveSwap, Where: name, Expected: fmt.Sprintf("a segment that begins with %d", next), Found: fmt.Sprintf("one named after %d", got)}
		}
		packed, err := w.archive.Objects.Get(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s, err := w.open(name, packed, next)
		if err != nil {
			return err
		}
		if err := w.follows(name, s, epoch, next, next == first); err != nil {
			return err
		}
		hashes := HashEvents(s.Events)
		for _, h := range hashes {
			tree.Append(h)
			if int64(tree.Size()) == through {
				base = tree.Clone()
			}
		}
		if root := tree.Root(); root != s.Root || !slices.Equal(tree.Frontier(), s.Frontier) {
			return &Problem{Position: s.First, Through: s.Last, Check: CheckArchive, Kind: ArchiveSwap, Where: name, Expected: "root " + s.Root.String(), Found: root.String()}
		}
		if shared := min(int64(len(hashes)), through-s.First+1); shared > 0 {
			if err := w.visit(s.Events[:shared], hashes[:shared]); err != nil {
				return err
			}
		}
		w.last = &Link{Epoch: epoch, First: s.First, Last: s.Last, SHA256: sha256.Sum256(packed)}
		w.links[*w.last] = true
	}
	if int64(tree.Size()) < through && through < 1<<63-1 {
		return &Problem{Position: int64(tree.Size()) + 1, Check: CheckArchive, Kind: ArchiveSwap, Expected: fmt.Sprintf("segments of epoch %d up to position %d", epoch, through), Found: "none"}
	}
	if through == 1<<63-1 {
		base = tree
	}
	w.base = base
	return nil
}

func (w *walk) open(name string, packed []byte, next int64) (*Segment, error) {
	wrong := func(found error) error {
		return &Problem{Position: next, Check: CheckArchive, Kind: ArchiveSwap, Where: name, Expected: "a segment of the archive", Found: found.Error()}
	}
	unpacked, err := w.archive.Unpack(packed)
	if err != nil {
		return nil, wrong(err)
	}
	s, err := ReadSegment(unpacked)
	err = errors.Join(err, unpacked.Close())
	if p := (*Problem)(nil); errors.As(err, &p) {
		p.Where = name
		// Events that are where they do not belong say little about where they do.
		p.Position = max(p.Position, next)
		return nil, p
	}
	if err != nil {
		return nil, wrong(err)
	}
	return s, nil
}

// follows checks that a segment is in its place.
func (w *walk) follows(name string, s *Segment, epoch, next int64, opens bool) error {
	wrong := func(expected, found string) error {
		return &Problem{Position: next, Check: CheckArchive, Kind: ArchiveSwap, Where: name, Expected: expected, Found: found}
	}
	switch {
	case s.Epoch != epoch || s.First != next:
		return wrong(fmt.Sprintf("epoch %d from position %d", epoch, next), fmt.Sprintf("epoch %d from position %d", s.Epoch, s.First))
	case w.last == nil && s.Previous != nil:
		return wrong("the first segment", "one that follows on another")
	case w.last == nil:
		return nil
	case s.Previous == nil:
		return wrong("a segment that follows on another", "one that does not")
	case opens && w.links[*s.Previous], *s.Previous == *w.last:
		return nil
	}
	// The link was written when its segment was right: that one is not any more.
	return &Problem{
		Position: w.last.First, Through: w.last.Last, Check: CheckArchive, Kind: ArchiveSwap, Where: fmt.Sprintf("the segment before %s", name),
		Expected: fmt.Sprintf("positions %d to %d, SHA-256 %s", s.Previous.First, s.Previous.Last, s.Previous.SHA256),
		Found:    fmt.Sprintf("positions %d to %d, SHA-256 %s", w.last.First, w.last.Last, w.last.SHA256),
	}
}

// Directory is an archive in a file system.
type Directory struct{ FS fs.FS }

// List implements Objects.
func (d Directory) List(_ context.Context, prefix string) (names []string, err error) {
	dir, _ := path.Split(prefix)
	root := strings.TrimSuffix(dir, "/")
	if root == "" {
		root = "."
	}
	err = fs.WalkDir(d.FS, root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == root:
			return fs.SkipAll
		case err != nil:
			return err
		case e.IsDir() && root == "." && name != "." && !strings.HasPrefix(name, prefix):
			return fs.SkipDir
		case e.Type().IsRegular() && strings.HasPrefix(name, prefix) && !strings.HasPrefix(path.Base(name), "."):
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// Get implements Objects.
func (d Directory) Get(_ context.Context, name string) ([]byte, error) {
	return fs.ReadFile(d.FS, name)
}

// Shared gives the last position that each epoch of the archive has in common with
// the newest: what a later epoch begins with ends it.
func (a *Archive) Shared(ctx context.Context) (func(epoch int) int64, error) {
	epochs, err := a.epochs(ctx)
	if err != nil {
		return nil, err
	}
	firsts := map[int]int64{}
	for _, epoch := range epochs {
		names, err := a.Objects.List(ctx, fmt.Sprintf("epoch-%04d/segments/", epoch))
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			firsts[epoch] = firstOf(names[0])
		}
	}
	return func(epoch int) int64 {
		shared := int64(1<<63 - 1)
		for later, first := range firsts {
			if later > epoch {
				shared = min(shared, first-1)
			}
		}
		return shared
	}, nil
}

// Newest gives the note of an archived checkpoint.
func (a *Archive) Newest(ctx context.Context, c Checkpoint) ([]byte, error) {
	_, epoch := c.Log()
	return a.Objects.Get(ctx, fmt.Sprintf("epoch-%04d/checkpoints/%020d", epoch, c.Size))
}
