package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/migrations"
)

// kind is which of Strata's databases.
type kind = migrations.Database

const (
	logKind   = migrations.Log
	plansKind = migrations.Plans
	auditKind = migrations.Audit
)

// templateLock is the advisory lock under which templates are made. Roles are
// shared by the databases of a cluster, so there is one lock for all kinds.
const templateLock = 0x5354524154410001 // "STRATA", 1

// ensureTemplate returns the name of the kind's migrated template and makes it
// if this cluster has none. A template carries its final name only when it is
// complete: a process killed meanwhile leaves a half one that the next removes.
func ensureTemplate(ctx context.Context, server string, k kind) (name string, err error) {
	digest, err := migrationsDigest()
	if err != nil {
		return "", err
	}
	name = templateName(k, digest)
	err = withConn(ctx, server, func(c *pgx.Conn) error {
		if ok, err := exists(ctx, c, name); ok || err != nil {
			return err
		}
		if _, err := c.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(templateLock)); err != nil {
			return err
		}
		// The end of the connection releases the lock too, also if we are killed.
		if ok, err := exists(ctx, c, name); ok || err != nil {
			return err
		}
		return makeTemplate(ctx, c, server, k, name)
	})
	return name, err
}

func makeTemplate(ctx context.Context, c *pgx.Conn, server string, k kind, name string) error {
	half := name + "_half"
	for _, sql := range []string{"DROP DATABASE IF EXISTS " + ident(half) + " WITH (FORCE)", "CREATE DATABASE " + ident(half)} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	u, err := url.Parse(server)
	if err != nil {
		return err
	}
	u.Path = "/" + half
	if err := Migrate(ctx, k, u.String()); err != nil {
		return err
	}
	_, err = c.Exec(ctx, "ALTER DATABASE "+ident(half)+" RENAME TO "+ident(name))
	return err
}

func exists(ctx context.Context, c *pgx.Conn, name string) (bool, error) {
	var ok bool
	err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&ok)
	return ok, err
}

// Migrate creates the roles and the schema of db in the database of adminURL,
// on a server that StartPostgres gave. The roles log in with the password "strata-test".
func Migrate(ctx context.Context, db migrations.Database, adminURL string) error {
	passwords := map[string]string{}
	for _, role := range migrations.Roles(db) {
		passwords[role] = rolePassword()
	}
	return migrations.Up(ctx, db, adminURL, passwords, slog.New(slog.DiscardHandler))
}

// migrationsDigest names the content of the migrations folder, Go files
// included since they make the roles.
func migrationsDigest() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = fs.WalkDir(os.DirFS(root), "migrations", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(os.DirFS(root), path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(h, "%s %d\n%s", path, len(b), b)
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}

// moduleRoot is the first directory with a go.mod on the way up: go test runs
// each package's tests in the package's own directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}
