package postgres_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/adapters/postgres"
	imports "strata.dev/strata/app/command"
	"strata.dev/strata/tests/testenv"
)

// Both stores keep the contract.
func TestStoreOfImports(t *testing.T) {
	t.Parallel()
	urls := testenv.Log(t)
	store, err := postgres.OpenImports(t.Context(), urls.App, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	for name, store := range map[string]imports.ImportStore{"memory": &memory.Imports{}, "PostgreSQL": store} {
		t.Run(name, func(t *testing.T) {
			originalsAreKept(t, store)
			runsGoForward(t, store)
		})
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func originalsAreKept(t *testing.T, store imports.ImportStore) {
	mine, theirs := uuid.New(), uuid.New()
	document := append(bytes.Repeat([]byte("<a>\x00\xff\r\n"), 500_000), '!') // any bytes, and many
	for range 2 {
		if err := store.Keep(t.Context(), mine, sum(document), document); err != nil {
			t.Fatal(err)
		}
	}
	got, err := store.Original(t.Context(), mine, sum(document))
	if err != nil || !bytes.Equal(got, document) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for what, ask := range map[string]func() ([]byte, error){
		"another organization's": func() ([]byte, error) { return store.Original(t.Context(), theirs, sum(document)) },
		"nobody's":               func() ([]byte, error) { return store.Original(t.Context(), mine, sum([]byte("x"))) },
	} {
		if b, err := ask(); !errors.Is(err, imports.ErrNoOriginal) || b != nil {
			t.Errorf("%s document: %d bytes, %v", what, len(b), err)
		}
	}
}

func runsGoForward(t *testing.T, store imports.ImportStore) {
	run := imports.ImportRun{OrganizationID: uuid.New(), ImportID: uuid.New(), State: imports.ImportAccepted, Progress: imports.Progress{Total: 7}}
	save := func(state imports.ImportState, done int, position int64, failure *imports.ImportFailure) {
		t.Helper()
		run.State, run.Done, run.Position, run.Failure = state, done, position, failure
		if err := store.SaveRun(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want imports.ImportRun, unfinished bool) {
		t.Helper()
		got, ok, err := store.Run(t.Context(), run.OrganizationID, run.ImportID)
		if err != nil || !ok || got.UpdatedAt.IsZero() {
			t.Fatalf("saved: %v, %v, at %s", ok, err, got.UpdatedAt)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(imports.ImportRun{}, "UpdatedAt")); diff != "" {
			t.Errorf("run (-want +got):\n%s", diff)
		}
		list, err := store.UnfinishedRuns(t.Context())
		if found := len(list) == 1 && list[0].ImportID == run.ImportID; err != nil || found != unfinished {
			t.Errorf("unfinished: %+v, %v", list, err)
		}
	}
	save(imports.ImportAccepted, 0, 5, nil)
	is(run, true)
	save(imports.ImportApplying, 3, 9, nil)
	is(run, true)
	save(imports.ImportApplying, 1, 6, nil) // a slower one
	slower := run
	slower.Done, slower.Position = 3, 9
	is(slower, true)
	save(imports.ImportFailed, 3, 9, &imports.ImportFailure{Slug: "forbidden", Rule: "role", Detail: "d"})
	is(run, false)
	save(imports.ImportApplied, 7, 12, nil)
	is(run, false)
	applied := run
	save(imports.ImportApplying, 7, 12, nil)
	is(applied, false)
	if _, ok, err := store.Run(t.Context(), uuid.New(), run.ImportID); ok || err != nil {
		t.Errorf("another organization's run: %v, %v", ok, err)
	}
}

// The service can add originals and nothing else; nobody can change one; and
// none is called what it is not.
func TestOriginalsAreInsertOnly(t *testing.T) {
	t.Parallel()
	urls := testenv.Log(t)
	store, err := postgres.OpenImports(t.Context(), urls.App, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	document, org := []byte("<plan/>"), uuid.New()
	if err := store.Keep(t.Context(), org, sum(document), document); err != nil {
		t.Fatal(err)
	}
	if err := store.Keep(t.Context(), org, sum([]byte("other")), document); err == nil {
		t.Error("a document was kept under another's name")
	}
	for who, url := range map[string]string{"the service": urls.App, "an administrator": urls.Admin} {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			"UPDATE originals SET bytes = 'x'", "DELETE FROM originals", "TRUNCATE originals",
			"UPDATE originals SET organization_id = gen_random_uuid()",
		} {
			if _, err := conn.Exec(t.Context(), statement); err == nil {
				t.Errorf("%s: %s was not refused", who, statement)
			}
		}
		if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
	if got, err := store.Original(t.Context(), org, sum(document)); err != nil || !bytes.Equal(got, document) {
		t.Errorf("after all that: %q, %v", got, err)
	}
}
