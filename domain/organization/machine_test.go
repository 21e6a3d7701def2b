package organization_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/organization"
)

func TestNoSequenceOfCommandsBreaksTheRules(t *testing.T) {
	members := rapid.SampledFrom([]string{member1, member2, member3, member4, id("member", 5), "", "x"})
	grants := rapid.SampledFrom([]string{grant1, grant2, grant3, grant4, id("grant", 5), id("grant", 6), id("grant", 7), ""})
	roles := rapid.SampledFrom(append(authz.Grantable(), authz.Administrator, authz.ComplianceOfficer, authz.Operator, ""))
	scopes := rapid.SampledFrom([]organization.Scope{all, all, first, second, {}})
	accepted, counts := 0, map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		s := decider.Fold(after())
		clock := now
		for range rapid.SampledFrom([]int{60, 30, 10}).Draw(t, "steps") {
			clock = clock.Add(time.Duration(rapid.IntRange(0, 36).Draw(t, "hours")) * time.Hour)
			by := fact.Actor{ID: members.Draw(t, "by"), Kind: fact.Person, At: clock, Roles: []string{authz.Administrator}}
			var c organization.Command
			switch n := rapid.IntRange(1, 6).Draw(t, "person"); rapid.IntRange(0, 9).Draw(t, "command") {
			case 0:
				e := organization.EnrolMember(enrolled(n))
				e.MemberID = members.Draw(t, "member")
				c = e
			case 1, 2, 3:
				g := organization.GrantRole{GrantID: grants.Draw(t, "grant"), MemberID: members.Draw(t, "member"), Role: roles.Draw(t, "role"), Scope: scopes.Draw(t, "scope")}
				if at := clock.Add(time.Duration(rapid.IntRange(-5, 90).Draw(t, "expires")) * time.Hour); rapid.Bool().Draw(t, "expiring") {
					g.ExpiresAt = &at
				}
				c = g
			case 4:
				c = organization.RevokeRole{MemberID: members.Draw(t, "member"), GrantIDs: rapid.SliceOfN(grants, 0, 2).Draw(t, "grants"), Reason: "r"}
			case 5:
				c = organization.OffboardMember{MemberID: members.Draw(t, "member"), Reason: "r"}
			case 6, 7, 8:
				by.Roles = []string{authz.ComplianceOfficer}
				by.AuthAt = clock.Add(-time.Duration(rapid.IntRange(0, 6).Draw(t, "signed in")) * time.Minute)
				other := fact.Second{
					ID: members.Draw(t, "second"), Kind: rapid.SampledFrom([]fact.Kind{fact.Person, fact.Person, fact.Source}).Draw(t, "kind"),
					Roles: rapid.SampledFrom([][]string{{authz.ComplianceOfficer}, {authz.ComplianceOfficer}, nil}).Draw(t, "roles"), SignedAt: clock, AuthAt: clock,
				}
				hold := id("hold", rapid.IntRange(1, 3).Draw(t, "hold"))
				switch rapid.IntRange(0, 3).Draw(t, "governance") {
				case 3:
					c = organization.ErasePersonalData{
						RequestID: id("request", 1), SubjectID: id("subject", rapid.IntRange(1, 6).Draw(t, "subject")), Basis: "b", Second: other,
						Found: organization.PersonalData{
							Streams: rapid.SampledFrom([][]string{{"strategy-" + strategy1}, {"strategy-" + strategy1}, nil}).Draw(t, "streams"),
							Signed:  rapid.SampledFrom([][]time.Time{nil, nil, {clock}, {clock.AddDate(-30, 0, 0)}}).Draw(t, "signed"),
							KeyIDs:  rapid.SampledFrom([][]string{nil, {id("document", 1)}, {id("document", 2), id("document", 1)}}).Draw(t, "keys"),
							NoCopy:  rapid.SampledFrom([][]string{nil, nil, nil, {"hash"}}).Draw(t, "no copy"),
						},
					}
				case 0:
					p := organization.DefaultPolicy()
					p.Quorum.N, p.RetentionYears = rapid.IntRange(0, 4).Draw(t, "quorum"), rapid.IntRange(1, 20).Draw(t, "years")
					c = organization.SetGovernancePolicy{Policy: p, Reason: "r", Second: other}
				case 1:
					c = organization.PlaceLegalHold{HoldID: hold, Matter: "m", Basis: "b", Scope: organization.HoldScope{Organization: true}}
				case 2:
					c = organization.ReleaseLegalHold{HoldID: hold, Reason: "r", Second: other}
				}
			}
			events, err := organization.Decide(s, by, c)
			again, errAgain := organization.Decide(s, by, c)
			if diff := cmp.Diff(events, again); diff != "" || fmt.Sprint(err) != fmt.Sprint(errAgain) {
				t.Fatalf("deciding twice differs: %s %v %v", diff, err, errAgain)
			}
			if err != nil {
				var f *fault.Fault
				if !errors.As(err, &f) || f.Rule == "" || f.Detail == "" || len(events) > 0 {
					t.Fatalf("%T is refused by %v with %d events", c, err, len(events))
				}
				continue
			}
			accepted++
			for _, e := range events {
				switch e := e.(type) {
				case organization.RoleGranted:
					if e.MemberID == by.ID {
						t.Fatal("somebody granted their own role")
					}
				case organization.RoleRevoked:
					if e.MemberID == by.ID {
						t.Fatal("somebody revoked their own role")
					}
				case organization.GovernancePolicySet:
					retained := s.RetainedUntil(now)
					switch weaker := len(e.Policy.Weaker(s.Policy())) > 0; {
					case e.Old != s.Policy() || e.Version != s.Policy().Version+1:
						t.Fatalf("policy %+v follows %+v", e, s.Policy())
					case weaker != (e.RequestedBy != "") || (weaker && !dual(c.(organization.SetGovernancePolicy).Second, by, e.RequestedBy, e.AuthorizedBy)):
						t.Fatalf("policy %+v, requested by %+v", e, c)
					case s.Apply(by, e).RetainedUntil(now).Before(retained):
						t.Fatal("a policy shortened what is kept")
					}
				case organization.LegalHoldReleased:
					if !dual(c.(organization.ReleaseLegalHold).Second, by, e.RequestedBy, e.AuthorizedBy) {
						t.Fatalf("released by one person: %+v", e)
					}
				case organization.PersonalDataErased:
					mayBeErased(t, s, by, c.(organization.ErasePersonalData), e)
				}
				counts[fmt.Sprintf("%T", e)]++
				s = s.Apply(by, e)
			}
			holdsAlways(t, s, clock)
		}
	})
	if accepted < 50 {
		t.Errorf("only %d commands were accepted: the test shows little", accepted)
	}
	for _, e := range []string{"organization.RoleGranted", "organization.RoleRevoked", "organization.GovernancePolicySet", "organization.LegalHoldPlaced", "organization.LegalHoldReleased", "organization.PersonalDataErased"} {
		if counts[e] == 0 {
			t.Errorf("no sequence got as far as %s: the test shows nothing about it", e)
		}
	}
}

