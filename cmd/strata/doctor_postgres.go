package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/projection"
	"strata.dev/strata/migrations"
)

const (
	oldestPostgres = 150000
	clockWarn      = time.Second      // recorded times and tokens' times are compared with each other
	clockFail      = 30 * time.Second // half of the leeway that tokens get
	lagWarn        = 1000             // events
)

// examineDatabase looks at one database as each of its roles.
func examineDatabase(ctx context.Context, db database) []finding {
	var all []finding
	for i, role := range migrations.Roles(db.kind) {
		dsn := db.roles[role]
		if dsn == "" {
			continue // settings says so
		}
		check := "postgres " + string(db.kind)
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			all = append(all, failed(check, explain("PostgreSQL", dsn, err)))
			continue
		}
		if i == 0 { // once per database: the same server for all its roles
			all = append(all, examineServer(ctx, check, db, conn)...)
			all = append(all, examineSchema(ctx, db.kind, dsn))
		}
		all = append(all, examineRole(ctx, "role "+role, role, conn))
		if err := conn.Close(ctx); err != nil {
			all = append(all, failed(check, err))
		}
	}
	return all
}

// serverFacts is what a server says about itself.
type serverFacts struct {
	Version           int
	VersionText       string
	Fsync             string
	FullPageWrites    string
	SynchronousLog    string
	Checksums         string
	Encoding          string
	InRecovery        bool
	ReadOnly          string
	MaxConnections    int
	IdleInTransaction string
	Size              string
}

