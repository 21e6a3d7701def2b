package migrations

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

// ownerRole owns every object and cannot log in.
const ownerRole = "strata_owner"

// prepareLock serializes prepare within one database.
const prepareLock = 0x5354524154410002

// Roles are the login roles that work on db, the one that writes first.
func Roles(db Database) []string {
	switch db {
	case Log:
		return []string{"strata_log"}
	case Plans:
		return []string{"strata_plans_projector", "strata_plans_reader"}
	case Audit:
		return []string{"strata_audit_projector", "strata_audit_reader"}
	}
	return nil
}

func checkPasswords(db Database, passwords map[string]string) error {
	roles := Roles(db)
	if roles == nil {
		return fmt.Errorf("there is no database %q", string(db))
	}
	for _, name := range slices.Sorted(maps.Keys(passwords)) {
		if !slices.Contains(roles, name) {
			return fmt.Errorf("a password was given for %q, which is none of %v", name, roles)
		}
	}
	return nil
}

// prepare creates the roles and settles who may do what with the database as a
// whole. It is one transaction and changes nothing that is right already.
func prepare(ctx context.Context, db Database, cfg *pgx.ConnConfig, passwords map[string]string) (err error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()

	var version int
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return err
	}
	if version < oldestServer {
		return fmt.Errorf("%w: this server is %d.%d", ErrServerTooOld, version/10000, version%10000)
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(prepareLock)); err != nil {
			return err
		}
		if err := createRole(ctx, tx, ownerRole, "NOLOGIN"); err != nil {
			return err
		}
		if err := joinOwner(ctx, tx, version); err != nil {
			return err
		}
		for _, role := range Roles(db) {
			if err := createRole(ctx, tx, role, "LOGIN"); err != nil {
				return err
			}
			if password, ok := passwords[role]; ok {
				if err := setPassword(ctx, tx, role, password); err != nil {
					return err
				}
			}
		}
		return grantDatabase(ctx, tx, db)
	})
}

func createRole(ctx context.Context, tx pgx.Tx, role, login string) error {
	var exists bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role).Scan(&exists); err != nil {
		return err
	}
	if exists {
		return nil
	}
	_, err := tx.Exec(ctx, "CREATE ROLE "+pgx.Identifier{role}.Sanitize()+" "+login)
	return err
}

// joinOwner lets the administrator act as the owner. A superuser may already;
// from PostgreSQL 16 on, whoever creates a role may administer it but has to
// grant himself the right to become it.
func joinOwner(ctx context.Context, tx pgx.Tx, version int) error {
	privilege := "MEMBER"
	if version >= 160000 {
		privilege = "SET"
	}
	var may bool
	if err := tx.QueryRow(ctx, `SELECT pg_has_role(current_user, $1, $2)`, ownerRole, privilege).Scan(&may); err != nil {
		return err
	}
	if may {
		return nil
	}
	_, err := tx.Exec(ctx, "GRANT "+ownerRole+" TO CURRENT_USER")
	return err
}

// setPassword sends a verifier, never the password.
func setPassword(ctx context.Context, tx pgx.Tx, role, password string) error {
	verifier, err := scramVerifier(password)
	if err != nil {
		return fmt.Errorf("password of %s: %w", role, err)
	}
	// A verifier is base64, digits, ':' and '$': it needs no escape in a literal.
	_, err = tx.Exec(ctx, "ALTER ROLE "+pgx.Identifier{role}.Sanitize()+" PASSWORD '"+verifier+"'")
	return err
}

// grantDatabase takes the database away from PUBLIC and gives it to our roles.
func grantDatabase(ctx context.Context, tx pgx.Tx, db Database) error {
	var name string
	var ownerMay bool // to be granted once only: an administrator who is a member of the owner would grant it back to its grantor
	if err := tx.QueryRow(ctx, `SELECT current_database(), has_schema_privilege($1, 'public', 'CREATE WITH GRANT OPTION')
		AND has_schema_privilege($1, 'public', 'USAGE WITH GRANT OPTION')`, ownerRole).Scan(&name, &ownerMay); err != nil {
		return err
	}
	database := pgx.Identifier{name}.Sanitize()
	statements := []string{
		"REVOKE ALL ON DATABASE " + database + " FROM PUBLIC",
		"REVOKE ALL ON SCHEMA public FROM PUBLIC",
		"GRANT CONNECT, CREATE ON DATABASE " + database + " TO " + ownerRole,
	}
	if !ownerMay {
		statements = append(statements, "GRANT USAGE, CREATE ON SCHEMA public TO "+ownerRole+" WITH GRANT OPTION")
	}
	for _, role := range Roles(db) {
		role = pgx.Identifier{role}.Sanitize()
		statements = append(statements,
			"GRANT CONNECT ON DATABASE "+database+" TO "+role,
			"GRANT USAGE ON SCHEMA public TO "+role)
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
