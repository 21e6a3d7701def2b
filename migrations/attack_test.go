package migrations_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"strata.dev/strata/tests/testenv"
)

const (
	insufficientPrivilege = "42501"
	restrictViolation     = "23001"
	integrityViolation    = "23000"
	checkViolation        = "23514"
	uniqueViolation       = "23505"
	lockNotAvailable      = "55P03"
)

// row inserts one event; each %s is one of its numbers.
const row = `INSERT INTO events (position, organization_sequence, version, recorded_at, organization_id, event_id, command_id, command_hash,
	schema_version, stream_id, type, data, metadata)
	VALUES (POSITION, SEQUENCE, VERSION, now(), '00000000-0000-0000-0000-000000000001', gen_random_uuid(), NULL, NULL, 1, 'strategy-1', 't', '{}', '{}')`

func insert(position, sequence, version string) string {
	return strings.NewReplacer("POSITION", position, "SEQUENCE", sequence, "VERSION", version).Replace(row)
}

func refusal(t *testing.T, conn *pgx.Conn, sql string) (code, message string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), sql)
	var pgErr *pgconn.PgError
	if err == nil || !errors.As(err, &pgErr) {
		t.Fatalf("%s: not refused: %v", sql, err)
	}
	return pgErr.Code, pgErr.Message
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

