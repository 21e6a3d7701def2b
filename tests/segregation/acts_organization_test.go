package segregation

import (
	"math/rand/v2"
	"slices"
	"time"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/severity"
)

// act is one kind of thing that somebody tries.
type act struct {
	name   string
	weight int
	try    func(w *world, r *rand.Rand) error
}

var organizationActs = []act{
	{"enrol", 4, (*world).enrolSomebody},
	{"grant", 8, (*world).grantSomething},
	{"revoke", 3, (*world).revokeSomething},
	{"offboard", 1, (*world).offboardSomebody},
	{"come back", 2, (*world).comeBack},
	{"policy", 2, (*world).setPolicy},
	{"place hold", 1, (*world).placeHold},
	{"release hold", 2, (*world).releaseHold},
	{"erase", 3, (*world).erase},
}

func (w *world) govern(r *rand.Rand, name string, call command.Call, c organization.Command) error {
	return w.attempt(r, name, call, func(p *command.Commands, call command.Call) error {
		_, err := p.Organizations.Execute(w.ctx, call, w.org, c)
		return err
	})
}

// enrolSomebody enrols a new person, or one that was here before: under the
// same subject, the same login, or both; also with those of two different people.
func (w *world) enrolSomebody(r *rand.Rand) error {
	call := w.as(r, w.with(r, authz.Administrator, ""))
	left := func(m *member) bool { return m.left != nil && !m.service }
	kind, sin := organization.Person, r.IntN(8)
	c := w.newMember(kind)
	switch again, other := pick(r, w.ledger.members, left), w.member(r, nil); {
	case sin == 0:
		c = w.newMember(organization.Service)
	case again == "" || sin == 1:
	case sin < 5: // the same person under a new id
		c = w.enrolment(w.ledger.members[again].subject, w.logins[again], kind)
	case sin < 7: // with another login
		c = w.enrolment(w.ledger.members[again].subject, "another-"+w.logins[c.MemberID], kind)
	default: // with somebody else's
		c = w.enrolment(w.ledger.members[again].subject, w.logins[other], kind)
	}
	return w.govern(r, "enrol-member", call, c)
}

// grantSomething mostly gives a role that is scarce to somebody who may have it.
func (w *world) grantSomething(r *rand.Rand) error {
	roles := authz.Grantable()
	holders := func(role string) (n int) {
		for id := range w.ledger.members {
			if w.has(id, role, "") {
				n++
			}
		}
		return n
	}
	role := roles[r.IntN(len(roles))]
	if odds(r, 60) {
		role = slices.MinFunc(roles, func(a, b string) int { return holders(a) - holders(b) })
		if role == authz.Integrator || role == authz.Viewer {
			role = authz.Approver
		}
	}
	to := w.member(r, func(m *member) bool {
		for _, g := range w.ledger.grants {
			if g.member == m.id && g.present(time.Now()) && authz.Between(g.role, role) != authz.None {
				return false
			}
		}
		return true
	})
	if to == "" || odds(r, 25) {
		to = w.member(r, nil)
	}
	by := w.with(r, authz.Administrator, "", to)
	if odds(r, 5) {
		to = by
	}
	c := organization.GrantRole{GrantID: w.newID(), MemberID: to, Role: role, Scope: organization.Scope{All: true}}
	if odds(r, 25) {
		at := time.Now().Add(time.Duration(1+r.IntN(72)) * time.Hour)
		c.ExpiresAt = &at
	}
	if id := pick(r, w.ledger.strategies, nil); id != "" && authz.Limitable(role) && odds(r, 30) {
		c.Scope = organization.Scope{StrategyIDs: []string{id}}
	}
	return w.govern(r, "grant-role", w.as(r, by), c)
}

func (w *world) revokeSomething(r *rand.Rand) error {
	few := odds(r, 30) // those who must not all go
	id := pick(r, w.ledger.grants, func(g *grant) bool {
		return g.revoked == nil && (!few || g.role == authz.Administrator || g.role == authz.ComplianceOfficer)
	})
	of := w.ledger.grants[id].member
	call := w.as(r, w.with(r, authz.Administrator, "", of))
	if over := pick(r, w.ledger.grants, func(g *grant) bool { return g.revoked == nil && !g.present(time.Now()) }); over != "" && odds(r, 50) {
		id, of = over, w.ledger.grants[over].member
		call = w.call(command.ProcessPrincipal(w.org, "deadlines"))
	}
	return w.govern(r, "revoke-role", call, organization.RevokeRole{MemberID: of, GrantIDs: []string{id}, Reason: "r"})
}

