package segregation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// deviation is a finding as its events add up.
type deviation struct {
	id, raisedBy, origin, severity, stage string
	owner                                 string
	owners, submitters                    []string // ever
	subjects                              []subject
	dedupeKey                             string
	actions                               []string
}

type subject struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// open says whether the finding is neither closed nor accepted.
func (d *deviation) open() bool { return d != nil && d.stage != "closed" && d.stage != "accepted" }

func (d *deviation) about(kind, id string) bool {
	return slices.Contains(d.subjects, subject{kind, id})
}

// aboutSource says whether a steward may answer for it.
func (d *deviation) aboutSource() bool {
	return slices.ContainsFunc(d.subjects, func(s subject) bool { return s.Type == "source" })
}

// strategies are those for all of which one needs a role here.
func (d *deviation) strategies() (ids []string) {
	for _, s := range d.subjects {
		if s.Type == "strategy" {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return []string{""}
	}
	return ids
}

// explained says whether a finding that is not over is about an indicator.
func (l *ledger) explained(indicatorID string) bool {
	for _, d := range l.findings {
		if d.stage != "closed" && d.about("indicator", indicatorID) {
			return true
		}
	}
	return false
}

// found judges and adds an event of a finding.
func (l *ledger) found(e entry) error {
	d := l.findings[e.id]
	if (d == nil) != (e.typ == "finding.raised") {
		return fmt.Errorf("a finding is raised once, and first")
	}
	by := e.meta.Actor
	switch e.typ {
	case "finding.raised":
		b, err := body[struct {
			Severity, Origin, DedupeKey string
			Subjects                    []subject
		}](e)
		for id, o := range l.findings {
			if b.DedupeKey != "" && o.stage != "closed" && o.dedupeKey == b.DedupeKey {
				return fmt.Errorf("finding %s of the same key is not over", id)
			}
		}
		l.findings[e.id] = &deviation{
			id: e.id, raisedBy: by.ID, origin: b.Origin, severity: b.Severity, stage: "open", subjects: b.Subjects, dedupeKey: b.DedupeKey,
		}
		return err
	case "finding.assigned":
		b, err := body[struct{ OwnerID string }](e)
		if err != nil {
			return err
		}
		if err := d.was("open", "assigned", "planned"); err != nil {
			return err
		}
		for _, id := range d.strategies() {
			if !l.held(e, b.OwnerID, "indicator_owner", id) && !(d.aboutSource() && l.held(e, b.OwnerID, "data_steward", id)) {
				return fmt.Errorf("assigned to %s, who could not respond", b.OwnerID)
			}
		}
		d.owner, d.owners = b.OwnerID, append(d.owners, b.OwnerID)
		d.stage = map[string]string{"open": "assigned", "assigned": "assigned", "planned": "planned"}[d.stage]
	case "finding.reclassified":
		b, err := body[struct{ Severity string }](e)
		if d.stage == "closed" {
			return fmt.Errorf("it is closed")
		}
		if d.stage == "accepted" && rank(b.Severity) > rank(d.severity) {
			d.stage = "assigned"
		}
		d.severity = b.Severity
		return err
	case "finding.remediation-planned":
		b, err := body[struct{ Actions []struct{ ID string } }](e)
		if err != nil {
			return err
		}
		d.actions = nil
		for _, a := range b.Actions {
			d.actions = append(d.actions, a.ID)
		}
		err = d.byOwner(e, "assigned", "planned")
		d.stage = "planned"
		return err
	case "finding.remediation-submitted":
		return l.remediated(e, d)
	case "finding.risk-accepted":
		return l.accepted(e, d)
	case "finding.returned":
		return l.returned(e, d)
	case "finding.closed":
		return l.closed(e, d)
	default:
		return fmt.Errorf("nobody judges it")
	}
	return nil
}

func (d *deviation) was(stages ...string) error {
	if !slices.Contains(stages, d.stage) {
		return fmt.Errorf("the finding is %s", d.stage)
	}
	return nil
}

func (d *deviation) byOwner(e entry, stages ...string) error {
	if e.meta.Actor.ID != d.owner {
		return fmt.Errorf("the owner is %s", d.owner)
	}
	return d.was(stages...)
}

func (l *ledger) remediated(e entry, d *deviation) error {
	b, err := body[struct{ EvidenceIDs, ActionsDone []string }](e)
	if err != nil {
		return err
	}
	if len(b.EvidenceIDs) == 0 || slices.ContainsFunc(b.EvidenceIDs, func(id string) bool { return !l.evidence[id] }) {
		return fmt.Errorf("remediated with evidence %v", b.EvidenceIDs)
	}
	if slices.ContainsFunc(b.ActionsDone, func(id string) bool { return !slices.Contains(d.actions, id) }) {
		return fmt.Errorf("actions %v were not planned", b.ActionsDone)
	}
	err = d.byOwner(e, "planned")
	d.stage, d.submitters = "submitted", append(d.submitters, e.meta.Actor.ID)
	return err
}

// accepted judges S7, S11 and S12.
func (l *ledger) accepted(e entry, d *deviation) error {
	b, err := body[struct {
		Acceptors []string
		ExpiresOn string
	}](e)
	if err != nil {
		return err
	}
	if len(b.Acceptors) == 0 || b.Acceptors[0] != e.meta.Actor.ID {
		return fmt.Errorf("S7: accepted by %v", b.Acceptors)
	}
	for i, id := range b.Acceptors {
		switch {
		case l.samePerson(id, d.owner):
			return fmt.Errorf("S7: acceptor %s owns it", id)
		case l.samePerson(id, d.raisedBy):
			return fmt.Errorf("S7: acceptor %s raised it", id)
		case l.among(id, b.Acceptors[:i]):
			return fmt.Errorf("S7: %s accepts twice", id)
		case slices.ContainsFunc(d.strategies(), func(s string) bool { return !l.held(e, id, "risk_acceptor", s) }):
			return fmt.Errorf("S7: %s is no risk acceptor here", id)
		}
	}
	if d.severity == "critical" {
		if len(b.Acceptors) < 2 {
			return fmt.Errorf("S7: a critical risk is accepted by one")
		}
		if err := l.countersigned(e, "S7", b.Acceptors[1], "risk_acceptor", d.strategies()...); err != nil {
			return err
		}
	}
	today := e.at.UTC().Format(time.DateOnly)
	if !slices.ContainsFunc(l.inForce(e), func(t terms) bool {
		return b.ExpiresOn > today && b.ExpiresOn <= e.at.UTC().AddDate(0, 0, t.AcceptanceMaxDays).Format(time.DateOnly)
	}) {
		return fmt.Errorf("S7: accepted until %s", b.ExpiresOn)
	}
	if err := d.was("assigned", "planned", "accepted"); err != nil {
		return err
	}
	d.stage = "accepted"
	return l.signedFor(e, "risk-acceptance")
}

// verifies judges S6.
func (l *ledger) verifies(e entry, d *deviation) error {
	by := e.meta.Actor.ID
	switch {
	case l.among(by, d.owners):
		return fmt.Errorf("S6: %s judges a finding they owned: %v", by, d.owners)
	case l.among(by, d.submitters):
		return fmt.Errorf("S6: %s judges what they remediated: %v", by, d.submitters)
	case d.origin == "audit" && !l.heldAnywhere(e, by, "auditor"):
		return fmt.Errorf("S6: %s is no auditor and judges what an audit found", by)
	}
	return nil
}

func (l *ledger) returned(e entry, d *deviation) error {
	b, err := body[struct{ Reason string }](e)
	if err != nil {
		return err
	}
	if err := d.was("submitted", "accepted", "closed"); err != nil {
		return err
	}
	if e.meta.Actor.Kind == "person" {
		if err := l.verifies(e, d); err != nil {
			return err
		}
	} else if b.Reason != "acceptance_expired" {
		return fmt.Errorf("S12: a machine judges %s", b.Reason)
	}
	switch {
	case d.stage == "submitted":
		d.stage = "planned"
	case d.owner == "":
		d.stage = "open"
	default:
		d.stage = "assigned"
	}
	return nil
}

// closed judges S6, S11 and S12.
func (l *ledger) closed(e entry, d *deviation) error {
	b, err := body[struct{ Resolution, VerifierID string }](e)
	if err != nil {
		return err
	}
	stages := []string{"submitted"}
	if b.Resolution == "dismissed" {
		stages = []string{"open", "assigned"}
	}
	if err := d.was(stages...); err != nil {
		return err
	}
	if b.VerifierID != e.meta.Actor.ID {
		return fmt.Errorf("S6: %s verifies as %s", e.meta.Actor.ID, b.VerifierID)
	}
	if err := l.verifies(e, d); err != nil {
		return err
	}
	d.stage = "closed"
	return l.signedFor(e, "closure")
}

// signedFor holds S11 where what is signed is the event's own body.
func (l *ledger) signedFor(e entry, meaning string) error {
	sum := sha256.Sum256(e.data)
	return l.signed(e, meaning, hex.EncodeToString(sum[:]))
}

// corrects judges S9: while a breach is not over, a person changes what it
// rests on with evidence only, and the one who answers for it not at all.
func (l *ledger) corrects(e entry, m *measure, evidenceID string) error {
	if e.meta.Actor.Kind != "person" || !m.missed {
		return nil
	}
	for id, d := range l.findings {
		if d.origin != "breach" || d.stage == "closed" || !d.about("indicator", m.id) {
			continue
		}
		if d.owner != "" && l.samePerson(d.owner, e.meta.Actor.ID) {
			return fmt.Errorf("S9: %s owns finding %s and changes what it is about", e.meta.Actor.ID, id)
		}
		if e.typ != "indicator.measurement-recorded" && !l.evidence[evidenceID] {
			return fmt.Errorf("S9: changed without evidence (%q) while finding %s is not over", evidenceID, id)
		}
	}
	return nil
}
