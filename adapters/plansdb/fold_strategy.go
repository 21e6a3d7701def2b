package plansdb

import (
	"fmt"
	"slices"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/strategy"
)

// activeRevision is the state of a revision in force.
const activeRevision = "active"

func (w *writer) foldStrategy(c *change, e strategy.Event) error {
	row := w.strategies.Get(c.ref)
	if drafted, first := e.(strategy.Drafted); first {
		if row != nil {
			return fmt.Errorf("the strategy is drafted already")
		}
		row = draft(c, drafted)
	}
	if row == nil {
		return fmt.Errorf("the strategy was never drafted")
	}
	if err := follows(c, row.version); err != nil {
		return err
	}
	if err := w.foldRevision(c, row, e); err != nil {
		return err
	}
	row.version, row.changedAt = c.version, c.at
	w.strategies.Put(c.ref, row)
	return nil
}

func draft(c *change, e strategy.Drafted) *strategyRow {
	return &strategyRow{
		org: c.org, id: c.id, drafted: c.position, state: string(strategy.Preparing),
		lineageKey: e.LineageKey, documentType: string(e.DocumentType), replaces: e.Replaces, importID: e.ImportID,
		frame: e.Frame, working: newRevision(1), draftedAt: c.at,
	}
}

func newRevision(number int) *revision {
	return &revision{Revision: query.Revision{Number: number, State: string(strategy.Draft)}}
}

// foldRevision does what the event does beside the row's version.
func (w *writer) foldRevision(c *change, row *strategyRow, e strategy.Event) error {
	if opened, ok := e.(strategy.RevisionOpened); ok {
		row.working = newRevision(opened.Revision)
		row.working.touchedBy(c.by)
		return nil
	}
	if w.onLifecycle(c, row, e) {
		return nil
	}
	if row.working == nil {
		return fmt.Errorf("there is no working revision")
	}
	switch e := e.(type) {
	case strategy.Drafted:
		row.working.touchedBy(c.by)
	case strategy.GoalAdded, strategy.ObjectiveAdded, strategy.PlanElementAmended, strategy.PlanElementRetired:
		return w.edit(c, row, e)
	case strategy.Submitted:
		at := c.at
		r := row.working
		r.State, r.ContentHash, r.SubmittedBy, r.SubmittedAt = string(strategy.AwaitsApproval), e.ContentHash, c.by.ID, &at
		r.Approvals, r.ApprovalPositions = nil, nil
		r.Authors = union(r.Authors, e.Authors)
		r.touchedBy(c.by)
	case strategy.ChangesRequested:
		w.voidApprovals(c, row)
		r := row.working
		r.State, r.ContentHash, r.SubmittedBy, r.SubmittedAt = string(strategy.Draft), "", "", nil
		r.Approvals, r.ApprovalPositions = nil, nil
	case strategy.ApprovalGiven:
		w.approve(c, row, e)
	case strategy.Activated:
		w.activate(c, row, e)
	case strategy.RevisionWithdrawn:
		w.withdraw(c, row)
	default:
		return fmt.Errorf("event %T has no fold", e)
	}
	return nil
}

func (w *writer) approve(c *change, row *strategyRow, e strategy.ApprovalGiven) {
	r := row.working
	w.approvals.Put(approvalKey{c.org, c.position}, &approvalRow{
		org: c.org, position: c.position, version: c.version, strategyID: c.id, revision: int32(e.Revision),
		approverID: e.ApproverID, meaning: string(e.Meaning), contentHash: e.ContentHash, comment: e.Comment,
		quorumReached: e.QuorumReached, approvedAt: c.at,
		eventID: c.eventID, authors: slices.Clone(r.Authors), submittedBy: r.SubmittedBy, submittedAt: r.SubmittedAt,
		policyVersion: c.policyVersion, authMethod: c.authMethod, authAt: c.authAt, printedName: c.printedName,
	})
	r.ApprovalPositions = append(r.ApprovalPositions, c.position)
	r.Approvals = append(r.Approvals, query.Approval{
		ApproverID: e.ApproverID, Meaning: string(e.Meaning), ContentHash: e.ContentHash, Comment: e.Comment,
		QuorumReached: e.QuorumReached, ApprovedAt: c.at, PrintedName: c.printedName,
	})
	if e.QuorumReached {
		r.State = string(strategy.ApprovedContent)
	}
}

func (w *writer) voidApprovals(c *change, row *strategyRow) {
	for _, position := range row.working.ApprovalPositions {
		k := approvalKey{c.org, position}
		if a := w.approvals.Get(k); a != nil {
			at := c.at
			a.void, a.version, a.voidedAt, a.voidedBy = true, c.version, &at, c.by.ID
			w.approvals.Put(k, a)
		}
	}
}

// onLifecycle folds what is about the strategy as a whole, whatever its revisions.
func (w *writer) onLifecycle(c *change, row *strategyRow, e strategy.Event) bool {
	switch e := e.(type) {
	case strategy.PutOnHold:
		row.state = string(strategy.OnHold)
		row.blockers = append(slices.Clip(row.blockers), query.Blocker{
			Kind: string(e.Blocker.Kind), Ref: e.Blocker.Ref, Reason: e.Reason, By: c.by.ID, HeldAt: c.at,
		})
	case strategy.Resumed:
		row.state, row.blockers = string(strategy.Active), nil
	case strategy.Closed:
		row.state, row.blockers = string(strategy.Ended), nil
		row.outcome, row.successorID = string(e.Outcome), e.SuccessorID
		if row.working != nil {
			w.withdraw(c, row)
		}
	case strategy.PeriodAttested: // is asked for as an event: it changes nothing of the plan
	default:
		return false
	}
	return true
}

// activate makes the working content the one in force.
func (w *writer) activate(c *change, row *strategyRow, e strategy.Activated) {
	at := c.at
	r := row.working
	r.State, r.ActivatedBy, r.ActivatedAt, r.EffectiveFrom = activeRevision, c.by.ID, &at, string(e.EffectiveFrom)
	row.inForce, row.working = r, nil
	row.state, row.activated = string(strategy.Active), c.position
	row.frameInForce, row.goalsInForce, row.objectivesInForce = row.frame, row.goals, row.objectives
	w.eachElement(c, func(el *elementRow) { el.inForce = el.content })
}

// withdraw goes back to the content in force; without one the plan is empty.
func (w *writer) withdraw(c *change, row *strategyRow) {
	row.working = nil
	row.goals, row.objectives = row.goalsInForce, row.objectivesInForce
	if row.inForce != nil { // else the frame stays, so that the strategy keeps a name
		row.frame = row.frameInForce
	}
	w.eachElement(c, func(el *elementRow) { el.content = el.inForce })
}

// eachElement changes all elements of the strategy. Load has brought them in.
func (w *writer) eachElement(c *change, fn func(*elementRow)) {
	for _, id := range w.elementsOf[c.ref] {
		k := part{c.ref, id}
		el := w.elements.Get(k)
		fn(el)
		el.version = c.version
		w.elements.Put(k, el)
	}
}

// touchedBy notes an author as the domain does: persons only.
func (r *revision) touchedBy(by fact.Actor) {
	if by.Kind == fact.Person {
		r.Authors = union(r.Authors, []string{by.ID})
	}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
