package verifier

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// Head is a checkpoint with where it comes from: "the database", "the archive".
type Head struct {
	Checkpoint
	From    string
	Outside bool // it is kept where whoever can change the log cannot change it
}

// Leaves gives leaf hashes that somebody has recorded: those of positions first,
// first + 1 …, at most n of them; none at the end of the record.
type Leaves func(ctx context.Context, first int64, n int) ([]Hash, error)

// Record is a second account of the log: the tiles of the ledger, the archive.
type Record struct {
	Name   string // "the ledger's tiles"
	Check  string // of a problem that is the record's: CheckTile, CheckArchive
	Kind   string // likewise
	Leaves Leaves
}

// Audit reads a log once, from its beginning or from a position on, and
// compares it with the heads that were signed and with other accounts of it. It
// is not safe for concurrent use.
type Audit struct {
	log     *Log
	rows    *account
	records []*account
	first   *Problem // the first that the order of the log shows
	window  []sample // events from the first that is not as a record has it
}

// sample is an event that may have been tampered with, and its hash.
type sample struct {
	event      Event
	hash, want Hash
}

// windowSize is how many events are kept to guess what was done to them.
const windowSize = 64

// account is one account of the log as it grows, against the signed heads.
type account struct {
	Record
	tree  *Tree
	heads []Head // still to come, ascending
	good  int64  // the largest head that it leads to
	known int64  // likewise, of those that are kept outside
	bad   *Head  // the first that it does not
	root  Hash   // what it leads to instead
	ended bool
	lacks *Problem // why it ended where it should not

	first  int64 // position of loaded[0]
	loaded []Hash

	differs   int64    // at how many positions the log has another event
	differing []sample // the first of those
	next      Hash     // the record's hash behind the first
	same      int64    // how many positions behind the first are equal
	after     Hash     // the record's hash behind the last event of the log
}

// NewAudit begins behind base, which is what precedes the events that will be
// taken; an empty tree for a whole log. Heads below it are passed over.
func NewAudit(base *Tree, heads []Head, records ...Record) *Audit {
	heads = slices.Clone(heads)
	slices.SortStableFunc(heads, func(x, y Head) int { return int(min(1, max(-1, x.Size-y.Size))) })
	after := int64(base.Size())
	heads = slices.DeleteFunc(heads, func(h Head) bool { return h.Size <= after })
	a := &Audit{log: NewLog(after), rows: &account{tree: base.Clone(), heads: heads, good: after}}
	for _, r := range records {
		a.records = append(a.records, &account{Record: r, tree: base.Clone(), heads: heads, good: after, first: after + 1})
	}
	return a
}

// Position is the last one taken.
func (a *Audit) Position() int64 { return a.log.Next() - 1 }

// Tree is what the events taken so far lead to.
func (a *Audit) Tree() *Tree { return a.rows.tree.Clone() }

// Found says whether there is a problem already.
func (a *Audit) Found() bool {
	return a.first != nil || a.rows.bad != nil || slices.ContainsFunc(a.records, func(r *account) bool { return r.differs > 0 || r.bad != nil })
}

// Take takes the next events, in the order in which the log has them. It hashes
// them on all processors. An error is one of reading a record.
func (a *Audit) Take(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	hashes := HashEvents(events)
	for _, r := range a.records {
		// One more than asked, to see where an event may have moved to.
		if err := r.load(ctx, events[0].Position, events[len(events)-1].Position+1); err != nil {
			return err
		}
	}
	for i := range events {
		e, hash := &events[i], hashes[i]
		if p := a.log.Add(e); p != nil {
			a.first = earlier(a.first, p)
		}
		a.rows.grow(hash)
		for _, r := range a.records {
			r.compare(e, hash)
		}
		if a.Found() && len(a.window) < windowSize {
			a.window = append(a.window, sample{event: *e, hash: hash})
		}
	}
	return nil
}

// HashEvents gives the leaf hashes of events, computed on all processors.
func HashEvents(events []Event) []Hash {
	hashes := make([]Hash, len(events))
	workers := min(runtime.GOMAXPROCS(0), 1+len(events)/256)
	var group sync.WaitGroup
	for w := range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			var leaf []byte
			for i := w; i < len(events); i += workers {
				leaf = events[i].AppendLeaf(append(leaf[:0], 0x00))
				hashes[i] = sum(leaf)
			}
		}()
	}
	group.Wait()
	return hashes
}

// grow appends a leaf and looks whether the account leads to what was signed.
func (c *account) grow(leaf Hash) {
	c.tree.Append(leaf)
	c.meet()
}

// meet compares the account with the heads of its size.
func (c *account) meet() {
	good, known := c.good, c.known
	for len(c.heads) > 0 && c.heads[0].Size == int64(c.tree.Size()) {
		h := c.heads[0]
		c.heads = c.heads[1:]
		switch root := c.tree.Root(); {
		case c.bad != nil:
		case root != h.Root: // whatever else was signed of this size
			c.good, c.known, c.bad, c.root = good, known, &h, root
		default:
			c.good = h.Size
			if h.Outside {
				c.known = h.Size
			}
		}
	}
}

// load brings the record to a position, and keeps what it says from first on.
func (c *account) load(ctx context.Context, first, through int64) error {
	if keep := first - c.first; keep > 0 {
		keep = min(keep, int64(len(c.loaded)))
		c.first, c.loaded = c.first+keep, slices.Delete(c.loaded, 0, int(keep))
	}
	for next := int64(c.tree.Size()) + 1; !c.ended && next <= through; next = int64(c.tree.Size()) + 1 {
		hashes, err := c.Leaves(ctx, next, int(min(through-next+1, 65_536)))
		if errors.As(err, &c.lacks) {
			c.ended = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s at position %d: %w", c.Name, next, err)
		}
		c.ended = len(hashes) == 0
		c.loaded = append(c.loaded, hashes...)
		for _, h := range hashes {
			c.grow(h)
		}
	}
	return nil
}

func (c *account) has(position int64) (Hash, bool) {
	i := position - c.first
	if i < 0 || i >= int64(len(c.loaded)) {
		return Hash{}, false
	}
	return c.loaded[i], true
}

// compare looks whether the record has the event at its position.
func (c *account) compare(e *Event, hash Hash) {
	want, ok := c.has(e.Position)
	if !ok {
		return
	}
	switch {
	case want == hash && c.differs > 0:
		c.same++
	case want != hash:
		if c.differs == 0 {
			c.next, _ = c.has(e.Position + 1)
		}
		if c.differs++; len(c.differing) < windowSize {
			c.differing = append(c.differing, sample{*e, hash, want})
		}
	}
}
