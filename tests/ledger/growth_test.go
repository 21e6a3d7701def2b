package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
)

// crashing is a store whose process dies, now and then, between two of its steps.
type crashing struct {
	ledger.Store
	mu    sync.Mutex
	after string // the step behind which it dies; "" = it does not
}

var errDied = errors.New("the process died")

func (c *crashing) dies(step string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after == step {
		return errDied
	}
	return nil
}

func (c *crashing) Grow(ctx context.Context, from, to int64, tiles []ledger.Tile) error {
	if err := c.dies("before growing"); err != nil {
		return err
	}
	return errors.Join(c.Store.Grow(ctx, from, to, tiles), c.dies("after growing"))
}

func (c *crashing) Save(ctx context.Context, epoch int, cp ledger.Checkpoint, vkeys []string) (ledger.Checkpoint, error) {
	if err := c.dies("before saving"); err != nil {
		return ledger.Checkpoint{}, err
	}
	stored, err := c.Store.Save(ctx, epoch, cp, vkeys)
	return stored, errors.Join(err, c.dies("after saving"))
}

// Whatever comes in which batches, and wherever a process dies and another goes
// on: what is signed is what the log holds, and continues what was signed before.
func TestGrowthIsWhatTheLogHolds(t *testing.T) {
	w := newWorld(t)
	var previous ledger.Checkpoint
	var head int64
	rapid.Check(t, func(rt *rapid.T) {
		if head > 2000 {
			return // enough for one database
		}
		store := &crashing{Store: w.store}
		s := w.sealer(func(o *ledger.Options) { o.Store = store })
		for range rapid.IntRange(1, 4).Draw(rt, "steps") {
			head = w.append(rapid.IntRange(1, 270).Draw(rt, "events"))
			store.after = rapid.SampledFrom([]string{"", "", "before growing", "after growing", "before saving", "after saving"}).Draw(rt, "dies")
			err := w.grow(s, rapid.Int64Range(1, 400).Draw(rt, "batch"))
			if err == nil {
				_, err = s.Seal(t.Context())
			}
			if err != nil {
				if !errors.Is(err, errDied) {
					rt.Fatal(err)
				}
				store = &crashing{Store: w.store} // another process goes on
				s = w.sealer(func(o *ledger.Options) { o.Store = store })
			}
		}
		store.after = ""
		if err := w.grow(s, 500); err != nil {
			rt.Fatal(err)
		}
		c, err := s.Seal(t.Context())
		if err != nil || c.Size != head {
			rt.Fatalf("sealed %d of %d, %v", c.Size, head, err)
		}
		if want := w.root(head); c.Root != want {
			rt.Fatalf("root at %d is %s, want %s", head, c.Root, want)
		}
		if previous.Size > 0 {
			p, err := w.reader().Continue(t.Context(), previous.Size, c.Size)
			if err != nil {
				rt.Fatal(err)
			}
			if err := tlog.CheckTree(p.Path, c.Size, c.Root, previous.Size, previous.Root); err != nil {
				rt.Fatalf("%d does not continue %d: %v", c.Size, previous.Size, err)
			}
		}
		previous = c
	})
}

// The frontier is the tree, at every size.
func TestFrontierIsTheTree(t *testing.T) {
	var f ledger.Frontier
	var stored []ledger.Hash
	memory := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for n := range int64(1100) {
		leaf := tlog.RecordHash(fmt.Append(nil, n))
		f.Append(leaf)
		more, err := tlog.StoredHashesForRecordHash(n, leaf, memory)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
		want, err := tlog.TreeHash(n+1, memory)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ledger.NewFrontier(f.Size(), f.Hashes())
		if err != nil || f.Root() != want || again.Root() != want {
			t.Fatalf("size %d: root %s, again %v, want %s (%v)", n+1, f.Root(), again, want, err)
		}
	}
	if _, err := ledger.NewFrontier(3, f.Hashes()[:1]); err == nil {
		t.Error("a frontier with too few hashes is taken")
	}
}

