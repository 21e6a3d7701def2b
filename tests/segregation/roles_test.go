package segregation

import (
	"fmt"
	"slices"
	"strings"
)

// may is the table of roles as the design has it (domain.md §5.1, §6.7), by
// what they can make happen.
var may = map[string][]string{
	"organization.registered":            {"operator"},
	"organization.member-enrolled":       {"administrator", "operator"},
	"organization.role-granted":          {"administrator", "operator"},
	"organization.role-revoked":          {"administrator", "process"},
	"organization.governance-policy-set": {"compliance_officer"},
	"organization.legal-hold-placed":     {"compliance_officer"},
	"organization.legal-hold-released":   {"compliance_officer"},
	"organization.personal-data-erased":  {"compliance_officer"},

	"strategy.drafted":              {"strategy_author"},
	"strategy.goal-added":           {"strategy_author"},
	"strategy.objective-added":      {"strategy_author"},
	"strategy.plan-element-amended": {"strategy_author"},
	"strategy.plan-element-retired": {"strategy_author"},
	"strategy.submitted":            {"strategy_author"},
	"strategy.changes-requested":    {"strategy_approver", "compliance_officer"},
	"strategy.approval-given":       {"strategy_approver", "compliance_officer"},
	"strategy.activated":            {"compliance_officer"},
	"strategy.revision-opened":      {"strategy_author"},
	"strategy.revision-withdrawn":   {"strategy_author", "compliance_officer", "process"}, // closing withdraws, too
	"strategy.put-on-hold":          {"compliance_officer", "process"},
	"strategy.resumed":              {"compliance_officer", "process"},
	"strategy.closed":               {"compliance_officer", "process"},
	"strategy.period-attested":      {"strategy_approver"},

	"indicator.defined":               {"strategy_author"},
	"indicator.redefined":             {"strategy_author", "process"}, // relinking by a succession
	"indicator.target-set":            {"strategy_author"},
	"indicator.retired":               {"strategy_author", "process"},
	"indicator.measurement-recorded":  {"indicator_owner", "integrator", "process"},
	"indicator.measurement-corrected": {"indicator_owner", "integrator"},
	"indicator.measurement-voided":    {"indicator_owner", "integrator"},

	"finding.raised":                {"auditor", "compliance_officer", "process"},
	"finding.assigned":              {"auditor", "compliance_officer", "process"},
	"finding.reclassified":          {"auditor", "compliance_officer"},
	"finding.remediation-planned":   {"indicator_owner", "data_steward"}, // stewards: of what is about a source
	"finding.remediation-submitted": {"indicator_owner", "data_steward"},
	"finding.risk-accepted":         {"risk_acceptor"},
	"finding.returned":              {"auditor", "compliance_officer", "process"},
	"finding.closed":                {"auditor", "compliance_officer"},

	"evidence.registered": {"strategy_author", "indicator_owner", "auditor", "compliance_officer", "data_steward", "process"},
	"evidence.linked":     {"strategy_author", "indicator_owner", "auditor", "compliance_officer", "data_steward", "process"},

	"source.registered":      {"data_steward"},
	"source.status-changed":  {"data_steward", "process"},
	"source.ingest-rejected": {"process", "integrator"},
}

// conflicts are the roles that no person holds together (S4); author and
// approver only where their scopes meet.
var conflicts = [][2]string{
	{"administrator", "strategy_author"},
	{"administrator", "strategy_approver"},
	{"administrator", "compliance_officer"},
	{"administrator", "indicator_owner"},
	{"administrator", "auditor"},
	{"administrator", "risk_acceptor"},
	{"administrator", "data_steward"},
	{"auditor", "strategy_author"},
	{"auditor", "strategy_approver"},
	{"auditor", "indicator_owner"},
	{"auditor", "data_steward"},
	{"auditor", "risk_acceptor"},
	{"auditor", "compliance_officer"},
	{"strategy_author", "strategy_approver"},
}

// mayAct judges who made an event happen: enrolled, with a role for it at that
// time (S13), recorded as what they are.
func (l *ledger) mayAct(e entry) error {
	if e.typ == "indicator.health-changed" {
		return nil // goes with its cause
	}
	allowed := may[e.typ]
	if len(allowed) == 0 {
		return fmt.Errorf("nobody may do this")
	}
	by := e.meta.Actor
	switch by.Kind {
	case "process":
		if !slices.Contains(allowed, "process") {
			return fmt.Errorf("S12: no process may")
		}
		return nil
	case "source":
		if !slices.Contains(allowed, "integrator") {
			return fmt.Errorf("S12: no source may")
		}
		return nil
	}
	if slices.Contains(by.Roles, "operator") {
		if !slices.Contains(allowed, "operator") || len(l.members) > 2 {
			return fmt.Errorf("the operator has no right inside")
		}
		return nil
	}
	m := l.members[by.ID]
	if m == nil || m.service || (m.left != nil && e.known(*m.left)) {
		return fmt.Errorf("S13: no person enrolled here")
	}
	for _, r := range by.Roles {
		if !l.heldAnywhere(e, by.ID, r) {
			return fmt.Errorf("S13: said to be %s without a grant", r)
		}
	}
	where := l.scopes(e)
	for _, role := range allowed {
		if d := l.findings[e.id]; role == "data_steward" && d != nil && !d.aboutSource() {
			continue
		}
		if !slices.ContainsFunc(where, func(id string) bool {
			return !(id == anyScope && l.heldAnywhere(e, by.ID, role)) && !l.held(e, by.ID, role, id)
		}) {
			return nil
		}
	}
	return fmt.Errorf("S13: none of %s for %s", strings.Join(allowed, ", "), strings.Join(where, " and "))
}

