package plansdb

import (
	"fmt"
	"slices"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
)

func (w *writer) foldFinding(c *change, e finding.Event) error {
	row := w.findings.Get(c.ref)
	if raised, first := e.(finding.Raised); first {
		if row != nil {
			return fmt.Errorf("the finding is raised already")
		}
		row = w.raise(c, raised)
	}
	if row == nil {
		return fmt.Errorf("the finding was never raised")
	}
	if err := follows(c, row.version); err != nil {
		return err
	}
	row.step(c, e)
	w.partsIn(c, e)
	row.version, row.changedAt = c.version, c.at
	w.findings.Put(c.ref, row)
	return nil
}

func (w *writer) raise(c *change, e finding.Raised) *findingRow {
	for _, s := range e.Subjects {
		w.subjects.Put(subjectKey{c.ref, s.Type, s.ID}, &subjectRow{
			org: c.org, findingID: c.id, kind: s.Type, id: s.ID, version: c.version, raised: c.position,
		})
	}
	return &findingRow{
		org: c.org, id: c.id, raised: c.position, origin: string(e.Origin), title: e.Title, engagementRef: e.EngagementRef,
		dedupeKey: e.DedupeKey, dedupe: indexed(e.DedupeKey), subjects: e.Subjects, raisedAt: c.at, raisedBy: c.by.ID,
		details: findingDetails{
			Condition: e.Condition, Criteria: e.Criteria, Cause: e.Cause, Effect: e.Effect, Recommendation: e.Recommendation,
		},
	}
}

// step asks the domain's fold where the event leads; what the domain does not
// keep is kept here.
func (row *findingRow) step(c *change, e finding.Event) {
	s := finding.State{
		ID: row.id, Stage: finding.Stage(row.state), Kind: row.kind, Severity: row.severity, OwnerID: row.ownerID,
		DueDate: row.dueDate, ExpiresOn: row.expiresOn,
	}.Apply(c.by, e)
	row.state, row.kind, row.severity = string(s.Stage), s.Kind, s.Severity
	row.ownerID, row.dueDate, row.expiresOn = s.OwnerID, s.DueDate, s.ExpiresOn
	row.closedAt, row.resolution = nil, ""
	if s.Stage == finding.Owned || s.Stage == finding.Open {
		row.details.Remediation = nil // whoever answers now plans anew
	}
	row.details.add(c, e)
	if e, ok := e.(finding.Closed); ok {
		at := c.at
		row.closedAt, row.resolution = &at, string(e.Resolution)
	}
}

func (d *findingDetails) add(c *change, e finding.Event) {
	switch e := e.(type) {
	case finding.Assigned:
		d.Assignments = withLatest(d.Assignments, query.FindingAssignment{OwnerID: e.OwnerID, DueDate: e.DueDate, Reason: e.Reason, By: c.by.ID, At: c.at})
	case finding.Reclassified:
		d.Reclassified = withLatest(d.Reclassified, query.FindingReclassified{
			OldSeverity: string(e.OldSeverity), Severity: string(e.Severity), OldKind: string(e.OldKind), Kind: string(e.Kind),
			Reason: e.Reason, By: c.by.ID, At: c.at,
		})
	case finding.RemediationPlanned:
		p := &query.FindingRemediation{Response: string(e.Response), Reason: e.Reason, By: c.by.ID, At: c.at}
		for _, a := range e.Actions {
			p.Actions = append(p.Actions, query.FindingAction{Action: a})
		}
		if d.Remediation != nil {
			p.Changes = d.Remediation.Changes + 1
		}
		d.Remediation = p
	case finding.RemediationSubmitted:
		d.Submissions = withLatest(d.Submissions, query.FindingSubmission{
			ActionsDone: e.ActionsDone, Statement: e.Statement, EvidenceIDs: e.EvidenceIDs, By: c.by.ID, At: c.at,
		})
		if d.Remediation != nil {
			p := *d.Remediation
			p.Actions = slices.Clone(p.Actions)
			for i := range p.Actions {
				p.Actions[i].Done = slices.Contains(e.ActionsDone, p.Actions[i].ID)
			}
			d.Remediation = &p
		}
	case finding.RiskAccepted:
		d.Acceptances = withLatest(d.Acceptances, query.FindingAcceptance{
			Acceptors: e.Acceptors, Justification: e.Justification, ExpiresOn: e.ExpiresOn, At: c.at, PrintedName: c.printedName,
		})
	case finding.ReturnedToWork:
		d.Returns = withLatest(d.Returns, query.FindingReturn{Reason: string(e.Reason), Comments: e.Comments, By: c.by.ID, At: c.at})
	case finding.Closed:
		d.Closures = withLatest(d.Closures, query.FindingClosure{
			Resolution: string(e.Resolution), EffectivenessCheck: e.EffectivenessCheck, Reason: e.Reason, VerifierID: e.VerifierID, At: c.at, PrintedName: c.printedName,
		})
	}
}

// withLatest keeps no more steps than are shown.
func withLatest[T any](steps []T, step T) []T {
	all := append(slices.Clip(steps), step)
	return all[max(0, len(all)-query.MaxSteps):]
}

// partsIn notes who had which part in the finding: persons only.
func (w *writer) partsIn(c *change, e finding.Event) {
	part := func(as string, ids ...string) {
		for _, id := range ids {
			k := partKey{c.ref, id, as}
			w.parts.Put(k, &partRow{org: c.org, findingID: c.id, memberID: id, part: as, version: c.version})
		}
	}
	person := c.by.Kind == fact.Person
	switch e := e.(type) {
	case finding.Raised:
		if person {
			part(query.ActsAsRaiser, c.by.ID)
		}
	case finding.Assigned:
		part(query.ActsAsOwner, e.OwnerID)
	case finding.RemediationPlanned:
		for _, a := range e.Actions {
			part(query.ActsAsResponsible, a.OwnerID)
		}
	case finding.RemediationSubmitted:
		part(query.ActsAsSubmitter, c.by.ID)
	case finding.RiskAccepted:
		part(query.ActsAsAcceptor, e.Acceptors...)
	case finding.ReturnedToWork:
		if person {
			part(query.ActsAsVerifier, c.by.ID)
		}
	case finding.Closed:
		part(query.ActsAsVerifier, e.VerifierID)
	}
}
