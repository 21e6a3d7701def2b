package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/domain/fault"
)

// RefusalError says why nothing is signed: what was computed twice differs, or
// is not what was signed before.
type RefusalError struct{ Reason string }

func (e *RefusalError) Error() string { return "the ledger refuses to sign: " + e.Reason }

func refuse(format string, args ...any) error {
	return &RefusalError{Reason: fmt.Sprintf(format, args...)}
}

// Seal signs the size that is durable now, or a part of the way to it if it is
// far. It gives the newest checkpoint, of size 0 if there is none yet. Its error is
// what Status shows as Refused until it is over: a *RefusalError, or what could not
// be reached.
func (s *Sealer) Seal(ctx context.Context) (c Checkpoint, err error) {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	c, err = s.seal(ctx)
	if ctx.Err() != nil {
		return c, err // somebody stopped us, nothing is wrong
	}
	s.told(ctx, err)
	return c, err
}

// told shows a refusal and its end, and tells the log once of each.
func (s *Sealer) told(ctx context.Context, err error) {
	var began, over bool
	s.note(func(st *Status) {
		switch {
		case err != nil:
			began = st.Refused == ""
			if began {
				st.Since = s.o.Now()
			}
			st.Refused = err.Error()
		case st.Refused != "":
			over = true
			st.Refused, st.Since = "", time.Time{}
		}
	})
	switch {
	case began:
		s.o.Logger.ErrorContext(ctx, "the log is not sealed; trying until it can be", "err", err)
	case over:
		s.o.Logger.InfoContext(ctx, "the log is sealed again")
	}
}

func (s *Sealer) seal(ctx context.Context) (Checkpoint, error) {
	size, err := s.o.Store.Size(ctx)
	if err != nil {
		return s.signed, fmt.Errorf("size of the tiles: %w", err)
	}
	s.note(func(st *Status) { st.Size = size })
	if err := s.recall(ctx); err != nil {
		return s.signed, err
	}
	if size < s.signed.Size {
		return s.signed, refuse("the tiles hold %d events, %d are signed", size, s.signed.Size)
	}
	if err := s.holdAgainstArchive(ctx, size); err != nil {
		return s.signed, err
	}
	if size == s.signed.Size {
		return s.signed, nil
	}
	c, frontier, err := s.compute(ctx, min(size, s.signed.Size+maxSeal))
	if err != nil {
		return s.signed, err
	}
	return s.sign(ctx, c, frontier)
}

// recall reads the newest checkpoint from the store, unless it is known, and makes
// sure that the tiles still give its root: the frontier that comes of it is the
// one that was signed.
func (s *Sealer) recall(ctx context.Context) error {
	if s.verified != nil {
		return nil
	}
	c, ok, err := s.newest(ctx)
	if err != nil {
		return err
	}
	if !ok {
		s.verified = &Frontier{}
		return nil
	}
	nodes, err := hashes(ctx, s.o.Store, c.Size, c.Root).ReadHashes(subtrees(c.Size))
	if err != nil {
		return tileTrouble(fmt.Sprintf("the tiles do not give the root that was signed at size %d", c.Size), err)
	}
	frontier, err := NewFrontier(c.Size, nodes)
	if err != nil {
		return err
	}
	if frontier.Root() != c.Root {
		return refuse("two computations of the root at size %d differ", c.Size)
	}
	s.signed, s.verified = c, frontier
	s.note(func(st *Status) { st.Signed, st.SignedAt = c.Size, c.SignedAt })
	return nil
}

// newest is the checkpoint signed last: of this epoch, or the last of the one
// before, whose tree this one continues. Its size and root are those that are
// signed; a note that none of our keys has signed any more (they were all
// replaced) counts as what the table says.
func (s *Sealer) newest(ctx context.Context) (Checkpoint, bool, error) {
	for epoch := s.o.Epoch; epoch >= 1; epoch-- {
		c, ok, err := s.o.Store.Latest(ctx, epoch)
		if err != nil {
			return Checkpoint{}, false, fmt.Errorf("newest checkpoint: %w", err)
		}
		if !ok {
			continue
		}
		read, err := ReadCheckpoint(c.Note, s.known)
		var unknown *note.UnverifiedNoteError
		if errors.As(err, &unknown) {
			read, err = ParseCheckpoint(c.Note)
		}
		switch {
		case err != nil:
			return Checkpoint{}, false, refuse("the checkpoint of size %d cannot be read: %v", c.Size, err)
		case read.Size != c.Size || read.Root != c.Root || read.Origin != Origin(s.o.Instance, epoch):
			return Checkpoint{}, false, refuse("the checkpoint of size %d is not what was signed: that is size %d of %s", c.Size, read.Size, read.Origin)
		}
		return c, true, nil
	}
	return Checkpoint{}, false, nil
}

