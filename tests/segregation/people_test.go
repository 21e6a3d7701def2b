package segregation

import (
	"fmt"
	"slices"
	"time"
)

// people are the members of an organization, their roles, and the policies.
type people struct {
	members  map[string]*member
	grants   map[string]*grant
	policies []policy
	holds    map[string]bool   // legal holds: in place or not
	signers  map[string]bool   // members who have signed or countersigned something
	parent   map[string]string // of subjects and identities, towards who they all are
}

type member struct {
	id, subject, identity string
	service               bool
	left                  *moment
}

type grant struct {
	moment
	id, member, role string
	all              bool
	strategies       []string
	expires          *time.Time
	revoked          *moment
}

type policy struct {
	since moment
	terms terms
}

type terms struct {
	Version int `json:"version"`
	Quorum  struct {
		N                  int  `json:"n"`
		ComplianceRequired bool `json:"complianceRequired"`
	} `json:"quorum"`
	AutoHoldSeverity          string `json:"autoHoldSeverity"`
	AutoResume                bool   `json:"autoResume"`
	BreachSeverity            string `json:"breachSeverity"`
	AcceptanceMaxDays         int    `json:"acceptanceMaxDays"`
	RetentionYears            int    `json:"retentionYears"`
	RejectionSuspendThreshold int    `json:"rejectionSuspendThreshold"`
}

var severities = []string{"", "low", "medium", "high", "critical"}

func rank(severity string) int { return slices.Index(severities, severity) }

// weaker says whether t asks for less than o in any member.
func (t terms) weaker(o terms) bool {
	return t.Quorum.N < o.Quorum.N || (o.Quorum.ComplianceRequired && !t.Quorum.ComplianceRequired) ||
		rank(t.AutoHoldSeverity) > rank(o.AutoHoldSeverity) || (t.AutoResume && !o.AutoResume) ||
		rank(t.BreachSeverity) < rank(o.BreachSeverity) || t.AcceptanceMaxDays > o.AcceptanceMaxDays ||
		t.RetentionYears < o.RetentionYears || t.RejectionSuspendThreshold > o.RejectionSuspendThreshold
}

func defaultTerms() terms {
	t := terms{
		Version: 1, AutoHoldSeverity: "critical", BreachSeverity: "medium",
		AcceptanceMaxDays: 365, RetentionYears: 10, RejectionSuspendThreshold: 100,
	}
	t.Quorum.N, t.Quorum.ComplianceRequired = 2, true
	return t
}

// root is who a subject or an identity is known to be: all that any enrolment
// has put together is one person.
func (p *people) root(of string) string {
	for {
		up, ok := p.parent[of]
		if !ok {
			return of
		}
		of = up
	}
}

// samePerson says whether two member ids, present or past, are one person.
func (p *people) samePerson(a, b string) bool {
	x, y := p.members[a], p.members[b]
	if x == nil || y == nil {
		return a == b
	}
	return p.root("subject "+x.subject) == p.root("subject "+y.subject)
}

// among says whether the person behind a member id is one of those.
func (p *people) among(id string, ids []string) bool {
	return slices.ContainsFunc(ids, func(o string) bool { return p.samePerson(id, o) })
}

func (g *grant) covers(strategyID string) bool {
	return g.all || (strategyID != "" && slices.Contains(g.strategies, strategyID))
}

// held says whether a member may have held a role when e was decided (S13):
// not expired, and not taken away so that the deciding process had to know.
func (p *people) held(e entry, memberID, role, strategyID string) bool {
	for _, g := range p.grants {
		if g.member == memberID && g.role == role && g.covers(strategyID) && p.live(e, g) {
			return true
		}
	}
	return false
}

// heldAnywhere is held for whatever strategy.
func (p *people) heldAnywhere(e entry, memberID, role string) bool {
	for _, g := range p.grants {
		if g.member == memberID && g.role == role && p.live(e, g) {
			return true
		}
	}
	return false
}

func (p *people) live(e entry, g *grant) bool {
	m := p.members[g.member]
	return (g.expires == nil || e.at.Before(*g.expires)) && (g.revoked == nil || !e.known(*g.revoked)) &&
		m != nil && (m.left == nil || !e.known(*m.left))
}

// present says whether the grant counts at an instant, as the log has it.
func (g *grant) present(at time.Time) bool {
	return g.revoked == nil && (g.expires == nil || at.Before(*g.expires))
}

