package process_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/strategy"
)

func TestSchedule(t *testing.T) {
	f := assigned(raised("f", severity.High), "2026-05-01")
	until := time.Date(2026, 6, 1, 8, 30, 0, 0, time.FixedZone("", 7200))
	expiry, reminder, overdue := "cancel acceptance-expiry", "cancel acceptance-reminder", "cancel finding-overdue"
	for name, c := range map[string]struct {
		event any
		facts process.ScheduleFacts
		want  []string
	}{
		"assigned":                    {finding.Assigned{DueDate: "2026-05-01"}, process.ScheduleFacts{}, []string{"set finding-overdue 2026-05-02T00:00:00Z"}},
		"planned":                     {finding.RemediationPlanned{DueDate: "2026-06-30"}, process.ScheduleFacts{}, []string{"set finding-overdue 2026-07-01T00:00:00Z"}},
		"accepted":                    {finding.RiskAccepted{ExpiresOn: "2026-12-31"}, process.ScheduleFacts{}, []string{"set acceptance-expiry 2027-01-01T00:00:00Z", "set acceptance-reminder 2026-12-17T00:00:00Z", overdue}},
		"accepted for a few days":     {finding.RiskAccepted{ExpiresOn: "2026-03-10"}, process.ScheduleFacts{}, []string{"set acceptance-expiry 2026-03-11T00:00:00Z", overdue}},
		"returned":                    {finding.ReturnedToWork{}, process.ScheduleFacts{Finding: f}, []string{"set finding-overdue 2026-05-02T00:00:00Z", expiry, reminder}},
		"returned, never owned":       {finding.ReturnedToWork{}, process.ScheduleFacts{Finding: raised("f", severity.High)}, []string{expiry, reminder}},
		"made graver":                 {finding.Reclassified{OldSeverity: severity.Low, Severity: severity.High}, process.ScheduleFacts{Finding: f}, []string{"set finding-overdue 2026-05-02T00:00:00Z"}},
		"made milder":                 {finding.Reclassified{OldSeverity: severity.High, Severity: severity.Low}, process.ScheduleFacts{Finding: f}, nil},
		"closed":                      {finding.Closed{}, process.ScheduleFacts{}, []string{expiry, reminder, overdue}},
		"raised":                      {finding.Raised{}, process.ScheduleFacts{}, nil},
		"a grant that expires":        {organization.RoleGranted{GrantID: "g", ExpiresAt: &until}, process.ScheduleFacts{}, []string{"set grant-expiry 2026-06-01T06:30:00Z"}},
		"a grant that does not":       {organization.RoleGranted{GrantID: "g"}, process.ScheduleFacts{}, nil},
		"grants revoked":              {organization.RoleRevoked{GrantIDs: []string{"g", "h"}}, process.ScheduleFacts{}, []string{"cancel grant-expiry", "cancel grant-expiry"}},
		"defined, by the month":       {indicator.Defined{Definition: indicator.Definition{Frequency: calendar.Month}}, process.ScheduleFacts{}, []string{"set indicator-stale 2026-04-21T12:00:00Z"}},
		"defined, irregular":          {indicator.Defined{Definition: indicator.Definition{Frequency: calendar.Irregular}}, process.ScheduleFacts{}, nil},
		"redefined, another grid":     {indicator.Redefined{Changes: []indicator.Change{{Field: "frequency"}}}, process.ScheduleFacts{Indicator: measured("i", "s", "o", "1", "1")}, []string{"set indicator-stale 2027-05-30T12:00:00Z", "cancel indicator-stale"}},
		"redefined, the same grid":    {indicator.Redefined{Changes: []indicator.Change{{Field: "name"}}}, process.ScheduleFacts{}, nil},
		"retired":                     {indicator.Retired{}, process.ScheduleFacts{}, []string{"cancel indicator-stale"}},
		"in force":                    {strategy.Activated{}, process.ScheduleFacts{FiscalYearStart: 1}, []string{"set attestation-due 2027-01-31T00:00:00Z"}},
		"in force, year from October": {strategy.Activated{}, process.ScheduleFacts{FiscalYearStart: 10}, []string{"set attestation-due 2026-10-31T00:00:00Z"}},
		"ended":                       {strategy.Closed{}, process.ScheduleFacts{}, []string{"cancel attestation-due"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, process.Schedule(cause(1), "x", c.event, c.facts), c.want...) })
	}
}