// holdAgainstArchive refuses if the newest checkpoint in the archive is not one of
// this tree: then this log is not the one that was archived.
func (s *Sealer) holdAgainstArchive(ctx context.Context, size int64) error {
	if s.o.Archived == nil {
		return nil
	}
	// One that is away holds up nothing that began while it was there.
	switch signed, ok, err := s.o.Archived(ctx, s.o.Epoch); {
	case err == nil && ok:
		s.archiveSeen, s.archiveSaid = true, signed
	case err == nil:
		s.archiveSeen, s.archiveSaid = true, nil
	case !s.archiveSeen:
		return fmt.Errorf("the archive cannot say yet what it holds: %w", err)
	}
	signed := s.archiveSaid
	if signed == nil || bytes.Equal(signed, s.archived) {
		return nil // what was signed since continues the tree it was held against
	}
	c, err := ParseCheckpoint(signed)
	switch {
	case err != nil:
		return refuse("the newest checkpoint in the archive cannot be read: %v", err)
	case c.Origin != s.origin:
		return refuse("the newest checkpoint in the archive is of %s, this log is %s", c.Origin, s.origin)
	case c.Size == s.signed.Size:
		if c.Root != s.signed.Root {
			return refuse("the archive holds another root of size %d", c.Size)
		}
		s.archived = signed
		return nil
	case c.Size > size:
		return refuse("the archive holds a checkpoint of size %d, this log's tiles hold %d events", c.Size, size)
	}
	root, err := tlog.TreeHash(c.Size, unheld(ctx, s.o.Store))
	if err != nil {
		return tileTrouble(fmt.Sprintf("the tiles do not give a root at size %d", c.Size), err)
	}
	if root != c.Root {
		return refuse("the archive holds another root of size %d: this log is not the one that was archived", c.Size)
	}
	if c.Size <= s.signed.Size {
		s.archived = signed
	}
	return nil
}

// unheld reads nodes from tiles as they are: what is computed of them is compared
// with what is known otherwise.
func unheld(ctx context.Context, store Store) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		tiles := make([]tlog.Tile, len(indexes))
		for i, x := range indexes {
			tiles[i] = tlog.TileForIndex(tileHeight, x)
		}
		data, err := store.Tiles(ctx, tiles)
		if err != nil {
			return nil, err
		}
		nodes := make([]Hash, len(indexes))
		for i, x := range indexes {
			if nodes[i], err = tlog.HashFromTile(tiles[i], data[i], x); err != nil {
				return nil, err
			}
		}
		return nodes, nil
	})
}

// tileTrouble tells tiles that are wrong from a database that is away.
func tileTrouble(what string, err error) error {
	var away *fault.Fault
	if errors.As(err, &away) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return refuse("%s: %v", what, err)
}

// compute makes the root at size twice, from rows that are read again and from
// the tiles, and refuses if they differ.
func (s *Sealer) compute(ctx context.Context, size int64) (Checkpoint, *Frontier, error) {
	frontier := s.verified.Clone()
	for frontier.Size() < size {
		first, last := frontier.Size()+1, min(size, frontier.Size()+sealChunk)
		leaves, err := s.o.Store.LeafHashes(ctx, first, last)
		if err != nil {
			return Checkpoint{}, nil, fmt.Errorf("read positions %d to %d again: %w", first, last, err)
		}
		if err := s.compareLeaves(ctx, first, leaves); err != nil {
			return Checkpoint{}, nil, err
		}
		for _, leaf := range leaves {
			frontier.Append(leaf)
		}
	}
	root := frontier.Root()
	held := hashes(ctx, s.o.Store, size, root)
	if _, err := held.ReadHashes(subtrees(size)); err != nil {
		return Checkpoint{}, nil, tileTrouble(fmt.Sprintf("two computations of the root at size %d differ", size), err)
	}
	if old := s.signed; old.Size > 0 {
		proof, err := tlog.ProveTree(size, old.Size, held)
		if err != nil {
			return Checkpoint{}, nil, tileTrouble(fmt.Sprintf("size %d cannot be proved to continue the signed size %d", size, old.Size), err)
		}
		if err := tlog.CheckTree(proof, size, root, old.Size, old.Root); err != nil {
			return Checkpoint{}, nil, refuse("size %d does not continue the signed size %d: %v", size, old.Size, err)
		}
	}
	return Checkpoint{Origin: s.origin, Size: size, Root: root}, frontier, nil
}

