package proving_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/proving"
	"strata.dev/strata/app/verifier"
)

// stored is a log and a ledger in memory, as somebody has left them.
type stored struct {
	mu     sync.Mutex
	events []eventlog.Event
	leaves []verifier.Hash
	notes  []proving.Note
	failed error
	epochs eventlog.Epochs
}

var began = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func (s *stored) Epochs(context.Context) (eventlog.Epochs, error) { return s.epochs, s.failed }
func (s *stored) Head(context.Context) (int64, error)             { return int64(len(s.events)), s.failed }

func (s *stored) Between(_ context.Context, after, through int64) (found []eventlog.Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Position > after && e.Position <= through {
			found = append(found, e)
		}
	}
	return found, s.failed
}

func (s *stored) Next(_ context.Context, after int64) (int64, error) {
	for _, e := range s.events {
		if e.Position > after {
			return e.Position, s.failed
		}
	}
	return 0, s.failed
}

func (s *stored) PositionAt(_ context.Context, at time.Time) (int64, error) {
	for _, e := range s.events {
		if !e.RecordedAt.Before(at) {
			return e.Position, s.failed
		}
	}
	return 0, s.failed
}

func (s *stored) Tile(_ context.Context, level int, n int64) ([]byte, error) {
	hashes := s.leaves
	for range level {
		var above []verifier.Hash
		for i := 0; i+256 <= len(hashes); i += 256 {
			var tree verifier.Tree
			for _, h := range hashes[i : i+256] {
				tree.Append(h)
			}
			above = append(above, tree.Root())
		}
		hashes = above
	}
	var tile []byte
	for i := n * 256; i < min(n*256+256, int64(len(hashes))); i++ {
		tile = append(tile, hashes[i][:]...)
	}
	return tile, s.failed
}

func (s *stored) Notes(context.Context, int64) ([]proving.Note, error) { return s.notes, s.failed }

func (s *stored) NewestNote(context.Context) (proving.Note, error) {
	if len(s.notes) == 0 {
		return proving.Note{}, s.failed
	}
	return s.notes[len(s.notes)-1], s.failed
}

type seed byte

func (s seed) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s)
	}
	return len(b), nil
}

