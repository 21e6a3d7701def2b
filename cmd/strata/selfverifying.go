package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/app/proving"
	"strata.dev/strata/app/verifier"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fault"
	findings "strata.dev/strata/domain/finding"
	facts "strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/process"
)

// selfVerifying verifies the log in the instance that seals it, and raises what
// it finds (P8 of the processes): a report as evidence, a critical finding, and a
// record in the journal, once for each place, in every organization concerned.
type selfVerifying struct {
	rolling  *proving.Rolling
	commands *command.Commands
	journal  divergences
	recorded map[string]bool // what this process has recorded already, by what and where
}

// openSelfVerifying makes it; nil where this instance does not seal, or is told
// not to verify.
func (s *service) openSelfVerifying(ctx context.Context, commands *command.Commands) error {
	if s.sealer == nil || s.cfg.LedgerVerifyEvery <= 0 {
		return nil
	}
	keys, err := ownKeys(s.cfg)
	if err != nil {
		return err
	}
	source, err := postgres.OpenProving(ctx, s.cfg.LogURL)
	if err != nil {
		return explain("the event log", s.cfg.LogURL, err)
	}
	s.closers = append(s.closers, source.Close)
	v := &selfVerifying{commands: commands, journal: s.journal, recorded: map[string]bool{}}
	v.rolling = proving.NewRolling(proving.RollingOptions{
		Source: source, Trust: verifier.Trust{Log: keys}, Found: v.found, Logger: s.log, Every: s.cfg.LedgerVerifyEvery,
	})
	s.selfVerifying = v
	return nil
}

// found raises a problem. All of it has ids that follow from the problem, so that
// what is seen again is recorded once.
func (v *selfVerifying) found(ctx context.Context, r proving.Report, organizations []uuid.UUID) error {
	p := r.Problem
	var errs []error
	if err := v.record(ctx, journal.Installation, p); err != nil {
		errs = append(errs, err)
	}
	for _, organization := range organizations {
		if organization == journal.Installation {
			continue
		}
		errs = append(errs, v.record(ctx, organization, p), v.raise(ctx, organization, r))
	}
	return errors.Join(errs...)
}

// record writes to the journal, once for each process that sees it.
func (v *selfVerifying) record(ctx context.Context, organization uuid.UUID, p *verifier.Problem) error {
	key := organization.String() + problemKey(p)
	if v.recorded[key] {
		return nil
	}
	difference := facts.Different
	switch p.Kind {
	case verifier.Removed, verifier.Truncated:
		difference = facts.Missing
	case verifier.Inserted:
		difference = facts.Surplus
	}
	err := v.journal.Diverged(ctx, organization, facts.ReadModelDiverged{
		Model: "log", Table: "events", Key: strconv.FormatInt(p.Position, 10), Difference: difference, Position: p.Position,
	})
	v.recorded[key] = err == nil
	return err
}

// problemKey is what makes a problem the same one again.
func problemKey(p *verifier.Problem) string {
	return fmt.Sprintf("%d %s %s", p.Position, p.Check, p.EventID)
}

// raise keeps the report as evidence and raises the finding.
func (v *selfVerifying) raise(ctx context.Context, organization uuid.UUID, r proving.Report) error {
	p := r.Problem
	done := "raised " + organization.String() + problemKey(p)
	if v.recorded[done] {
		return nil // the report's bytes are not kept again and again
	}
	derive := func(what string) uuid.UUID {
		return uuid.NewSHA1(organization, []byte(process.Verifying+"\n"+what+"\n"+problemKey(p)))
	}
	call := func(what string) command.Call {
		id := derive("command " + what)
		hash := sha256.Sum256([]byte("strata-process.v1\n" + id.String()))
		return command.Call{
			Principal: command.ProcessPrincipal(organization, process.Verifying), CommandID: id, Hash: hash[:],
			Origin: eventlog.Origin{Kind: "process"}, CorrelationID: id.String(),
		}
	}
	subjects := []findings.Subject{{Type: "organization", ID: organization.String()}}
	r.Seconds, r.PerSecond = 0, 0 // of this run, not of what it found
	report, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	evidenceID := derive("evidence")
	switch _, err := v.commands.Evidence.Register(ctx, call("evidence"), evidenceID, report, evidence.RegisterEvidence{
		Kind: evidence.VerificationReport, MediaType: "application/json",
	}); {
	case err == nil:
		subjects = append(subjects, findings.Subject{Type: "evidence", ID: evidenceID.String()})
	case !refusedForGood(err):
		return fmt.Errorf("keep the report: %w", err)
	}
	_, err = v.commands.Findings.Execute(ctx, call("finding"), derive("finding"), process.LogVerification(process.LogProblem{
		FindingID: derive("finding").String(), Position: p.Position, Through: p.Through, Text: p.Error(), Looks: p.Looks(), Subjects: subjects,
	}))
	if refusedForGood(err) {
		err = nil // there is one already
	}
	v.recorded[done] = err == nil
	return err
}

// refusedForGood says whether asking again would be refused again.
func refusedForGood(err error) bool {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return false
	}
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Unknown, fault.RateLimited:
		return false
	}
	return true
}

// probe is what /healthz tells of the verification of the log.
func (v *selfVerifying) probe(context.Context) error {
	if st := v.rolling.Status(); st.Problem != nil {
		return fmt.Errorf("since %s: the log is not what was sealed: %w. Run `strata verify`", st.Since.UTC().Format(time.RFC3339), st.Problem)
	}
	return nil
}

func (s *service) probeVerified(ctx context.Context) error {
	if s.selfVerifying == nil {
		return nil
	}
	return s.selfVerifying.probe(ctx)
}

var (
	descLogFailed   = prometheus.NewDesc("strata_log_verification_failed", "1 while the log is not what was sealed; of the instance that seals.", nil, nil)
	descLogVerified = prometheus.NewDesc("strata_log_verified_position", "Position up to which the log was verified last.", nil, nil)
	descLogAt       = prometheus.NewDesc("strata_log_verified_at", "When that was, in seconds since 1970.", nil, nil)
	descLogWhole    = prometheus.NewDesc("strata_log_verified_whole_at", "When all of the log was verified, part after part, in seconds since 1970; 0 = not yet.", nil, nil)
)

// collectVerified is the part of a scrape that is about the verification of the log.
func (m *statusMetrics) collectVerified(gauge func(*prometheus.Desc, float64, ...string)) {
	if m.s.selfVerifying == nil || !m.s.leadsLedger() {
		return
	}
	st := m.s.selfVerifying.rolling.Status()
	gauge(descLogFailed, one(st.Problem != nil))
	gauge(descLogVerified, float64(st.Position))
	for d, at := range map[*prometheus.Desc]time.Time{descLogAt: st.At, descLogWhole: st.WholeAt} {
		seconds := 0.0
		if !at.IsZero() {
			seconds = float64(at.Unix())
		}
		gauge(d, seconds)
	}
}
