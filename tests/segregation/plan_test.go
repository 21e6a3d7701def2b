package segregation

import (
	"fmt"
	"slices"
)

// plan is a strategy as its events add up.
type plan struct {
	id, documentType, replaces string
	phase                      string // preparing, active, on_hold, closed
	working, inForce           *revision
	revisions                  int
	activated                  int64 // position of the last activation, 0 = never
	blockers                   []blocker
	used                       map[string]bool // ids of elements, for ever
}

type blocker struct {
	Kind string `json:"kind"`
	Ref  string `json:"ref"`
}

// revision is one content and what was decided about it.
type revision struct {
	number      int
	content     content
	authors     []string // members with an event in its delta
	contributed []string // all who had a part in what was submitted
	submittedBy string   // "" while it is a draft
	hash        string
	digest      string
	approvals   []approval
}

type approval struct {
	by, meaning string
}

// planned judges and adds an event of a strategy.
func (l *ledger) planned(e entry) error {
	p := l.strategies[e.id]
	if (p == nil) != (e.typ == "strategy.drafted") {
		return fmt.Errorf("a strategy is drafted once, and first")
	}
	if p != nil && p.phase == "closed" {
		return fmt.Errorf("the strategy is closed for ever")
	}
	by := e.meta.Actor.ID
	switch e.typ {
	case "strategy.drafted":
		b, err := body[struct {
			DocumentType, Replaces string
			Frame                  map[string]any
		}](e)
		l.strategies[e.id] = &plan{
			id: e.id, documentType: b.DocumentType, replaces: b.Replaces, phase: "preparing", revisions: 1, used: map[string]bool{},
			working: &revision{number: 1, content: content{frame: b.Frame}, authors: []string{by}},
		}
		return err
	case "strategy.goal-added", "strategy.objective-added", "strategy.plan-element-amended", "strategy.plan-element-retired":
		return l.edited(e, p)
	case "strategy.submitted":
		return l.submitted(e, p)
	case "strategy.changes-requested":
		if p.working == nil || p.working.submittedBy == "" {
			return fmt.Errorf("nothing was submitted")
		}
		w := p.working
		w.submittedBy, w.hash, w.digest, w.approvals = "", "", "", nil
	case "strategy.approval-given":
		return l.approved(e, p)
	case "strategy.activated":
		return l.activated(e, p)
	case "strategy.revision-opened":
		if p.inForce == nil || p.working != nil {
			return fmt.Errorf("a revision is opened on one in force, and on no other working one")
		}
		p.revisions++
		p.working = &revision{number: p.revisions, content: p.inForce.content.clone(), authors: []string{by}}
	case "strategy.revision-withdrawn":
		if p.inForce == nil || p.working == nil {
			return fmt.Errorf("there is nothing to withdraw")
		}
		p.working = nil
	case "strategy.put-on-hold":
		return l.putOnHold(e, p)
	case "strategy.resumed":
		return l.resumed(e, p)
	case "strategy.closed":
		b, err := body[struct{ Outcome string }](e)
		if err == nil && b.Outcome != "superseded" && e.meta.Actor.Kind != "person" {
			err = fmt.Errorf("S12: closed as %s by a machine", b.Outcome)
		}
		p.phase, p.working, p.blockers = "closed", nil, nil
		return err
	case "strategy.period-attested":
		return l.attested(e, p)
	default:
		return fmt.Errorf("nobody judges it")
	}
	return nil
}

// edited adds an edit: only to a draft, whose author the editor becomes.
func (l *ledger) edited(e entry, p *plan) error {
	w := p.working
	if w == nil || w.submittedBy != "" {
		return fmt.Errorf("S1: content changes that is not a draft")
	}
	w.authors = append(w.authors, e.meta.Actor.ID)
	b, err := body[map[string]any](e)
	if err != nil {
		return err
	}
	switch e.typ {
	case "strategy.goal-added", "strategy.objective-added":
		id := text(b["goalId"])
		if e.typ == "strategy.objective-added" {
			id = text(b["objectiveId"])
		}
		if p.used[id] {
			return fmt.Errorf("element id %s is used again", id)
		}
		p.used[id] = true
		w.content.elements = append(w.content.elements, element{id: id, goal: e.typ == "strategy.goal-added", fields: b})
		return nil
	}
	kind, id := text(b["elementKind"]), text(b["elementId"])
	if e.typ == "strategy.plan-element-retired" {
		w.content.retire(append([]string{id}, texts(b["cascade"])...))
		return nil
	}
	for _, c := range list(b["changes"]) {
		field, value := text(c["field"]), fieldValue(c["new"])
		switch {
		case kind == "frame" && field == "replaces":
			p.replaces = text(value)
		case kind == "frame":
			w.content.setFrame(field, value)
		default:
			w.content.set(id, field, value)
		}
	}
	return nil
}

