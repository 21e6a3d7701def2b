package ledger_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/adapters/witness"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/tests/testenv"
)

// observer is a witness at an address, with its files.
type observer struct {
	t        testing.TB
	dir      string
	cosigner *witness.Cosigner
	server   *witness.Server
	http     *httptest.Server
	logs     []string
}

func newObserver(t testing.TB, logs ...string) *observer {
	t.Helper()
	o := &observer{t: t, dir: t.TempDir(), logs: logs}
	o.start()
	t.Cleanup(o.stop)
	return o
}

func (o *observer) start() {
	o.t.Helper()
	var err error
	if o.cosigner, err = witness.OpenCosigner(filepath.Join(o.dir, "witness.key"), "witness.test"); err != nil {
		o.t.Fatal(err)
	}
	o.server, err = witness.NewServer(witness.ServerOptions{
		Cosigner: o.cosigner, State: filepath.Join(o.dir, "state"), Logs: o.logs, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		o.t.Fatal(err)
	}
	o.http = httptest.NewServer(o.server)
}

func (o *observer) stop() {
	o.http.Close()
	if err := o.server.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		o.t.Error(err)
	}
}

func (o *observer) client() *witness.Client {
	o.t.Helper()
	c, err := witness.NewClient(o.http.URL, o.cosigner.VKey(), o.http.Client())
	if err != nil {
		o.t.Fatal(err)
	}
	return c
}

func (o *observer) verifier() *witness.Verifier {
	o.t.Helper()
	v, err := witness.NewVerifier(o.cosigner.VKey())
	if err != nil {
		o.t.Fatal(err)
	}
	return v
}

func witnessed(c ledger.Witness) func(*ledger.Options) {
	return func(o *ledger.Options) { o.Witness = c }
}

// What is published carries the cosignature, over restarts of everybody.
func TestCheckpointsAreCosigned(t *testing.T) {
	w := newWorld(t)
	o := newObserver(t, w.keys.VKeys...)
	for round := range 3 {
		s := w.sealer(witnessed(o.client())) // each time a process that knows nothing of the witness
		for range 2 {
			c := w.sealed(s, 40)
			n, err := note.Open(c.Note, note.VerifierList(o.verifier()))
			if err != nil || len(n.Sigs) != 1 {
				t.Fatalf("round %d: no cosignature: %v\n%s", round, err, c.Note)
			}
			at, err := o.verifier().When(c.Note)
			if d := time.Since(at); err != nil || d < -time.Minute || d > time.Minute {
				t.Errorf("cosigned at %s, %v", at, err)
			}
			if _, err := ledger.ReadCheckpoint(c.Note, known(t, w.keys.VKeys...)); err != nil {
				t.Error(err)
			}
			if st := s.Status(); st.Cosigned != c.Size || st.WitnessFailed != "" {
				t.Errorf("status %+v", st)
			}
		}
		o.stop()
		o.start() // it remembers
	}
}

// A witness that is away, or is nobody's, stops nothing, and is shown.
func TestAWitnessThatIsAwayStopsNothing(t *testing.T) {
	w := newWorld(t)
	o := newObserver(t, w.keys.VKeys...)
	client := o.client()
	now := time.Now()
	s := w.sealer(func(opt *ledger.Options) { opt.Witness, opt.Now = client, func() time.Time { return now } })
	o.http.Close()
	c := w.sealed(s, 10)
	if st := s.Status(); st.WitnessFailed == "" || st.WitnessSince.IsZero() || st.Refused != "" || strings.Contains(string(c.Note), "witness.test") {
		t.Errorf("status %+v\n%s", st, c.Note)
	}
	// Back again, at another address, since the port may be taken; left alone for a moment first.
	o.stop()
	o.start()
	s = w.sealer(func(opt *ledger.Options) { opt.Witness, opt.Now = o.client(), func() time.Time { return now } })
	if c := w.sealed(s, 10); !strings.Contains(string(c.Note), "witness.test") {
		t.Errorf("not cosigned:\n%s", c.Note)
	}
}

// A log restored from an old backup that signs on with the same key is found out by
// the witness: nothing of the fork is published, and the refusal says why.
func TestTheWitnessRefusesAFork(t *testing.T) {
	w := newWorld(t)
	o := newObserver(t, w.keys.VKeys...)
	w.sealed(w.sealer(witnessed(o.client())), 50)

	fork := newWorld(t) // the same name and key, another history
	fork.keys = w.keys
	for _, size := range []int{30, 20, 40} { // behind what was seen, as large, beyond
		s := fork.sealer(witnessed(o.client()))
		head := fork.append(size)
		if err := fork.grow(s, 100); err != nil {
			t.Fatal(err)
		}
		_, err := s.Seal(t.Context())
		var refused *ledger.RefusalError
		if !errors.As(err, &refused) || !strings.Contains(refused.Reason, "witness") {
			t.Fatalf("size %d: %v", head, err)
		}
		if !strings.Contains(s.Status().Refused, "witness") {
			t.Errorf("status %+v", s.Status())
		}
	}
	if _, ok, err := fork.store.Latest(t.Context(), 1); ok || err != nil {
		t.Errorf("a checkpoint of the fork was published, %v", err)
	}
	if c := w.sealed(w.sealer(witnessed(o.client())), 5); !strings.Contains(string(c.Note), "witness.test") {
		t.Error("the log itself is not cosigned any more")
	}
}

