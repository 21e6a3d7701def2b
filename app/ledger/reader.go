package ledger

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fault"
)

// Refusals of a Reader.
var (
	ErrNotSealed     = fault.New(fault.Unavailable, "not-sealed", "This is not sealed yet. Try again in a moment.")
	ErrNoSuchSize    = fault.New(fault.NotFound, "not-found", "The log has not had this size yet.")
	ErrNoSuchTile    = fault.New(fault.NotFound, "not-found", "There is no such tile.")
	ErrNoSuchEvent   = fault.New(fault.NotFound, "not-found", "There is no such event.")
	ErrNoSuchCommand = fault.New(fault.NotFound, "not-found", "There is no such command.")
	ErrEntryTooLarge = fault.New(fault.Conflict, "entry-too-large", "An event of this bundle is larger than an entry of a bundle may be.")
)

const (
	newestAge  = 25 * time.Millisecond // how old the newest checkpoint may be that many ask for at once
	sealedStep = 40 * time.Millisecond // between looks of those who wait
)

// Events is the log as a Reader asks it.
type Events interface {
	eventlog.CommandFinder
	eventlog.Reader
	// FindEvent gives an event of an organization, or ok = false: another
	// organization's event is none.
	FindEvent(ctx context.Context, organization, id uuid.UUID) (e eventlog.Event, ok bool, err error)
}

// ReaderOptions are all required.
type ReaderOptions struct {
	Store  Store
	Events Events
	Epoch  int // the history that is written now
}

// Reader answers from the sealed log. Safe for concurrent use, and right on every
// instance, whoever seals.
type Reader struct {
	o ReaderOptions

	mu     sync.Mutex
	newest Checkpoint
	asked  time.Time
}

// NewReader makes a reader. It asks nobody yet.
func NewReader(o ReaderOptions) *Reader { return &Reader{o: o} }

// Checkpoint is the newest one that was signed; ErrNotSealed if there is none.
func (r *Reader) Checkpoint(ctx context.Context) (Checkpoint, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < newestAge {
		return r.newest, nil
	}
	c, ok, err := r.o.Store.Latest(ctx, r.o.Epoch)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("newest checkpoint: %w", err)
	}
	if !ok {
		return Checkpoint{}, ErrNotSealed
	}
	r.newest, r.asked = c, time.Now()
	return c, nil
}

// CheckpointAt is the checkpoint of a size; ok = false if that size was not signed.
func (r *Reader) CheckpointAt(ctx context.Context, size int64) (c Checkpoint, ok bool, err error) {
	c, ok, err = r.o.Store.At(ctx, r.o.Epoch, size)
	if err != nil {
		return c, false, fmt.Errorf("checkpoint of size %d: %w", size, err)
	}
	return c, ok, nil
}

