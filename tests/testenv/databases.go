package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const databaseTimeout = 2 * time.Minute // the first of all waits for the migrations, behind other processes

// LogURLs connect to one log database.
type LogURLs struct {
	Admin string // superuser
	App   string // the service's role, strata_log
}

// ReadURLs connect to one read database.
type ReadURLs struct {
	Admin     string // superuser
	Projector string // writes: strata_plans_projector, strata_audit_projector
	Reader    string // reads one organization's rows: strata_plans_reader, strata_audit_reader
}

// Log returns a fresh migrated log database, dropped when the test ends.
func Log(t testing.TB) LogURLs {
	t.Helper()
	admin := fresh(t, logKind)
	return LogURLs{Admin: admin, App: as(t, admin, "strata_log")}
}

// Plans returns a fresh migrated plans database, dropped when the test ends.
func Plans(t testing.TB) ReadURLs {
	t.Helper()
	admin := fresh(t, plansKind)
	return ReadURLs{Admin: admin, Projector: as(t, admin, "strata_plans_projector"), Reader: as(t, admin, "strata_plans_reader")}
}

// Audit returns a fresh migrated audit database, dropped when the test ends.
func Audit(t testing.TB) ReadURLs {
	t.Helper()
	admin := fresh(t, auditKind)
	return ReadURLs{Admin: admin, Projector: as(t, admin, "strata_audit_projector"), Reader: as(t, admin, "strata_audit_reader")}
}

// fresh copies the kind's template and returns the superuser's URL of the copy.
func fresh(t testing.TB, k kind) string {
	t.Helper()
	server, err := servers.postgresURL()
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	tmpl, err := ensureTemplate(ctx, server, k)
	if err != nil {
		t.Fatalf("testenv: template of %s: %v", k, err)
	}
	name := "t_" + string(k) + "_" + strings.ToLower(rand.Text()[:12])
	if err := execute(ctx, server, "CREATE DATABASE "+ident(name)+" TEMPLATE "+ident(tmpl)+" STRATEGY wal_log"); err != nil {
		t.Fatalf("testenv: copy of %s: %v", tmpl, err)
	}
	if err := copyPrivileges(ctx, server, tmpl, name); err != nil {
		t.Fatalf("testenv: privileges of %s: %v", name, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
		defer cancel()
		// FORCE: what a failing test left open must not keep the database alive.
		if err := execute(ctx, server, "DROP DATABASE IF EXISTS "+ident(name)+" WITH (FORCE)"); err != nil {
			t.Errorf("testenv: drop %s: %v", name, err)
		}
	})
	return withDatabase(t, server, name)
}

// copyPrivileges gives the copy the privileges that the template has as a
// database: CREATE DATABASE … TEMPLATE copies everything but those.
func copyPrivileges(ctx context.Context, server, tmpl, name string) error {
	return withConn(ctx, server, func(c *pgx.Conn) error {
		var grants string
		err := c.QueryRow(ctx, `SELECT coalesce(string_agg(format('GRANT %s ON DATABASE %I TO %s;',
				a.privilege_type, $2::text, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END), ' '), '')
			FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = $1`, tmpl, name).Scan(&grants)
		if err != nil {
			return err
		}
		_, err = c.Exec(ctx, "REVOKE ALL ON DATABASE "+ident(name)+" FROM PUBLIC; "+grants)
		return err
	})
}

// execute runs one statement on a connection of its own: no pool, whose goroutines
// the tests would have to explain to goleak.
func execute(ctx context.Context, server, sql string) error {
	return withConn(ctx, server, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql)
		return err
	})
}

func withConn(ctx context.Context, server string, fn func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return fn(conn)
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

func withDatabase(t testing.TB, server, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("testenv: %s: %v", envPostgres, err)
	}
	u.Path = "/" + name
	return u.String()
}

// as changes the user of a database's URL.
func as(t testing.TB, database, role string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatalf("testenv: %s: %v", envPostgres, err)
	}
	u.User = url.UserPassword(role, rolePassword())
	return u.String()
}

// rolePassword is the password of all of Strata's roles on a test server.
func rolePassword() string {
	if p := os.Getenv(envPassword); p != "" {
		return p
	}
	return "strata-test"
}

// templateName is the same as long as the migrations are.
func templateName(k kind, digest string) string {
	return fmt.Sprintf("strata_template_%s_%s", k, digest)
}
