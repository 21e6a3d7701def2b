package process

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"strata.dev/strata/domain/process"
)

const (
	// timersAtOnce bounds one look at what is due.
	timersAtOnce = 100
	// DefaultTimerPoll is how often due timers are looked for.
	DefaultTimerPoll = 5 * time.Second
	// A timer whose step was refused, or which cannot be fired for a reason of its
	// own, is tried again after firstRetry, then after twice as long, up to lastRetry.
	firstRetry = time.Minute
	lastRetry  = 24 * time.Hour
)

// TimerStatus says how the timers do, as this process knows it.
type TimerStatus struct {
	LastError string    // why none can be fired; "" when all is well
	Since     time.Time // of the present state
}

// TimerStatus asks nobody and never blocks.
func (r *Runner) TimerStatus() TimerStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock
}

// RunTimers fires timers until ctx ends, whenever leads says that this process
// leads the group; poll 0 means DefaultTimerPoll. What cannot be reached is
// tried again at the next look: one line tells the log when that begins and one
// when it ends.
func (r *Runner) RunTimers(ctx context.Context, leads func() bool, poll time.Duration) {
	if poll <= 0 {
		poll = DefaultTimerPoll
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if leads() {
			r.noted(ctx, r.fireAll(ctx, leads))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// fireAll fires what is due, a bounded number at a time.
func (r *Runner) fireAll(ctx context.Context, leads func() bool) error {
	for ctx.Err() == nil && leads() {
		n, err := r.FireTimers(ctx)
		if err != nil {
			return err
		}
		if n < timersAtOnce {
			break
		}
	}
	return nil
}

func (r *Runner) noted(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // it ends; what failed meanwhile failed of that
	}
	text := ""
	if err != nil {
		text = err.Error()
	}
	r.mu.Lock()
	before := r.clock
	if (text == "") != (before.LastError == "") || before.Since.IsZero() {
		r.clock.Since = r.o.Clock().UTC()
	}
	r.clock.LastError = text
	r.mu.Unlock()
	switch {
	case err != nil && before.LastError == "":
		r.o.Logger.WarnContext(ctx, "timers cannot be fired; trying again", "error", err)
	case err == nil && before.LastError != "":
		r.o.Logger.InfoContext(ctx, "timers are fired again", "since", before.Since)
	}
}

// FireTimers fires what is due now, at most a bounded number, and gives how many
// it looked at. An error means that something could not be reached: what was
// not fired is still pending.
func (r *Runner) FireTimers(ctx context.Context) (int, error) {
	r.firing.Lock()
	defer r.firing.Unlock()
	due, err := r.o.Timers.Due(ctx, r.o.Clock().UTC(), timersAtOnce)
	if err != nil {
		return 0, err
	}
	for i, t := range due {
		if err := r.fire(ctx, t); err != nil {
			return i, err
		}
	}
	return len(due), nil
}

// fire does what follows from one timer, and then ends it. One that has a
// trouble of its own is put off, so that it keeps no other from firing.
func (r *Runner) fire(ctx context.Context, t Timer) error {
	r.timed.forget()
	d, err := r.due(ctx, t)
	var refused error
	by := origin{
		organizationID: t.OrganizationID, process: process.Deadlining, id: t.ID,
		eventID: t.CauseID, position: t.CausePosition, correlationID: t.CorrelationID,
	}
	if err == nil {
		refused, err = r.carryOut(ctx, by, d, r.timed)
	}
	var poison interface{ Poison() bool }
	switch {
	case errors.As(err, &poison):
		refused = err
	case err != nil:
		return fmt.Errorf("timer %s of %s: %w", t.Kind, t.Subject, err)
	}
	if refused != nil {
		// Where the state has moved on, the next look finds nothing to do; where a
		// clock went back or a role is missing, it may work later.
		r.o.Metrics.Timer(t.Kind, "postponed")
		return r.o.Timers.Postpone(ctx, t, r.o.Clock().UTC().Add(min(lastRetry, firstRetry<<min(t.Attempts, 20))), refused.Error())
	}
	next := make([]Timer, len(d.Timers))
	for i, n := range d.Timers {
		next[i] = by.timer(n)
	}
	if err := r.o.Timers.Set(ctx, next); err != nil {
		return err
	}
	if err := r.o.Timers.Fired(ctx, t, r.o.Clock().UTC()); err != nil {
		return err
	}
	r.o.Metrics.Timer(t.Kind, "fired")
	return nil
}

// due decides about one timer.
func (r *Runner) due(ctx context.Context, t Timer) (d process.Decision, err error) {
	subjectType, id, _ := strings.Cut(t.Subject, "-")
	timer := process.Due{
		Timer: process.Timer{Key: process.Key{Kind: process.Kind(t.Kind), Subject: process.Subject{Type: subjectType, ID: id}}, DueAt: t.DueAt},
		Now:   r.o.Clock().UTC(),
	}
	if timer.Now.Before(t.DueAt) {
		timer.Now = t.DueAt
	}
	var f process.DueFacts
	o, err := r.timed.organization(ctx, t.OrganizationID)
	if err != nil {
		return d, err
	}
	f.FiscalYearStart = o.FiscalYearStart
	switch subjectType {
	case "finding":
		f.Finding, err = r.timed.finding(ctx, t.OrganizationID, id)
	case "grant":
		f.Grant, _ = o.Grant(id)
	case "strategy":
		f.Strategy, err = r.timed.strategy(ctx, t.OrganizationID, id)
	case "indicator":
		var i process.Indicator
		if i, err = r.timed.indicator(ctx, t.OrganizationID, id); err == nil && i.Exists() {
			f.Indicator = i.State
			f.Strategy, err = r.timed.strategy(ctx, t.OrganizationID, i.StrategyID)
		}
	}
	if err != nil {
		return d, err
	}
	return process.Deadline(timer, f), nil
}
