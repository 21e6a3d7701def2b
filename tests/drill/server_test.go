package drill_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/ports/rest/restclient"
)

// database makes a database and gives the superuser's URL of it.
func (s *server) database(name string) string {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.URL("postgres"))
	if err == nil {
		defer conn.Close(s.t.Context())
		_, err = conn.Exec(s.t.Context(), "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return s.URL(name)
}

// asRole changes the user of a database's URL.
func asRole(t *testing.T, database, role string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "strata-test")
	return u.String()
}

// sameOwner gives a directory and all in it to the owner of what was there before.
func sameOwner(dir string, before fs.FileInfo) error {
	owner, ok := before.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("the owner of %s is not known", dir)
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}

// tryRecord sends one command and gives the refusal.
func (w *world) tryRecord(indicator string) error {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	day := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	_, err := w.Client(w.service.Base, "ines").Do(ctx, restclient.Request{
		Method: http.MethodPost, Path: "/v1/indicators/" + indicator + "/commands/record", Key: uuid.NewString(), IfMatch: "*",
		Body: map[string]any{"period": map[string]string{"start": day, "end": day}, "value": "1"},
	})
	return err
}
