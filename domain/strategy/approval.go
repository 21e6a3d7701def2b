package strategy

import (
	"fmt"
	"slices"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
)

// maxAuthors is how many authors of indicators a submission can name.
const maxAuthors = 5_000

func (s State) submit(by fact.Actor, c SubmitStrategy) ([]Event, error) {
	w, err := s.editable()
	if err != nil {
		return nil, err
	}
	var f check.Form
	f.Hash("#/indicatorDigest", c.IndicatorDigest)
	f.Prose("#/summary", c.Summary)
	if c.AsOfPosition < 0 {
		f.Object("#/asOfPosition", "minimum", "Give a position of the log.")
	}
	if len(c.IndicatorAuthors) > maxAuthors {
		f.Object("#/indicatorAuthors", "maxItems", "At most %d.", maxAuthors)
	}
	for _, id := range c.IndicatorAuthors {
		f.ID("#/indicatorAuthors", id)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if !w.Plan.hasGoalWithObjective() {
		return nil, ErrNothingToApprove.Detailf("There is nothing to approve yet: add at least one goal with one objective.")
	}
	return []Event{Submitted{
		Revision: w.Number, ContentHash: s.ContentHash(c.IndicatorDigest), IndicatorDigest: c.IndicatorDigest,
		AsOfPosition: c.AsOfPosition, Summary: c.Summary,
		Authors: union(w.touchedBy(by).authors, c.IndicatorAuthors),
	}}, nil
}

func (p Plan) hasGoalWithObjective() bool {
	for _, o := range p.objectives.All() {
		if _, ok := p.Goal(o.GoalID); ok && !o.Retired {
			return true
		}
	}
	return false
}

// underReview gives the working revision if it awaits a decision, and if the
// deciding person saw exactly its content.
func (s State) underReview(contentHash string) (Revision, error) {
	w := s.Working
	if w.Number == 0 || w.Stage == Draft {
		return w, ErrNotSubmitted.Detailf("There is no submitted revision to decide on: its authors submit it first.")
	}
	if contentHash != w.ContentHash {
		return w, ErrOtherContent.Detailf("You saw another content than the one submitted: look at revision %d again.", w.Number).
			With("contentHash", w.ContentHash)
	}
	return w, nil
}

func (s State) requestChanges(c RequestChanges) ([]Event, error) {
	var f check.Form
	f.Hash("#/contentHash", c.ContentHash)
	f.Name("#/comments", c.Comments)
	if err := f.Err(); err != nil {
		return nil, err
	}
	w, err := s.underReview(c.ContentHash)
	if err != nil {
		return nil, err
	}
	var voided []string
	for _, a := range w.Approvals {
		voided = append(voided, a.ApproverID)
	}
	return []Event{ChangesRequested{Revision: w.Number, ContentHash: w.ContentHash, Comments: c.Comments, VoidedApprovals: voided}}, nil
}

func (s State) approve(by fact.Actor, c ApproveStrategy) ([]Event, error) {
	var f check.Form
	f.Hash("#/contentHash", c.ContentHash)
	f.Prose("#/comment", c.Comment)
	role := authz.Approver
	switch c.Meaning {
	case Business, Board:
	case Compliance:
		role = authz.ComplianceOfficer
	default:
		f.Object("#/meaning", "enum", "Say what your signature means: business, compliance or board.")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if !by.Has(role) {
		return nil, authz.ErrRole.Detailf("An approval with the meaning %s is for the role %s.", c.Meaning, role)
	}
	w, err := s.underReview(c.ContentHash)
	if err != nil {
		return nil, err
	}
	person := append([]string{by.ID}, c.SamePerson...)
	if id, ok := meet(person, w.authors); ok {
		return nil, ErrOwnWork.Detailf("Member %s had a part in revision %d: somebody who had none must approve it.", id, w.Number)
	}
	if w.Stage == ApprovedContent {
		return nil, ErrAlreadyQuorate.Detailf("Revision %d has the approvals it needs: activate it, or request changes.", w.Number)
	}
	if id, ok := meet(person, approvers(w.Approvals)); ok {
		return nil, ErrApprovedTwice.Detailf("Member %s approved this content already: another person must.", id)
	}
	if err := authz.Signed(by); err != nil {
		return nil, err
	}
	given := append(slices.Clip(w.Approvals), Approval{ApproverID: by.ID, Meaning: c.Meaning})
	return []Event{ApprovalGiven{
		Revision: w.Number, ContentHash: w.ContentHash, ApproverID: by.ID, Meaning: c.Meaning, Comment: c.Comment,
		QuorumReached: c.Policy.missing(given) == "",
	}}, nil
}

func (s State) activate(by fact.Actor, c ActivateStrategy) ([]Event, error) {
	if c.EffectiveFrom == "" {
		c.EffectiveFrom = calendar.Of(by.At)
	}
	var f check.Form
	f.Hash("#/contentHash", c.ContentHash)
	f.Hash("#/indicatorDigest", c.IndicatorDigest)
	f.OptionalDate("#/effectiveFrom", c.EffectiveFrom)
	if c.Meaning != Activation {
		f.Object("#/meaning", "const", "Say what your signature means: activation.")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	w, err := s.underReview(c.ContentHash)
	if err != nil {
		return nil, err
	}
	if s.Phase == OnHold {
		return nil, ErrOnHold.Detailf("The strategy is on hold: resume it before a revision comes into force.")
	}
	if w.Stage != ApprovedContent {
		return nil, ErrNoQuorum.Detailf("Revision %d is not approved yet: %s.", w.Number, w.lacks(c.Policy))
	}
	if missing := c.Policy.missing(w.Approvals); missing != "" {
		return nil, ErrNoQuorum.Detailf("The policy now asks for more than revision %d was given: %s. Request changes and submit it again.", w.Number, missing)
	}
	if c.IndicatorDigest != w.IndicatorDigest {
		return nil, ErrIndicators.Detailf("Definitions or targets of indicators changed since revision %d was submitted: request changes and submit it again.", w.Number)
	}
	// The digest is the same, and yet somebody may have written there and back.
	if id, ok := meet(approvers(w.Approvals), c.IndicatorAuthors); ok {
		return nil, ErrOwnWork.Detailf("Member %s approved revision %d and had a part in its indicators: request changes, and let somebody else approve it.", id, w.Number)
	}
	if slices.Contains(append([]string{by.ID}, c.SamePerson...), w.SubmittedBy) {
		return nil, ErrOwnSubmission.Detailf("You submitted revision %d: another compliance officer must activate it.", w.Number)
	}
	if err := authz.Signed(by); err != nil {
		return nil, err
	}
	e := Activated{
		Revision: w.Number, ContentHash: w.ContentHash, EffectiveFrom: c.EffectiveFrom, SupersedesRevision: s.InForce.Number,
	}
	if !s.HasInForce() {
		e.ReplacesStrategyID = s.Replaces
	}
	return []Event{e}, nil
}

// missing says what the approvals lack (S2), "" if nothing.
func (p Policy) missing(given []Approval) string {
	ids := approvers(given)
	slices.Sort(ids)
	if n := max(p.Approvals, 1) - len(slices.Compact(ids)); n > 0 {
		return fmt.Sprintf("%d of %d approvals are missing", n, max(p.Approvals, 1))
	}
	if p.ComplianceRequired && !slices.ContainsFunc(given, func(a Approval) bool { return a.Meaning == Compliance }) {
		return "it needs the approval of a compliance officer"
	}
	return ""
}

// lacks says what a revision that has no quorum waits for.
func (r Revision) lacks(p Policy) string {
	if m := p.missing(r.Approvals); m != "" {
		return m
	}
	return "the next approval decides" // the policy was eased since the last one
}

func approvers(given []Approval) []string {
	ids := make([]string, 0, len(given)+1)
	for _, a := range given {
		ids = append(ids, a.ApproverID)
	}
	return ids
}

func meet(a, b []string) (string, bool) {
	for _, id := range a {
		if slices.Contains(b, id) {
			return id, true
		}
	}
	return "", false
}

func (s State) openRevision(c OpenRevision) ([]Event, error) {
	if err := reasoned(c.Reason); err != nil {
		return nil, err
	}
	if !s.HasInForce() {
		return nil, ErrNotInForce.Detailf("No revision is in force yet: edit the working one.")
	}
	if w := s.Working.Number; w > 0 {
		return nil, ErrRevisionOpen.Detailf("Revision %d is being worked on: withdraw it first.", w)
	}
	return []Event{RevisionOpened{Revision: s.revisions + 1, BaseRevision: s.InForce.Number, Reason: c.Reason}}, nil
}

func (s State) withdrawRevision(c WithdrawRevision) ([]Event, error) {
	if err := reasoned(c.Reason); err != nil {
		return nil, err
	}
	switch {
	case s.Working.Number == 0:
		return nil, ErrNoWorking.Detailf("There is no working revision to withdraw.")
	case !s.HasInForce():
		return nil, ErrNotInForce.Detailf("The first revision is not withdrawn by itself: no other one is in force.")
	}
	return []Event{RevisionWithdrawn{Revision: s.Working.Number, Reason: c.Reason}}, nil
}