// The service's role tries to rewrite history, by every way there is.
func TestServiceCannotRewriteHistory(t *testing.T) {
	urls := testenv.Log(t)
	service := connect(t, urls.App)
	if _, err := service.Exec(t.Context(), insert("1", "1", "1")); err != nil {
		t.Fatal(err)
	}
	for name, sql := range map[string]string{
		"update":                  `UPDATE events SET type = 'x'`,
		"update nothing":          `UPDATE events SET type = 'x' WHERE false`,
		"delete":                  `DELETE FROM events`,
		"truncate":                `TRUNCATE events`,
		"upsert":                  insert("1", "1", "1") + ` ON CONFLICT (position) DO UPDATE SET type = 'x'`,
		"merge":                   `MERGE INTO events e USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE`,
		"lock out the others":     `DO 'BEGIN LOCK TABLE events IN ACCESS EXCLUSIVE MODE; END'`,
		"disable the trigger":     `ALTER TABLE events DISABLE TRIGGER events_append_only`,
		"disable all triggers":    `ALTER TABLE events DISABLE TRIGGER ALL`,
		"drop the trigger":        `DROP TRIGGER events_append_only ON events`,
		"replace the trigger":     `CREATE OR REPLACE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'`,
		"own trigger":             `CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION events_refuse_change()`,
		"rule":                    `CREATE RULE mine AS ON INSERT TO events DO INSTEAD NOTHING`,
		"replication role":        `SET session_replication_role = replica`,
		"drop the table":          `DROP TABLE events`,
		"drop a constraint":       `ALTER TABLE events DROP CONSTRAINT events_stream_key`,
		"add a column":            `ALTER TABLE events ADD COLUMN x int`,
		"drop an index":           `DROP INDEX events_command_id_key`,
		"own table":               `CREATE TABLE x (a int)`,
		"temporary table":         `CREATE TEMPORARY TABLE events (a int)`,
		"own schema":              `CREATE SCHEMA x`,
		"own function":            `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		"copy to a program":       `COPY events TO PROGRAM 'cat'`,
		"copy from a file":        `COPY cursors FROM '/etc/passwd'`,
		"read a file":             `SELECT pg_read_file('/etc/passwd')`,
		"become the owner":        `SET ROLE strata_owner`,
		"become a superuser":      `ALTER ROLE strata_log SUPERUSER`,
		"own the table":           `ALTER TABLE events OWNER TO strata_log`,
		"new role":                `CREATE ROLE mine`,
		"change the version":      `UPDATE goose_db_version SET version_id = 0`,
		"call a trigger function": `SELECT events_take_append_lock()`,
	} {
		code, message := refusal(t, service, sql)
		if code != insufficientPrivilege {
			t.Errorf("%s: refused with %s (%s), want %s", name, code, message, insufficientPrivilege)
		}
	}
	// Granting what one does not hold is no error in SQL, but nothing comes of it.
	if _, err := service.Exec(t.Context(), `GRANT UPDATE ON events TO strata_log`); err != nil {
		t.Fatal(err)
	}
	if code, _ := refusal(t, service, `UPDATE events SET type = 'x'`); code != insufficientPrivilege {
		t.Errorf("UPDATE after a grant to itself: %s, want %s", code, insufficientPrivilege)
	}
	if code, _ := refusal(t, connect(t, urls.Admin), `UPDATE events SET type = 'x'`); code != restrictViolation {
		t.Errorf("a superuser's UPDATE: %s, want %s", code, restrictViolation)
	}
}

// Owner and superuser meet the triggers, also where triggers are usually off.
func TestTriggersStopTheOwner(t *testing.T) {
	urls := testenv.Log(t)
	owner := connect(t, urls.Admin)
	for _, sql := range []string{insert("1", "1", "1"), `SET ROLE strata_owner`} {
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	replica := connect(t, urls.Admin)
	if _, err := replica.Exec(t.Context(), `SET session_replication_role = replica`); err != nil {
		t.Fatal(err)
	}
	for who, conn := range map[string]*pgx.Conn{"owner": owner, "replica": replica} {
		for _, sql := range []string{
			`UPDATE events SET type = 'x'`, `DELETE FROM events`, `TRUNCATE events`,
			insert("1", "1", "1") + ` ON CONFLICT (position) DO UPDATE SET type = 'x'`,
		} {
			code, message := refusal(t, conn, sql)
			if code != restrictViolation || !strings.Contains(message, "append-only") {
				t.Errorf("%s, %.20s…: %s (%s), want %s and a clear message", who, sql, code, message, restrictViolation)
			}
		}
	}
}

// Nobody makes a timer fire twice, or one of another; the service takes none away.
func TestTimersFireOnce(t *testing.T) {
	urls := testenv.Log(t)
	service, owner := connect(t, urls.App), connect(t, urls.Admin)
	for _, sql := range []string{
		`INSERT INTO timers (organization_id, timer_id, kind, subject, due_at, try_at, cause_event_id, cause_position, correlation_id)
			SELECT '00000000-0000-0000-0000-000000000001', gen_random_uuid(), 'k', s, now(), now(), gen_random_uuid(), 1, '' FROM unnest(ARRAY['fired', 'cancelled', 'pending']) s`,
		`UPDATE timers SET state = 'fired', fired_at = now() WHERE subject = 'fired'`,
		`UPDATE timers SET state = 'cancelled' WHERE subject = 'cancelled'`,
		`UPDATE timers SET try_at = now() + interval '1 hour', attempts = 1, failure = 'f' WHERE subject = 'pending'`,
	} {
		if _, err := service.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for who, conn := range map[string]*pgx.Conn{"service": service, "owner": owner} {
		for _, sql := range []string{
			`UPDATE timers SET state = 'pending', fired_at = NULL WHERE subject = 'fired'`,
			`UPDATE timers SET fired_at = now() WHERE subject = 'fired'`,
			`UPDATE timers SET state = 'pending' WHERE subject = 'cancelled'`,
			`UPDATE timers SET due_at = now() + interval '1 year' WHERE subject = 'pending'`,
			`UPDATE timers SET subject = 'another' WHERE subject = 'pending'`,
			`UPDATE timers SET organization_id = gen_random_uuid() WHERE subject = 'pending'`,
		} {
			if code, message := refusal(t, conn, sql); code != restrictViolation {
				t.Errorf("%s, %s: %s (%s), want %s", who, sql, code, message, restrictViolation)
			}
		}
	}
	for _, sql := range []string{
		`DELETE FROM timers`, `TRUNCATE timers`, `ALTER TABLE timers DISABLE TRIGGER ALL`, `DROP TRIGGER timers_fire_once ON timers`, `SELECT timers_refuse_return()`,
	} {
		if code, message := refusal(t, service, sql); code != insufficientPrivilege {
			t.Errorf("%s: %s (%s), want %s", sql, code, message, insufficientPrivilege)
		}
	}
	for name, sql := range map[string]string{
		"fired, but not when": `UPDATE timers SET state = 'fired' WHERE subject = 'pending'`,
		"no such state":       `UPDATE timers SET state = 'again' WHERE subject = 'pending'`,
	} {
		if code, message := refusal(t, service, sql); code != checkViolation {
			t.Errorf("%s: %s (%s), want %s", name, code, message, checkViolation)
		}
	}
}

// A writer that gets the numbers wrong is stopped by the database.
func TestWrongWriter(t *testing.T) {
	service := connect(t, testenv.Log(t).App)
	for _, sql := range []string{insert("1", "1", "1"), insert("2", "2", "2")} {
		if _, err := service.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	third := insert("3", "3", "3")
	for name, attempt := range map[string]struct{ sql, code string }{
		"a gap":                 {insert("4", "3", "3"), integrityViolation},
		"a gap inside":          {third + `, (5, 4, 4, now(), '00000000-0000-0000-0000-000000000001', gen_random_uuid(), NULL, NULL, 1, 'strategy-1', 't', '{}', '{}')`, integrityViolation},
		"back in time":          {strings.Replace(third, "now()", "'2000-01-01'", 1), integrityViolation},
		"position zero":         {insert("0", "3", "3"), checkViolation},
		"a position again":      {insert("2", "3", "3"), uniqueViolation},
		"a version again":       {insert("3", "3", "2"), uniqueViolation},
		"a sequence again":      {insert("3", "2", "3"), uniqueViolation},
		"version zero":          {insert("3", "3", "0"), checkViolation},
		"a command, no hash":    {strings.Replace(third, "NULL, NULL", "gen_random_uuid(), NULL", 1), checkViolation},
		"a hash, no command":    {strings.Replace(third, "NULL, NULL", "NULL, sha256('x')", 1), checkViolation},
		"a hash that is none":   {strings.Replace(third, "NULL, NULL", "gen_random_uuid(), '\\x00'", 1), checkViolation},
		"an event over a mebib": {strings.Replace(third, "'{}', '{}'", "convert_to(repeat('x', 1048575), 'UTF8'), '{}'", 1), checkViolation},
		"a stream without name": {strings.Replace(third, "strategy-1", "", 1), checkViolation},
	} {
		if code, message := refusal(t, service, attempt.sql); code != attempt.code {
			t.Errorf("%s: %s (%s), want %s", name, code, message, attempt.code)
		}
	}
	if _, err := service.Exec(t.Context(), third); err != nil {
		t.Errorf("the right numbers: %v", err)
	}
}

// A writer that does not take the append lock is made to: it waits for the one who holds it.
func TestForgottenLock(t *testing.T) {
	urls := testenv.Log(t)
	holder, forgetful := connect(t, urls.Admin), connect(t, urls.App)
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_lock(6004514643731611649)`); err != nil {
		t.Fatal(err)
	}
	if _, err := forgetful.Exec(t.Context(), `SET lock_timeout = '50ms'`); err != nil {
		t.Fatal(err)
	}
	if code, message := refusal(t, forgetful, insert("1", "1", "1")); code != lockNotAvailable {
		t.Errorf("an insert beside the lock's holder: %s (%s), want %s", code, message, lockNotAvailable)
	}
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_unlock(6004514643731611649)`); err != nil {
		t.Fatal(err)
	}
	if _, err := forgetful.Exec(t.Context(), insert("1", "1", "1")); err != nil {
		t.Error(err)
	}
}

// The grants, as they are: a change of this list is a decision.
func TestGrants(t *testing.T) {
	admin := connect(t, testenv.Log(t).Admin)
	rows, _ := admin.Query(t.Context(), `
		SELECT grantee || ' ' || what || ': ' || string_agg(privilege, ' ' ORDER BY privilege) FROM (
			SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END AS grantee, what, a.privilege_type AS privilege FROM (
				SELECT relname::text AS what, coalesce(relacl, acldefault('r', relowner)) AS acl FROM pg_class
				WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f')
				UNION ALL SELECT proname || '()', coalesce(proacl, acldefault('f', proowner)) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
				UNION ALL SELECT 'schema ' || nspname, nspacl FROM pg_namespace WHERE nspname = 'public'
			) objects, aclexplode(acl) a
		) grants WHERE grantee NOT IN ('strata_owner', 'pg_database_owner') GROUP BY grantee, what ORDER BY 1`) // CollectRows returns its error
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"strata_log cursors: DELETE INSERT SELECT UPDATE",
		"strata_log drop_clear_original(): EXECUTE",
		"strata_log epochs: SELECT",
		"strata_log events: INSERT SELECT",
		"strata_log goose_db_version: SELECT",
		"strata_log import_runs: INSERT SELECT UPDATE",
		"strata_log inbox: INSERT SELECT",
		"strata_log originals: INSERT SELECT",
		"strata_log parked: DELETE INSERT SELECT UPDATE",
		"strata_log schema public: USAGE",
		"strata_log sealed_originals: INSERT SELECT",
		"strata_log timers: INSERT SELECT UPDATE",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("grants (-want +got):\n%s", diff)
	}
	var attributes string
	if err := admin.QueryRow(t.Context(), `SELECT concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
		(SELECT count(*) FROM pg_auth_members WHERE member = r.oid)) FROM pg_roles r WHERE rolname = 'strata_log'`).Scan(&attributes); err != nil || attributes != "f f f f f 0" {
		t.Errorf("strata_log is %q, %v; want no attribute and no membership", attributes, err)
	}
}