// submitted makes sure that what is submitted is what the events say, with all
// its authors.
func (l *ledger) submitted(e entry, p *plan) error {
	b, err := body[struct {
		ContentHash, IndicatorDigest string
		Authors                      []string
	}](e)
	if err != nil {
		return err
	}
	w := p.working
	if w == nil || w.submittedBy != "" {
		return fmt.Errorf("there is no draft to submit")
	}
	w.authors = append(w.authors, e.meta.Actor.ID)
	w.submittedBy, w.hash, w.digest, w.approvals = e.meta.Actor.ID, b.ContentHash, b.IndicatorDigest, nil
	if digest := l.digest(p.id); digest != b.IndicatorDigest {
		return fmt.Errorf("indicator digest %s is submitted, and the indicators have %s", b.IndicatorDigest, digest)
	}
	if hash := p.hash(w.content, b.IndicatorDigest); hash != b.ContentHash {
		return fmt.Errorf("content %s is submitted, and the events say %s", b.ContentHash, hash)
	}
	w.contributed = l.authors(p)
	for _, id := range w.contributed {
		if !slices.Contains(b.Authors, id) {
			return fmt.Errorf("S1: %s had a part in the revision and is not among its authors %v", id, b.Authors)
		}
	}
	return nil
}

// authors are all who had a part in the working revision: in the plan, and in
// the indicators since the last activation.
func (l *ledger) authors(p *plan) []string {
	return append(slices.Clone(p.working.authors), l.indicatorAuthors(p)...)
}

// approved judges S1, S2, S11 and S12 of one approval: by nobody who had a part
// in what was submitted. Who writes to an indicator afterwards may approve, but
// what they approve does not come into force: see activated.
func (l *ledger) approved(e entry, p *plan) error {
	b, err := body[struct{ ContentHash, ApproverID, Meaning string }](e)
	if err != nil {
		return err
	}
	w := p.working
	by := e.meta.Actor.ID
	switch {
	case w == nil || w.submittedBy == "":
		return fmt.Errorf("nothing was submitted")
	case b.ApproverID != by:
		return fmt.Errorf("%s approves as %s", by, b.ApproverID)
	case b.ContentHash != w.hash:
		return fmt.Errorf("content %s is approved, and %s submitted", b.ContentHash, w.hash)
	case l.among(by, w.contributed):
		return fmt.Errorf("S1: %s approves what they had a part in: %v", by, w.contributed)
	}
	for _, a := range w.approvals {
		if l.samePerson(a.by, by) {
			return fmt.Errorf("S2: %s approved before as %s", by, a.by)
		}
	}
	role := "strategy_approver"
	if b.Meaning == "compliance" {
		role = "compliance_officer"
	}
	if !l.held(e, by, role, p.id) {
		return fmt.Errorf("S2: %s approves with meaning %s and is no %s", by, b.Meaning, role)
	}
	w.approvals = append(w.approvals, approval{by, b.Meaning})
	return l.signed(e, b.Meaning, b.ContentHash)
}