// terms that may have been in force when e was decided, the newest first.
func (p *people) inForce(e entry) []terms {
	var all []terms
	for _, candidate := range slices.Backward(p.policies) {
		all = append(all, candidate.terms)
		if e.known(candidate.since) {
			break
		}
	}
	return all
}

// governed judges and adds what happens in the organization itself.
func (l *ledger) governed(e entry) error {
	switch e.typ {
	case "organization.registered":
		l.policies = []policy{{e.moment, defaultTerms()}}
	case "organization.member-enrolled":
		return l.enrolled(e)
	case "organization.role-granted":
		return l.granted(e)
	case "organization.role-revoked":
		return l.revoked(e)
	case "organization.governance-policy-set":
		return l.policySet(e)
	case "organization.legal-hold-placed":
		b, err := body[struct{ HoldID string }](e)
		if _, used := l.holds[b.HoldID]; err == nil && used {
			err = fmt.Errorf("legal hold %s is placed again", b.HoldID)
		}
		l.holds[b.HoldID] = true
		return err
	case "organization.legal-hold-released":
		b, err := body[struct{ HoldID, RequestedBy, AuthorizedBy string }](e)
		if err != nil {
			return err
		}
		if !l.holds[b.HoldID] {
			return fmt.Errorf("legal hold %s is not in place", b.HoldID)
		}
		l.holds[b.HoldID] = false
		return l.dual(e, b.RequestedBy, b.AuthorizedBy)
	case "organization.personal-data-erased":
		return l.personalDataErased(e)
	default:
		return fmt.Errorf("nobody judges it")
	}
	return nil
}

func (l *ledger) enrolled(e entry) error {
	b, err := body[struct{ MemberID, SubjectID, ExternalIDHash, Kind string }](e)
	if err != nil {
		return err
	}
	if l.members[b.MemberID] != nil {
		return fmt.Errorf("member id %s is used again", b.MemberID)
	}
	m := &member{id: b.MemberID, subject: b.SubjectID, identity: b.ExternalIDHash, service: b.Kind == "service"}
	l.members[m.id] = m
	if s, i := l.root("subject "+m.subject), l.root("identity "+m.identity); s != i {
		l.parent[s] = i
	}
	for _, o := range l.members {
		if o != m && o.left == nil && l.samePerson(o.id, m.id) {
			return fmt.Errorf("one person is enrolled at the same time as %s and %s", o.id, m.id)
		}
	}
	return nil
}

// dual holds S8: two compliance officers, the one who asked and the one who
// gave the command, both just signed in.
func (l *ledger) dual(e entry, requestedBy, authorizedBy string) error {
	if authorizedBy != e.meta.Actor.ID {
		return fmt.Errorf("S8: authorized by %s", authorizedBy)
	}
	if err := l.countersigned(e, "S8", requestedBy, "compliance_officer", ""); err != nil {
		return err
	}
	return l.freshPerson(e)
}

// personalDataErased judges R12, R13 and S8: nobody is erased under a hold (all
// are on everything here), while they are a member, or with a signature of theirs
// that is kept: nothing here is old enough for its retention to have ended.
func (l *ledger) personalDataErased(e entry) error {
	b, err := body[struct{ SubjectID, RequestedBy, AuthorizedBy string }](e)
	if err != nil {
		return err
	}
	for id, placed := range l.holds {
		if placed {
			return fmt.Errorf("R13: erased under legal hold %s", id)
		}
	}
	for id, m := range l.members {
		switch {
		case m.subject != b.SubjectID:
		case m.left == nil:
			return fmt.Errorf("member %s is erased", id)
		case l.signers[id]:
			return fmt.Errorf("R12: member %s has signed, and is erased", id)
		}
	}
	return l.dual(e, b.RequestedBy, b.AuthorizedBy)
}

func (l *ledger) policySet(e entry) error {
	b, err := body[struct {
		terms
		Old                       terms
		RequestedBy, AuthorizedBy string
	}](e)
	if err != nil {
		return err
	}
	old := l.policies[len(l.policies)-1].terms
	if b.Old != old || b.Version != old.Version+1 {
		return fmt.Errorf("the policy before was %+v, not %+v", old, b.Old)
	}
	l.policies = append(l.policies, policy{e.moment, b.terms})
	if b.weaker(old) {
		return l.dual(e, b.RequestedBy, b.AuthorizedBy)
	}
	return nil
}