func due(kind process.Kind, at string) process.Due {
	day, err := time.Parse(time.DateOnly, at)
	if err != nil {
		panic(err)
	}
	return process.Due{Timer: process.Timer{Key: process.Key{Kind: kind, Subject: process.Subject{Type: "x", ID: "y"}}, DueAt: day}, Now: day.Add(time.Second)}
}

func later(d process.Due, days int) process.Due {
	d.Now = d.Now.AddDate(0, 0, days)
	return d
}

func TestDeadlinesOfFindings(t *testing.T) {
	f := assigned(raised("f", severity.High), "2026-05-01")
	accepted := acceptedUntil(f, "2026-12-31", 5)
	back := "return:" + f.ID
	for name, c := range map[string]struct {
		due     process.Due
		finding process.Finding
		want    []string
	}{
		"accepted until yesterday":    {due(process.AcceptanceExpiry, "2027-01-01"), accepted, []string{back}},
		"long over":                   {later(due(process.AcceptanceExpiry, "2027-01-01"), 3_000), accepted, []string{back}},
		"renewed":                     {due(process.AcceptanceExpiry, "2027-01-01"), acceptedUntil(f, "2027-03-31", 9), nil},
		"revoked":                     {due(process.AcceptanceExpiry, "2027-01-01"), f, nil},
		"closed":                      {due(process.AcceptanceExpiry, "2027-01-01"), ended(f, 9), nil},
		"unknown":                     {due(process.AcceptanceExpiry, "2027-01-01"), process.Finding{}, nil},
		"two weeks to go":             {due(process.AcceptanceReminder, "2026-12-17"), accepted, []string{"remind acceptance-expiring of x-y"}},
		"two weeks, had they not ren": {due(process.AcceptanceReminder, "2026-12-17"), acceptedUntil(f, "2027-03-31", 9), nil},
		"overdue":                     {due(process.OverdueCheck, "2026-05-02"), f, []string{"remind finding-overdue of x-y"}},
		"extended":                    {due(process.OverdueCheck, "2026-05-02"), assigned(f, "2026-09-01"), nil},
		"accepted":                    {due(process.OverdueCheck, "2026-05-02"), accepted, nil},
		"over":                        {due(process.OverdueCheck, "2026-05-02"), ended(f, 9), nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := process.Deadline(c.due, process.DueFacts{Finding: c.finding})
			expect(t, d, c.want...)
			for _, step := range d.Steps {
				at := machine
				at.At = c.due.Now
				if _, err := finding.Decide(c.finding.State, at, step.Command.(finding.Command)); err != nil {
					t.Errorf("the finding refuses: %v", err)
				}
			}
			for _, r := range d.Reminders {
				if r.MemberID != id("owner") || r.DueAt.IsZero() {
					t.Errorf("reminder %+v", r)
				}
			}
		})
	}
}

func TestDeadlineOfAGrant(t *testing.T) {
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	after := at.Add(time.Hour)
	grant := organization.Grant{ID: "g", MemberID: "m", ExpiresAt: &at}
	revoked, extended := grant, grant
	revoked.Revoked, extended.ExpiresAt = true, &after
	for name, c := range map[string]struct {
		grant organization.Grant
		want  []string
	}{
		"expired": {grant, []string{"revoke:g"}}, "revoked": {revoked, nil}, "not expired": {extended, nil},
		"none": {organization.Grant{}, nil}, "without expiry": {organization.Grant{ID: "g"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, process.Deadline(due(process.GrantExpiry, "2026-05-01"), process.DueFacts{Grant: c.grant}), c.want...)
		})
	}
}

