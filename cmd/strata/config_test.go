package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(secret, []byte("postgres://strata_log:s3cret@db/strata_log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadConfig([]string{"PATH=/bin", "STRATA_LOG_URL_FILE=" + secret, "STRATA_ENV=development", "STRATA_DRAIN_TIMEOUT=3s", "STRATA_TEST_PG_URL=ignored"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.LogURL != "postgres://strata_log:s3cret@db/strata_log" || cfg.DrainTimeout.Seconds() != 3 || cfg.HTTPAddr != "127.0.0.1:8080" {
		t.Errorf("got %+v", cfg)
	}
	printed := fmt.Sprint(cfg.settings())
	if strings.Contains(printed, "s3cret") {
		t.Errorf("config print shows a password:\n%s", printed)
	}
	for _, want := range []string{"postgres://strata_log:xxxxx@db/strata_log", "file " + secret, "STRATA_ENV", "environment", "default"} {
		if !strings.Contains(printed, want) {
			t.Errorf("config print lacks %q:\n%s", want, printed)
		}
	}
}

func TestConfigRefusals(t *testing.T) {
	for name, c := range map[string]struct{ set, says string }{
		"a misspelt name":        {"STRATA_LOG_URLL=x", "STRATA_LOG_URLL is not a setting of Strata; did you mean STRATA_LOG_URL?"},
		"an environment unknown": {"STRATA_ENV=staging", `STRATA_ENV is "staging": take production or development`},
		"no URL":                 {"STRATA_LOG_URL=hunter2", "STRATA_LOG_URL is not a URL with a host"},
		"a group unknown":        {"STRATA_GROUPS=relay,plan", `STRATA_GROUPS names "plan": take some of relay, plans, audit, `},
		"no duration":            {"STRATA_DRAIN_TIMEOUT=soon", "DrainTimeout"},
		"a file that is missing": {"STRATA_AMQP_URL_FILE=/does/not/exist", "STRATA_AMQP_URL_FILE: open /does/not/exist"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadConfig([]string{c.set})
			var usage usageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want a usage error that says %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the refusal shows the value: %v", err)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	unreachable := []string{
		"STRATA_LOG_URL=postgres://strata_log:p@127.0.0.1:1/strata_log", "STRATA_PLANS_URL=postgres://strata_plans_projector:p@127.0.0.1:1/strata_plans",
		"STRATA_AUDIT_URL=postgres://strata_audit_projector:p@127.0.0.1:1/strata_audit",
	}
	for name, c := range map[string]struct {
		environ []string
		args    []string
		code    int
		says    string
	}{
		"version":              {nil, []string{"version"}, exitOK, ""},
		"an unknown command":   {nil, []string{"verfiy"}, exitUsage, "unknown command \"verfiy\" for strata"},
		"an unknown flag":      {nil, []string{"version", "--jsn"}, exitUsage, "unknown flag"},
		"too many arguments":   {nil, []string{"serve", "now"}, exitUsage, "takes no arguments"},
		"nothing configured":   {nil, []string{"serve"}, exitUsage, "STRATA_LOG_URL"},
		"a server that is off": {unreachable, []string{"migrate", "status"}, exitUnreachable, "cannot reach PostgreSQL at 127.0.0.1:1 (connection refused)"},
		"a production token":   {nil, []string{"token", "issue", "--operator", "--subject", "x"}, exitFailure, "refused when STRATA_ENV=production"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(t.Context(), c.args, c.environ, strings.NewReader(""), &out, &errs)
			if code != c.code || !strings.Contains(errs.String(), c.says) {
				t.Errorf("exit code %d, want %d; it said\n%s%s\nwant %q", code, c.code, out.String(), errs.String(), c.says)
			}
			if n := strings.Count(strings.TrimSpace(errs.String()), "\n"); n > 0 {
				t.Errorf("%d lines, want one:\n%s", n+1, errs.String())
			}
		})
	}
}