// compareLeaves holds the leaves that the database computed against those in the
// tiles, so that a difference has a position.
func (s *Sealer) compareLeaves(ctx context.Context, first int64, leaves []Hash) error {
	var tiles []tlog.Tile
	end := first - 1 + int64(len(leaves))
	for n := (first - 1) / tileWidth; n*tileWidth < end; n++ {
		tiles = append(tiles, tlog.Tile{H: tileHeight, L: 0, N: n, W: int(min(tileWidth, end-n*tileWidth))})
	}
	data, err := s.o.Store.Tiles(ctx, tiles)
	if err != nil {
		return tileTrouble("leaves are missing", err)
	}
	for i, leaf := range leaves {
		index := first - 1 + int64(i)
		tile := data[index/tileWidth-tiles[0].N]
		at := index % tileWidth * tlog.HashSize
		if !bytes.Equal(tile[at:at+tlog.HashSize], leaf[:]) {
			return refuse("position %d: the stored event and the leaf in the tree differ", index+1)
		}
	}
	return nil
}

// sign signs with all keys, looks at what came of it, asks the witness, and stores
// it. Nobody sees a signature that is not stored.
func (s *Sealer) sign(ctx context.Context, c Checkpoint, frontier *Frontier) (Checkpoint, error) {
	var err error
	if c.Note, err = note.Sign(&note.Note{Text: c.Body()}, s.o.Signers...); err != nil {
		return s.signed, fmt.Errorf("sign: %w", err)
	}
	if opened, err := note.Open(c.Note, s.known); err != nil || len(opened.Sigs) != len(s.o.Signers) {
		return s.signed, refuse("a signature that was just made does not verify")
	}
	line, err := s.cosign(ctx, c)
	if err != nil {
		return s.signed, err
	}
	c.Note = append(c.Note, line...)
	c.SignedAt = s.o.Now().UTC().Truncate(time.Microsecond)
	stored, err := s.o.Store.Save(ctx, s.o.Epoch, c, s.o.VKeys)
	if err != nil {
		return s.signed, fmt.Errorf("store the checkpoint of size %d: %w", c.Size, err)
	}
	if stored.Root != c.Root {
		s.verified = nil
		return s.signed, refuse("another root was signed at size %d", c.Size)
	}
	s.signed, s.verified = stored, frontier
	s.note(func(st *Status) { st.Signed, st.SignedAt = stored.Size, stored.SignedAt })
	return stored, nil
}

// cosign asks the witness, for a moment: a witness that is away holds up nothing.
// One that has seen another log of this name does: then this is not the log.
func (s *Sealer) cosign(ctx context.Context, c Checkpoint) ([]byte, error) {
	if s.o.Witness == nil || s.o.Now().Before(s.witnessRest) {
		return nil, nil
	}
	asking, cancel := context.WithTimeout(ctx, witnessTime)
	defer cancel()
	line, err := s.o.Witness.Cosign(asking, c, func(ctx context.Context, old int64) ([]Hash, error) {
		if old < 1 || old > c.Size {
			return nil, fmt.Errorf("the witness has seen size %d of a log of size %d", old, c.Size)
		}
		return tlog.ProveTree(c.Size, old, hashes(ctx, s.o.Store, c.Size, c.Root))
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, ErrContradicted) {
		return nil, refuse("the witness: %v", err)
	}
	if s.witnessSaid(ctx, c, err) {
		return line, nil
	}
	s.witnessRest = s.o.Now().Add(witnessRest)
	return nil, nil
}

// witnessSaid shows that the witness is away and its return, and tells the log
// once of each. It says whether the witness has cosigned.
func (s *Sealer) witnessSaid(ctx context.Context, c Checkpoint, err error) bool {
	var began, over bool
	s.note(func(st *Status) {
		if err != nil {
			began = st.WitnessFailed == ""
			if began {
				st.WitnessSince = s.o.Now()
			}
			st.WitnessFailed = err.Error()
			return
		}
		over = st.WitnessFailed != ""
		st.WitnessFailed, st.WitnessSince, st.Cosigned = "", time.Time{}, c.Size
	})
	switch {
	case began:
		s.o.Logger.WarnContext(ctx, "checkpoints go out without the witness", "err", err)
	case over:
		s.o.Logger.InfoContext(ctx, "the witness cosigns again")
	}
	return err == nil
}
