package organization_test

import (
	"slices"
	"testing"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/severity"
)

// signing is the compliance officer, who has just signed in.
var signing = fact.Actor{ID: member2, Kind: fact.Person, Roles: []string{authz.ComplianceOfficer}, At: now, AuthAt: now.Add(-time.Minute)}

// requester is another compliance officer, who countersigned.
var requester = fact.Second{
	ID: member3, Kind: fact.Person, Roles: []string{authz.ComplianceOfficer}, AuthAt: now.Add(-3 * time.Hour), SignedAt: now.Add(-3*time.Hour + time.Minute),
}

func seconded(change func(*fact.Second)) fact.Second {
	s := requester
	change(&s)
	return s
}

// notSecond are all who cannot be the second person of a command (S8, S15).
var notSecond = map[string]fact.Second{
	"nobody":                      {},
	"the same person":             seconded(func(s *fact.Second) { s.ID = member2 }),
	"the same person, other id":   seconded(func(s *fact.Second) { s.SamePerson = []string{member4, member2} }),
	"an administrator":            seconded(func(s *fact.Second) { s.Roles = []string{authz.Administrator} }),
	"one whose role has ended":    seconded(func(s *fact.Second) { s.Roles = nil }),
	"a service":                   seconded(func(s *fact.Second) { s.Kind = fact.Source }),
	"a process":                   seconded(func(s *fact.Second) { s.Kind = fact.Process }),
	"one who signed a day ago":    seconded(func(s *fact.Second) { s.SignedAt, s.AuthAt = now.Add(-25*time.Hour), now.Add(-25*time.Hour) }),
	"one who signs in an hour":    seconded(func(s *fact.Second) { s.SignedAt, s.AuthAt = now.Add(time.Hour), now.Add(time.Hour) }),
	"one with an old sign-in":     seconded(func(s *fact.Second) { s.AuthAt = s.SignedAt.Add(-6 * time.Minute) }),
	"one who never signed in":     seconded(func(s *fact.Second) { s.AuthAt = time.Time{} }),
	"one who signed in afterward": seconded(func(s *fact.Second) { s.AuthAt = s.SignedAt.Add(2 * time.Minute) }),
}

func policy(change func(*organization.Policy)) organization.Policy {
	p := organization.DefaultPolicy()
	change(&p)
	return p
}

func set(p organization.Policy, second fact.Second) organization.SetGovernancePolicy {
	return organization.SetGovernancePolicy{Policy: p, Reason: "board decision", Second: second}
}

func TestWeakerPolicies(t *testing.T) {
	base := policy(func(p *organization.Policy) {
		p.Quorum.N, p.AutoHoldSeverity, p.AcceptanceMaxDays = 3, severity.High, 180
	})
	with := func(change func(*organization.Policy)) organization.Policy {
		p := base
		change(&p)
		return p
	}
	for _, c := range []struct {
		name             string
		weaker, stricter organization.Policy
	}{
		{"quorum.n", with(func(p *organization.Policy) { p.Quorum.N = 2 }), with(func(p *organization.Policy) { p.Quorum.N = 4 })},
		{"quorum.complianceRequired", with(func(p *organization.Policy) { p.Quorum.ComplianceRequired = false }), base},
		{"autoHoldSeverity", with(func(p *organization.Policy) { p.AutoHoldSeverity = severity.Critical }), with(func(p *organization.Policy) { p.AutoHoldSeverity = severity.Low })},
		{"autoResume", with(func(p *organization.Policy) { p.AutoResume = true }), base},
		{"breachSeverity", with(func(p *organization.Policy) { p.BreachSeverity = severity.Low }), with(func(p *organization.Policy) { p.BreachSeverity = severity.Critical })},
		{"acceptanceMaxDays", with(func(p *organization.Policy) { p.AcceptanceMaxDays = 181 }), with(func(p *organization.Policy) { p.AcceptanceMaxDays = 90 })},
		{"retentionYears", with(func(p *organization.Policy) { p.RetentionYears = 9 }), with(func(p *organization.Policy) { p.RetentionYears = 11 })},
		{"rejectionSuspendThreshold", with(func(p *organization.Policy) { p.RejectionSuspendThreshold = 101 }), with(func(p *organization.Policy) { p.RejectionSuspendThreshold = 99 })},
	} {
		if got := c.weaker.Weaker(base); !slices.Equal(got, []string{c.name}) {
			t.Errorf("%s: weaker in %v", c.name, got)
		}
		if got := c.stricter.Weaker(base); len(got) > 0 {
			t.Errorf("%s: stricter, and weaker in %v", c.name, got)
		}
	}
	mixed := with(func(p *organization.Policy) { p.Quorum.N, p.RetentionYears, p.AutoResume = 5, 1, true })
	if got := mixed.Weaker(base); !slices.Equal(got, []string{"autoResume", "retentionYears"}) {
		t.Errorf("a mixed policy is weaker in %v", got)
	}
}

