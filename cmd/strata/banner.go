package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"strata.dev/strata/cmd/strata/demo"
)

// banner says where everything is, and gives tokens and lines to paste.
func banner(out io.Writer, cfg config, d demo.Result, took time.Duration) error {
	var b strings.Builder
	line := strings.Repeat("─", 100)
	base := "http://" + cfg.HTTPAddr
	fmt.Fprintf(&b, "\n%s\n  Strata is up after %s.   DEVELOPMENT: tokens come from a key on this machine. Do not use in production.\n%s\n",
		line, took.Round(100*time.Millisecond), line)
	for _, a := range [][2]string{
		{"API", base + "/v1      contract: " + base + "/openapi.json"},
		{"Health", base + "/readyz  details: " + base + "/healthz"},
		{"Metrics", "http://" + cfg.AdminAddr + "/metrics"},
		{"Event log", cfg.LogAdminURL},
		{"RabbitMQ", cfg.AMQPURL + "   exchange strata.events, queue " + demoQueue},
		{"Log file", cfg.DataDir + "/strata.log"},
	} {
		fmt.Fprintf(&b, "  %-10s %s\n", a[0], a[1])
	}
	if d.Strategy != "" {
		fmt.Fprintf(&b, "\n  Demo: %s, with what the United Kingdom measured for 60 of its 252 indicators.\n  Contains public sector information licensed under the Open Government Licence v3.0; sources: cmd/strata/demo/ATTRIBUTION.md\n", demo.Name)
		fmt.Fprintf(&b, "\n  Demo organization %s, strategy %s\n  Tokens (valid for one hour; more: STRATA_ENV=development bin/strata token issue --org %s --subject NAME):\n\n", d.Organization, d.Strategy, d.Organization)
		for _, m := range demo.Members {
			fmt.Fprintf(&b, "  export %s=%s   # %s\n", strings.ToUpper(m.Subject), d.Tokens[m.Subject], m.Role)
		}
		fmt.Fprintf(&b, "\n  All of these, and more, in a shell:  . %s\n", demoEnvFile(cfg))
		fmt.Fprintf(&b, "\n  Try:\n  curl -s -H \"Authorization: Bearer $VERA\" %s/v1/strategies/%s/scorecard\n", base, d.Strategy)
		fmt.Fprintf(&b, "  curl -s -H \"Authorization: Bearer $ARLO\" '%s/v1/events?after=0&limit=5'\n", base)
	}
	fmt.Fprintf(&b, "\n  Ctrl-C stops everything and keeps the data.\n%s\n", line)
	_, err := io.WriteString(out, b.String())
	return err
}

func demoEnvFile(cfg config) string { return filepath.Join(cfg.DataDir, "demo.env") }

// writeDemoEnv writes what the README's commands need, for a shell to read.
func writeDemoEnv(cfg config, d demo.Result) error {
	var b strings.Builder
	for _, v := range [][2]string{
		{"API", "http://" + cfg.HTTPAddr + "/v1"},
		{"AMQP_URL", cfg.consumerURL},
		{"ORGANIZATION", organizationOf(d)},
		{"STRATEGY", d.Strategy},
		{"INDICATOR", d.Indicator},
		{"STRATA_ENV", cfg.Env},
		{"STRATA_DIR", cfg.DataDir},
		{"STRATA_HTTP_ADDR", cfg.HTTPAddr},
		{"STRATA_ADMIN_ADDR", cfg.AdminAddr},
		{"STRATA_LOG_URL", cfg.LogURL},
		{"STRATA_PLANS_URL", cfg.PlansURL},
		{"STRATA_PLANS_READ_URL", cfg.PlansReadURL},
		{"STRATA_AUDIT_URL", cfg.AuditURL},
		{"STRATA_AUDIT_READ_URL", cfg.AuditReadURL},
		{"STRATA_AMQP_URL", cfg.AMQPURL},
		{"LOG_ADMIN_URL", cfg.LogAdminURL}, // for those who want to cheat
		{"STRATA_TOKEN", d.Tokens["arlo"]}, // the auditor may read everything
	} {
		fmt.Fprintf(&b, "export %s='%s'\n", v[0], v[1])
	}
	for _, m := range demo.Members {
		fmt.Fprintf(&b, "export %s='%s' # %s\n", strings.ToUpper(m.Subject), d.Tokens[m.Subject], m.Role)
	}
	if err := os.WriteFile(demoEnvFile(cfg), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", demoEnvFile(cfg), err)
	}
	return nil
}

func organizationOf(d demo.Result) string {
	if d.Strategy == "" {
		return ""
	}
	return d.Organization.String()
}
