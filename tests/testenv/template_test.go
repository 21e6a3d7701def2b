package testenv

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/migrations"
)

// Packages are tested by processes side by side: each has connections of its
// own, as the goroutines here.
func TestTemplateIsMadeOnceBySideBySideProcesses(t *testing.T) {
	server := StartPostgres(t).URL("postgres")
	digest, err := migrationsDigest()
	if err != nil {
		t.Fatal(err)
	}
	want := templateName(auditKind, digest)
	// What a process leaves behind that was killed while it migrated.
	if err := execute(t.Context(), server, "CREATE DATABASE "+ident(want+"_half")); err != nil {
		t.Fatal(err)
	}

	var g errgroup.Group
	for range 6 {
		g.Go(func() error {
			name, err := ensureTemplate(t.Context(), server, auditKind)
			if err == nil && name != want {
				err = errors.New("the template is called " + name)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	var databases []string
	err = withConn(t.Context(), server, func(c *pgx.Conn) error {
		rows, _ := c.Query(t.Context(), `SELECT datname FROM pg_database WHERE datname LIKE 'strata%'`) // CollectRows returns its error
		databases, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil || len(databases) != 1 || databases[0] != want {
		t.Errorf("databases %v, %v; want %s alone", databases, err, want)
	}
	have, wanted, err := migrations.Version(context.Background(), auditKind, withDatabase(t, server, want))
	if err != nil || have == 0 || have != wanted {
		t.Errorf("the template has version %d of %d, %v", have, wanted, err)
	}
}