func TestSettingThePolicy(t *testing.T) {
	strict := policy(func(p *organization.Policy) { p.Version, p.Quorum.N = 2, 3 })
	isStrict := organization.GovernancePolicySet{Policy: strict, Old: organization.DefaultPolicy(), Reason: "board decision"}
	since := func(at time.Time) []past {
		by := officer
		by.At = at
		return append(after(), past{By: by, Event: isStrict})
	}
	weak := policy(func(p *organization.Policy) { p.Version, p.Quorum.N = 2, 1 })
	isWeak := organization.GovernancePolicySet{
		Policy: weak, Old: organization.DefaultPolicy(), Reason: "board decision", RequestedBy: requester.ID, AuthorizedBy: member2,
	}
	stale := signing
	stale.AuthAt = now.Add(-6 * time.Minute)
	relaxed := policy(func(p *organization.Policy) { p.Version = 3 })
	wrong := func(change func(*organization.Policy)) spec {
		return spec{Given: after(), By: signing, When: set(policy(change), requester), Refused: refusal.Invalid}
	}
	table := []spec{
		{Name: "stricter, by one officer", Given: after(), By: signing, When: set(strict, fact.Second{}), Then: []organization.Event{isStrict}},
		{Name: "stricter, with an old sign-in", Given: after(), By: stale, When: set(strict, fact.Second{}), Then: []organization.Event{isStrict}},
		{Name: "the version is counted, not taken", Given: after(), By: signing, When: set(policy(func(p *organization.Policy) { p.Version, p.Quorum.N = 77, 3 }), fact.Second{}), Then: []organization.Event{isStrict}},
		{Name: "S8: weaker, by two", Given: after(), By: signing, When: set(weak, requester), Then: []organization.Event{isWeak}},
		{
			Name: "S8: back to the defaults is weaker, too", Given: since(requester.SignedAt.Add(-time.Minute)), By: signing, When: set(organization.DefaultPolicy(), requester),
			Then: []organization.Event{organization.GovernancePolicySet{Policy: relaxed, Old: strict, Reason: "board decision", RequestedBy: requester.ID, AuthorizedBy: member2}},
		},
		{Name: "S8: weaker, with a signature from before the present policy", Given: since(now.Add(-time.Hour)), By: signing, When: set(organization.DefaultPolicy(), requester), Refused: organization.ErrDualControl},
		{
			Name: "S8: weaker, with a signature of the second in which it came into force", Given: since(requester.SignedAt.Add(999 * time.Millisecond)), By: signing,
			When: set(organization.DefaultPolicy(), requester),
			Then: []organization.Event{organization.GovernancePolicySet{Policy: relaxed, Old: strict, Reason: "board decision", RequestedBy: requester.ID, AuthorizedBy: member2}},
		},
		{Name: "S11: weaker, with an old sign-in", Given: after(), By: stale, When: set(weak, requester), Refused: authz.ErrNotSigned},
		{Name: "the same", Given: after(), By: signing, When: set(organization.DefaultPolicy(), requester), Refused: organization.ErrNothingChanges},
		{Name: "for no reason", Given: after(), By: signing, When: organization.SetGovernancePolicy{Policy: strict}, Refused: refusal.Invalid},
		{Name: "by an administrator", Given: after(), By: admin, When: set(strict, fact.Second{}), Refused: authz.ErrRole},
		{Name: "by a process", Given: after(), By: fact.Actor{ID: "p", Kind: fact.Process, At: now}, When: set(strict, fact.Second{}), Refused: authz.ErrRole},
		{Name: "of nobody", By: signing, When: set(strict, fact.Second{}), Refused: organization.ErrNotRegistered},
	}
	for name, second := range notSecond {
		table = append(table, spec{Name: "S8: weaker, with " + name, Given: after(), By: signing, When: set(weak, second), Refused: organization.ErrDualControl})
	}
	for name, c := range map[string]spec{
		"a quorum of nobody":      wrong(func(p *organization.Policy) { p.Quorum.N = 0 }),
		"a quorum of a crowd":     wrong(func(p *organization.Policy) { p.Quorum.N = 21 }),
		"no severity to hold":     wrong(func(p *organization.Policy) { p.AutoHoldSeverity = "" }),
		"an unknown severity":     wrong(func(p *organization.Policy) { p.BreachSeverity = "grave" }),
		"risks for two years":     wrong(func(p *organization.Policy) { p.AcceptanceMaxDays = 366 }),
		"risks for no time":       wrong(func(p *organization.Policy) { p.AcceptanceMaxDays = 0 }),
		"nothing kept":            wrong(func(p *organization.Policy) { p.RetentionYears = 0 }),
		"kept for ever":           wrong(func(p *organization.Policy) { p.RetentionYears = 101 }),
		"sources never suspended": wrong(func(p *organization.Policy) { p.RejectionSuspendThreshold = 0 }),
	} {
		c.Name = name
		table = append(table, c)
	}
	decider.Run(t, table)
}