func TestStaleIndicators(t *testing.T) {
	s := inForce("s", 1, planned{"o", "A"})
	yearly := measured("i", s.ID, id("o"), "1", "1") // has a value for 2025
	never := measured("i", s.ID, id("o"), "", "")
	irregular := yearly
	irregular.Definition.Frequency = calendar.Once
	for name, c := range map[string]struct {
		due       process.Due
		indicator indicator.State
		strategy  process.Strategy
		want      []string
	}{
		"a value has come":        {due(process.StaleCheck, "2026-04-01"), yearly, s, []string{"set indicator-stale 2027-03-31T00:00:00Z"}},
		"the next is missing":     {due(process.StaleCheck, "2027-04-01"), yearly, s, []string{"set indicator-stale 2028-04-01T00:00:01Z", "remind indicator-stale of x-y"}},
		"never measured":          {due(process.StaleCheck, "2026-04-01"), never, s, []string{"set indicator-stale 2027-04-01T00:00:01Z", "remind indicator-stale of x-y"}},
		"looked at years later":   {later(due(process.StaleCheck, "2026-04-01"), 3_650), never, s, []string{"set indicator-stale 2037-03-29T00:00:01Z", "remind indicator-stale of x-y"}},
		"not in force yet":        {due(process.StaleCheck, "2027-04-01"), yearly, process.Strategy{State: preparing("s")}, []string{"set indicator-stale 2028-04-01T00:00:01Z"}},
		"strategy closed":         {due(process.StaleCheck, "2027-04-01"), yearly, closed(s, ""), nil},
		"retired":                 {due(process.StaleCheck, "2027-04-01"), yearly.Apply(person, indicator.Retired{}), s, nil},
		"has no rhythm (anymore)": {due(process.StaleCheck, "2027-04-01"), irregular, s, nil},
		"unknown":                 {due(process.StaleCheck, "2027-04-01"), indicator.State{}, s, nil},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, process.Deadline(c.due, process.DueFacts{Indicator: c.indicator, Strategy: c.strategy}), c.want...)
		})
	}
}

func TestAttestationsDue(t *testing.T) {
	s := inForce("s", 1, planned{"o", "A"}) // since 2026-03-01
	attested := func(periods ...calendar.Period) process.Strategy {
		s := s
		s.Attested = periods
		return s
	}
	remind, next := "remind attestation-due of x-y", "set attestation-due 2028-01-31T00:00:00Z"
	for name, c := range map[string]struct {
		due      process.Due
		strategy process.Strategy
		want     []string
	}{
		"nothing attested":       {due(process.AttestationCheck, "2027-01-31"), s, []string{next, remind}},
		"the year is":            {due(process.AttestationCheck, "2027-01-31"), attested(calendar.Period{Start: "2026-01-01", End: "2026-12-31"}), []string{next}},
		"since it is in force":   {due(process.AttestationCheck, "2027-01-31"), attested(calendar.Period{Start: "2026-03-01", End: "2026-12-31"}), []string{next}},
		"in parts, out of order": {due(process.AttestationCheck, "2027-01-31"), attested(calendar.Period{Start: "2026-07-01", End: "2026-12-31"}, calendar.Period{Start: "2026-01-01", End: "2026-06-30"}), []string{next}},
		"a quarter is missing":   {due(process.AttestationCheck, "2027-01-31"), attested(calendar.Period{Start: "2026-10-01", End: "2026-12-31"}, calendar.Period{Start: "2026-01-01", End: "2026-06-30"}), []string{next, remind}},
		"looked at years later":  {later(due(process.AttestationCheck, "2027-01-31"), 1_100), s, []string{"set attestation-due 2031-01-31T00:00:00Z", remind}},
		"closed":                 {due(process.AttestationCheck, "2027-01-31"), closed(s, ""), nil},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, process.Deadline(c.due, process.DueFacts{Strategy: c.strategy, FiscalYearStart: 1}), c.want...)
		})
	}
}

// TestNextLooksAreAhead makes sure that a timer that sets the next one never
// sets it to a time that has come: it would fire for ever.
func TestNextLooksAreAhead(t *testing.T) {
	frequencies := []calendar.Frequency{calendar.Year, calendar.Half, calendar.Quarter, calendar.Month, calendar.Week, calendar.Day}
	rapid.Check(t, func(t *rapid.T) {
		s := inForce("s", 1, planned{"o", "A"})
		i := measured("i", s.ID, id("o"), "1", rapid.SampledFrom([]string{"", "1"}).Draw(t, "value"))
		i.Definition.Frequency = rapid.SampledFrom(frequencies).Draw(t, "frequency")
		kind := rapid.SampledFrom([]process.Kind{process.StaleCheck, process.AttestationCheck}).Draw(t, "kind")
		d := later(due(kind, "2026-03-01"), rapid.IntRange(0, 20_000).Draw(t, "days late"))
		decided := process.Deadline(d, process.DueFacts{Indicator: i, Strategy: s, FiscalYearStart: rapid.IntRange(0, 12).Draw(t, "year start")})
		if len(decided.Timers) != 1 || !decided.Timers[0].DueAt.After(d.Now) || len(decided.Reminders) > 1 {
			t.Fatalf("at %s: %v", d.Now, names(decided))
		}
	})
}
