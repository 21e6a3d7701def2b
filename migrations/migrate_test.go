package migrations_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/migrations"
	"strata.dev/strata/tests/testenv"
)

var (
	quiet = slog.New(slog.DiscardHandler)
	all   = []migrations.Database{migrations.Log, migrations.Plans, migrations.Audit}
)

func as(t *testing.T, rawURL, user, password string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

func sql(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn := connect(t, url)
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// Up on a server of its own: roles belong to the whole cluster.
func TestUp(t *testing.T) {
	server := testenv.StartPostgres(t)
	t.Run("by an administrator who is no superuser", func(t *testing.T) { upByAdministrator(t, server) })
	t.Run("passwords are set, changed and kept", func(t *testing.T) { upPasswords(t, server) })
	t.Run("by many at once", func(t *testing.T) { upTogether(t, server) })
	t.Run("behind somebody who holds a lock", func(t *testing.T) { upBehindLock(t, server) })
}

func upByAdministrator(t *testing.T, server *embedded.Postgres) {
	sql(t, server.URL("postgres"), `CREATE ROLE boss LOGIN CREATEROLE PASSWORD 'boss'`)
	for _, db := range all {
		name := "strata_" + string(db)
		sql(t, server.URL("postgres"), `CREATE DATABASE `+name+` OWNER boss`)
		admin := as(t, server.URL(name), "boss", "boss")
		have, want, err := migrations.Version(t.Context(), db, admin)
		if err != nil || have != 0 || want < 1 {
			t.Fatalf("version of an empty %s: %d of %d, %v", db, have, want, err)
		}
		passwords := map[string]string{}
		for _, role := range migrations.Roles(db) {
			passwords[role] = "first of " + role
		}
		for range 2 { // the second time there is nothing to do
			if err := migrations.Up(t.Context(), db, admin, passwords, quiet); err != nil {
				t.Fatalf("up %s: %v", db, err)
			}
		}
		for _, role := range migrations.Roles(db) {
			have, want, err = migrations.Version(t.Context(), db, as(t, server.URL(name), role, "first of "+role))
			if err != nil || have != want {
				t.Errorf("version of %s asked by %s: %d of %d, %v", db, role, have, want, err)
			}
		}
		var owned int
		if err := connect(t, admin).QueryRow(t.Context(), `SELECT count(*) FROM pg_class
			WHERE relnamespace = 'public'::regnamespace AND pg_get_userbyid(relowner) <> 'strata_owner'`).Scan(&owned); err != nil || owned != 0 {
			t.Errorf("%d objects of %s belong to somebody else, %v", owned, db, err)
		}
	}
	// Nobody else gets in: PUBLIC has lost its rights.
	sql(t, server.URL("postgres"), `CREATE ROLE stranger LOGIN PASSWORD 'stranger'`)
	_, _, err := migrations.Version(t.Context(), migrations.Log, as(t, server.URL("strata_log"), "stranger", "stranger"))
	if err == nil || !strings.Contains(err.Error(), "42501") {
		t.Errorf("a stranger connects: %v", err)
	}
	_, _, err = migrations.Version(t.Context(), migrations.Plans, as(t, server.URL("strata_plans"), "strata_log", "first of strata_log"))
	if err == nil || !strings.Contains(err.Error(), "42501") {
		t.Errorf("the log's role connects to plans: %v", err)
	}
}

func upPasswords(t *testing.T, server *embedded.Postgres) {
	login := func(password string) error {
		_, _, err := migrations.Version(t.Context(), migrations.Log, as(t, server.URL("strata_log"), "strata_log", password))
		return err
	}
	for _, password := range []string{`it's "quoted" \ $1 -- ; é`, "second"} {
		if err := migrations.Up(t.Context(), migrations.Log, server.URL("strata_log"), map[string]string{"strata_log": password}, quiet); err != nil {
			t.Fatal(err)
		}
		if err := login(password); err != nil {
			t.Errorf("log in with %q: %v", password, err)
		}
	}
	if err := migrations.Up(t.Context(), migrations.Log, server.URL("strata_log"), nil, quiet); err != nil {
		t.Fatal(err)
	}
	if err := login("second"); err != nil {
		t.Errorf("without a password in Up the old one stays: %v", err)
	}
	if login("first of strata_log") == nil {
		t.Error("the first password still opens")
	}
	for _, passwords := range []map[string]string{{"strata_logg": "x"}, {"strata_plans_reader": "x"}, {"strata_log": ""}} {
		if err := migrations.Up(t.Context(), migrations.Log, server.URL("strata_log"), passwords, quiet); err == nil {
			t.Errorf("passwords %v were taken", passwords)
		}
	}
}

func upTogether(t *testing.T, server *embedded.Postgres) {
	sql(t, server.URL("postgres"), `CREATE DATABASE one`, `CREATE DATABASE two`, `CREATE DATABASE three`)
	var wg sync.WaitGroup
	failed := make(chan error, 100)
	for i := range 9 { // three processes for each of three databases, the same roles for all
		wg.Go(func() {
			if err := migrations.Up(t.Context(), migrations.Log, server.URL([]string{"one", "two", "three"}[i%3]),
				map[string]string{"strata_log": "together"}, quiet); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	for _, name := range []string{"one", "two", "three"} {
		have, want, err := migrations.Version(t.Context(), migrations.Log, as(t, server.URL(name), "strata_log", "together"))
		if err != nil || have != want {
			t.Errorf("%s: version %d of %d, %v", name, have, want, err)
		}
	}
}

// A lock that is held for longer than Up waits for one makes it come again, not fail.
func upBehindLock(t *testing.T, server *embedded.Postgres) {
	sql(t, server.URL("postgres"), `CREATE DATABASE busy`)
	tx, err := testenv.Pool(t, server.URL("busy")).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, int64(0x5354524154410002))); err != nil {
		t.Fatal(err)
	}
	noticed := make(chan struct{})
	log := slog.New(tell{once: &sync.Once{}, noticed: noticed})
	done := make(chan error, 1)
	go func() { done <- migrations.Up(t.Context(), migrations.Log, server.URL("busy"), nil, log) }()
	select {
	case <-noticed: // it has failed once and waits
	case err := <-done:
		t.Fatalf("Up did not wait: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("Up does not come again")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// tell is a log handler that closes noticed at the first record.
type tell struct {
	slog.Handler
	once    *sync.Once
	noticed chan struct{}
}

func (h tell) Enabled(context.Context, slog.Level) bool { return true }

func (h tell) Handle(context.Context, slog.Record) error {
	h.once.Do(func() { close(h.noticed) })
	return nil
}

func TestRoles(t *testing.T) {
	seen := map[string]bool{}
	for _, db := range all {
		for _, role := range migrations.Roles(db) {
			if seen[role] || !strings.HasPrefix(role, "strata_") {
				t.Errorf("role %s of %s", role, db)
			}
			seen[role] = true
		}
	}
	if len(seen) != 5 || !slices.Equal(migrations.Roles(migrations.Log), []string{"strata_log"}) {
		t.Errorf("roles %v", seen)
	}
	if err := migrations.Up(t.Context(), "nonsense", "postgres://localhost/x", nil, quiet); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a database that is none: %v", err)
	}
}
