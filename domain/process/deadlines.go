package process

import (
	"fmt"
	"slices"
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
)

// Due is a timer whose time has come.
type Due struct {
	Timer
	Now time.Time // not before Timer.DueAt
}

// DueFacts is what Deadline asks: what belongs to the timer's subject.
type DueFacts struct {
	Finding         Finding
	Grant           organization.Grant // zero if there is none
	Indicator       indicator.State
	Strategy        Strategy // the timer's, or the indicator's
	FiscalYearStart int
}

// Deadline says what follows from a timer whose time has come: the end of what
// has expired, or a word about what is overdue. What has been settled, renewed
// or moved since leads to nothing. Terms that come again set the next timer.
func Deadline(t Due, f DueFacts) (d Decision) {
	switch t.Kind {
	case AcceptanceExpiry:
		return f.acceptanceExpired(t)
	case AcceptanceReminder:
		if g := f.Finding; g.Stage == finding.Accepted && midnight(g.ExpiresOn.AddDays(-expiryNotice)).Equal(t.DueAt) {
			d.Reminders = []Reminder{{Kind: AcceptanceExpiring, Subject: t.Subject, MemberID: g.OwnerID, DueAt: midnight(g.ExpiresOn)}}
		}
	case OverdueCheck:
		if g := f.Finding; g.Overdue(calendar.Of(t.Now)) {
			d.Reminders = []Reminder{{Kind: FindingOverdue, Subject: t.Subject, MemberID: g.OwnerID, DueAt: midnight(g.DueDate)}}
		}
	case GrantExpiry:
		if g := f.Grant; g.ID != "" && !g.Revoked && !g.Holds(t.Now) {
			d.Steps = []Step{{Name: "revoke:" + g.ID, Target: "", Command: organization.RevokeRole{
				MemberID: g.MemberID, GrantIDs: []string{g.ID}, Reason: "The grant expired at " + g.ExpiresAt.UTC().Format(time.RFC3339) + ".",
			}}}
		}
	case StaleCheck:
		return f.stale(t)
	case AttestationCheck:
		return f.attestation(t)
	}
	return d
}

func (f DueFacts) acceptanceExpired(t Due) (d Decision) {
	g := f.Finding
	if g.Stage != finding.Accepted || calendar.Of(t.Now) <= g.ExpiresOn {
		return d
	}
	d.Steps = []Step{{Name: "return:" + g.ID, Target: g.ID, Command: finding.ReturnFinding{
		Reason: finding.AcceptanceExpired, Comments: fmt.Sprintf("The risk was accepted until %s.", g.ExpiresOn),
	}}}
	return d
}

// stale says that an indicator of a strategy in force has no value for a period
// that ended long enough ago, and looks again one period later.
func (f DueFacts) stale(t Due) (d Decision) {
	i := f.Indicator
	r, regular := rhythms[i.Definition.Frequency]
	if !i.Exists() || i.Retired || !regular || f.Strategy.Phase == strategy.Ended {
		return d
	}
	due := t.DueAt
	if last := lastPeriod(i); last != "" {
		due = r.due(midnight(last))
	}
	switch {
	case due.After(t.Now): // a value has come
		d.Timers = []Timer{t.at(due)}
		return d
	case f.Strategy.governs():
		d.Reminders = []Reminder{{Kind: IndicatorStale, Subject: t.Subject, MemberID: i.Definition.OwnerID, DueAt: due}}
	}
	d.Timers = []Timer{t.at(r.next(t.Now))}
	return d
}

// lastPeriod is the end of the latest period that has a value, "" if none has.
func lastPeriod(i indicator.State) (last calendar.Date) {
	for _, m := range i.Measurements() {
		last = max(last, m.Period.End)
	}
	return last
}

// attestation says that the last year that ended is not attested as far as the
// strategy was in force in it, and looks again after the next one.
func (f DueFacts) attestation(t Due) (d Decision) {
	s := f.Strategy
	if !s.governs() {
		return d
	}
	end := yearEnd(t.Now, f.FiscalYearStart).AddDate(-1, 0, 0) // of the last year that has ended
	if t.Now.Before(attestBy(end)) {
		end = end.AddDate(-1, 0, 0)
	}
	year := calendar.Period{Start: calendar.Of(end.AddDate(-1, 0, 0)), End: calendar.Of(end.AddDate(0, 0, -1))}
	year.Start = max(year.Start, calendar.Of(s.ActiveSince))
	if year.Valid() && !covered(year, s.Attested) {
		d.Reminders = []Reminder{{Kind: AttestationDue, Subject: t.Subject, DueAt: attestBy(end)}}
	}
	d.Timers = []Timer{t.at(attestBy(end.AddDate(1, 0, 0)))}
	return d
}

// covered says whether every day of p is in one of the periods.
func covered(p calendar.Period, periods []calendar.Period) bool {
	periods = slices.Clone(periods)
	slices.SortFunc(periods, func(a, b calendar.Period) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	})
	missing := p.Start // the first day that is in none of those looked at
	for _, q := range periods {
		if q.Start <= missing && q.End >= missing {
			missing = q.End.AddDays(1)
		}
	}
	return missing > p.End || missing == ""
}