// anyScope stands for whatever strategies a grant is limited to.
const anyScope = "any strategy"

// scopes are the strategies for all of which the actor needs the role.
func (l *ledger) scopes(e entry) []string {
	kind, _, _ := strings.Cut(e.typ, ".")
	switch kind {
	case "strategy":
		return []string{e.id}
	case "indicator":
		if b, err := body[struct{ StrategyID string }](e); err == nil && b.StrategyID != "" {
			return []string{b.StrategyID}
		}
		ids := []string{l.indicators[e.id].strategy}
		if to := movedTo(e); to != "" {
			ids = append(ids, to)
		}
		return ids
	case "finding":
		d := l.findings[e.id]
		if d == nil {
			b, _ := body[struct{ Subjects []subject }](e)
			d = &deviation{subjects: b.Subjects}
		}
		return d.strategies()
	case "evidence":
		return []string{anyScope}
	}
	return []string{""}
}

// granted judges S4 and S5.
func (l *ledger) granted(e entry) error {
	b, err := body[struct {
		GrantID, MemberID, Role string
		Scope                   struct {
			All         bool
			StrategyIDs []string
		}
		ExpiresAt *string
	}](e)
	if err != nil {
		return err
	}
	g := &grant{moment: e.moment, id: b.GrantID, member: b.MemberID, role: b.Role, all: b.Scope.All, strategies: b.Scope.StrategyIDs}
	if b.ExpiresAt != nil {
		at, err := parseTime(*b.ExpiresAt)
		if err != nil {
			return err
		}
		g.expires = &at
	}
	m := l.members[g.member]
	switch {
	case m == nil || m.left != nil:
		return fmt.Errorf("granted to nobody who is enrolled")
	case l.grants[g.id] != nil:
		return fmt.Errorf("grant id %s is used again", g.id)
	case l.samePerson(e.meta.Actor.ID, g.member):
		return fmt.Errorf("S5: %s grants %s to themselves", e.meta.Actor.ID, g.role)
	case m.service && g.role != "integrator" && g.role != "viewer", !m.service && g.role == "integrator":
		return fmt.Errorf("S4: %s is no role for this member", g.role)
	}
	for _, o := range l.grants {
		if l.samePerson(o.member, g.member) && o.present(e.at) && conflict(o, g) {
			return fmt.Errorf("S4: the person is %s by grant %s, and now %s", o.role, o.id, g.role)
		}
	}
	l.grants[g.id] = g
	return nil
}

func conflict(a, b *grant) bool {
	for _, c := range conflicts {
		if (c == [2]string{a.role, b.role} || c == [2]string{b.role, a.role}) &&
			(c != [2]string{"strategy_author", "strategy_approver"} || a.all || b.all || slices.ContainsFunc(a.strategies, b.covers)) {
			return true
		}
	}
	return false
}

// revoked judges S5: not one's own, and never the last of those who must stay.
func (l *ledger) revoked(e entry) error {
	b, err := body[struct {
		GrantIDs    []string
		MemberID    string
		Offboarding bool
	}](e)
	if err != nil {
		return err
	}
	if l.samePerson(e.meta.Actor.ID, b.MemberID) {
		return fmt.Errorf("S5: %s takes their own roles", e.meta.Actor.ID)
	}
	at := e.moment
	for _, id := range b.GrantIDs {
		g := l.grants[id]
		if g == nil || g.member != b.MemberID || g.revoked != nil {
			return fmt.Errorf("there is no grant %s of %s to take", id, b.MemberID)
		}
		if e.meta.Actor.Kind == "process" && (g.expires == nil || e.at.Before(*g.expires) || b.Offboarding) {
			return fmt.Errorf("S12: a process takes grant %s, which has not expired", id)
		}
		g.revoked = &at
	}
	if b.Offboarding {
		l.members[b.MemberID].left = &at
		for _, g := range l.grants {
			if g.member == b.MemberID && g.revoked == nil {
				return fmt.Errorf("S13: grant %s outlives its member", g.id)
			}
		}
	}
	for _, role := range []string{"administrator", "compliance_officer"} {
		lasting := false
		for _, g := range l.grants {
			lasting = lasting || (g.role == role && g.revoked == nil && g.expires == nil && l.members[g.member].left == nil)
		}
		if !lasting {
			return fmt.Errorf("S5: the last %s is gone", role)
		}
	}
	return nil
}
