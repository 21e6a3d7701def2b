package tamper_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/verifier"
	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// A service under load is verified from outside and by itself, and nobody raises
// an alarm. Then a superuser edits one row: the service says so in its health, in
// its metrics, and by one critical finding with a report, however often it looks.
func TestServiceVerifiesItself(t *testing.T) {
	s, service := system.Start(t, system.Options{
		Env:     map[string]string{"STRATA_LEDGER_VERIFY_EVERY": "200ms", "STRATA_SAMPLE_EVERY": "0"},
		Unsound: "a row is edited, and put back",
	})
	load := s.NewLoad(t, system.LoadOptions{Clients: 4, PerSecond: 80, Seed: 1, Bases: []string{service.Base}})
	load.Run()
	seen := filepath.Join(t.TempDir(), "seen")
	for i := range 4 {
		at := load.Acknowledged()
		testenv.Eventually(t, patience, "more is recorded", func() error {
			if now := load.Acknowledged(); now < at+20 {
				return fmt.Errorf("position %d", now)
			}
			return nil
		})
		testenv.Eventually(t, patience, "the log is sealed", func() error { return metric(service, "strata_ledger_size", func(v float64) bool { return v > 0 }) })
		got := program(t, system.Binary(t), s.Environ(nil), "verify", "--remember", seen, "--progress", "none")
		sound(t, fmt.Sprintf("strata verify, run %d", i+1), got)
		if got.Events < at {
			t.Errorf("run %d has verified %d events, and %d were recorded before", i+1, got.Events, at)
		}
	}
	load.Stop()
	verified := func(v float64) bool { return v >= float64(load.Acknowledged()) }
	testenv.Eventually(t, patience, "the service has verified all of it", func() error { return metric(service, "strata_log_verified_position", verified) })
	is := func(want float64) func(float64) bool { return func(v float64) bool { return v == want } }
	if err := metric(service, "strata_log_verification_failed", is(0)); err != nil {
		t.Errorf("a false alarm: %v", err)
	}

	position, original := edit(t, s)
	testenv.Eventually(t, patience, "the service sees it", func() error { return metric(service, "strata_log_verification_failed", is(1)) })
	expect(t, "strata verify", program(t, system.Binary(t), s.Environ(nil), "verify", "--progress", "none"), wanted{position, 0, verifier.CheckLeaf, verifier.Edited})
	testenv.Eventually(t, patience, "a finding is raised", func() error { return raised(t, s, service, position) })
	if body := health(t, s, service); !strings.Contains(body, `"degraded"`) || !strings.Contains(body, `"verification":"failing"`) {
		t.Errorf("the service says %s", body)
	}
	// It looks again, and says nothing twice.
	before := value(service, "strata_log_verified_at")
	testenv.Eventually(t, patience, "it has looked again", func() error {
		return metric(service, "strata_log_verified_at", func(v float64) bool { return v > before+2 })
	})
	if err := raised(t, s, service, position); err != nil {
		t.Error(err)
	}

	superuser(t, s.LogAdmin, fmt.Sprintf(`UPDATE events SET data = '\x%x' WHERE position = %d`, original, position), `ALTER TABLE events ENABLE ALWAYS TRIGGER events_append_only`)
	testenv.Eventually(t, patience, "the service sees that it is put back", func() error { return metric(service, "strata_log_verification_failed", is(0)) })
	sound(t, "strata verify", program(t, system.Binary(t), s.Environ(nil), "verify", "--remember", seen, "--progress", "none"))
}

// edit changes a measurement, and gives where and what it was.
func edit(t *testing.T, s *system.System) (position int64, data []byte) {
	t.Helper()
	ctx := ctxOf(t)
	conn, err := pgx.Connect(ctx, s.LogAdmin)
	must(t, err)
	must(t, conn.QueryRow(ctx, `SELECT position, data FROM events WHERE type = 'indicator.measurement-recorded' ORDER BY position OFFSET 3 LIMIT 1`).Scan(&position, &data))
	must(t, conn.Close(ctx))
	superuser(t, s.LogAdmin, fmt.Sprintf(`UPDATE events SET data = convert_to(replace(convert_from(data, 'UTF8'), '"value":"', '"value":"9'), 'UTF8') WHERE position = %d`, position))
	return position, data
}

// raised is nil if one finding, and one report, is about the position.
func raised(t *testing.T, s *system.System, service *system.Service, position int64) error {
	t.Helper()
	auditor := s.Client(service.Base, "arlo")
	get := func(path string, into any) error {
		answer, err := auditor.Do(t.Context(), restclient.Request{Method: "GET", Path: path})
		if err != nil {
			return err
		}
		return answer.Decode(into)
	}
	var findings, reports struct{ Items []map[string]any }
	if err := get("/v1/findings?origin=log_verification", &findings); err != nil {
		return err
	}
	if err := get("/v1/evidence?kind=verification_report", &reports); err != nil {
		return err
	}
	if len(findings.Items) != 1 || len(reports.Items) != 1 {
		return fmt.Errorf("%d findings and %d reports", len(findings.Items), len(reports.Items))
	}
	text, err := json.Marshal(findings.Items[0])
	if err != nil {
		return err
	}
	for _, want := range []string{`"severity":"critical"`, `"origin":"log_verification"`, fmt.Sprintf("at position %d", position)} {
		if !strings.Contains(string(text), want) {
			return fmt.Errorf("the finding is %s", text)
		}
	}
	return nil
}

// health is what an administrator is told.
func health(t *testing.T, s *system.System, service *system.Service) string {
	t.Helper()
	answer, err := s.Client(service.Base, "ada").Do(t.Context(), restclient.Request{Method: "GET", Path: "/healthz"})
	must(t, err)
	return string(answer.Body)
}

func value(s *system.Service, name string) (v float64) {
	for line := range strings.Lines(s.Metrics()) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			_, _ = fmt.Sscan(rest, &v) // 0 is what a metric without a value is taken for
		}
	}
	return v
}

func metric(s *system.Service, name string, is func(float64) bool) error {
	if v := value(s, name); !is(v) {
		return fmt.Errorf("%s is %v", name, v)
	}
	return nil
}
