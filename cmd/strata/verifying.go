package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/projection"
)

const (
	// verifyShare is the part of the time that making the copy may take.
	verifyShare = 0.25
	// verifyLook is how often one looks whether a verification is due, at most.
	verifyLook = time.Minute
)

// verifying verifies one read model every so often, in the instance that reads
// for it.
type verifying struct {
	service  *service
	verifier modelVerifier
	diverged *prometheus.CounterVec
}

func newVerifying(s *service, journal divergences) *verifying {
	v := &verifying{
		service: s, verifier: modelVerifier{log: s.events, journal: journal},
		diverged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_projection_diverged_rows_total", Help: "Rows of the read model that were not what the log says.",
		}, []string{"projection"}),
	}
	s.registry.MustRegister(v.diverged)
	for _, p := range s.projections() {
		v.diverged.WithLabelValues(p.Name())
	}
	return v
}

// run goes on until ctx ends. A verification that fails is tried again when the
// next one would be due: it may have failed for what the attempt itself costs.
func (v *verifying) run(ctx context.Context, p projection.Projection) {
	every := v.service.cfg.VerifyEvery
	if every <= 0 {
		return
	}
	var tried time.Time
	for wait(ctx, min(every, verifyLook)) {
		if time.Since(tried) < every || !v.leads(p.Name()) || !due(ctx, p, every) {
			continue
		}
		tried = time.Now()
		v.once(ctx, p)
	}
}

// leads says whether this instance reads for the projection.
func (v *verifying) leads(name string) bool {
	return slices.ContainsFunc(v.service.consumers.Status(), func(g consumer.GroupStatus) bool { return g.Name == name && g.Leader })
}

// due says whether the model was made, or verified by whichever instance, long
// ago. A read database that is away shows elsewhere.
func due(ctx context.Context, p projection.Projection, every time.Duration) bool {
	st, err := p.Status(ctx)
	return err == nil && time.Since(lastVerified(st)) >= every
}

// lastVerified is when the live model was last known to be what the log says.
func lastVerified(st projection.Status) time.Time {
	if st.Verified != nil {
		return st.Verified.At
	}
	return st.Generation.StartedAt
}

// once verifies a model, and says whether it is now what the log says.
func (v *verifying) once(ctx context.Context, p projection.Projection) bool {
	log := v.service.log.With("projection", p.Name())
	report, err := v.verifier.verify(ctx, p, projection.VerifyOptions{Repair: true, Share: verifyShare}, nil)
	v.diverged.WithLabelValues(p.Name()).Add(float64(report.Differing()))
	switch {
	case ctx.Err() != nil, errors.Is(err, projection.ErrRebuilding):
	case err != nil:
		log.ErrorContext(ctx, "the read model could not be verified", "err", err)
	case report.Repaired:
		log.ErrorContext(ctx, "the read model was not what the log says, and was repaired", "cause", report.Cause, "rows", report.Differing(), "position", report.Position)
	default:
		log.InfoContext(ctx, "the read model is what the log says", "rows", report.Rows(), "position", report.Position, "took", report.Took.Round(time.Millisecond).String())
	}
	return err == nil && (report.Repaired || report.Differing() == 0)
}
