package ledger_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

const instance = "strata.test"

// world is a log with a ledger that is grown and signed by hand.
type world struct {
	t      testing.TB
	urls   testenv.LogURLs
	events *postgres.Log
	store  *postgres.Ledger
	admin  *pgxpool.Pool // a superuser's
	keys   *notekeys.Keys
}

func newWorld(t testing.TB) *world {
	t.Helper()
	urls := testenv.Log(t)
	events, err := postgres.Open(t.Context(), urls.App, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Close)
	store, err := postgres.OpenLedger(t.Context(), urls.App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return &world{t: t, urls: urls, events: events, store: store, admin: testenv.Pool(t, urls.Admin), keys: newKeys(t)}
}

func newKeys(t testing.TB) *notekeys.Keys {
	t.Helper()
	keys, err := notekeys.Open(notekeys.Options{File: filepath.Join(t.TempDir(), "ledger.key"), Name: ledger.KeyName(instance), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// sealer is an instance's; change may be nil.
func (w *world) sealer(change func(*ledger.Options)) *ledger.Sealer {
	w.t.Helper()
	o := ledger.Options{Store: w.store, Epoch: 1, Instance: instance, Signers: w.keys.Signers, VKeys: w.keys.VKeys, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	s, err := ledger.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) reader() *ledger.Reader {
	return ledger.NewReader(ledger.ReaderOptions{Store: w.store, Events: w.events, Epoch: 1})
}

// append records n events.
func (w *world) append(n int) (head int64) {
	w.t.Helper()
	return logfill.Append(w.t, w.admin, n)
}

// grow takes everything that the tiles do not hold yet, as the consumer group
// does, at most batch events at once.
func (w *world) grow(s *ledger.Sealer, batch int64) error {
	w.t.Helper()
	head, err := w.events.Head(w.t.Context())
	if err != nil {
		return err
	}
	for {
		at, err := s.Checkpoint(w.t.Context())
		if err != nil || at == head {
			return err
		}
		if err := s.Grow(w.t.Context(), at, min(head, at+batch)); err != nil {
			return err
		}
	}
}

func (w *world) read(after int64, limit int) []eventlog.Event {
	w.t.Helper()
	events, err := w.events.Read(w.t.Context(), after, limit)
	if err != nil {
		w.t.Fatal(err)
	}
	return events
}

// sealed appends n events, grows and signs.
func (w *world) sealed(s *ledger.Sealer, n int) ledger.Checkpoint {
	w.t.Helper()
	head := w.append(n)
	if err := w.grow(s, 1000); err != nil {
		w.t.Fatal(err)
	}
	c, err := s.Seal(w.t.Context())
	if err != nil || c.Size != head {
		w.t.Fatalf("sealed %d of %d: %v", c.Size, head, err)
	}
	return c
}

// known are the verifiers of keys.
func known(t testing.TB, vkeys ...string) note.Verifiers {
	t.Helper()
	var list []note.Verifier
	for _, k := range vkeys {
		v, err := note.NewVerifier(k)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return note.VerifierList(list...)
}

// root folds the log from the start, with the tree of x/mod and in memory.
func (w *world) root(size int64) ledger.Hash {
	w.t.Helper()
	var stored []ledger.Hash
	memory := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			if x >= int64(len(stored)) {
				return nil, errors.New("not there yet")
			}
			out[i] = stored[x]
		}
		return out, nil
	})
	var n int64
	for n < size {
		for _, e := range w.read(n, int(min(1000, size-n))) {
			more, err := tlog.StoredHashesForRecordHash(n, tlog.Hash(eventlog.LeafHash(&e)), memory)
			if err != nil {
				w.t.Fatal(err)
			}
			stored, n = append(stored, more...), n+1
		}
	}
	root, err := tlog.TreeHash(size, memory)
	if err != nil {
		w.t.Fatal(err)
	}
	return root
}

// superuser runs a statement that no trigger sees.
func (w *world) superuser(sql string, args ...any) {
	w.t.Helper()
	ctx := context.Background()
	tx, err := w.admin.Begin(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	for _, table := range []string{"public.events", "ledger.tiles", "ledger.checkpoints", "ledger.state"} {
		if _, err := tx.Exec(ctx, "ALTER TABLE "+table+" DISABLE TRIGGER ALL"); err != nil {
			w.t.Fatal(err)
		}
	}
	tag, err := tx.Exec(ctx, sql, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	if tag.RowsAffected() == 0 {
		w.t.Fatalf("%s changed nothing", sql)
	}
	for _, trigger := range []string{
		"public.events ENABLE ALWAYS TRIGGER events_append_only", "public.events ENABLE ALWAYS TRIGGER events_append_lock",
		"public.events ENABLE ALWAYS TRIGGER events_no_gaps", "ledger.tiles ENABLE ALWAYS TRIGGER tiles_never_go",
		"ledger.tiles ENABLE ALWAYS TRIGGER tiles_grow_only", "ledger.checkpoints ENABLE ALWAYS TRIGGER checkpoints_insert_only",
		"ledger.state ENABLE ALWAYS TRIGGER state_forward_only",
	} {
		if _, err := tx.Exec(ctx, "ALTER TABLE "+trigger); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		w.t.Fatal(err)
	}
}