// dual says whether two persons with the right stand behind an event (S8).
func dual(second fact.Second, by fact.Actor, requestedBy, authorizedBy string) bool {
	return requestedBy == second.ID && authorizedBy == by.ID && requestedBy != authorizedBy && requestedBy != "" &&
		second.Kind == fact.Person && slices.Contains(second.Roles, authz.ComplianceOfficer) && by.At.Sub(by.AuthAt) <= 5*time.Minute
}

// mayBeErased checks what is true of every erasure: two persons, no hold, nobody
// who is a member or whose signature is kept, and no key twice.
func mayBeErased(t *rapid.T, s organization.State, by fact.Actor, c organization.ErasePersonalData, e organization.PersonalDataErased) {
	if !dual(c.Second, by, e.RequestedBy, e.AuthorizedBy) {
		t.Fatalf("erased by one person: %+v", e)
	}
	if len(s.Holds()) > 0 { // all of them are on everything here
		t.Fatalf("erased under a hold: %+v", s.Holds())
	}
	for _, m := range s.MembersOf(e.SubjectID) {
		if !m.Offboarded {
			t.Fatalf("erased while a member: %+v", m)
		}
	}
	for _, at := range c.Found.Signed {
		if until := s.RetainedUntil(at); until.After(by.At) {
			t.Fatalf("erased with a signature of %v, kept until %v", at, until)
		}
	}
	before, _ := s.Erased(e.SubjectID)
	after, erased := s.Apply(by, e).Erased(e.SubjectID)
	if !erased || len(e.KeyIDs) == 0 || len(slices.Compact(slices.Sorted(slices.Values(after)))) != len(before)+len(e.KeyIDs) {
		t.Fatalf("after %v erased %v, which is remembered as %v", before, e.KeyIDs, after)
	}
}

// holdsAlways checks what is true of an organization at any time: somebody
// administers it and answers for compliance, nobody holds conflicting roles.
func holdsAlways(t *rapid.T, s organization.State, at time.Time) {
	later := at.AddDate(100, 0, 0)
	holders := map[string]int{}
	identities := map[string]string{}
	for n := range 6 {
		m, ok := s.Member(id("member", n))
		if !ok || m.Offboarded {
			continue
		}
		if other, taken := identities[m.ExternalIDHash]; taken {
			t.Fatalf("members %s and %s have one identity", m.ID, other)
		}
		identities[m.ExternalIDHash] = m.ID
		if found, ok := s.MemberByIdentity(m.ExternalIDHash); !ok || found.ID != m.ID {
			t.Fatalf("member %s is not found by identity", m.ID)
		}
		for _, r := range s.RolesAt(m.ID, later, "") {
			holders[r]++
		}
		for _, where := range []string{"", strategy1, strategy2} {
			held := s.RolesAt(m.ID, at, where)
			for i, a := range held {
				for _, b := range held[i+1:] {
					if authz.Between(a, b) != authz.None {
						t.Fatalf("member %s is %s and %s on %q", m.ID, a, b, where)
					}
				}
			}
		}
	}
	if holders[authz.Administrator] == 0 || holders[authz.ComplianceOfficer] == 0 {
		t.Fatalf("nobody is left to administer or to answer for compliance: %v", holders)
	}
}
