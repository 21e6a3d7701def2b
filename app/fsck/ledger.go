package fsck

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
)

// Ledger is the sealed tree as it is stored.
type Ledger interface {
	// Sealed is how many leaves the tiles hold.
	Sealed(ctx context.Context) (int64, error)
	// Tile gives the hashes of a tile; none if it is not there.
	Tile(ctx context.Context, level int, n int64) ([]byte, error)
	// SignedAfter gives signed checkpoints in the order of size and epoch, behind
	// those of a size.
	SignedAfter(ctx context.Context, size int64, limit int) ([]Signed, error)
	// Epochs are the histories of the log.
	Epochs(ctx context.Context) (eventlog.Epochs, error)
}

// Signed is a stored checkpoint.
type Signed struct {
	Epoch int
	Size  int64
	Root  []byte
	Note  []byte
}

// NewLedger is the Follower that makes the tree again from the log and compares
// every tile and every signed root with it. known are the keys whose signatures
// are asked for; nil = signatures are not looked at.
func NewLedger(from Ledger, known note.Verifiers) Follower {
	return &sealedTree{from: from, known: known}
}

const (
	tileHashes      = 256
	checkpointsRead = 500

	sealAgain   = "The log is what was signed. Find out who wrote to the tiles. As an administrator, with the triggers of the schema ledger off, empty tiles and state: the group ledger makes them again from the log."
	logForged   = "The log is not the one that was signed: `strata verify` names the first bad position. Restore the log from the archive."
	forgedRow   = "Find out who wrote the row. What counts is what witnesses, the archive and verifiers remember."
	ledgerAhead = "The log has lost its end: restore it from the archive (strata restore log)."
)

// sealedTree is the ledger under comparison.
type sealedTree struct {
	from    Ledger
	known   note.Verifiers
	size    int64 // of the tiles when the check began
	epochs  eventlog.Epochs
	tree    ledger.Frontier
	levels  [][]byte // hashes of the last tile of each level, as the log makes it
	scratch []byte
	signed  []Signed // to be compared, in order
	read    int64    // size of the last one read
	over    bool     // there are no more of them

	differ []tilePlace
	forged bool // a signed root is not the log's
}

// tilePlace is the first hash of a tile that differs.
type tilePlace struct {
	level    int
	n        int64
	from, to int64 // positions under the hash
	missing  bool
}

// Name implements Follower.
func (s *sealedTree) Name() string { return LedgerSection }

// Begin implements Follower.
func (s *sealedTree) Begin(ctx context.Context, _ *Tally) (err error) {
	if s.size, err = s.from.Sealed(ctx); err != nil {
		return err
	}
	s.epochs, err = s.from.Epochs(ctx)
	return err
}

// Event implements Follower.
func (s *sealedTree) Event(ctx context.Context, e *Entry, t *Tally) error {
	if s.tree.Size()+1 != e.Position {
		return nil // a gap: the section of the log says so, and behind it nothing can be compared
	}
	leaf := ledger.Hash(eventlog.LeafHashIn(&s.scratch, &e.Event))
	s.tree.Append(leaf)
	if e.Position <= s.size {
		if err := s.grow(ctx, leaf); err != nil {
			return err
		}
		if e.Position == s.size {
			if err := s.edge(ctx); err != nil {
				return err
			}
		}
	}
	return s.compareSigned(ctx, e.Position, t)
}

// grow appends a hash to the tiles, and compares each that is full.
func (s *sealedTree) grow(ctx context.Context, node ledger.Hash) error {
	for level := 0; ; level++ {
		if level == len(s.levels) {
			s.levels = append(s.levels, nil)
		}
		s.levels[level] = append(s.levels[level], node[:]...)
		if len(s.levels[level]) < tileHashes*tlog.HashSize {
			return nil
		}
		full := s.levels[level]
		n := s.tree.Size()>>(8*(level+1)) - 1
		if err := s.tile(ctx, level, n, full); err != nil {
			return err
		}
		var under ledger.Frontier
		for i := 0; i < len(full); i += tlog.HashSize {
			under.Append(ledger.Hash(full[i : i+tlog.HashSize]))
		}
		node = under.Root()
		s.levels[level] = full[:0]
	}
}

// edge compares the tiles that are not full.
func (s *sealedTree) edge(ctx context.Context) error {
	for level, hashes := range s.levels {
		if len(hashes) > 0 {
			if err := s.tile(ctx, level, s.size>>(8*(level+1)), hashes); err != nil {
				return err
			}
		}
	}
	return nil
}