// Setting a shorter retention shortens nothing that is there (R12).
func TestRetention(t *testing.T) {
	at := func(days int) time.Time { return now.AddDate(0, 0, days) }
	kept := func(day, years int) past {
		by := admin
		by.At = at(day)
		return past{By: by, Event: organization.GovernancePolicySet{Policy: policy(func(p *organization.Policy) { p.RetentionYears = years })}}
	}
	s := decider.Fold(append(after(), kept(10, 20), kept(20, 5), kept(30, 7)))
	for _, c := range []struct{ day, years int }{
		{0, 20}, {9, 20}, {10, 20}, {20, 20}, {21, 7}, {29, 7}, {30, 7}, {100, 7},
	} {
		if got, want := s.RetainedUntil(at(c.day)), at(c.day).AddDate(c.years, 0, 0); !got.Equal(want) {
			t.Errorf("what was recorded on day %d is kept until %v, want %v", c.day, got, want)
		}
	}
	if got, want := decider.Fold(after()).RetainedUntil(now), now.AddDate(10, 0, 0); !got.Equal(want) {
		t.Errorf("by the defaults until %v, want %v", got, want)
	}
}

func TestHolds(t *testing.T) {
	hold := id("hold", 1)
	stream, subject := "strategy-"+strategy1, id("subject", 3)
	place := organization.PlaceLegalHold{
		HoldID: hold, Matter: "Case 7/2026", Basis: "order of the court",
		Scope: organization.HoldScope{Streams: []string{stream, "organization-" + acme, stream}, Subjects: []string{subject}},
	}
	with := func(change func(*organization.PlaceLegalHold)) organization.PlaceLegalHold {
		c := place
		change(&c)
		return c
	}
	placed := organization.LegalHoldPlaced{
		HoldID: hold, Matter: place.Matter, Basis: place.Basis,
		Scope: organization.HoldScope{Streams: []string{"organization-" + acme, stream}, Subjects: []string{subject}},
	}
	everything := organization.LegalHoldPlaced{HoldID: id("hold", 2), Matter: "m", Basis: "b", Scope: organization.HoldScope{Organization: true}}
	release := organization.ReleaseLegalHold{HoldID: hold, Reason: "case closed", Second: requester}
	released := organization.LegalHoldReleased{HoldID: hold, Reason: "case closed", RequestedBy: requester.ID, AuthorizedBy: member2}
	stale := signing
	stale.AuthAt = now.Add(-6 * time.Minute)
	table := []spec{
		{Name: "placed by one officer", Given: after(), By: officer, When: place, Then: []organization.Event{placed}},
		{
			Name: "on all of the organization", Given: after(placed), By: officer,
			When: organization.PlaceLegalHold{HoldID: id("hold", 2), Matter: "m", Basis: "b", Scope: organization.HoldScope{Organization: true, Streams: []string{}}}, Then: []organization.Event{everything},
		},
		{Name: "not under a used id", Given: after(placed), By: officer, When: place, Refused: organization.ErrHoldIDUsed},
		{Name: "not under the id of a released one", Given: after(placed, released), By: officer, When: place, Refused: organization.ErrHoldIDUsed},
		{Name: "not on nothing", Given: after(), By: officer, When: with(func(c *organization.PlaceLegalHold) { c.Scope = organization.HoldScope{} }), Refused: refusal.Invalid},
		{Name: "not on all and something", Given: after(), By: officer, When: with(func(c *organization.PlaceLegalHold) { c.Scope.Organization = true }), Refused: refusal.Invalid},
		{Name: "not on what is no stream", Given: after(), By: officer, When: with(func(c *organization.PlaceLegalHold) { c.Scope.Streams = []string{"events"} }), Refused: refusal.Invalid},
		{Name: "not on what is no subject", Given: after(), By: officer, When: with(func(c *organization.PlaceLegalHold) { c.Scope.Subjects = []string{"Ada"} }), Refused: refusal.Invalid},
		{Name: "not on very much", Given: after(), By: officer, When: with(func(c *organization.PlaceLegalHold) {
			for n := range 1_001 {
				c.Scope.Subjects = append(c.Scope.Subjects, id("subject", n))
			}
		}), Refused: refusal.Invalid},
		{Name: "not without a matter", Given: after(), By: officer, When: with(func(c *organization.PlaceLegalHold) { c.Matter = "" }), Refused: refusal.Invalid},
		{Name: "not without a basis", Given: after(), By: officer, When: with(func(c *organization.PlaceLegalHold) { c.Basis = "" }), Refused: refusal.Invalid},
		{Name: "not by an administrator", Given: after(), By: admin, When: place, Refused: authz.ErrRole},

		{Name: "S8: released by two", Given: after(placed), By: signing, When: release, Then: []organization.Event{released}},
		{Name: "S11: not with an old sign-in", Given: after(placed), By: stale, When: release, Refused: authz.ErrNotSigned},
		{Name: "not what is not held", Given: after(), By: signing, When: release, Refused: organization.ErrNoHold},
		{Name: "not twice", Given: after(placed, released), By: signing, When: release, Refused: organization.ErrNoHold},
		{Name: "not for no reason", Given: after(placed), By: signing, When: organization.ReleaseLegalHold{HoldID: hold, Second: requester}, Refused: refusal.Invalid},
		{Name: "not released by an administrator", Given: after(placed), By: admin, When: release, Refused: authz.ErrRole},
	}
	for name, second := range notSecond {
		c := release
		c.Second = second
		table = append(table, spec{Name: "S8: not with " + name, Given: after(placed), By: signing, When: c, Refused: organization.ErrDualControl})
	}
	decider.Run(t, table)

	t.Run("cover what they name", func(t *testing.T) {
		for _, c := range []struct {
			name            string
			given           []past
			stream, subject string
			want            int
		}{
			{"a stream", after(placed), stream, "", 1},
			{"a subject", after(placed), "", subject, 1},
			{"another stream", after(placed), "strategy-" + strategy2, "", 0},
			{"nothing in particular", after(placed), "", "", 0},
			{"anything under a hold on all", after(placed, everything), "strategy-" + strategy2, "", 1},
			{"both holds", after(placed, everything), stream, "", 2},
			{"nothing once released", after(placed, released), stream, subject, 0},
		} {
			if got := decider.Fold(c.given).HeldBy(c.stream, c.subject); len(got) != c.want {
				t.Errorf("%s: %d holds, want %d", c.name, len(got), c.want)
			}
		}
		h, ok := decider.Fold(after(placed, released)).Hold(hold)
		if !ok || !h.Released || h.PlacedBy != member1 || h.Matter != place.Matter {
			t.Errorf("the released hold is remembered as %+v", h)
		}
	})
}
