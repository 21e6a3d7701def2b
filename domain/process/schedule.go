package process

import (
	"time"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
)

// expiryNotice is how many days before an acceptance expires that is said.
const expiryNotice = 14

// attestationGrace is how many days after the end of a year its attestation may take.
const attestationGrace = 30

// ScheduleFacts is what Schedule asks, beside the event.
type ScheduleFacts struct {
	Finding         Finding         // of an event of a finding
	Indicator       indicator.State // of one of an indicator
	FiscalYearStart int             // month, of one of a strategy
}

// Schedule sets and cancels timers. What a timer rests on may have changed when
// it fires; it is looked at again then, so a timer too many does no harm.
//
// Causes: every event that begins, moves or ends a term.
func Schedule(c Cause, id string, event any, f ScheduleFacts) (d Decision) {
	switch e := event.(type) {
	case finding.Assigned:
		d.overdueAfter(id, e.DueDate)
	case finding.RemediationPlanned:
		d.overdueAfter(id, e.DueDate)
	case finding.RiskAccepted:
		d.Timers = append(d.Timers, AcceptanceExpiry.of("finding", id).at(midnight(e.ExpiresOn.AddDays(1))))
		if notice := midnight(e.ExpiresOn.AddDays(-expiryNotice)); notice.After(c.At) {
			d.Timers = append(d.Timers, AcceptanceReminder.of("finding", id).at(notice))
		}
		d.Cancel = append(d.Cancel, OverdueCheck.of("finding", id))
	case finding.Reclassified:
		if Raises(e) { // which may have ended an acceptance
			d.overdueAfter(id, f.Finding.DueDate)
		}
	case finding.ReturnedToWork:
		d.Cancel = append(d.Cancel, AcceptanceExpiry.of("finding", id), AcceptanceReminder.of("finding", id))
		d.overdueAfter(id, f.Finding.DueDate)
	case finding.Closed:
		d.Cancel = append(d.Cancel, AcceptanceExpiry.of("finding", id), AcceptanceReminder.of("finding", id), OverdueCheck.of("finding", id))

	case organization.RoleGranted:
		if e.ExpiresAt != nil {
			d.Timers = append(d.Timers, GrantExpiry.of("grant", e.GrantID).at(*e.ExpiresAt))
		}
	case organization.RoleRevoked:
		for _, grant := range e.GrantIDs {
			d.Cancel = append(d.Cancel, GrantExpiry.of("grant", grant))
		}

	case indicator.Defined:
		d.staleAfter(id, c.At, e.Frequency)
	case indicator.Redefined:
		if Changes(e, "frequency") {
			d.Cancel = append(d.Cancel, StaleCheck.of("indicator", id))
			d.staleAfter(id, c.At, f.Indicator.Definition.Frequency)
		}
	case indicator.Retired:
		d.Cancel = append(d.Cancel, StaleCheck.of("indicator", id))

	case strategy.Activated:
		d.attestAfter(id, c.At, f.FiscalYearStart)
	case strategy.Closed:
		d.Cancel = append(d.Cancel, AttestationCheck.of("strategy", id))
	}
	return d
}

// Changes says whether a redefinition concerns a field.
func Changes(e indicator.Redefined, field string) bool {
	for _, c := range e.Changes {
		if c.Field == field {
			return true
		}
	}
	return false
}

func (d *Decision) overdueAfter(findingID string, due calendar.Date) {
	if due.Valid() {
		d.Timers = append(d.Timers, OverdueCheck.of("finding", findingID).at(midnight(due.AddDays(1))))
	}
}

// staleAfter looks at an indicator when its next measurement should be there.
func (d *Decision) staleAfter(indicatorID string, last time.Time, f calendar.Frequency) {
	if r, ok := rhythms[f]; ok {
		d.Timers = append(d.Timers, StaleCheck.of("indicator", indicatorID).at(r.due(last)))
	}
}

// attestAfter looks at a strategy when the year that t is in should be attested.
func (d *Decision) attestAfter(strategyID string, t time.Time, yearStart int) {
	d.Timers = append(d.Timers, AttestationCheck.of("strategy", strategyID).at(attestBy(yearEnd(t, yearStart))))
}

// rhythm is how often an indicator is measured, and how long after the end of a
// period its value may take.
type rhythm struct{ months, days, grace int }

// rhythms of the grids that have one: Once and Irregular have none.
var rhythms = map[calendar.Frequency]rhythm{
	calendar.Year:    {months: 12, grace: 90},
	calendar.Half:    {months: 6, grace: 60},
	calendar.Quarter: {months: 3, grace: 45},
	calendar.Month:   {months: 1, grace: 20},
	calendar.Week:    {days: 7, grace: 7},
	calendar.Day:     {days: 1, grace: 3},
}

// due is when the value of the period after one that ends at last should be there.
func (r rhythm) due(last time.Time) time.Time { return r.next(last).AddDate(0, 0, r.grace) }

// next is one period later.
func (r rhythm) next(t time.Time) time.Time { return t.AddDate(0, r.months, r.days) }

// attestBy is when a year that ends at t should be attested.
func attestBy(end time.Time) time.Time { return end.AddDate(0, 0, attestationGrace) }

// yearEnd is the instant at which the year that holds t ends, the year starting
// on the first day of the month start (1–12; anything else counts as January).
func yearEnd(t time.Time, start int) time.Time {
	if start < 1 || start > 12 {
		start = 1
	}
	t = t.UTC()
	end := time.Date(t.Year(), time.Month(start), 1, 0, 0, 0, 0, time.UTC)
	if !end.After(t) {
		end = end.AddDate(1, 0, 0)
	}
	return end
}

// midnight is the start of a day, UTC; the zero time for none.
func midnight(d calendar.Date) time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}
