package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"strata.dev/strata/migrations"
	"strata.dev/strata/tests/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func currentUser(t *testing.T, url string) (user, database string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if err := conn.QueryRow(t.Context(), `SELECT current_user, current_database()`).Scan(&user, &database); err != nil {
		t.Fatal(err)
	}
	return user, database
}

func TestEachTestGetsItsOwnMigratedDatabase(t *testing.T) {
	defer goleak.VerifyNone(t, append(testenv.LeakOptions(), goleak.IgnoreCurrent())...)
	first, second := testenv.Log(t), testenv.Log(t)
	if _, a := currentUser(t, first.App); a == "" {
		t.Fatal("no database")
	} else if _, b := currentUser(t, second.App); a == b {
		t.Errorf("both calls gave %s", a)
	}
	if user, _ := currentUser(t, first.App); user != "strata_log" {
		t.Errorf("App connects as %s", user)
	}
	have, want, err := migrations.Version(t.Context(), migrations.Log, first.Admin)
	if err != nil || have == 0 || have != want {
		t.Errorf("version %d of %d, %v", have, want, err)
	}
}

func TestReadDatabasesComeWithTheirRoles(t *testing.T) {
	plans, audit := testenv.Plans(t), testenv.Audit(t)
	for url, want := range map[string]string{
		plans.Projector: "strata_plans_projector", plans.Reader: "strata_plans_reader",
		audit.Projector: "strata_audit_projector", audit.Reader: "strata_audit_reader",
	} {
		if user, _ := currentUser(t, url); user != want {
			t.Errorf("connected as %s, want %s", user, want)
		}
	}
}

func TestDatabaseIsGoneAfterTheTestEvenIfInUse(t *testing.T) {
	var name, server string
	var forgotten *pgx.Conn
	t.Run("user", func(t *testing.T) {
		admin := testenv.Log(t).Admin
		_, name = currentUser(t, admin)
		server = strings.Replace(admin, "/"+name, "/postgres", 1)
		var err error
		if forgotten, err = pgx.Connect(t.Context(), admin); err != nil {
			t.Fatal(err)
		}
	})
	defer func() { _ = forgotten.Close(context.Background()) }() // the server has closed it already
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var n int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_database WHERE datname = $1`, name).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d databases named %s, %v", n, name, err)
	}
}

func TestVhostsAreSeparateAndGoAway(t *testing.T) {
	var first string
	t.Run("user", func(t *testing.T) {
		first = testenv.AMQP(t)
		second := testenv.AMQP(t)
		declare(t, first, "here")
		if err := passive(second, "here"); err == nil {
			t.Error("the queue of one vhost is in the other")
		}
		if err := passive(first, "here"); err != nil {
			t.Errorf("the queue is not in its own vhost: %v", err)
		}
	})
	if conn, err := amqp.Dial(first); err == nil {
		t.Errorf("the vhost survived its test, close: %v", conn.Close())
	}
}

func declare(t *testing.T, url, queue string) {
	t.Helper()
	err := withChannel(url, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func passive(url, queue string) error {
	return withChannel(url, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		return err
	})
}

func withChannel(url string, fn func(*amqp.Channel) error) (err error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	return fn(ch)
}

func TestEventuallyReportsTheLastError(t *testing.T) {
	fake := &recorder{TB: t}
	calls := 0
	done := make(chan struct{})
	go func() { // Fatalf ends the goroutine it is called on
		defer close(done)
		testenv.Eventually(fake, 30*time.Millisecond, "the moon", func() error {
			calls++
			return fmt.Errorf("attempt %d", calls)
		})
	}()
	<-done
	if !strings.Contains(fake.fatal, "the moon") || !strings.HasSuffix(fake.fatal, fmt.Sprintf("attempt %d", calls)) {
		t.Errorf("message %q after %d calls", fake.fatal, calls)
	}
}

func TestSkipLoudIsRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "skips")
	t.Setenv("STRATA_TEST_SKIPS", path)
	t.Run("inner", func(t *testing.T) { testenv.SkipLoud(t, "no injector") })
	got, err := os.ReadFile(path)
	if want := t.Name() + "/inner: no injector\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestURLsNameTheDatabaseOnce(t *testing.T) {
	u, err := url.Parse(testenv.Plans(t).Reader)
	if err != nil || strings.Count(u.Path, "/") != 1 || u.User.Username() != "strata_plans_reader" {
		t.Errorf("%s, %v", u.Redacted(), err)
	}
}