func examineServer(ctx context.Context, check string, db database, conn *pgx.Conn) []finding {
	rows, _ := conn.Query(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('fsync'),
		current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('data_checksums'), current_setting('server_encoding'),
		pg_is_in_recovery(), current_setting('default_transaction_read_only'), current_setting('max_connections')::int,
		current_setting('idle_in_transaction_session_timeout'), pg_size_pretty(pg_database_size(current_database()))`) // CollectOneRow returns its error
	s, err := pgx.CollectOneRow(rows, pgx.RowToStructByPos[serverFacts])
	if err != nil {
		return []finding{failed(check, err)}
	}
	var all []finding
	add := func(bad bool, f finding) {
		if bad {
			all = append(all, f)
		}
	}
	add(s.Version < oldestPostgres, fail(check, "upgrade to PostgreSQL 15 or newer", "version %s is too old", s.VersionText))
	add(s.InRecovery || s.ReadOnly == "on", fail(check, "let the URL name the primary", "the server takes no writes: it is a standby or read-only"))
	add(s.Encoding != "UTF8", fail(check, "create the database anew with ENCODING 'UTF8'", "encoding %s cannot hold every name", s.Encoding))
	if db.kind == migrations.Log {
		add(s.Fsync != "on", fail(check, "set fsync = on", "fsync is off: a crash of the machine loses or damages the log"))
		add(s.FullPageWrites != "on", fail(check, "set full_page_writes = on", "full_page_writes is off: a crash of the machine may damage the log"))
		add(s.SynchronousLog == "off", fail(check, "set synchronous_commit = on", "synchronous_commit is off: acknowledged commands can be lost"))
		add(s.Checksums != "on", warn(check, "stop the server and run pg_checksums --enable", "no data checksums: a failing disk goes unnoticed"))
	}
	add(s.IdleInTransaction == "0", warn(check, "set idle_in_transaction_session_timeout = 10s", "a client that hangs in a transaction holds its locks for ever"))
	if len(all) == 0 {
		all = append(all, ok(check, "PostgreSQL %s, up to %d connections, %s", s.VersionText, s.MaxConnections, s.Size))
	}
	return append(all, examineClock(ctx, "clock "+string(db.kind), conn))
}

// examineClock compares the server's clock with ours, half a round trip apart.
func examineClock(ctx context.Context, check string, conn *pgx.Conn) finding {
	var theirs time.Time
	before := time.Now()
	if err := conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		return failed(check, err)
	}
	trip := time.Since(before)
	skew := theirs.Sub(before.Add(trip / 2)).Abs()
	const advice = "synchronize the clocks (chrony, systemd-timesyncd)"
	switch shown := skew.Round(time.Millisecond); {
	case skew > clockFail:
		return fail(check, advice, "%s apart from this machine: tokens will be refused", shown)
	case skew > clockWarn:
		return warn(check, advice, "%s apart from this machine: recorded times will look odd", shown)
	default:
		return ok(check, "within %s of this machine's, a round trip takes %s", max(shown, time.Millisecond), trip.Round(10*time.Microsecond))
	}
}

func examineSchema(ctx context.Context, kind migrations.Database, dsn string) finding {
	check := "schema " + string(kind)
	have, want, err := migrations.Version(ctx, kind, dsn)
	switch {
	case err != nil:
		return failed(check, explain("PostgreSQL", dsn, err))
	case have < want:
		return fail(check, "run `strata migrate up`", "version %d, this build needs %d", have, want)
	case have > want:
		return warn(check, "deploy the newer build here, too", "version %d is newer than this build's %d", have, want)
	}
	return ok(check, "version %d", have)
}

// roleFacts is what a role may do that it must not be able to.
type roleFacts struct {
	Name       string
	Attributes int      // of superuser, createrole, createdb, replication, bypassrls
	Member     []string // of
	Rewrites   []string // tables of the log that it could change or empty
	Writes     int      // tables it may write to
}

func examineRole(ctx context.Context, check, role string, conn *pgx.Conn) finding {
	rows, _ := conn.Query(ctx, `SELECT current_user::text, r.rolsuper::int + r.rolcreaterole::int + r.rolcreatedb::int + r.rolreplication::int + r.rolbypassrls::int,
		ARRAY(SELECT pg_get_userbyid(m.roleid)::text FROM pg_auth_members m WHERE m.member = r.oid),
		ARRAY(SELECT c.relname::text FROM pg_class c WHERE c.relname = 'events' AND c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
			AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')),
		(SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')
			AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND has_schema_privilege(n.oid, 'USAGE')
			AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
		FROM pg_roles r WHERE r.rolname = current_user`) // CollectOneRow returns its error
	r, err := pgx.CollectOneRow(rows, pgx.RowToStructByPos[roleFacts])
	const advice = "run `strata migrate up` as an administrator: it creates the roles with exactly the rights they need"
	reader := role == "strata_plans_reader" || role == "strata_audit_reader"
	switch {
	case err != nil:
		return failed(check, err)
	case r.Name != role:
		return fail(check, "let the URL name "+role, "the URL connects as %s", r.Name)
	case r.Attributes > 0 || len(r.Member) > 0:
		return fail(check, advice, "has attributes or memberships beyond LOGIN %v", r.Member)
	case role == "strata_log" && len(r.Rewrites) > 0:
		return fail(check, advice, "could rewrite history: it may change %v", r.Rewrites)
	case reader && r.Writes > 0:
		return fail(check, advice, "may write to %d tables of a database it only reads", r.Writes)
	case reader:
		return ok(check, "reads only")
	case role == "strata_log":
		return ok(check, "appends; cannot rewrite")
	}
	return ok(check, "writes its read models")
}

// examineReadModels says whether the projections and the relay keep up.
func examineReadModels(ctx context.Context, cfg config) []finding {
	if cfg.LogURL == "" || cfg.PlansURL == "" || cfg.AuditURL == "" {
		return nil // settings says so
	}
	quiet := slog.New(slog.DiscardHandler)
	log, err := postgres.Open(ctx, cfg.LogURL, postgres.Options{Logger: quiet})
	if err != nil {
		return []finding{failed("log", explain("the event log", cfg.LogURL, err))}
	}
	defer log.Close()
	head, err := log.Head(ctx)
	if err != nil {
		return []finding{failed("log", err)}
	}
	all := []finding{ok("log", "%d events", head), examineParked(ctx, cfg)}
	plans, err := plansdb.OpenProjection(ctx, cfg.PlansURL, plansdb.Options{Log: quiet})
	if err != nil {
		all = append(all, failed("projection plans", explain("the plans database", cfg.PlansURL, err)))
	} else {
		all = append(all, examineProjection(ctx, cfg, plans, head))
		plans.Close()
	}
	audit, err := auditdb.OpenProjection(ctx, cfg.AuditURL, auditdb.Options{Log: quiet})
	if err != nil {
		return append(all, failed("projection audit", explain("the audit database", cfg.AuditURL, err)))
	}
	defer audit.Close()
	return append(all, examineProjection(ctx, cfg, audit, head))
}

func examineProjection(ctx context.Context, cfg config, p projection.Projection, head int64) finding {
	check := "projection " + p.Name()
	st, err := p.Status(ctx)
	switch {
	case err != nil:
		return failed(check, err)
	case st.ParkedTotal > 0:
		return fail(check, fmt.Sprintf("see `strata projections status %s`", p.Name()), "%d streams are parked", st.ParkedTotal)
	case st.Generation.Position > head:
		return fail(check, fmt.Sprintf("the log was restored to an earlier state: run `strata projections rebuild %s`", p.Name()), "at position %d, which the log does not have", st.Generation.Position)
	case st.Lag(head) > lagWarn:
		return warn(check, "is an instance running whose STRATA_GROUPS has it?", "%d events behind the log", st.Lag(head))
	}
	if last := lastVerified(st); cfg.VerifyEvery > 0 && time.Since(last) > 3*cfg.VerifyEvery {
		return warn(check, fmt.Sprintf("run `strata projections verify %s`, and see the log of the instance that reads for it", p.Name()),
			"not compared with the log since %s, though STRATA_VERIFY_EVERY is %s", last.UTC().Format(time.RFC3339), cfg.VerifyEvery)
	}
	return ok(check, "at position %d of %d, generation %d", st.Generation.Position, head, st.Generation.Number)
}

func examineParked(ctx context.Context, cfg config) finding {
	const check = "relay"
	groups, err := consumer.New(cfg.LogURL, nil, consumer.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return failed(check, err)
	}
	defer groups.Close()
	parked, err := groups.Parked(ctx)
	if err != nil {
		return failed(check, explain("the event log", cfg.LogURL, err))
	}
	if len(parked) > 0 {
		return fail(check, "see `strata relay list`", "%d streams are parked: other teams miss their events", len(parked))
	}
	return ok(check, "nothing parked")
}
