package system

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/ports/rest/resttest"
	"strata.dev/strata/tests/testenv"
)

// Options of a System.
type Options struct {
	// Servers of the test's own, for tests that kill them; nil = the shared ones.
	// The service migrates itself on its own PostgreSQL; shared databases come migrated.
	Postgres *embedded.Postgres
	RabbitMQ *embedded.RabbitMQ

	Env map[string]string // more variables, or others

	Queues []string // bound to every event before the first one is recorded

	// Unsound says why what is kept is not what the log says when the test ends;
	// "" = it must be: `strata fsck` looks at it.
	Unsound string
}

// System is databases, a vhost and an organization for services to run on.
type System struct {
	Organization Organization
	LogAdmin     string // superuser's URL of the log database
	PlansAdmin   string // and of the read databases
	AuditAdmin   string
	AMQP         string
	HTTP         *http.Client // every answer to it is held against the contract

	t        testing.TB
	settings map[string]string
	issuer   *oidc.Issuer
	services int
}

// Start makes a System with one service that is ready, and an organization that
// has a member for every role.
func Start(t testing.TB, o Options) (*System, *Service) {
	t.Helper()
	dir := t.TempDir()
	s := &System{t: t, HTTP: resttest.Client(t), settings: map[string]string{
		"STRATA_ENV":             "development",
		"STRATA_DEV_KEY_FILE":    filepath.Join(dir, "issuer.key"),
		"STRATA_RATE_PER_MINUTE": "0",
		"STRATA_INSTANCE":        "strata.test",
	}}
	if o.Postgres != nil {
		s.ownDatabases(o.Postgres)
	} else {
		s.sharedDatabases()
	}
	if o.RabbitMQ != nil {
		s.AMQP = o.RabbitMQ.URL()
	} else {
		s.AMQP = testenv.AMQP(t)
	}
	s.settings["STRATA_AMQP_URL"] = s.AMQP
	maps.Copy(s.settings, o.Env)
	var err error
	if s.issuer, err = oidc.Open(oidc.Options{Env: "development", KeyFile: s.settings["STRATA_DEV_KEY_FILE"]}); err != nil {
		t.Fatalf("system: %v", err)
	}
	if o.Unsound == "" {
		// Registered before any service is, so it runs when they have ended.
		t.Cleanup(func() { s.Fsck(t) })
	}
	first := s.Service(nil)
	first.Start()
	first.Ready()
	for _, queue := range o.Queues {
		s.Bind(t, queue)
	}
	s.register(first.Base)
	return s, first
}

// Service prepares another service on the same databases and broker; env changes settings.
func (s *System) Service(env map[string]string) *Service {
	s.t.Helper()
	s.services++
	return newService(s.t, fmt.Sprintf("service-%d", s.services), s.Environ(env))
}

// Environ is the environment of a strata process on this System.
func (s *System) Environ(env map[string]string) []string {
	settings := maps.Clone(s.settings)
	maps.Copy(settings, env)
	environ := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		environ = append(environ, name+"="+settings[name])
	}
	return environ
}

// Move points everything that is started from now on to other servers: empty
// databases, and a broker that knows nothing. What the old ones held stays there.
func (s *System) Move(pg *embedded.Postgres, mq *embedded.RabbitMQ) {
	s.t.Helper()
	s.ownDatabases(pg)
	s.AMQP = mq.URL()
	s.settings["STRATA_AMQP_URL"] = s.AMQP
}

// Setting is the value of a STRATA_ variable.
func (s *System) Setting(name string) string { return s.settings[name] }

const rolePassword = "strata-test"

// databases are the three, with the setting of each role's URL.
var databases = map[string]map[string]string{
	"log":   {"STRATA_LOG_URL": "strata_log"},
	"plans": {"STRATA_PLANS_URL": "strata_plans_projector", "STRATA_PLANS_READ_URL": "strata_plans_reader"},
	"audit": {"STRATA_AUDIT_URL": "strata_audit_projector", "STRATA_AUDIT_READ_URL": "strata_audit_reader"},
}

// ownDatabases makes empty databases: the first service migrates them.
func (s *System) ownDatabases(pg *embedded.Postgres) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, pg.URL("postgres"))
	if err != nil {
		s.t.Fatalf("system: %v", err)
	}
	defer conn.Close(ctx)
	for db, roles := range databases {
		name := "strata_" + db
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
			s.t.Fatalf("system: %v", err)
		}
		admin := pg.URL(name)
		s.settings["STRATA_"+strings.ToUpper(db)+"_ADMIN_URL"] = admin
		for setting, role := range roles {
			u, err := url.Parse(admin)
			if err != nil {
				s.t.Fatalf("system: %v", err)
			}
			u.User = url.UserPassword(role, rolePassword)
			s.settings[setting] = u.String()
		}
	}
	s.LogAdmin, s.PlansAdmin, s.AuditAdmin = s.settings["STRATA_LOG_ADMIN_URL"], s.settings["STRATA_PLANS_ADMIN_URL"], s.settings["STRATA_AUDIT_ADMIN_URL"]
}

func (s *System) sharedDatabases() {
	s.t.Helper()
	log, plans, audit := testenv.Log(s.t), testenv.Plans(s.t), testenv.Audit(s.t)
	s.LogAdmin, s.PlansAdmin, s.AuditAdmin = log.Admin, plans.Admin, audit.Admin
	s.settings["STRATA_LOG_URL"] = log.App
	s.settings["STRATA_PLANS_URL"], s.settings["STRATA_PLANS_READ_URL"] = plans.Projector, plans.Reader
	s.settings["STRATA_AUDIT_URL"], s.settings["STRATA_AUDIT_READ_URL"] = audit.Projector, audit.Reader
}
