package process

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	domain "strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// carryOut gives the commands of a decision and records its reminders. A step
// that is refused does not stop those behind it; refused is the last refusal.
func (r *Runner) carryOut(ctx context.Context, by origin, d process.Decision, seen *reader) (refused, err error) {
	for _, s := range d.Steps {
		id := by.organizationID
		if s.Target != "" {
			if id, err = uuid.Parse(s.Target); err != nil {
				return refused, fmt.Errorf("step %s: %w", s.Name, err)
			}
		}
		seen.forget()
		result, err := r.give(ctx, by.call(s.Name), id, s.Command)
		switch {
		case err == nil:
			r.o.Metrics.Step(by.process, outcome(result))
		case passes(err):
			r.o.Metrics.Step(by.process, "failed")
			return refused, fmt.Errorf("step %s: %w", s.Name, err)
		default:
			refused = err
			r.o.Metrics.Step(by.process, "refused")
			r.o.Logger.InfoContext(ctx, "a step of a process was refused; it goes on without it", "process", by.process, "step", s.Name,
				"organization", by.organizationID, "target", id, "cause", by.eventID, "error", err)
		}
	}
	for _, m := range d.Reminders {
		switch err := r.remind(ctx, by, m); {
		case err == nil:
			r.o.Metrics.Step(by.process, "reminded")
		case passes(err):
			r.o.Metrics.Step(by.process, "failed")
			return refused, fmt.Errorf("reminder %s: %w", m.Kind, err)
		default: // recorded before, in other words
			r.o.Metrics.Step(by.process, "refused")
		}
	}
	return refused, nil
}

// call is the call of one step: its id and hash follow from the origin alone, so
// that a second decision about the same cause is the same command.
func (o origin) call(step string) command.Call {
	id := o.deriveID("step", step)
	hash := sha256.Sum256([]byte("strata-process.v1\n" + id.String()))
	return command.Call{
		Principal: command.ProcessPrincipal(o.organizationID, o.process),
		CommandID: id, Hash: hash[:],
		Origin: eventlog.Origin{Kind: "process"}, CausationID: o.eventID.String(), CorrelationID: o.correlationID,
	}
}

func (r *Runner) give(ctx context.Context, call command.Call, id uuid.UUID, c any) (command.Result, error) {
	switch c := c.(type) {
	case organization.Command:
		return r.o.UseCases.Organizations.Execute(ctx, call, id, c)
	case strategy.Command:
		return r.o.UseCases.Strategies.Execute(ctx, call, id, c)
	case indicator.Command:
		return r.o.UseCases.Indicators.Execute(ctx, call, id, c)
	case finding.Command:
		return r.o.UseCases.Findings.Execute(ctx, call, id, c)
	case source.Command:
		return r.o.UseCases.Sources.Execute(ctx, call, id, c)
	}
	return command.Result{}, fmt.Errorf("no aggregate takes a command %T", c)
}

func (r *Runner) remind(ctx context.Context, by origin, m process.Reminder) error {
	e := domain.Reminded{Kind: string(m.Kind), Subject: domain.Subject{Type: m.Subject.Type, ID: m.Subject.ID}, MemberID: m.MemberID}
	if !m.DueAt.IsZero() {
		due := m.DueAt.UTC()
		e.DueAt = &due
	}
	id := by.deriveID("reminder", string(m.Kind), m.Subject.String())
	return r.o.Reminders.Remind(ctx, by.organizationID, id, e, journal.Cause{EventID: by.eventID.String(), CorrelationID: by.correlationID})
}

func outcome(r command.Result) string {
	switch {
	case r.Replayed:
		return "replayed"
	case r.Position == 0:
		return "unchanged"
	}
	return "recorded"
}

// passes says whether the same command may work later by itself. Everything
// that is no refusal is taken for passing: giving up on it would lose a step.
func passes(err error) bool {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return true
	}
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Unknown, fault.RateLimited:
		return true
	}
	return false
}

// standing marks what waits for an operator, and for one organization only: a
// read database that has parked what the answer would rest on. The group parks
// the cause's stream, too, and goes on with the others.
func standing(err error) error {
	if errors.Is(err, query.ErrIncomplete) {
		return unreadable{err}
	}
	return err
}
