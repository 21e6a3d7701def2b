package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed log plans audit
var files embed.FS

// Database names one of the three schemas.
type Database string

// The databases of one installation.
const (
	Log   Database = "log"
	Plans Database = "plans"
	Audit Database = "audit"
)

const (
	versionTable = "goose_db_version"
	oldestServer = 150000          // server_version_num of PostgreSQL 15
	lockTimeout  = 2 * time.Second // how long a statement may stand in front of the service's traffic
	attempts     = 10              // before a database that stays busy is reported
)

// ErrServerTooOld means that the server is older than PostgreSQL 15. Nothing was changed.
var ErrServerTooOld = errors.New("PostgreSQL 15 or newer is needed")

// Up brings the database that adminURL names up to the newest schema of db, and
// creates what the schema needs around it: the roles and their privileges.
//
// passwords maps role names to passwords; a role without one keeps what it has
// (a new one then cannot log in by password). Names that are no role of db are
// refused, since a misspelt one would leave a role without its password.
//
// Up may be called as often as one likes and by several processes at once. After
// an error the database is at one of the versions between the old and the new
// one; calling Up again goes on from there.
func Up(ctx context.Context, db Database, adminURL string, passwords map[string]string, log *slog.Logger) error {
	if err := checkPasswords(db, passwords); err != nil {
		return fmt.Errorf("migrate %s: %w", db, err)
	}
	cfg, err := pgx.ParseConfig(adminURL)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", db, err)
	}
	cfg.RuntimeParams["lock_timeout"] = fmt.Sprint(lockTimeout.Milliseconds())
	cfg.RuntimeParams["client_min_messages"] = "warning"
	if err := again(ctx, log, db, func() error { return prepare(ctx, db, cfg, passwords) }); err != nil {
		return fmt.Errorf("migrate %s: roles and privileges: %w", db, err)
	}
	if err := again(ctx, log, db, func() error { return migrate(ctx, db, cfg, log) }); err != nil {
		return fmt.Errorf("migrate %s: %w", db, err)
	}
	return nil
}

// Version says which schema version the database has (0: none yet) and which one
// this build wants. Every role of Roles may ask.
func Version(ctx context.Context, db Database, url string) (have, want int64, err error) {
	sources, err := fs.Glob(files, string(db)+"/*.sql")
	if err != nil {
		return 0, 0, fmt.Errorf("version of %s: %w", db, err)
	}
	for _, name := range sources {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, 0, fmt.Errorf("version of %s: %w", db, err)
		}
		want = max(want, v)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, want, fmt.Errorf("version of %s: %w", db, err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	err = conn.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+versionTable+` WHERE is_applied`).Scan(&have)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42P01" { // undefined_table: never migrated
		return 0, want, nil
	}
	if err != nil {
		return 0, want, fmt.Errorf("version of %s: %w", db, err)
	}
	return have, want, nil
}

// migrate runs what is pending, as the owner of everything.
func migrate(ctx context.Context, db Database, cfg *pgx.ConnConfig, log *slog.Logger) (err error) {
	dir, err := fs.Sub(files, string(db))
	if err != nil {
		return err
	}
	// The role is set per connection, not per statement: goose's own table belongs to the owner too.
	pool := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SET ROLE "+ownerRole)
		return err
	}))
	defer func() { err = errors.Join(err, pool.Close()) }()

	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120), lock.WithUnlockTimeout(1, 5))
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, dir,
		goose.WithSessionLocker(locker), goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	results, err := provider.Up(ctx)
	for _, r := range results {
		log.InfoContext(ctx, "migrated", "database", string(db), "version", r.Source.Version, "duration", r.Duration)
	}
	if err != nil {
		return err
	}
	return grantVersion(ctx, pool, db)
}

// grantVersion lets the service ask for the version of the schema it runs on.
func grantVersion(ctx context.Context, pool *sql.DB, db Database) error {
	for _, role := range Roles(db) {
		var granted bool
		if err := pool.QueryRowContext(ctx, `SELECT has_table_privilege($1, $2, 'SELECT')`, role, versionTable).Scan(&granted); err != nil {
			return err
		}
		if granted {
			continue
		}
		if _, err := pool.ExecContext(ctx, "GRANT SELECT ON "+versionTable+" TO "+pgx.Identifier{role}.Sanitize()); err != nil {
			return err
		}
	}
	return nil
}

// again repeats f while it fails for a reason that passes by itself.
func again(ctx context.Context, log *slog.Logger, db Database, f func() error) error {
	wait := 50 * time.Millisecond
	for n := 1; ; n++ {
		err := f()
		if err == nil || !passing(err) || n == attempts {
			return err
		}
		log.InfoContext(ctx, "the database is busy, migrating again", "database", string(db), "attempt", n, "err", err)
		pause := time.NewTimer(wait + rand.N(wait))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return errors.Join(ctx.Err(), err)
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// passing tells what goes away by itself: a lock somebody holds for long, and
// two processes that create or alter the same role at the same moment.
func passing(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case "55P03", "40P01", "40001": // lock_not_available, deadlock_detected, serialization_failure
		return true
	case "42710", "23505": // duplicate_object, unique_violation: another process created it in between
		return true
	case "XX000":
		return pgErr.Message == "tuple concurrently updated"
	}
	return false
}