func (w *world) offboardSomebody(r *rand.Rand) error {
	of := w.member(r, nil)
	by := w.with(r, authz.Administrator, "", of)
	return w.govern(r, "offboard-member", w.as(r, by), organization.OffboardMember{MemberID: of, Reason: "r"})
}

// comeBack has somebody leave and come back under a new member id, in a role in
// which they could judge what they did before.
func (w *world) comeBack(r *rand.Rand) error {
	of := w.member(r, func(m *member) bool { return w.concerned(m.id) })
	if of == "" {
		return w.offboardSomebody(r)
	}
	admin := w.with(r, authz.Administrator, "", of)
	c := w.enrolment(w.ledger.members[of].subject, w.logins[of], organization.Person)
	roles := []string{authz.Approver, authz.ComplianceOfficer, authz.Auditor, authz.RiskAcceptor}
	for _, next := range []struct {
		name string
		organization.Command
	}{
		{"offboard-member", organization.OffboardMember{MemberID: of, Reason: "r"}},
		{"enrol-member", c},
		{"grant-role", organization.GrantRole{GrantID: w.newID(), MemberID: c.MemberID, Role: roles[r.IntN(len(roles))], Scope: organization.Scope{All: true}}},
	} {
		if err := w.govern(r, next.name, w.call(w.person(admin)), next.Command); err != nil {
			return err
		}
	}
	return nil
}

// concerned says whether there is something that a member must not judge.
func (w *world) concerned(memberID string) bool {
	for _, p := range w.ledger.strategies {
		if p.working != nil && slices.Contains(w.ledger.authors(p), memberID) {
			return true
		}
	}
	for _, d := range w.ledger.findings {
		if d.stage != "closed" && (slices.Contains(d.owners, memberID) || d.raisedBy == memberID) {
			return true
		}
	}
	return false
}

// second has another member with a role countersign.
func (w *world) second(r *rand.Rand, c command.Call, by, role, strategyID string, not ...string) command.Call {
	return w.countersign(r, c, w.with(r, role, strategyID, append(not, by)...))
}

func (w *world) setPolicy(r *rand.Rand) error {
	p := organization.DefaultPolicy()
	p.Quorum.N = 1 + r.IntN(3)
	p.Quorum.ComplianceRequired = odds(r, 70)
	p.AutoResume = odds(r, 40)
	p.AutoHoldSeverity = []severity.Severity{severity.Medium, severity.High, severity.Critical}[r.IntN(3)]
	p.AcceptanceMaxDays = 30 + 100*r.IntN(4)
	by := w.with(r, authz.ComplianceOfficer, "")
	call := w.second(r, w.as(r, by), by, authz.ComplianceOfficer, "")
	return w.govern(r, "set-governance-policy", call, organization.SetGovernancePolicy{Policy: p, Reason: "r"})
}

func (w *world) placeHold(r *rand.Rand) error {
	return w.govern(r, "place-legal-hold", w.as(r, w.with(r, authz.ComplianceOfficer, "")), organization.PlaceLegalHold{
		HoldID: w.newID(), Matter: "m", Basis: "b", Scope: organization.HoldScope{Organization: true},
	})
}

func (w *world) releaseHold(r *rand.Rand) error {
	id := pick(r, w.ledger.holds, func(placed bool) bool { return placed })
	if id == "" {
		return w.placeHold(r)
	}
	by := w.with(r, authz.ComplianceOfficer, "")
	call := w.second(r, w.as(r, by), by, authz.ComplianceOfficer, "")
	return w.govern(r, "release-legal-hold", call, organization.ReleaseLegalHold{HoldID: id, Reason: "r"})
}

// erase is mostly of somebody who has left, and sometimes of who has not.
func (w *world) erase(r *rand.Rand) error {
	if held := pick(r, w.ledger.holds, func(placed bool) bool { return placed }); held != "" && r.IntN(5) > 0 {
		return w.releaseHold(r)
	}
	enrolled := map[string]bool{}
	for _, m := range w.ledger.members {
		enrolled[m.subject] = enrolled[m.subject] || m.left == nil
	}
	sin := r.IntN(6) == 0
	id := pick(r, w.ledger.members, func(m *member) bool { return !m.service && (sin || !enrolled[m.subject]) })
	if id == "" {
		return w.offboardSomebody(r)
	}
	by := w.with(r, authz.ComplianceOfficer, "")
	call := w.second(r, w.as(r, by), by, authz.ComplianceOfficer, "")
	subject := w.ledger.members[id].subject
	return w.attempt(r, "erase-personal-data", call, func(p *command.Commands, call command.Call) error {
		done, err := p.Erasure.Erase(w.ctx, call, command.ErasureRequest{SubjectID: subject, Basis: "b"})
		if err == nil && done.Position == 0 {
			return errNothingNew
		}
		return err
	})
}
