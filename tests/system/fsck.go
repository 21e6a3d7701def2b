package system

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/fsck"
)

// Fsck runs `strata fsck` and fails the test if something is not what the log
// says, or could not be checked. Every System does so by itself when its test ends.
func (s *System) Fsck(t testing.TB) fsck.Report {
	t.Helper()
	began := time.Now()
	r := CLI(t, s.Environ(nil), "fsck", "-o", "json", "--progress", "none")
	var report fsck.Report
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil || r.Code != 0 {
		t.Errorf("fsck: exit code %d, %v\n%s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	t.Logf("fsck of %d events took %s", report.Head, time.Since(began).Round(time.Millisecond))
	return report
}

// Databases are those of a world whose parts run in the test's own process. What
// is empty is not there.
type Databases struct {
	Log, Plans, Audit string // URLs of strata_log and of the projectors
}

// Fsck does for such a world what System.Fsck does.
func (d Databases) Fsck(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), cliTimeout)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("system: fsck: %v", err)
		}
	}
	log, err := postgres.Open(ctx, d.Log, postgres.Options{Logger: quiet})
	must(err)
	defer log.Close()
	beside, err := postgres.OpenBeside(ctx, d.Log)
	must(err)
	defer beside.Close()
	ask := fsck.Options{Log: log, Beside: beside, Followers: []fsck.Follower{fsck.NewLedger(beside, nil)}}
	if d.Plans != "" {
		plans, err := plansdb.OpenProjection(ctx, d.Plans, plansdb.Options{Log: quiet})
		must(err)
		defer plans.Close()
		ask.Parts = append(ask.Parts, fsck.Model(plans, log))
	}
	if d.Audit != "" {
		audit, err := auditdb.OpenProjection(ctx, d.Audit, auditdb.Options{Log: quiet})
		must(err)
		defer audit.Close()
		ask.Parts = append(ask.Parts, fsck.Model(audit, log))
	}
	report, err := fsck.Run(ctx, ask)
	must(err)
	for _, s := range report.Sections {
		if s.State == fsck.Found || s.State == fsck.Failed {
			t.Errorf("fsck: %s is %s: %s %+v", s.Name, s.State, s.Note, s.Wrong)
		}
	}
}
