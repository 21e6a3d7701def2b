package segregation

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/strategy"
)

var findingActs = []act{
	{"drive", 30, (*world).driveFinding},
	{"raise", 6, (*world).raise},
	{"reclassify", 3, (*world).reclassify},
	{"accept", 6, (*world).acceptSomeRisk},
	{"return", 3, (*world).giveBack},
	{"dismiss", 2, (*world).dismiss},
	{"evidence", 4, (*world).registerEvidence},
	{"link", 2, (*world).link},
	{"hold for a finding", 3, (*world).holdForFinding},
}

// machine is a principal that is nobody's.
func (w *world) machine(r *rand.Rand) command.Principal {
	if id := pick(r, w.ledger.sources, nil); id != "" && odds(r, 50) {
		return command.SourcePrincipal(w.org, uuid.MustParse(id))
	}
	return command.ProcessPrincipal(w.org, "breach")
}

func (w *world) find(r *rand.Rand, name, id string, call command.Call, c finding.Command) error {
	return w.attempt(r, name, call, func(p *command.Commands, call command.Call) error {
		_, err := p.Findings.Execute(w.ctx, call, uuid.MustParse(id), c)
		return err
	})
}

func (w *world) unfinished(r *rand.Rand, stages ...string) string {
	return pick(r, w.ledger.findings, func(d *deviation) bool {
		for _, s := range stages {
			if d.stage == s {
				return true
			}
		}
		return len(stages) == 0 && d.stage != "closed"
	})
}

// raise records a deviation about an indicator and its strategy: as an audit's,
// or as a process does for a missed target.
func (w *world) raise(r *rand.Rand) error {
	m := w.ledger.indicators[w.inUse(r, func(m *measure) bool { return m.status == "off_track" })]
	if m == nil || odds(r, 30) {
		if m = w.ledger.indicators[w.inUse(r, nil)]; m == nil {
			return w.define(r)
		}
	}
	c := finding.RaiseFinding{
		Kind: finding.MinorNC, Severity: []severity.Severity{severity.Low, severity.Medium, severity.High, severity.Critical}[r.IntN(4)],
		Title: "t", Condition: "c", Criteria: "c", Origin: finding.FromAudit,
		Subjects: []finding.Subject{{Type: "indicator", ID: m.id}, {Type: "strategy", ID: m.strategy}},
	}
	call := w.as(r, w.with(r, authz.Auditor, ""))
	switch source := pick(r, w.ledger.sources, nil); r.IntN(4) {
	case 3:
		if source != "" {
			c.Subjects = []finding.Subject{{Type: "source", ID: source}}
		}
	case 0:
		c.Origin, c.DedupeKey = finding.FromBreach, "breach:"+m.id
		call = w.call(command.ProcessPrincipal(w.org, "breach"))
	case 1:
		c.Origin = finding.FromCompliance
		call = w.as(r, w.with(r, authz.ComplianceOfficer, ""))
	}
	return w.find(r, "raise-finding", w.newID(), call, c)
}

// judge picks somebody who may say that a finding is over: not who answers for
// it, except for trying.
func (w *world) judge(r *rand.Rand, d *deviation) string {
	role := authz.Auditor
	if d.origin != "audit" && odds(r, 40) {
		role = authz.ComplianceOfficer
	}
	not := append(append([]string{}, d.owners...), d.submitters...)
	if own := w.tempted(r, role, "", not...); own != "" && odds(r, 40) {
		return own
	}
	return w.with(r, role, "", not...)
}

// driveFinding takes a finding one step further.
func (w *world) driveFinding(r *rand.Rand) error {
	id := w.unfinished(r)
	if id == "" || (len(w.ledger.findings) < 4 && odds(r, 30)) {
		return w.raise(r)
	}
	d := w.ledger.findings[id]
	switch {
	case d.stage == "open", odds(r, 10):
		return w.assign(r, id)
	case d.stage == "assigned", d.stage == "planned" && odds(r, 15):
		text := "do it"
		actions := []finding.Action{{ID: w.newID(), Text: text, DueDate: "2030-01-01", OwnerID: d.owner}}
		return w.find(r, "plan-remediation", id, w.owning(r, d), finding.PlanRemediation{Response: finding.Agree, Actions: actions})
	case d.stage == "planned":
		proof := pick(r, w.ledger.evidence, nil)
		if proof == "" {
			return w.registerEvidence(r)
		}
		return w.find(r, "submit-remediation", id, w.owning(r, d), finding.SubmitRemediation{ActionsDone: d.actions, Statement: "s", EvidenceIDs: []string{proof}})
	case d.stage == "submitted" && odds(r, 25):
		return w.find(r, "return-finding", id, w.as(r, w.judge(r, d)), finding.ReturnFinding{Reason: finding.Insufficient, Comments: "c"})
	case d.stage == "submitted":
		c := finding.CloseFinding{Resolution: finding.Remediated, EffectivenessCheck: "it works", Meaning: finding.MeansClosure}
		if odds(r, 3) {
			c.Meaning = "approval"
		}
		return w.find(r, "close-finding", id, w.as(r, w.judge(r, d)), c)
	}
	return w.giveBack(r)
}

// owning is a call of the one who answers for a finding.
func (w *world) owning(r *rand.Rand, d *deviation) command.Call { return w.as(r, d.owner) }