// The witness's answers to those who ask it wrongly, as C2SP tlog-witness has them.
func TestTheWitnessAnswersAsTheStandardSays(t *testing.T) {
	w := newWorld(t)
	s := w.sealer(nil)
	first := w.sealed(s, 20)
	second := w.sealed(s, 20)
	o := newObserver(t, w.keys.VKeys...)
	ask := func(body string) (int, string, http.Header) {
		t.Helper()
		a, err := o.http.Client().Post(o.http.URL+"/add-checkpoint", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, string(text), a.Header
	}
	p, err := w.reader().Continue(t.Context(), 20, 40)
	if err != nil {
		t.Fatal(err)
	}
	var proof strings.Builder
	for _, h := range p.Path {
		proof.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	other := newKeys(t)
	foreign, err := note.Sign(&note.Note{Text: second.Body()}, other.Signers...)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := ledger.Checkpoint{Origin: "elsewhere.test/log/1", Size: 3, Root: first.Root}
	unknown, err := note.Sign(&note.Note{Text: elsewhere.Body()}, other.Signers...)
	if err != nil {
		t.Fatal(err)
	}
	fork := ledger.Checkpoint{Origin: first.Origin, Size: 20, Root: tlog.RecordHash([]byte("x"))}
	forked, err := note.Sign(&note.Note{Text: fork.Body()}, w.keys.Signers...)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, body string
		status     int
		text       string
	}{
		{"nonsense", "hello", 400, ""},
		{"a proof that is none", "old 0\nAAAA\n\n" + string(first.Note), 400, ""},
		{"another log", "old 0\n\n" + string(unknown), 404, ""},
		{"another key", "old 0\n\n" + string(foreign), 403, ""},
		{"older than itself", "old 21\n\n" + string(first.Note), 400, ""},
		{"a size it has not seen", "old 20\n" + proof.String() + "\n" + string(second.Note), 409, "0\n"},
		{"the first", "old 0\n\n" + string(first.Note), 200, "— witness.test "},
		{"the first again", "old 20\n\n" + string(first.Note), 200, "— witness.test "},
		{"another root of that size", "old 20\n\n" + string(forked), 409, "20\n"},
		{"no proof", "old 20\n\n" + string(second.Note), 422, ""},
		{"a wrong proof", "old 20\n" + strings.Replace(proof.String(), proof.String()[:4], "AAAA", 1) + "\n" + string(second.Note), 422, ""},
		{"the second", "old 20\n" + proof.String() + "\n" + string(second.Note), 200, "— witness.test "},
		{"an old one again", "old 0\n\n" + string(first.Note), 409, "40\n"},
		{"back to the old one", "old 40\n\n" + string(first.Note), 400, ""},
	} {
		status, text, header := ask(step.body)
		if status != step.status || !strings.HasPrefix(text, step.text) {
			t.Errorf("%s: %d %q, want %d %q", step.name, status, text, step.status, step.text)
		}
		if status == 409 && header.Get("Content-Type") != "text/x.tlog.size" {
			t.Errorf("%s: %v", step.name, header)
		}
	}
}

// A witness cosigns nothing that it cannot remember, and one state has one user.
func TestTheWitnessRemembersFirst(t *testing.T) {
	w := newWorld(t)
	c := w.sealed(w.sealer(nil), 5)
	o := newObserver(t, w.keys.VKeys...)
	if _, err := witness.NewServer(witness.ServerOptions{Cosigner: o.cosigner, State: filepath.Join(o.dir, "state"), Logs: o.logs}); err == nil {
		t.Error("two use one state")
	}
	// What cannot be written: the folder is gone.
	if err := os.RemoveAll(o.dir); err != nil {
		t.Fatal(err)
	}
	_, err := o.client().Cosign(t.Context(), c, func(context.Context, int64) ([]ledger.Hash, error) { return nil, nil })
	if err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("cosigned without remembering: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := witness.NewServer(witness.ServerOptions{Cosigner: o.cosigner, State: broken, Logs: o.logs}); err == nil || !strings.Contains(err.Error(), "do not remove it") {
		t.Errorf("begins anew on a state that it cannot read: %v", err)
	}
}

// While one key replaces another both sign: who knows either can verify.
func TestKeysOverlap(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "ledger.key")
	open := func() *notekeys.Keys {
		t.Helper()
		keys, err := notekeys.Open(notekeys.Options{File: file, Name: ledger.KeyName(instance)})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	old, err := notekeys.Add(file, ledger.KeyName(instance))
	if err != nil {
		t.Fatal(err)
	}
	w.keys = open()
	w.sealed(w.sealer(nil), 10)
	added, err := notekeys.Add(file, ledger.KeyName(instance))
	if err != nil {
		t.Fatal(err)
	}
	w.keys = open()
	both := w.sealed(w.sealer(nil), 10)
	for _, vkey := range []string{old, added} {
		if _, err := ledger.ReadCheckpoint(both.Note, known(t, vkey)); err != nil {
			t.Errorf("%s: %v", vkey, err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, second, _ := bytes.Cut(text, []byte("-----END PRIVATE KEY-----\n"))
	if err := os.WriteFile(file, second, 0o600); err != nil {
		t.Fatal(err)
	}
	w.keys = open() // one that has never seen the old key, and goes on from what both have signed
	last := w.sealed(w.sealer(nil), 10)
	if _, err := ledger.ReadCheckpoint(last.Note, known(t, added)); err != nil {
		t.Error(err)
	}
	if _, err := ledger.ReadCheckpoint(last.Note, known(t, old)); err == nil {
		t.Error("the old key still signs")
	}
	keys, err := w.reader().Keys(t.Context())
	if err != nil || len(keys) != 2 || keys[0].VKey != old || keys[0].FirstSize != 10 || keys[0].LastSize != 20 || keys[0].Current ||
		keys[1].VKey != added || keys[1].FirstSize != 20 || keys[1].LastSize != 30 || !keys[1].Current || keys[1].Name != "strata.test/log" {
		t.Errorf("keys %+v, %v", keys, err)
	}
}

// A log that is not the one in the archive is not signed; nor is one before the
// archive has been asked.
func TestTheArchiveIsAsked(t *testing.T) {
	w := newWorld(t)
	archived := w.sealed(w.sealer(nil), 50)
	fork := newWorld(t)
	fork.keys = w.keys
	asks := func(answer *func() ([]byte, bool, error)) func(*ledger.Options) {
		return func(o *ledger.Options) {
			o.Archived = func(context.Context, int) ([]byte, bool, error) { return (*answer)() }
		}
	}
	holds := func() ([]byte, bool, error) { return archived.Note, true, nil }
	away := func() ([]byte, bool, error) { return nil, false, errors.New("away") }
	empty := func() ([]byte, bool, error) { return nil, false, nil }
	s := fork.sealer(asks(&holds))
	for _, more := range []struct {
		events int
		reason string
	}{{30, "size 50, this log's tiles hold 30"}, {40, "another root of size 50"}} {
		fork.append(more.events)
		if err := fork.grow(s, 100); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Seal(t.Context()); err == nil || !strings.Contains(err.Error(), more.reason) {
			t.Errorf("%v, want %q", err, more.reason)
		}
	}
	answer := away
	s = fork.sealer(asks(&answer))
	if _, err := s.Seal(t.Context()); err == nil || !strings.Contains(err.Error(), "away") {
		t.Errorf("signed without asking the archive: %v", err)
	}
	answer = empty
	if c, err := s.Seal(t.Context()); err != nil || c.Size != 70 {
		t.Errorf("an empty archive: %d, %v", c.Size, err)
	}
	answer = away
	if c := fork.sealed(s, 5); c.Size != 75 {
		t.Errorf("an archive that went away: %d", c.Size)
	}
	// And the log itself goes on.
	own := w.sealer(asks(&holds))
	if c := w.sealed(own, 20); c.Size != 70 {
		t.Errorf("size %d", c.Size)
	}
}

const patience = 30 * time.Second

// A signer that dies between tiles and checkpoint loses nothing: the next leader
// signs what is durable, by itself.
func TestWhatADeadSignerLeftIsSigned(t *testing.T) {
	w := newWorld(t)
	w.append(30)
	if err := w.grow(w.sealer(nil), 100); err != nil { // and it dies
		t.Fatal(err)
	}
	s := w.sealer(nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx, func() bool { return true })
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	testenv.Eventually(t, patience, "what is durable is signed", func() error {
		if c, _, err := w.store.Latest(t.Context(), 1); err != nil || c.Size != 30 {
			return errors.Join(err, errors.New("signed up to "+hexOf(c.Root)))
		}
		return nil
	})
}
