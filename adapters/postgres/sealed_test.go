package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/adapters/postgres"
	imports "strata.dev/strata/app/command"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/domain/sealed"
	"strata.dev/strata/tests/testenv"
)

func openImports(t *testing.T, url string, persons *personal.Sealer) *postgres.Imports {
	t.Helper()
	store, err := postgres.OpenImports(t.Context(), url, persons)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func dial(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func counted(t *testing.T, conn *pgx.Conn, query string, args ...any) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// With a key store the contract is the same, and nothing lies there in clear.
func TestDocumentsAreKeptSealed(t *testing.T) {
	t.Parallel()
	urls := testenv.Log(t)
	keys := &memory.Keys{}
	store := openImports(t, urls.App, personal.NewSealer(keys))
	originalsAreKept(t, store)
	runsGoForward(t, store)

	org, document := uuid.New(), []byte("<plan>Wilhelmina Kanari</plan>")
	if err := store.Keep(t.Context(), org, sum(document), document); err != nil {
		t.Fatal(err)
	}
	admin := dial(t, urls.Admin)
	if n := counted(t, admin, `SELECT count(*) FROM originals`); n != 0 {
		t.Errorf("%d documents lie in clear", n)
	}
	if n := counted(t, admin, `SELECT count(*) FROM sealed_originals WHERE position('Kanari'::bytea IN ciphertext) > 0`); n != 0 {
		t.Error("the ciphertext is none")
	}
	if n := counted(t, admin, `SELECT count(*) FROM sealed_originals WHERE organization_id = $1 AND size = $2 AND key_id = $3`,
		[16]byte(org), len(document), sealed.Document(sum(document))); n != 1 {
		t.Error("size or key are not as they should be")
	}
	if err := store.Keep(t.Context(), org, sum([]byte("other")), document); err == nil {
		t.Error("a document was kept under another's name")
	}
	stored, err := store.Stored(t.Context(), org, sum(document))
	if err != nil || len(stored) != len(document)+29 {
		t.Errorf("it lies elsewhere as %d bytes, %v", len(stored), err)
	}

	// Elsewhere, or without keys, nobody reads it.
	blind := openImports(t, urls.App, nil)
	if _, err := blind.Original(t.Context(), org, sum(document)); !errors.Is(err, personal.ErrUnavailable) {
		t.Errorf("without a key store: %v", err)
	}
	keys.Fail(personal.ErrUnavailable)
	if _, err := store.Original(t.Context(), org, sum(document)); !errors.Is(err, personal.ErrUnavailable) {
		t.Errorf("with the key store away: %v", err)
	}
	if err := store.Keep(t.Context(), org, sum([]byte("new")), []byte("new")); !errors.Is(err, personal.ErrUnavailable) {
		t.Errorf("kept with the key store away: %v", err)
	}
	keys.Fail(nil)

	// Other bytes under the right key are other bytes.
	wrong := sum([]byte("what was registered"))
	other, err := personal.NewSealer(keys).SealBytes(t.Context(), org, sealed.Document(wrong), []byte("what is there"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), `INSERT INTO sealed_originals (organization_id, sha256, size, ciphertext) VALUES ($1, decode($2, 'hex'), $3, $4)`,
		[16]byte(org), wrong, len(other)-29, other); err != nil {
		t.Fatal(err)
	}
	if b, err := store.Original(t.Context(), org, wrong); err == nil || b != nil {
		t.Errorf("other bytes are given: %q", b)
	}

	// Who changes a byte is found out.
	for _, statement := range []string{
		`ALTER TABLE sealed_originals DISABLE TRIGGER ALL`,
		`UPDATE sealed_originals SET ciphertext = set_byte(ciphertext, 20, get_byte(ciphertext, 20) # 1)`,
		`ALTER TABLE sealed_originals ENABLE ALWAYS TRIGGER sealed_originals_insert_only`,
	} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := store.Original(t.Context(), org, sum(document)); !errors.Is(err, personal.ErrForged) || b != nil {
		t.Errorf("with a bit flipped: %q, %v", b, err)
	}
}

func TestAnErasedDocumentIsGone(t *testing.T) {
	t.Parallel()
	persons := personal.NewSealer(&memory.Keys{})
	store := openImports(t, testenv.Log(t).App, persons)
	org, document := uuid.New(), []byte("<plan/>")
	if err := store.Keep(t.Context(), org, sum(document), document); err != nil {
		t.Fatal(err)
	}
	if err := persons.Destroy(t.Context(), org, sealed.Document(sum(document)), "request"); err != nil {
		t.Fatal(err)
	}
	if b, err := store.Original(t.Context(), org, sum(document)); !errors.Is(err, personal.ErrErased) || b != nil {
		t.Errorf("read: %q, %v", b, err)
	}
	if err := store.Keep(t.Context(), org, sum(document), document); !errors.Is(err, personal.ErrErased) {
		t.Errorf("kept again: %v", err)
	}
	if err := store.Keep(t.Context(), uuid.New(), sum(document), document); err != nil {
		t.Errorf("another organization's: %v", err)
	}
}

// What was kept in clear is sealed, wherever the pass is interrupted and however
// many make it; what was erased before goes without a copy.
func TestDocumentsInClearAreSealed(t *testing.T) {
	t.Parallel()
	urls := testenv.Log(t)
	keys := &memory.Keys{}
	persons := personal.NewSealer(keys)
	clear, store := openImports(t, urls.App, nil), openImports(t, urls.App, persons)
	org := uuid.New()
	var documents [][]byte
	for i := range 12 {
		documents = append(documents, fmt.Appendf(nil, "<plan>%d</plan>", i))
		if err := clear.Keep(t.Context(), org, sum(documents[i]), documents[i]); err != nil {
			t.Fatal(err)
		}
	}
	gone := documents[3]
	if err := persons.Destroy(t.Context(), org, sealed.Document(sum(gone)), "request"); err != nil {
		t.Fatal(err)
	}
	// One is there in both forms already: the pass died between its two steps, or
	// somebody brought it in again.
	if err := store.Keep(t.Context(), org, sum(documents[5]), documents[5]); err != nil {
		t.Fatal(err)
	}
	// Before the pass it is read in clear, and leaves the database sealed.
	if b, err := store.Original(t.Context(), org, sum(documents[0])); err != nil || !bytes.Equal(b, documents[0]) {
		t.Errorf("in clear: %q, %v", b, err)
	}
	if b, err := store.Stored(t.Context(), org, sum(documents[0])); err != nil || bytes.Contains(b, []byte("plan")) {
		t.Errorf("it would be archived as %q, %v", b, err)
	}
	if _, err := store.Stored(t.Context(), org, sum(gone)); !errors.Is(err, personal.ErrErased) {
		t.Errorf("what was erased would be archived: %v", err)
	}

	keys.Fail(personal.ErrUnavailable)
	if n, err := store.SealOriginals(t.Context()); n != 0 || !errors.Is(err, personal.ErrUnavailable) {
		t.Errorf("with the key store away %d were sealed, %v", n, err)
	}
	keys.Fail(nil)
	if n, err := clear.SealOriginals(t.Context()); n != 0 || err != nil {
		t.Errorf("without a key store %d were sealed, %v", n, err)
	}
	// A copy that does not open to the same bytes lets nothing go.
	admin := dial(t, urls.Admin)
	damaged := documents[7]
	if _, err := admin.Exec(t.Context(), `INSERT INTO sealed_originals (organization_id, sha256, size, ciphertext)
SELECT organization_id, sha256, octet_length(bytes), decode(repeat('01', octet_length(bytes) + 29), 'hex') FROM originals WHERE bytes = $1`, damaged); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		other := openImports(t, urls.App, persons)
		wg.Go(func() {
			if _, err := other.SealOriginals(t.Context()); !errors.Is(err, personal.ErrForged) {
				t.Errorf("the damaged copy: %v", err)
			}
		})
	}
	wg.Wait()
	if n := counted(t, admin, `SELECT count(*) FROM originals`); n != 1 {
		t.Errorf("%d lie in clear, want the one whose copy is damaged", n)
	}
	for i, document := range documents {
		b, err := store.Original(t.Context(), org, sum(document))
		switch {
		case bytes.Equal(document, gone):
			if !errors.Is(err, personal.ErrErased) || b != nil {
				t.Errorf("the erased one: %q, %v", b, err)
			}
		case bytes.Equal(document, damaged):
		case err != nil || !bytes.Equal(b, document):
			t.Errorf("document %d: %q, %v", i, b, err)
		}
	}
	if n, err := store.SealOriginals(t.Context()); n != 0 || !errors.Is(err, personal.ErrForged) {
		t.Errorf("once more: %d, %v", n, err)
	}
}

// The one way by which a document goes is by being there sealed.
func TestDocumentsInClearStay(t *testing.T) {
	t.Parallel()
	urls := testenv.Log(t)
	clear := openImports(t, urls.App, nil)
	org, document := uuid.New(), []byte("<plan/>")
	if err := clear.Keep(t.Context(), org, sum(document), document); err != nil {
		t.Fatal(err)
	}
	service, admin := dial(t, urls.App), dial(t, urls.Admin)
	for who, conn := range map[string]*pgx.Conn{"the service": service, "an administrator": admin} {
		for _, statement := range []string{
			`SELECT drop_clear_original(organization_id, sha256) FROM originals`, `DELETE FROM originals`,
		} {
			if _, err := conn.Exec(t.Context(), statement); err == nil {
				t.Errorf("%s: %s was not refused", who, statement)
			}
		}
	}
	if err := openImports(t, urls.App, personal.NewSealer(&memory.Keys{})).Keep(t.Context(), org, sum(document), document); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE sealed_originals SET size = 1`, `DELETE FROM sealed_originals`, `TRUNCATE sealed_originals`,
		`UPDATE sealed_originals SET ciphertext = '' WHERE false`,
	} {
		for who, conn := range map[string]*pgx.Conn{"the service": service, "an administrator": admin} {
			if _, err := conn.Exec(t.Context(), statement); err == nil {
				t.Errorf("%s: %s was not refused", who, statement)
			}
		}
	}
	if _, err := service.Exec(t.Context(), `DELETE FROM originals`); err == nil {
		t.Error("the service may delete by itself")
	}
	if n := counted(t, service, `SELECT count(*) FROM originals WHERE drop_clear_original(organization_id, sha256)`); n != 1 {
		t.Error("what is sealed did not go")
	}
	if _, err := clear.Original(t.Context(), org, sum(document)); errors.Is(err, imports.ErrNoOriginal) {
		t.Error("both are gone")
	}
}
