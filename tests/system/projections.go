package system

import (
	"context"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"strata.dev/strata/adapters/auditdb"
	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/app/projection"
)

// Digests are the digests of the read databases' content, by projection.
func (s *System) Digests(t testing.TB) map[string]projection.Digest {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler)
	plans, err := plansdb.OpenProjection(ctx, s.Setting("STRATA_PLANS_URL"), plansdb.Options{Log: quiet})
	if err != nil {
		t.Fatalf("system: %v", err)
	}
	defer plans.Close()
	audit, err := auditdb.OpenProjection(ctx, s.Setting("STRATA_AUDIT_URL"), auditdb.Options{Log: quiet})
	if err != nil {
		t.Fatalf("system: %v", err)
	}
	defer audit.Close()
	digests := map[string]projection.Digest{}
	for _, p := range []projection.Projection{plans, audit} {
		if digests[p.Name()], err = p.Digest(ctx); err != nil {
			t.Fatalf("system: digest of %s: %v", p.Name(), err)
		}
	}
	return digests
}

var rebuiltLine = regexp.MustCompile(`^(plans|audit) rebuilt from (\d+) events in .* at position (\d+) its content is ([0-9a-f]{64})\n$`)

// Rebuild rebuilds both read databases by `strata projections rebuild`, a
// process of its own beside the services, and fails the test unless their
// content is what it was. Nothing may be appended meanwhile.
func (s *System) Rebuild(t testing.TB) {
	t.Helper()
	live := s.Digests(t)
	for _, name := range []string{"plans", "audit"} {
		r := CLI(t, s.Environ(nil), "projections", "rebuild", name)
		said := rebuiltLine.FindStringSubmatch(r.Stdout)
		if r.Code != 0 || said == nil || said[1] != name {
			t.Fatalf("rebuild %s: exit code %d, %q\n%s", name, r.Code, r.Stdout, r.Stderr)
		}
		t.Logf("%s", r.Stdout)
		if said[4] != live[name].SHA256 {
			t.Errorf("%s rebuilt has the content %s, live it was %s", name, said[4], live[name].SHA256)
		}
	}
	for name, after := range s.Digests(t) {
		if after != live[name] {
			t.Errorf("%s is %+v after the rebuild, it was %+v", name, after, live[name])
		}
	}
}

// Verify compares both read databases with the log by `strata projections verify`
// and fails the test if they differ. Nothing is repaired; appends may go on.
func (s *System) Verify(t testing.TB) {
	t.Helper()
	if r := CLI(t, s.Environ(nil), "projections", "verify", "all", "--no-repair", "--progress", "none"); r.Code != 0 {
		t.Errorf("the read databases are not what the log says: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