// Two that overlap grow one tree and sign one root for a size.
func TestTwoSealersDoNotFork(t *testing.T) {
	w := newWorld(t)
	head := w.append(1500)
	var wg sync.WaitGroup
	for range 2 {
		s := w.sealer(nil)
		wg.Go(func() {
			for {
				at, err := s.Checkpoint(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if at == head {
					break
				}
				if err := s.Grow(t.Context(), at, min(head, at+37)); err != nil && !errors.Is(err, ledger.ErrMoved) {
					t.Errorf("grow: %v", err)
					return
				}
				if _, err := s.Seal(t.Context()); err != nil {
					t.Errorf("seal: %v", err)
					return
				}
			}
			if _, err := s.Seal(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c, ok, err := w.store.Latest(t.Context(), 1)
	if err != nil || !ok || c.Size != head || c.Root != w.root(head) {
		t.Fatalf("sealed %+v, %v", c, err)
	}
	type signed struct {
		Size int64
		Root []byte
	}
	rows, _ := w.admin.Query(t.Context(), `SELECT size, root FROM ledger.checkpoints`) // CollectRows returns its error
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[signed])
	if err != nil || len(all) == 0 {
		t.Fatalf("%d checkpoints, %v", len(all), err)
	}
	for _, c := range all {
		at, err := w.reader().Root(t.Context(), c.Size)
		if err != nil || string(at[:]) != string(c.Root) {
			t.Errorf("the root signed at %d is not the tree's: %v", c.Size, err)
		}
	}
}

// One who finds another root at its size signed does not publish its own.
func TestAnotherRootAtThisSizeRefuses(t *testing.T) {
	w := newWorld(t)
	s := w.sealer(nil)
	w.sealed(s, 10)
	w.append(5)
	if err := w.grow(s, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := w.admin.Exec(t.Context(), `INSERT INTO ledger.checkpoints SELECT epoch, 15, sha256('x'), note, signed_at FROM ledger.checkpoints`); err != nil {
		t.Fatal(err)
	}
	var refused *ledger.RefusalError
	if _, err := s.Seal(t.Context()); !errors.As(err, &refused) {
		t.Errorf("signed beside another root: %v", err)
	}
}

// A batch that is not what comes next is refused, and nothing of it is stored.
func TestGrowthHasNoGaps(t *testing.T) {
	w := newWorld(t)
	w.append(20)
	s := w.sealer(nil)
	if err := s.Grow(t.Context(), 5, 10); !errors.Is(err, ledger.ErrMoved) {
		t.Errorf("growth from a size that is not the tiles': %v", err)
	}
	if err := s.Grow(t.Context(), 0, 21); err == nil {
		t.Error("growth beyond the log")
	}
	if at, err := s.Checkpoint(t.Context()); err != nil || at != 0 {
		t.Errorf("at %d, %v", at, err)
	}
	if err := s.Grow(t.Context(), 0, 20); err != nil {
		t.Error(err)
	}
	seen := 0
	if err := w.store.Events(t.Context(), 1, 20, func(e *eventlog.Event) error {
		seen++
		if want := w.read(e.Position-1, 1)[0]; eventlog.LeafHash(e) != eventlog.LeafHash(&want) || !e.RecordedAt.Equal(want.RecordedAt) {
			return fmt.Errorf("position %d is read as another event", e.Position)
		}
		return nil
	}); err != nil || seen != 20 {
		t.Errorf("%d events, %v", seen, err)
	}
}

// The role that seals can do nothing to what is sealed.
func TestTheSealingRoleCannotUndo(t *testing.T) {
	w := newWorld(t)
	w.sealed(w.sealer(nil), 300)
	for _, sql := range []string{
		`DELETE FROM ledger.tiles`, `TRUNCATE ledger.tiles`, `DELETE FROM ledger.checkpoints`, `UPDATE ledger.checkpoints SET size = 1`,
		`UPDATE ledger.tiles SET hashes = set_byte(hashes, 0, 0) || hashes WHERE level = 1`,
		`UPDATE ledger.tiles SET hashes = substr(hashes, 1, 32) WHERE level = 0 AND n = 0`,
		`UPDATE ledger.tiles SET n = 7 WHERE level = 1`, `UPDATE ledger.state SET size = 1`, `DELETE FROM ledger.state`, `INSERT INTO ledger.state VALUES (false, 0)`,
		`UPDATE ledger.keys SET last_size = 1`, `DELETE FROM ledger.keys`, `SET session_replication_role = replica`, `ALTER TABLE ledger.tiles DISABLE TRIGGER ALL`,
	} {
		tx, err := w.admin.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE strata_log`); err != nil {
			t.Fatal(err)
		}
		if tag, err := tx.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s: %s", sql, tag)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
