package rest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"strata.dev/strata/ports/rest/gen"
)

const (
	probeTime = 2 * time.Second
	probeAge  = time.Second // probes ask no dependency more often
)

const (
	statusOK          = "ok"
	statusDegraded    = "degraded"
	statusUnavailable = "unavailable"
	statusDraining    = "draining"
	statusFailing     = "failing"
)

// health remembers the last answer for a moment: anybody may ask.
type health struct {
	mu     sync.Mutex
	at     time.Time
	report gen.HealthReport
}

// Livez handles GET /livez.
func (s *server) Livez(context.Context, gen.LivezRequestObject) (gen.LivezResponseObject, error) {
	return gen.Livez200JSONResponse{HealthyJSONResponse: gen.HealthyJSONResponse{Status: statusOK}}, nil
}

// Readyz handles GET /readyz.
func (s *server) Readyz(ctx context.Context, _ gen.ReadyzRequestObject) (gen.ReadyzResponseObject, error) {
	r := s.healthReport(ctx)
	if !ready(r) {
		return gen.Readyz503JSONResponse{UnhealthyJSONResponse: gen.UnhealthyJSONResponse{Status: r.Status}}, nil
	}
	return gen.Readyz200JSONResponse{HealthyJSONResponse: gen.HealthyJSONResponse{Status: r.Status}}, nil
}

// Healthz handles GET /healthz.
func (s *server) Healthz(ctx context.Context, _ gen.HealthzRequestObject) (gen.HealthzResponseObject, error) {
	r := s.healthReport(ctx)
	if !ready(r) {
		return gen.Healthz503JSONResponse{UnhealthyJSONResponse: gen.UnhealthyJSONResponse(r)}, nil
	}
	return gen.Healthz200JSONResponse{HealthyJSONResponse: gen.HealthyJSONResponse(r)}, nil
}

func ready(r gen.HealthReport) bool { return r.Status == statusOK || r.Status == statusDegraded }

// healthReport runs the checks beside each other, or gives what they said a
// moment ago. A failing check that no command needs only degrades the service:
// the log is the outbox, so a broker that is down holds nobody up.
func (s *server) healthReport(ctx context.Context) gen.HealthReport {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	now := time.Now()
	if now.Sub(s.health.at) >= probeAge {
		s.health.report, s.health.at = s.runChecks(ctx), now
	}
	r := s.health.report
	if s.draining() {
		r.Status = statusDraining
	}
	return r
}

func (s *server) runChecks(ctx context.Context) gen.HealthReport {
	// Not the asking client's patience: the answer is for others, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTime)
	defer cancel()
	errs := make([]error, len(s.options.Checks))
	var wg sync.WaitGroup
	for i, check := range s.options.Checks {
		wg.Go(func() { errs[i] = check.Probe(ctx) })
	}
	wg.Wait()
	status, checks := statusOK, make(map[string]string, len(errs))
	for i, check := range s.options.Checks {
		checks[check.Name] = statusOK
		if errs[i] == nil {
			continue
		}
		checks[check.Name] = statusFailing
		s.options.Log.LogAttrs(ctx, slog.LevelWarn, "health check failed", slog.String("check", check.Name), slog.Any("err", errs[i]))
		switch {
		case check.Critical:
			status = statusUnavailable
		case status == statusOK:
			status = statusDegraded
		}
	}
	return gen.HealthReport{Status: status, Checks: &checks}
}
