package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// States of a finding.
const (
	findingOK   = "ok"
	findingWarn = "warn" // works, but not as it should
	findingFail = "fail" // does not work, or must not be left so
)

// finding is one line of the doctor's.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	Detail string `json:"detail"`
	Advice string `json:"advice,omitempty"` // what to do; empty if it is ok

	unreachable bool // a server does not answer: exit code 4
}

func ok(check, format string, args ...any) finding {
	return finding{Check: check, Status: findingOK, Detail: fmt.Sprintf(format, args...)}
}

func warn(check, advice, format string, args ...any) finding {
	return finding{Check: check, Status: findingWarn, Detail: fmt.Sprintf(format, args...), Advice: advice}
}

func fail(check, advice, format string, args ...any) finding {
	return finding{Check: check, Status: findingFail, Detail: fmt.Sprintf(format, args...), Advice: advice}
}

// failed is an error as a finding. Errors of `explain` say themselves what to do.
func failed(check string, err error) finding {
	f := finding{Check: check, Status: findingFail, unreachable: errors.Is(err, errUnreachable)}
	f.Detail = strings.TrimSuffix(err.Error(), ": "+errUnreachable.Error())
	return f
}

const doctorTimeout = 30 * time.Second

// doctor looks at everything an installation rests on, and changes nothing.
func (c *cli) doctor() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check servers, schemas, roles, broker, clocks, keys and disk, and say what to do", Args: noArgs,
		Long: `Checks what an installation rests on: versions and settings of PostgreSQL, the rights of each role, schema versions, the
log and the projections, RabbitMQ with its exchanges, clocks, keys, disk space and the service itself. It changes nothing.
Exit code 0: nothing fails (there may be warnings); 1: something fails; 4: a server cannot be reached.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := c.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), doctorTimeout)
			defer cancel()
			findings := examine(ctx, cfg)
			if err := c.print(cmd.OutOrStdout(), findings, func(w io.Writer) error { return printFindings(w, findings) }); err != nil {
				return err
			}
			return verdict(findings)
		},
	}
}

// examine runs all checks, in the order in which causes come before effects.
func examine(ctx context.Context, cfg config) []finding {
	var all []finding
	all = append(all, examineSettings(cfg)...)
	for _, db := range cfg.databases() {
		all = append(all, examineDatabase(ctx, db)...)
	}
	all = append(all, examineReadModels(ctx, cfg)...)
	all = append(all, examineBroker(cfg)...)
	all = append(all, examineKeys(ctx, cfg)...)
	all = append(all, examineLedger(cfg)...)
	all = append(all, examineArchive(ctx, cfg))
	all = append(all, examineKeyStore(ctx, cfg)...)
	return append(all, examineDisk(cfg), examineService(ctx, cfg))
}

func printFindings(w io.Writer, findings []finding) error {
	for _, f := range findings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Status, f.Check, f.Detail)
		if f.Advice != "" {
			fmt.Fprintf(w, "\t\t→ %s\n", f.Advice)
		}
	}
	return nil
}

// verdict is the exit code as an error: what is unreachable counts more, since
// behind it nothing could be checked.
func verdict(findings []finding) error {
	failures, away := 0, 0
	for _, f := range findings {
		if f.Status == findingFail {
			failures++
		}
		if f.unreachable {
			away++
		}
	}
	switch {
	case away > 0:
		return fmt.Errorf("%d of %d checks fail, %d because a server does not answer: %w", failures, len(findings), away, errUnreachable)
	case failures > 0:
		return fmt.Errorf("%d of %d checks fail", failures, len(findings))
	}
	return nil
}

// examineSettings finds what is missing, and what must not be in production.
func examineSettings(cfg config) []finding {
	const check = "settings"
	var all []finding
	if err := cfg.need(serviceSettings...); err != nil {
		all = append(all, fail(check, "", "%v", err))
	}
	if cfg.Env == production {
		for _, admin := range []string{"STRATA_LOG_ADMIN_URL", "STRATA_PLANS_ADMIN_URL", "STRATA_AUDIT_ADMIN_URL"} {
			if cfg.fields()[admin].value != "" {
				all = append(all, warn(check, "give it to `strata migrate up` alone: the service must not be able to change schemas", "%s is set in production", admin))
			}
		}
		if cfg.VerifyEvery == 0 {
			all = append(all, warn(check, "set it to 1h or so", "STRATA_VERIFY_EVERY is 0: nobody notices what is changed in a read database by hand"))
		}
		if cfg.DemoQueue {
			all = append(all, warn(check, "unset it: each team declares its own queue", "STRATA_DEMO_QUEUE is set in production"))
		}
	}
	if cfg.AllowUnrouted {
		all = append(all, warn(check, "unset it, or bind a queue to strata.unrouted, unless lost bindings may go unnoticed", "STRATA_ALLOW_UNROUTED: an event that no queue wants is gone for other teams"))
	}
	if len(all) == 0 {
		all = append(all, ok(check, "complete, STRATA_ENV=%s", cfg.Env))
	}
	return all
}
