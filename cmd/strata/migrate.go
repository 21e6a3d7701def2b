package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"strata.dev/strata/migrations"
)

// database is one of the three, with the URLs the configuration has for it.
type database struct {
	kind  migrations.Database
	admin string            // empty: not ours to migrate
	roles map[string]string // role → URL it connects with
}

func (c config) databases() []database {
	return []database{
		{migrations.Log, c.LogAdminURL, map[string]string{"strata_log": c.LogURL}},
		{migrations.Plans, c.PlansAdminURL, map[string]string{"strata_plans_projector": c.PlansURL, "strata_plans_reader": c.PlansReadURL}},
		{migrations.Audit, c.AuditAdminURL, map[string]string{"strata_audit_projector": c.AuditURL, "strata_audit_reader": c.AuditReadURL}},
	}
}

func (c *cli) migrate() *cobra.Command {
	cmd := group("migrate", "Bring the databases up to this version's schemas")
	cmd.AddCommand(&cobra.Command{
		Use: "up", Short: "Create roles and schemas, and migrate forward (STRATA_*_ADMIN_URL)", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, log, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := cfg.need("STRATA_LOG_ADMIN_URL", "STRATA_PLANS_ADMIN_URL", "STRATA_AUDIT_ADMIN_URL"); err != nil {
				return err
			}
			return migrateAll(cmd.Context(), cfg, log)
		},
	}, &cobra.Command{
		Use: "status", Short: "Say which schema version each database has, and which one this build wants", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := cfg.need("STRATA_LOG_URL", "STRATA_PLANS_URL", "STRATA_AUDIT_URL"); err != nil {
				return err
			}
			versions, err := schemaVersions(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), versions, func(w io.Writer) error {
				fmt.Fprintln(w, "DATABASE\tHAS\tWANTS")
				for _, v := range versions {
					fmt.Fprintf(w, "%s\t%d\t%d\n", v.Database, v.Has, v.Wants)
				}
				return nil
			})
		},
	})
	return cmd
}

// migrateAll migrates every database that has an administrator's URL. The
// passwords of the service's roles are those in the service's own URLs.
func migrateAll(ctx context.Context, cfg config, log *slog.Logger) error {
	for _, db := range cfg.databases() {
		if db.admin == "" {
			continue
		}
		passwords := map[string]string{}
		for role, dsn := range db.roles {
			u, err := url.Parse(dsn)
			if err != nil || u.User == nil || u.User.Username() != role {
				return usageError{fmt.Errorf("the URL of role %s must be given, and connect as that role, so that migrating can create it", role)}
			}
			if p, ok := u.User.Password(); ok {
				passwords[role] = p
			}
		}
		if err := migrations.Up(ctx, db.kind, db.admin, passwords, log); err != nil {
			return explain("PostgreSQL", db.admin, err)
		}
	}
	return nil
}

// schemaVersion is what a database has, and what this build wants.
type schemaVersion struct {
	Database migrations.Database `json:"database"`
	Has      int64               `json:"has"`
	Wants    int64               `json:"wants"`
}

func schemaVersions(ctx context.Context, cfg config) ([]schemaVersion, error) {
	var all []schemaVersion
	for _, db := range []struct {
		kind migrations.Database
		dsn  string
	}{{migrations.Log, cfg.LogURL}, {migrations.Plans, cfg.PlansURL}, {migrations.Audit, cfg.AuditURL}} {
		have, want, err := migrations.Version(ctx, db.kind, db.dsn)
		if err != nil {
			return nil, explain("PostgreSQL", db.dsn, err)
		}
		all = append(all, schemaVersion{db.kind, have, want})
	}
	return all, nil
}

// checkSchemas refuses to serve on a schema that is older than this build wants.
func checkSchemas(ctx context.Context, cfg config) error {
	versions, err := schemaVersions(ctx, cfg)
	for _, v := range versions {
		if v.Has < v.Wants {
			return fmt.Errorf("database %s has schema version %d, this build needs %d: run `strata migrate up` with the STRATA_*_ADMIN_URL settings", v.Database, v.Has, v.Wants)
		}
	}
	return err
}

// explain turns a connection error into one line: what, why, how to go on.
// The URL's password is never in it.
func explain(what, dsn string, err error) error {
	host := "the server"
	if u, perr := url.Parse(dsn); perr == nil {
		host = u.Host
	}
	var pg *pgconn.PgError
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, migrations.ErrServerTooOld):
		return err
	case errors.As(err, &pg) && pg.Code == "28P01", errors.As(err, &pg) && pg.Code == "28000":
		return fmt.Errorf("%s at %s refuses the role or password: check the URL, or run `strata migrate up`, which creates the roles: %w", what, host, errUnreachable)
	case errors.As(err, &pg) && pg.Code == "3D000":
		return fmt.Errorf("%s at %s has no such database: create it (createdb) or correct the URL: %w", what, host, errUnreachable)
	case errors.As(err, &dns):
		return fmt.Errorf("cannot find %s at %s (no such host). Check the URL: %w", what, host, errUnreachable)
	case errors.As(err, &op), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("cannot reach %s at %s (%w). Is it up? With docker compose: docker compose ps: %w", what, host, rootCause(err), errUnreachable)
	}
	return fmt.Errorf("%s at %s: %w", what, host, err)
}

// rootCause is the innermost reason, without the addresses that the line names
// already: "connection refused".
func rootCause(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