func key(t *testing.T, of byte) (note.Signer, verifier.Key) {
	t.Helper()
	private, public, err := note.GenerateKey(seed(of), ledger.KeyName("strata.test"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	k, err := verifier.ParseKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, k
}

// newStored is a log of n events, one every minute, signed at some sizes.
func newStored(t *testing.T, n int64, signer note.Signer, sizes ...int64) *stored {
	t.Helper()
	s := &stored{}
	var tree verifier.Tree
	for i := range n {
		e := eventlog.Event{
			Position: i + 1, OrganizationID: uuid.UUID{15: byte(1 + i%2)}, OrganizationSequence: i/2 + 1, StreamID: fmt.Sprintf("strategy-%d", i%2), Version: i/2 + 1,
			ID: uuid.UUID{0: 1, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}, Type: "strategy.changed", SchemaVersion: 1, Data: []byte(`{}`), Metadata: []byte(`{}`),
			RecordedAt: began.Add(time.Duration(i) * time.Minute),
		}
		s.events = append(s.events, e)
		s.leaves = append(s.leaves, eventlog.LeafHash(&e))
		tree.Append(eventlog.LeafHash(&e))
		if slices.Contains(sizes, i+1) {
			s.sign(t, tree, signer)
		}
	}
	return s
}

func (s *stored) sign(t *testing.T, tree verifier.Tree, signer note.Signer) {
	t.Helper()
	root := tree.Root()
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", ledger.Origin("strata.test", 1), tree.Size(), root.Base64())}, signer)
	if err != nil {
		t.Fatal(err)
	}
	s.notes = append(s.notes, proving.Note{Epoch: 1, Size: int64(tree.Size()), Root: root[:], Signed: signed})
}

func TestRun(t *testing.T) {
	signer, k := key(t, 1)
	trust := verifier.Trust{Log: []verifier.Key{k}}
	s := newStored(t, 3_000, signer, 1_000, 2_000, 2_990)
	r, err := proving.Run(t.Context(), s, proving.Options{Trust: trust})
	if err != nil || !r.OK() || r.Events != 3_000 || r.Sealed != 2_990 || r.Checkpoints != 3 || r.To != 3_000 {
		t.Fatalf("%+v: %v", r, err)
	}
	for _, span := range [][2]int64{{1, 10}, {500, 1_500}, {2_500, 0}, {2_990, 2_990}, {1, 2_990}, {2_000, 5_000}} {
		if r, err := proving.Run(t.Context(), s, proving.Options{Trust: trust, From: span[0], To: span[1]}); err != nil || !r.OK() {
			t.Errorf("%v: %v, %v", span, r.Problem, err)
		}
	}
	s.events[1_199].Data = []byte(`{"a":1}`)
	for _, span := range [][2]int64{{0, 0}, {1_000, 1_300}, {1_200, 1_200}, {1_100, 0}} {
		r, err := proving.Run(t.Context(), s, proving.Options{Trust: trust, From: span[0], To: span[1]})
		if err != nil || r.OK() || r.Problem.Position != 1_200 || r.Problem.Kind != verifier.Edited {
			t.Errorf("%v: %v, %v", span, r.Problem, err)
		}
	}
	if r, err := proving.Run(t.Context(), s, proving.Options{Trust: trust, From: 1_201, To: 1_300}); err != nil || !r.OK() {
		t.Errorf("the range beside it: %v, %v", r.Problem, err)
	}
}

// A key that was replaced need not be given for ever; one that nobody gives must
// not have signed the newest checkpoint.
func TestReplacedKeys(t *testing.T) {
	old, oldKey := key(t, 1)
	_, newKey := key(t, 2)
	signer, _ := key(t, 2)
	s := newStored(t, 100, old, 10, 20)
	var tree verifier.Tree
	for _, h := range s.leaves {
		tree.Append(h)
	}
	s.sign(t, tree, signer)
	r, err := proving.Run(t.Context(), s, proving.Options{Trust: verifier.Trust{Log: []verifier.Key{newKey}}})
	if err != nil || !r.OK() || r.Strange != 2 || r.Checkpoints != 1 {
		t.Errorf("with the new key: %+v, %v", r, err)
	}
	r, err = proving.Run(t.Context(), s, proving.Options{Trust: verifier.Trust{Log: []verifier.Key{oldKey}}})
	if err != nil || r.OK() || r.Problem.Check != verifier.CheckSignature || r.Problem.Position != 21 || r.Problem.Through != 100 {
		t.Errorf("with the old key: %v, %v", r.Problem, err)
	}
}

func TestRunSaysWhatItCannotDo(t *testing.T) {
	signer, k := key(t, 1)
	trust := verifier.Trust{Log: []verifier.Key{k}}
	s := newStored(t, 10, signer)
	if _, err := proving.Run(t.Context(), s, proving.Options{Trust: trust}); !errors.Is(err, proving.ErrNothingSealed) {
		t.Errorf("nothing is sealed: %v", err)
	}
	if _, err := proving.Run(t.Context(), s, proving.Options{}); err == nil {
		t.Error("nobody is trusted, and it was verified")
	}
	s.failed = errors.New("away")
	if _, err := proving.Run(t.Context(), s, proving.Options{Trust: trust}); !errors.Is(err, s.failed) {
		t.Errorf("the log is away: %v", err)
	}
}

// raised is what a Rolling has told.
type raised struct {
	positions     []int64
	organizations [][]uuid.UUID
}

func TestRollingComesRoundAndSaysWhatStands(t *testing.T) {
	signer, k := key(t, 1)
	const n = 70_000
	s := newStored(t, n, signer, n)
	now := began.Add(n * time.Minute)
	var told raised
	r := proving.NewRolling(proving.RollingOptions{
		Source: s, Trust: verifier.Trust{Log: []verifier.Key{k}}, Every: time.Second,
		Now: func() time.Time { return now }, // work takes no time, so nobody waits for it
		Found: func(_ context.Context, report proving.Report, organizations []uuid.UUID) error {
			told.positions = append(told.positions, report.Problem.Position)
			told.organizations = append(told.organizations, organizations)
			return nil
		},
	})
	turn := func() proving.Status {
		t.Helper()
		if err := r.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		return r.Status()
	}
	round := 0
	for st := turn(); st.WholeAt.IsZero(); st = turn() {
		round++
		if st.Position != n || st.Problem != nil || round > 10 {
			t.Fatalf("turn %d: %+v", round, st)
		}
	}
	// Far back: the part of the whole finds it, and it stands while other parts are clean.
	s.events[4_999].Data = []byte(`{"a":1}`)
	if st := turn(); st.Problem == nil || st.Problem.Position != 5_000 {
		t.Fatalf("%+v", st)
	}
	for range round {
		if st := turn(); st.Problem == nil || st.Problem.Position != 5_000 {
			t.Fatalf("it was forgotten: %+v", st)
		}
	}
	if !slices.Contains(told.positions, 5_000) || len(told.organizations[0]) != 1 || told.organizations[0][0] != (uuid.UUID{15: 2}) {
		t.Errorf("told %+v", told)
	}
	// Put back: after a clean round it is over.
	s.events[4_999].Data = []byte(`{}`)
	for i := 0; turn().Problem != nil; i++ {
		if i > 2*round+2 {
			t.Fatal("it stands although it was put back")
		}
	}
	// Within the last day: at once, and the organizations of a gap are those beside it.
	s.events = slices.Delete(s.events, n-10, n)
	if st := turn(); st.Problem == nil || st.Problem.Position != n-9 || st.Problem.Kind != verifier.Truncated {
		t.Fatalf("the end was cut off: %v", st.Problem)
	}
}

// A log that was restored, and says so, is another history from there on: what
// was seen of the one that was left is compared as far as both go together.
func TestRestoredLogIsNoFalseAlarm(t *testing.T) {
	signer, k := key(t, 1)
	trust := verifier.Trust{Log: []verifier.Key{k}}
	lost := newStored(t, 100, signer, 40, 100)
	memory := &verifier.Memory{}
	for _, n := range lost.notes {
		c, err := verifier.OpenCheckpoint(n.Signed, trust)
		if err != nil {
			t.Fatal(err)
		}
		if err := memory.Add(c, n.Signed); err != nil {
			t.Fatal(err)
		}
	}
	restored := newStored(t, 90, signer, 40)
	restored.notes = append(restored.notes, lost.notes[1]) // what the epoch before has left
	restored.events[85].Data = []byte(`{"other":1}`)
	restored.leaves[85] = eventlog.LeafHash(&restored.events[85])
	var tree verifier.Tree
	for _, h := range restored.leaves {
		tree.Append(h)
	}
	root := tree.Root()
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n90\n%s\n", ledger.Origin("strata.test", 2), root.Base64())}, signer)
	if err != nil {
		t.Fatal(err)
	}
	restored.notes = append(restored.notes, proving.Note{Epoch: 2, Size: 90, Root: root[:], Signed: signed})
	said, err := eventlog.NewEpochs([]eventlog.Epoch{{Number: 2, First: 81, RestoredTo: 80}})
	if err != nil {
		t.Fatal(err)
	}

	r, err := proving.Run(t.Context(), restored, proving.Options{Trust: trust, Memory: memory})
	if err != nil || r.OK() {
		t.Errorf("nobody has said that it was restored: %v, %v", r.Problem, err)
	}
	restored.epochs = said
	r, err = proving.Run(t.Context(), restored, proving.Options{Trust: trust, Memory: memory})
	if err != nil || !r.OK() || r.Epoch != 2 || r.Sealed != 90 {
		t.Errorf("it was restored, and says so: %v, %v", r.Problem, err)
	}
	if err := memory.Add(r.Newest, r.Note); err != nil {
		t.Error(err)
	}
	again, err := verifier.ParseMemory(memory.String(), trust)
	if err != nil {
		t.Fatal(err)
	}
	if newest, _ := again.Newest(); newest.Size != 90 || newest.Origin != ledger.Origin("strata.test", 2) {
		t.Errorf("it remembers %+v", newest)
	}
	if r, err := proving.Run(t.Context(), lost, proving.Options{Trust: trust, Memory: again}); err != nil || r.OK() {
		t.Errorf("the history that was left is shown again: %v, %v", r.Problem, err)
	}
}
