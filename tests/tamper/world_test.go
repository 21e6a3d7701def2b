package tamper_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/notekeys"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
	"strata.dev/strata/app/verifier"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

const (
	instance = "strata.test"
	last     = 300 // positions in the log
	patience = time.Minute
)

// sealedAt is how long the log was when it was signed, and segments end there.
var sealedAt = []int64{60, 120, 210, last}

func TestMain(m *testing.M) {
	code := system.Main(m)
	if standalone.dir != "" {
		_ = os.RemoveAll(standalone.dir)
	}
	os.Exit(code)
}

// standalone is strata-verify, built once.
var standalone struct {
	once sync.Once
	dir  string
	err  error
}

// verifierBinary is the path of strata-verify, built from this working tree.
func verifierBinary(t testing.TB) string {
	t.Helper()
	s := &standalone
	s.once.Do(func() {
		var root string
		if root, s.err = system.Root(); s.err != nil {
			return
		}
		if s.dir, s.err = os.MkdirTemp("", "strata-tamper-"); s.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(s.dir, "strata-verify"), "./cmd/strata-verify")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			s.err = fmt.Errorf("build strata-verify: %w\n%s", err, out)
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return filepath.Join(s.dir, "strata-verify")
}

// world is a sealed and archived log, and what somebody has noted of it outside.
type world struct {
	keys     *notekeys.Keys
	database testenv.LogURLs // nobody is connected to it
	archive  string          // a directory
	early    string          // a copy of the database as it was at the second seal
}

func ctxOf(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newWorld records, seals and archives a log.
func newWorld(t testing.TB) *world {
	t.Helper()
	ctx := ctxOf(t)
	w := &world{database: testenv.Log(t), archive: t.TempDir()}
	w.keys = newKeys(t)
	log, err := postgres.Open(ctx, w.database.App, postgres.Options{Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	appendEvents(t, log, last, "")
	events, err := log.Read(ctx, 0, last+1)
	must(t, err)
	log.Close()
	if len(events) != last {
		t.Fatalf("%d events", len(events))
	}
	for i, size := range sealedAt {
		w.seal(t, w.database.App, events[:size])
		if i == 1 {
			w.early = w.clone(t, w.database.Admin)
			superuser(t, w.early, fmt.Sprintf(`DELETE FROM events WHERE position > %d`, size))
		}
	}
	w.store(t, w.archive, events, w.notes(t, w.database.Admin))
	return w
}

// newKeys is a key that signs checkpoints.
func newKeys(t testing.TB) *notekeys.Keys {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ledger.key")
	_, err := notekeys.Add(file, ledger.KeyName(instance))
	must(t, err)
	keys, err := notekeys.Open(notekeys.Options{File: file, Name: ledger.KeyName(instance)})
	must(t, err)
	return keys
}

// appendEvents records commands of two organizations until the log is n long.
func appendEvents(t testing.TB, log *postgres.Log, n int64, mark string) {
	t.Helper()
	versions := map[string]int64{}
	for i := 0; ; i++ {
		head, err := log.Head(t.Context())
		must(t, err)
		if head >= n {
			return
		}
		organization := uuid.UUID{15: byte(1 + i%2)}
		stream := fmt.Sprintf("strategy%s-%d-%d", mark, i%2, i%5)
		cmd := eventlog.Command{ID: uuid.Must(uuid.NewV7()), Hash: make([]byte, 32), OrganizationID: organization, StreamID: stream, ExpectedVersion: versions[stream]}
		for j := range min(12, int(n-head)) {
			cmd.Events = append(cmd.Events, eventlog.NewEvent{
				ID: uuid.Must(uuid.NewV7()), Type: "strategy.changed", SchemaVersion: 1,
				Data: fmt.Appendf(nil, `{"mark":"%s<&>\u00e9","n":"%d-%d"}`, mark, i, j), Metadata: []byte(`{"actor":{"id":"m","kind":"person"}}`),
			})
		}
		receipt, err := log.Append(t.Context(), cmd)
		must(t, err)
		versions[stream] = receipt.Version
	}
}

// seal brings the ledger of a database to these events and signs.
func (w *world) seal(t testing.TB, url string, events []eventlog.Event) {
	t.Helper()
	ctx := ctxOf(t)
	w.grow(t, url, events)
	store, err := postgres.OpenLedger(ctx, url)
	must(t, err)
	defer store.Close()
	sealer, err := ledger.New(w.sealerOptions(store))
	must(t, err)
	c, err := sealer.Seal(ctx)
	must(t, err)
	if c.Size != int64(len(events)) {
		t.Fatalf("size %d was signed", c.Size)
	}
}

func (w *world) sealerOptions(store ledger.Store) ledger.Options {
	return ledger.Options{Store: store, Epoch: 1, Instance: instance, Signers: w.keys.Signers, VKeys: w.keys.VKeys, Logger: slog.New(slog.DiscardHandler)}
}

// grow brings the tiles of a database to these events.
func (w *world) grow(t testing.TB, url string, events []eventlog.Event) {
	t.Helper()
	ctx := ctxOf(t)
	store, err := postgres.OpenLedger(ctx, url)
	must(t, err)
	defer store.Close()
	sealer, err := ledger.New(w.sealerOptions(store))
	must(t, err)
	size, err := store.Size(ctx)
	must(t, err)
	must(t, sealer.Grow(ctx, size, int64(len(events))))
}

// notes are the checkpoints of a database, by their sizes.
func (w *world) notes(t testing.TB, url string) map[int64][]byte {
	t.Helper()
	source, err := postgres.OpenProving(ctxOf(t), url)
	must(t, err)
	defer source.Close()
	all, err := source.Notes(ctxOf(t), 0)
	must(t, err)
	notes := map[int64][]byte{}
	for _, n := range all {
		notes[n.Size] = n.Signed
	}
	return notes
}

// store archives events and checkpoints in a directory.
func (w *world) store(t testing.TB, dir string, events []eventlog.Event, notes map[int64][]byte) {
	t.Helper()
	var base archive.Frontier
	var previous *archive.Link
	from := int64(0)
	for _, size := range sealedAt {
		var object bytes.Buffer
		header, err := archive.WriteSegment(&object, archive.Source{Epoch: 1, Previous: previous, Base: base, Events: events[from:size]})
		must(t, err)
		write(t, filepath.Join(dir, archive.SegmentKey(1, from+1)), object.Bytes())
		write(t, filepath.Join(dir, archive.CheckpointKey(1, size)), notes[size])
		base, err = archive.NewFrontier(header.Last, header.Frontier)
		must(t, err)
		segment, err := archive.ReadSegment("", object.Bytes())
		must(t, err)
		link := segment.Link()
		previous, from = &link, size
	}
}

func write(t testing.TB, name string, b []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, b, 0o600))
}

// clone copies a database to which nobody is connected.
func (w *world) clone(t testing.TB, of string) (admin string) {
	t.Helper()
	u, err := url.Parse(of)
	must(t, err)
	name := "t_tamper_" + strings.ToLower(rand.Text()[:12])
	source := strings.TrimPrefix(u.Path, "/")
	server := *u
	server.Path = "/postgres"
	do := func(sql string) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		conn, err := pgx.Connect(ctx, server.String())
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, sql)
		return errors.Join(err, conn.Close(ctx))
	}
	ident := func(s string) string { return pgx.Identifier{s}.Sanitize() }
	// Who has just disconnected may still be seen for a moment.
	testenv.Eventually(t, patience, "a copy of the database", func() error {
		return do("CREATE DATABASE " + ident(name) + " TEMPLATE " + ident(source) + " STRATEGY wal_log")
	})
	t.Cleanup(func() {
		if err := do("DROP DATABASE IF EXISTS " + ident(name) + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

// superuser does what the triggers forbid to everybody else.
func superuser(t testing.TB, url string, statements ...string) {
	t.Helper()
	ctx := ctxOf(t)
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer conn.Close(ctx)
	off := []string{
		`SET session_replication_role = replica`, `ALTER TABLE events DISABLE TRIGGER ALL`,
		`ALTER TABLE ledger.tiles DISABLE TRIGGER ALL`, `ALTER TABLE ledger.checkpoints DISABLE TRIGGER ALL`, `ALTER TABLE ledger.state DISABLE TRIGGER ALL`,
	}
	for _, sql := range append(off, statements...) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// events reads a database as it is.
func (w *world) events(t testing.TB, url string) []eventlog.Event {
	t.Helper()
	source, err := postgres.OpenProving(ctxOf(t), url)
	must(t, err)
	defer source.Close()
	events, err := source.Between(ctxOf(t), 0, 1<<40)
	must(t, err)
	return events
}

// found is what the programs say.
type found struct {
	Verified bool
	Head     int64 `json:",string"`
	Events   int64
	Problem  *verifier.Problem
}

// program runs one of the programs, and holds its exit code against what it says.
func program(t testing.TB, path string, environ []string, args ...string) found {
	t.Helper()
	ctx := ctxOf(t)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, append(args, "-o", "json")...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(environ, "PATH="+os.Getenv("PATH")), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var f found
	if err := json.Unmarshal(stdout.Bytes(), &f); err != nil {
		t.Fatalf("%s %v: exit %d: %v\n%s%s", filepath.Base(path), args, cmd.ProcessState.ExitCode(), err, &stdout, &stderr)
	}
	want := 0
	if f.Problem != nil {
		want = 3
	}
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Errorf("%s %v: exit code %d, not %d\n%s%s", filepath.Base(path), args, code, want, &stdout, &stderr)
	}
	return f
}

// verify runs `strata verify`.
func (w *world) verify(t testing.TB, database string, args ...string) found {
	t.Helper()
	return program(t, system.Binary(t), nil, append([]string{"verify", "--url", database, "--key", w.keys.VKeys[0], "--progress", "none"}, args...)...)
}

// standaloneVerify runs strata-verify.
func (w *world) standaloneVerify(t testing.TB, args ...string) found {
	t.Helper()
	return program(t, verifierBinary(t), nil, append(args, "--key", w.keys.VKeys[0])...)
}

func fileURL(dir string) string { return (&url.URL{Scheme: "file", Path: dir}).String() }

// copyOf is a copy of a directory that the test may change.
func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}
