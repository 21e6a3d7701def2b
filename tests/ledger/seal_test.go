package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
)

func TestSealedIsWhatTheLogHolds(t *testing.T) {
	w := newWorld(t)
	s := w.sealer(nil)
	if c, err := s.Seal(t.Context()); err != nil || c.Size != 0 {
		t.Fatalf("an empty log is sealed as %+v, %v", c, err)
	}
	for _, n := range []int{1, 1, 5, 249, 1, 300, 700} {
		c := w.sealed(s, n)
		if want := w.root(c.Size); c.Root != want {
			t.Fatalf("root at %d is %s, the log gives %s", c.Size, c.Root, want)
		}
		read, err := ledger.ReadCheckpoint(c.Note, known(t, w.keys.VKeys...))
		if err != nil || read.Size != c.Size || read.Root != c.Root || read.Origin != "strata.test/log/1" {
			t.Fatalf("the note says %+v, %v", read, err)
		}
	}
	again, err := s.Seal(t.Context())
	if err != nil || again.Size != 1257 {
		t.Fatalf("sealing what is sealed gives %d, %v", again.Size, err)
	}
	if st := s.Status(); st.Size != 1257 || st.Signed != 1257 || st.Refused != "" {
		t.Errorf("status is %+v", st)
	}
}

// The database computes leaves as package eventlog does, whatever is in them.
func TestTheDatabaseHashesAsWeDo(t *testing.T) {
	w := newWorld(t)
	w.append(3)
	w.superuser(`UPDATE events SET command_id = gen_random_uuid(), command_hash = sha256('x'), recorded_at = '1969-12-31 23:59:59.999999+00' WHERE position = 1`)
	w.superuser(`UPDATE events SET data = convert_to('{"ü":"\u2028"}', 'UTF8'), recorded_at = '2199-12-31 23:59:59.999999+00', schema_version = 2147483647 WHERE position = 2`)
	leaves, err := w.store.LeafHashes(t.Context(), 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range w.read(0, 3) {
		if want := eventlog.LeafHash(&e); leaves[i] != want {
			t.Errorf("position %d: the database says %x, we %x", i+1, leaves[i], want)
		}
	}
	if _, err := w.store.LeafHashes(t.Context(), 2, 4); err == nil || !strings.Contains(err.Error(), "position 4 is not there") {
		t.Errorf("a position that is not there: %v", err)
	}
}

// What is changed between growing and signing is not signed, whatever it is, and
// is signed when it is what it was.
func TestFlipBeforeSigningRefuses(t *testing.T) {
	for name, flip := range map[string]struct{ change, back, reason string }{
		"a byte of an event": {
			`UPDATE events SET data = set_byte(data, 5, get_byte(data, 5) # 1) WHERE position = 301`,
			`UPDATE events SET data = set_byte(data, 5, get_byte(data, 5) # 1) WHERE position = 301`, "position 301:",
		},
		"a leaf": {
			`UPDATE ledger.tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE level = 0 AND n = 1`,
			`UPDATE ledger.tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE level = 0 AND n = 1`, "position 258:",
		},
		"an inner node": {
			`UPDATE ledger.tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE level = 1`,
			`UPDATE ledger.tiles SET hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) WHERE level = 1`, "two computations of the root at size 600 differ",
		},
		"what was signed before": {
			`UPDATE ledger.checkpoints SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = 250`,
			`UPDATE ledger.checkpoints SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE size = 250`, "size 250",
		},
		"an old leaf": {
			`UPDATE ledger.tiles SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1) WHERE level = 0 AND n = 0`,
			`UPDATE ledger.tiles SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1) WHERE level = 0 AND n = 0`, "size 250",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.sealed(w.sealer(nil), 250)
			s := w.sealer(nil) // another process, which knows nothing yet
			w.append(350)
			if err := w.grow(s, 100); err != nil {
				t.Fatal(err)
			}
			w.superuser(flip.change)
			_, err := s.Seal(t.Context())
			var refused *ledger.RefusalError
			if !errors.As(err, &refused) || !strings.Contains(refused.Reason, flip.reason) {
				t.Fatalf("sealed in spite of it: %v, want a refusal that says %q", err, flip.reason)
			}
			if st := s.Status(); !strings.Contains(st.Refused, flip.reason) || st.Since.IsZero() {
				t.Errorf("status is %+v", st)
			}
			if c, _, err := w.store.Latest(t.Context(), 1); err != nil || c.Size != 250 {
				t.Fatalf("signed up to %d, %v", c.Size, err)
			}
			w.superuser(flip.back)
			c, err := s.Seal(t.Context())
			if err != nil || c.Size != 600 || c.Root != w.root(600) || s.Status().Refused != "" {
				t.Fatalf("it does not heal: size %d, %v, status %+v", c.Size, err, s.Status())
			}
		})
	}
}