// Sealed waits, at most as long as wait, for a checkpoint that covers a position,
// and gives the newest; ErrNotSealed if there is none by then.
func (r *Reader) Sealed(ctx context.Context, position int64, wait time.Duration) (Checkpoint, error) {
	until := time.Now().Add(wait)
	for {
		c, err := r.Checkpoint(ctx)
		if err != nil && !errors.Is(err, ErrNotSealed) {
			return Checkpoint{}, err
		}
		if err == nil && c.Size >= position {
			return c, nil
		}
		if left := time.Until(until); left <= 0 {
			return Checkpoint{}, ErrNotSealed
		} else if err := sleep(ctx, min(left, sealedStep)); err != nil {
			return Checkpoint{}, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Root is the root of the tree at a size that is sealed.
func (r *Reader) Root(ctx context.Context, size int64) (Hash, error) {
	c, err := r.Checkpoint(ctx)
	if err != nil {
		return Hash{}, err
	}
	return r.rootIn(ctx, c, size)
}

func (r *Reader) rootIn(ctx context.Context, c Checkpoint, size int64) (Hash, error) {
	switch {
	case size < 1 || size > c.Size:
		return Hash{}, ErrNoSuchSize.With("size", c.Size)
	case size == c.Size:
		return c.Root, nil
	}
	root, err := tlog.TreeHash(size, hashes(ctx, r.o.Store, c.Size, c.Root))
	if err != nil {
		return Hash{}, fmt.Errorf("root at size %d: %w", size, err)
	}
	return root, nil
}

// HeadHash is the root at a position in hex, once that is sealed; "" if it is not
// within wait, or nothing is sealed here.
func (r *Reader) HeadHash(ctx context.Context, position int64, wait time.Duration) (string, error) {
	if position < 1 {
		return "", nil
	}
	if _, err := r.Checkpoint(ctx); errors.Is(err, ErrNotSealed) {
		return "", nil // nobody has ever sealed it: not worth waiting for
	}
	c, err := r.Sealed(ctx, position, wait)
	if errors.Is(err, ErrNotSealed) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	root, err := r.rootIn(ctx, c, position)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(root[:]), nil
}

// Proof shows that one leaf is in the tree at a size (RFC 6962 inclusion proof).
type Proof struct {
	Position int64
	Leaf     Hash
	Size     int64
	Root     Hash
	Path     []Hash // from the leaf's sibling up
}

// Prove shows that an event is in the tree at a size, 0 for the newest; it waits
// for the event to be sealed, at most as long as wait. The checkpoint is that of
// the size, if that size was signed.
func (r *Reader) Prove(ctx context.Context, organization, id uuid.UUID, size int64, wait time.Duration) (e eventlog.Event, p Proof, c *Checkpoint, err error) {
	e, ok, err := r.o.Events.FindEvent(ctx, organization, id)
	if err != nil {
		return e, p, nil, err
	}
	if !ok {
		return e, p, nil, ErrNoSuchEvent
	}
	newest, err := r.Sealed(ctx, max(e.Position, size), wait)
	if errors.Is(err, ErrNotSealed) && size > e.Position {
		if at, cerr := r.Checkpoint(ctx); cerr == nil && at.Size >= e.Position {
			return e, p, nil, ErrNoSuchSize.With("size", at.Size)
		}
	}
	if err != nil {
		return e, p, nil, err
	}
	if size == 0 {
		size = newest.Size
	}
	if size < e.Position {
		return e, p, nil, ErrNoSuchEvent.Detailf("A tree of this size does not hold the event at position %d.", e.Position)
	}
	root, err := r.rootIn(ctx, newest, size)
	if err != nil {
		return e, p, nil, err
	}
	if p, err = r.prove(ctx, &e, size, root); err != nil {
		return e, p, nil, err
	}
	if size == newest.Size {
		return e, p, &newest, nil
	}
	at, ok, err := r.CheckpointAt(ctx, size)
	if err != nil || !ok {
		return e, p, nil, err
	}
	return e, p, &at, nil
}

// prove makes the proof and checks it: what is stored of an event must be what is
// in the tree.
func (r *Reader) prove(ctx context.Context, e *eventlog.Event, size int64, root Hash) (Proof, error) {
	leaf := Hash(eventlog.LeafHash(e))
	path, err := tlog.ProveRecord(size, e.Position-1, hashes(ctx, r.o.Store, size, root))
	if err == nil {
		err = tlog.CheckRecord(path, size, root, e.Position-1, leaf)
	}
	if err != nil {
		return Proof{}, fmt.Errorf("proof of position %d in size %d: %w", e.Position, size, err)
	}
	return Proof{Position: e.Position, Leaf: leaf, Size: size, Root: root, Path: path}, nil
}

// Consistency shows that the tree at one size is the beginning of the tree at
// another (RFC 6962 consistency proof).
type Consistency struct {
	From, To         int64
	FromRoot, ToRoot Hash
	Path             []Hash
}

// Continue shows that the tree at size from is the beginning of the one at size
// to; 0 for the newest.
func (r *Reader) Continue(ctx context.Context, from, to int64) (Consistency, error) {
	newest, err := r.Checkpoint(ctx)
	if err != nil {
		return Consistency{}, err
	}
	if to == 0 {
		to = newest.Size
	}
	if from > to {
		return Consistency{}, ErrNoSuchSize.Detailf("The tree at size %d cannot begin with that at size %d.", to, from)
	}
	p := Consistency{From: from, To: to}
	if p.FromRoot, err = r.rootIn(ctx, newest, from); err != nil {
		return Consistency{}, err
	}
	if p.ToRoot, err = r.rootIn(ctx, newest, to); err != nil {
		return Consistency{}, err
	}
	if p.Path, err = tlog.ProveTree(to, from, hashes(ctx, r.o.Store, to, p.ToRoot)); err != nil {
		return Consistency{}, fmt.Errorf("consistency of %d and %d: %w", from, to, err)
	}
	return p, nil
}

// Tile gives a tile's hashes, if a checkpoint covers them.
func (r *Reader) Tile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if err := r.covered(ctx, t); err != nil {
		return nil, err
	}
	data, err := r.o.Store.Tiles(ctx, []tlog.Tile{t})
	if err != nil {
		return nil, fmt.Errorf("tile %s: %w", TilePath(t), err)
	}
	return data[0], nil
}

// covered refuses a tile that no checkpoint covers: it might still become another.
func (r *Reader) covered(ctx context.Context, t tlog.Tile) error {
	c, err := r.Checkpoint(ctx)
	if err != nil {
		return err
	}
	level := max(t.L, 0)
	if t.H != tileHeight || t.L > maxLevel || t.N < 0 || t.N > (math.MaxInt64>>tileHeight)-1 ||
		t.N<<tileHeight+int64(t.W) > c.Size>>(tileHeight*level) {
		return ErrNoSuchTile
	}
	return nil
}

// Bundle gives the leaves of a tile of level 0 as C2SP tlog-tiles has them: each
// with its length in two bytes before it. It holds what every organization
// recorded: for operators.
func (r *Reader) Bundle(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if err := r.covered(ctx, t); err != nil {
		return nil, err
	}
	var bundle, leaf []byte
	first, last := t.N<<tileHeight+1, t.N<<tileHeight+int64(t.W)
	for next := first; next <= last; {
		events, err := r.o.Events.Read(ctx, next-1, int(last-next+1))
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			return nil, fmt.Errorf("bundle %d: position %d is sealed and not in the log", t.N, next)
		}
		for i := range events {
			if leaf = eventlog.AppendLeaf(leaf[:0], &events[i]); len(leaf) > math.MaxUint16 {
				return nil, ErrEntryTooLarge.Detailf("The entry at position %d has %d bytes, at most %d are possible.", events[i].Position, len(leaf), math.MaxUint16).With("position", events[i].Position)
			}
			bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(leaf)))
			bundle = append(bundle, leaf...)
		}
		next += int64(len(events))
	}
	return bundle, nil
}

// Key is a key that has signed checkpoints.
type Key struct {
	SeenKey
	Name    string
	Current bool // it signed the newest checkpoint
}

// Keys are all keys that have signed, the oldest first.
func (r *Reader) Keys(ctx context.Context) ([]Key, error) {
	seen, err := r.o.Store.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	newest, err := r.Checkpoint(ctx)
	if err != nil && !errors.Is(err, ErrNotSealed) {
		return nil, err
	}
	keys := make([]Key, len(seen))
	for i, k := range seen {
		v, err := note.NewVerifier(k.VKey)
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		// Not before the tables: a key may have signed since the newest was asked for.
		keys[i] = Key{SeenKey: k, Name: v.Name(), Current: newest.Size > 0 && k.LastSize >= newest.Size}
	}
	return keys, nil
}