// tile compares one tile. A hash above another that differs is not named again.
func (s *sealedTree) tile(ctx context.Context, level int, n int64, want []byte) error {
	have, err := s.from.Tile(ctx, level, n)
	if err != nil {
		return err
	}
	if len(have) > len(want) {
		have = have[:len(want)] // it has grown since the check began
	}
	if bytes.Equal(have, want) {
		return nil
	}
	i := 0
	for i+tlog.HashSize <= min(len(have), len(want)) && bytes.Equal(have[i:i+tlog.HashSize], want[i:i+tlog.HashSize]) {
		i += tlog.HashSize
	}
	span := int64(1) << (8 * level)
	place := tilePlace{level: level, n: n, missing: len(have) == 0}
	place.from = (n*tileHashes+int64(i/tlog.HashSize))*span + 1
	place.to = place.from + span - 1
	for _, d := range s.differ {
		if d.level < level && d.from >= place.from && d.from <= place.to && !place.missing {
			return nil
		}
	}
	s.differ = append(s.differ, place)
	return nil
}

// compareSigned compares the checkpoints of a size with the root at it.
func (s *sealedTree) compareSigned(ctx context.Context, size int64, t *Tally) error {
	for {
		if len(s.signed) == 0 && !s.over {
			page, err := s.from.SignedAfter(ctx, s.read, checkpointsRead)
			if err != nil {
				return err
			}
			if s.signed, s.over = page, len(page) == 0; s.over {
				return nil
			}
			s.read = page[len(page)-1].Size
		}
		if len(s.signed) == 0 || s.signed[0].Size > size {
			return nil
		}
		c := s.signed[0]
		s.signed = s.signed[1:]
		t.Checked(1, "checkpoints")
		if c.Size == size && size <= s.epochs.Shared(c.Epoch) { // beyond that it is of a history that was left
			s.checkpoint(c, t)
		}
	}
}

func (s *sealedTree) checkpoint(c Signed, t *Tally) {
	root := s.tree.Root()
	w := Wrong{Table: "ledger.checkpoints", Key: fmt.Sprintf("epoch=%d, size=%d", c.Epoch, c.Size), Position: c.Size}
	said, err := ledger.ParseCheckpoint(c.Note)
	switch {
	case err != nil:
		w.Kind, w.Detail, w.Do = "changed", "The note cannot be read: "+err.Error(), forgedRow
	case said.Size != c.Size || !bytes.Equal(said.Root[:], c.Root):
		w.Kind, w.Detail, w.Do = "changed", fmt.Sprintf("The row says root %x, and what is signed says size %d and root %x.", c.Root, said.Size, said.Root[:]), forgedRow
	case said.Root != root:
		w.Kind, w.Detail, w.Do = "log differs", fmt.Sprintf("Signed is root %x, and the log's is %x.", said.Root[:], root[:]), logForged
		if s.forged {
			return // the first one says it
		}
		s.forged = true
	case s.known != nil:
		if _, err := ledger.ReadCheckpoint(c.Note, s.known); err == nil {
			return
		}
		w.Kind, w.Detail, w.Do = "not signed", "None of the keys that are known has signed it.", "If a key was rotated out, check with its verifier key (strata ledger keys); else: "+forgedRow
	default:
		return
	}
	t.Wrong(w)
}

// End implements Follower.
func (s *sealedTree) End(ctx context.Context, head int64, t *Tally) error {
	if err := s.compareSigned(ctx, head, t); err != nil {
		return err
	}
	t.Note(fmt.Sprintf("%d of %d events are sealed", min(s.size, head), head))
	if s.size > head {
		t.Wrong(Wrong{
			Kind: "ahead", Table: "ledger.state", Position: s.size, Detail: fmt.Sprintf("%d events are sealed, and the log ends at position %d.", s.size, head), Do: ledgerAhead,
		})
	}
	for _, c := range s.signed {
		if c.Size > head && c.Size <= s.epochs.Shared(c.Epoch) {
			t.Wrong(Wrong{
				Kind: "ahead", Table: "ledger.checkpoints", Key: fmt.Sprintf("epoch=%d, size=%d", c.Epoch, c.Size), Position: c.Size,
				Detail: fmt.Sprintf("It is over %d events, and the log ends at position %d.", c.Size, head), Do: ledgerAhead,
			})
			break
		}
	}
	for _, d := range s.differ {
		w := Wrong{Kind: "tile differs", Table: "ledger.tiles", Key: fmt.Sprintf("level=%d, n=%d", d.level, d.n), Position: d.from, Do: sealAgain}
		w.Detail = fmt.Sprintf("The hash over positions %d to %d is not the log's.", d.from, d.to)
		switch {
		case d.missing:
			w.Kind, w.Detail = "missing", "The tile is not there."
		case s.forged && d.level == 0:
			w.Kind, w.Do = "log differs", logForged
			w.Detail = fmt.Sprintf("The event at position %d is not the one that was sealed.", d.from)
		}
		t.Wrong(w)
	}
	return nil
}
