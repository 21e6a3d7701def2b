package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// byHand writes to the live plans model as a superuser, past the log.
func byHand(t *testing.T, s *system.System, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, s.PlansAdmin)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT set_config('search_path', quote_ident(schema_name), true) FROM public.generations WHERE state = 'live'`)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sql)
		if err == nil && tag.RowsAffected() == 0 {
			err = fmt.Errorf("no row for %s", sql)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// journalled is how many records of a type each organization's journal has.
func journalled(t *testing.T, s *system.System, typ string) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, r := range s.Log(t) {
		if r.Type == typ {
			found[r.Organization.String()]++
		}
	}
	return found
}

const renamed = `UPDATE organizations SET name = name || ' Ltd'`

// What is written to a read database by hand is found, recorded and repaired: by
// command, and by the service itself.
func verify(t *testing.T, s *system.System, tool func(t *testing.T, subject string, env map[string]string, args ...string) system.Result) {
	run := func(code int, args ...string) (reports []struct {
		Name, Cause     string
		Rows, Differing int64
		Repaired        bool
		Differences     []struct {
			Table, Organization, Key, Kind string
			Columns                        []string
		}
	},
	) {
		t.Helper()
		r := tool(t, "arlo", nil, append([]string{"projections", "verify", "-o", "json", "--progress", "none"}, args...)...)
		if r.Code != code {
			t.Fatalf("verify %v: exit code %d, want %d: %s%s", args, r.Code, code, r.Stdout, r.Stderr)
		}
		if err := json.Unmarshal([]byte(r.Stdout), &reports); err != nil {
			t.Fatalf("verify %v: %v: %s", args, err, r.Stdout)
		}
		return reports
	}
	if clean := run(0, "all"); len(clean) != 2 || clean[0].Differing != 0 || clean[0].Rows == 0 || clean[1].Rows == 0 {
		t.Errorf("of untouched models: %+v", clean)
	}
	byHand(t, s, renamed)
	own := s.Organization.ID.String()
	for _, step := range []struct {
		args     []string
		repaired bool
		recorded int // times it is in the journal by then
	}{{[]string{"plans", "--no-repair"}, false, 1}, {[]string{"all"}, true, 2}} {
		r := run(3, step.args...)[0]
		if r.Differing != 1 || r.Cause != "tampered" || r.Repaired != step.repaired || len(r.Differences) != 1 {
			t.Fatalf("verify %v: %+v", step.args, r)
		}
		if d := r.Differences[0]; d.Table != "organizations" || d.Organization != own || d.Kind != "changed" || strings.Join(d.Columns, " ") != "name" {
			t.Errorf("verify %v: %+v", step.args, d)
		}
		if got := journalled(t, s, "journal.read-model-diverged"); got[own] != step.recorded || len(got) != 1 {
			t.Errorf("recorded as diverged: %v, want %d", got, step.recorded)
		}
	}
	if got := journalled(t, s, "journal.read-model-repaired"); got[own] != 1 || len(got) != 1 {
		t.Errorf("recorded as repaired: %v, want once", got)
	}
	s.Verify(t)
	if r := tool(t, "arlo", nil, "projections", "verify", "nothing"); r.Code != 2 {
		t.Errorf("verify nothing: exit code %d, want 2", r.Code)
	}
}

// verifiesItself starts a service that verifies every second, and tampers.
func verifiesItself(t *testing.T, s *system.System, service *system.Service) {
	service.Kill() // else it goes on leading
	eager := s.Service(map[string]string{"STRATA_VERIFY_EVERY": "1s"})
	eager.Start()
	eager.Ready()
	before := journalled(t, s, "journal.read-model-repaired")[s.Organization.ID.String()]
	byHand(t, s, renamed)
	testenv.Eventually(t, 40*time.Second, "the service repairs what was done by hand", func() error {
		if got := journalled(t, s, "journal.read-model-repaired")[s.Organization.ID.String()]; got <= before {
			return fmt.Errorf("%d repairs are recorded, %d before", got, before)
		}
		return nil
	})
	if got := series(t, eager, `strata_projection_diverged_rows_total{projection="plans"}`); got != "1" {
		t.Errorf("%s rows are counted, want 1", got)
	}
	if n := len(regexp.MustCompile(`(?m)^[a-z]`).FindAllString(eager.Metrics(), -1)); n > 500 {
		t.Errorf("an instance that has done next to nothing tells %d series", n)
	}
	series(t, eager, `strata_projection_verified_timestamp{projection="plans"}`)
	testenv.Eventually(t, 20*time.Second, "the installation is told to be well", func() error {
		var system query.System
		answer, err := s.Client(eager.Base, "arlo").Do(t.Context(), restclient.Request{Method: http.MethodGet, Path: "/v1/system"})
		if err != nil {
			return err
		}
		if err := answer.Decode(&system); err != nil {
			return err
		}
		if len(system.Projections) != 2 || system.Projections[0].VerifiedAt == nil || len(system.Databases) != 3 || len(system.Away) != 0 ||
			!system.Broker.Connected || system.Position == 0 || system.Databases[0].Bytes == 0 {
			return fmt.Errorf("%+v", system)
		}
		return nil
	})
	eager.Kill()
	service.Start()
	service.Ready()
}

// series is the value of one series of a service's metrics.
func series(t *testing.T, service *system.Service, name string) string {
	t.Helper()
	for line := range strings.Lines(service.Metrics()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Errorf("%s is not told", name)
	return ""
}