// activated judges that the strategy comes into force with an independent
// quorum on exactly its content (S1, S2, S3, S11, S12).
func (l *ledger) activated(e entry, p *plan) error {
	b, err := body[struct {
		Revision    int
		ContentHash string
	}](e)
	if err != nil {
		return err
	}
	w := p.working
	by := e.meta.Actor.ID
	switch {
	case w == nil || w.submittedBy == "" || b.Revision != w.number:
		return fmt.Errorf("revision %d was not submitted", b.Revision)
	case p.phase == "on_hold":
		return fmt.Errorf("a revision comes into force while the strategy is on hold")
	case b.ContentHash != w.hash || p.hash(w.content, l.digest(p.id)) != w.hash:
		return fmt.Errorf("content %s comes into force, %s was approved, and the events say %s now",
			b.ContentHash, w.hash, p.hash(w.content, l.digest(p.id)))
	case l.samePerson(by, w.submittedBy):
		return fmt.Errorf("S3: %s puts into force what they submitted", by)
	}
	authors := l.authors(p)
	var persons []string
	compliance := false
	for _, a := range w.approvals {
		if l.among(a.by, authors) {
			return fmt.Errorf("S1: author %s approved", a.by)
		}
		if !l.among(a.by, persons) {
			persons = append(persons, a.by)
		}
		compliance = compliance || a.meaning == "compliance"
	}
	if !slices.ContainsFunc(l.inForce(e), func(t terms) bool {
		return len(persons) >= t.Quorum.N && (compliance || !t.Quorum.ComplianceRequired)
	}) {
		return fmt.Errorf("S2: %d approvals, compliance %t, for the quorum of %+v", len(persons), compliance, l.inForce(e)[0].Quorum)
	}
	p.phase, p.activated, p.inForce, p.working = "active", e.position, w, nil
	return l.signed(e, "activation", b.ContentHash)
}

func (l *ledger) putOnHold(e entry, p *plan) error {
	b, err := body[struct{ Blocker blocker }](e)
	if err != nil {
		return err
	}
	switch {
	case p.inForce == nil:
		return fmt.Errorf("nothing is in force to put on hold")
	case b.Blocker.Kind == "finding" && e.meta.Actor.Kind == "person":
		return fmt.Errorf("a person blocks by a finding")
	}
	p.phase, p.blockers = "on_hold", append(p.blockers, b.Blocker)
	return nil
}

// resumed judges S12 for holds: nothing that still blocks is resumed, and what
// a person ordered no machine lifts.
func (l *ledger) resumed(e entry, p *plan) error {
	if p.phase != "on_hold" {
		return fmt.Errorf("it is not on hold")
	}
	machine := e.meta.Actor.Kind != "person"
	for _, b := range p.blockers {
		if d := l.findings[b.Ref]; b.Kind == "finding" && d.open() && !slices.ContainsFunc(l.inForce(e), func(t terms) bool {
			return rank(d.severity) < rank(t.AutoHoldSeverity)
		}) {
			return fmt.Errorf("finding %s blocks it, and is %s and %s", b.Ref, d.severity, d.stage)
		}
		if b.Kind == "order" && machine {
			return fmt.Errorf("S12: a machine lifts the order %q", b.Ref)
		}
	}
	if machine && !slices.ContainsFunc(l.inForce(e), func(t terms) bool { return t.AutoResume }) {
		return fmt.Errorf("S12: a machine resumes against the policy")
	}
	p.phase, p.blockers = "active", nil
	return nil
}

// attested judges S10, S11 and S12.
func (l *ledger) attested(e entry, p *plan) error {
	b, err := body[struct {
		Period      period
		AttesterID  string
		ContentHash string
	}](e)
	if err != nil {
		return err
	}
	switch {
	case p.phase != "active":
		return fmt.Errorf("a period of a strategy that is %s is attested", p.phase)
	case b.AttesterID != e.meta.Actor.ID:
		return fmt.Errorf("%s attests as %s", e.meta.Actor.ID, b.AttesterID)
	case b.ContentHash != p.hash(p.inForce.content, l.digest(p.id)):
		return fmt.Errorf("content %s is attested, which is not in force", b.ContentHash)
	}
	for id, m := range l.indicators {
		if m.strategy != p.id {
			continue
		}
		for _, w := range m.byHand {
			if w.period.meets(b.Period) && l.samePerson(w.by, e.meta.Actor.ID) {
				return fmt.Errorf("S10: %s measured %s by hand in the period, as %s", e.meta.Actor.ID, id, w.by)
			}
		}
		if m.status == "off_track" && !m.retired && !l.explained(id) {
			return fmt.Errorf("indicator %s is off track without a finding", id)
		}
	}
	return l.signed(e, "attestation", b.ContentHash)
}