func (w *world) assign(r *rand.Rand, id string) error {
	d := w.ledger.findings[id]
	to := w.with(r, authz.IndicatorOwner, d.strategies()[0])
	if d.aboutSource() && odds(r, 50) {
		to = w.with(r, authz.DataSteward, "")
	}
	if odds(r, 5) || to == "" {
		to = w.member(r, nil)
	}
	call := w.as(r, w.with(r, authz.Auditor, ""))
	if odds(r, 20) {
		call = w.call(command.ProcessPrincipal(w.org, "breach"))
	}
	return w.find(r, "assign-finding", id, call, finding.AssignFinding{OwnerID: to})
}

func (w *world) reclassify(r *rand.Rand) error {
	id := w.unfinished(r)
	if id == "" {
		return w.raise(r)
	}
	to := []severity.Severity{severity.Low, severity.Medium, severity.High, severity.Critical}[r.IntN(4)]
	return w.find(r, "reclassify-finding", id, w.as(r, w.with(r, authz.Auditor, "")), finding.ReclassifyFinding{Severity: to, Reason: "r"})
}

func (w *world) acceptSomeRisk(r *rand.Rand) error {
	id := w.unfinished(r, "assigned", "planned")
	if id == "" || odds(r, 10) {
		if id = w.unfinished(r); id == "" {
			return w.raise(r)
		}
	}
	d := w.ledger.findings[id]
	at := d.strategies()[0]
	by := w.with(r, authz.RiskAcceptor, at, d.owner, d.raisedBy)
	if own := w.tempted(r, authz.RiskAcceptor, at, d.owner, d.raisedBy); own != "" && odds(r, 25) {
		by = own
	}
	call := w.as(r, by)
	if d.severity == "critical" || odds(r, 10) {
		not := []string{d.owner, d.raisedBy}
		if odds(r, 15) {
			not = nil
		}
		call = w.second(r, call, by, authz.RiskAcceptor, at, not...)
	}
	c := finding.AcceptRisk{
		Justification: "j", Meaning: finding.MeansAcceptance, ExpiresOn: calendar.Of(time.Now().AddDate(0, 0, 1+r.IntN(33))),
	}
	if odds(r, 8) {
		c.ExpiresOn = calendar.Of(time.Now().AddDate(0, 0, 100+r.IntN(300)))
	}
	if odds(r, 3) {
		c.Meaning = finding.MeansClosure
	}
	return w.find(r, "accept-risk", id, call, c)
}

func (w *world) giveBack(r *rand.Rand) error {
	id := w.unfinished(r, "submitted", "accepted", "closed")
	if id == "" {
		return w.raise(r)
	}
	d := w.ledger.findings[id]
	c := finding.ReturnFinding{Reason: finding.Ineffective, Comments: "c"}
	call := w.as(r, w.judge(r, d))
	if d.stage == "accepted" {
		c.Reason = finding.AcceptanceRevoked
		if odds(r, 50) {
			c.Reason = finding.AcceptanceExpired
			call = w.call(command.ProcessPrincipal(w.org, "deadlines"))
		}
	}
	return w.find(r, "return-finding", id, call, c)
}

func (w *world) dismiss(r *rand.Rand) error {
	id := w.unfinished(r, "open", "assigned")
	if id == "" {
		return w.raise(r)
	}
	return w.find(r, "close-finding", id, w.as(r, w.judge(r, w.ledger.findings[id])),
		finding.CloseFinding{Resolution: finding.Dismissed, Reason: strings.Repeat("because ", 4), Meaning: finding.MeansClosure})
}

func (w *world) registerEvidence(r *rand.Rand) error {
	id := uuid.MustParse(w.newID())
	call := w.as(r, w.with(r, authz.IndicatorOwner, anyScope))
	return w.attempt(r, "register-evidence", call, func(p *command.Commands, call command.Call) error {
		_, err := p.Evidence.Register(w.ctx, call, id, []byte(id.String()), evidence.RegisterEvidence{Kind: evidence.Document, MediaType: "text/plain"})
		return err
	})
}

func (w *world) link(r *rand.Rand) error {
	id, of := pick(r, w.ledger.evidence, nil), w.unfinished(r)
	if id == "" || of == "" {
		return w.registerEvidence(r)
	}
	call := w.as(r, w.with(r, authz.Auditor, ""))
	return w.attempt(r, "link-evidence", call, func(p *command.Commands, call command.Call) error {
		_, err := p.Evidence.Execute(w.ctx, call, uuid.MustParse(id), evidence.LinkEvidence{
			Relation: evidence.Supports, Target: evidence.Target{Type: "finding", ID: of},
		})
		return err
	})
}

// holdForFinding is what a process does about a grave finding; and persons may not.
func (w *world) holdForFinding(r *rand.Rand) error {
	id := pick(r, w.ledger.findings, func(d *deviation) bool { return d.open() && rank(d.severity) > 2 && d.strategies()[0] != "" })
	if id == "" {
		return w.raise(r)
	}
	call := w.call(command.ProcessPrincipal(w.org, "hold"))
	if odds(r, 15) {
		call = w.as(r, w.with(r, authz.ComplianceOfficer, ""))
	}
	return w.plan(r, "put-on-hold", w.ledger.findings[id].strategies()[0], call,
		strategy.PutStrategyOnHold{Blocker: strategy.Blocker{Kind: strategy.ByFinding, Ref: id}, Reason: "r"})
}
