package finding

import (
	"fmt"
	"slices"
	"strings"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
)

// Limits of a remediation.
const (
	maxActions  = 200
	MaxEvidence = 200 // pieces that one submission names
)

// owned lets the owner respond, as long as they hold a role in which they could
// have been made the owner (S13).
func (s State) owned(by fact.Actor) error {
	switch {
	case by.ID != s.OwnerID:
		return ErrNotOwner.Detailf("Member %s answers for this finding: they must do this, or have it assigned to you.", s.OwnerID)
	case !s.canRespond(by.Roles):
		return authz.ErrRole.Detailf("To respond to this finding, have the role %s here.", authz.IndicatorOwner)
	}
	return nil
}

func (s State) plan(by fact.Actor, c PlanRemediation) (Event, error) {
	if err := s.in(Owned, Planned); err != nil {
		return nil, err
	}
	if err := s.owned(by); err != nil {
		return nil, err
	}
	if c.DueDate == "" {
		c.DueDate = s.DueDate
	}
	var f check.Form
	switch c.Response {
	case Agree, Partly, Disagree:
	default:
		f.Object("#/response", "enum", "Give agree, partly or disagree.")
	}
	f.OptionalDate("#/dueDate", c.DueDate)
	f.Short("#/reason", c.Reason)
	checkActions(&f, c.Actions)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if c.DueDate != s.DueDate {
		switch {
		case strings.TrimSpace(c.Reason) == "":
			return nil, ErrDueDate.Detailf("The finding is due by %s: give the reason for another date.", s.DueDate)
		case c.DueDate < calendar.Of(by.At):
			return nil, ErrDueDate.Detailf("The due date %s is over: give a later one.", c.DueDate)
		}
	}
	return RemediationPlanned{
		Response: c.Response, Actions: slices.Clone(c.Actions), OldDueDate: s.DueDate, DueDate: c.DueDate, Reason: c.Reason,
	}, nil
}

func checkActions(f *check.Form, actions []Action) {
	if len(actions) == 0 || len(actions) > maxActions {
		f.Object("#/actions", "minItems", "Say in 1 to %d actions what will be done.", maxActions)
		return
	}
	var seen []string
	for i, a := range actions {
		at := fmt.Sprintf("#/actions/%d", i)
		f.ID(at+"/id", a.ID)
		f.Name(at+"/text", a.Text)
		f.ID(at+"/ownerId", a.OwnerID)
		if !a.DueDate.Valid() {
			f.Object(at+"/dueDate", "format", "Give a date as YYYY-MM-DD.")
		}
		if slices.Contains(seen, a.ID) {
			f.Object(at+"/id", "uniqueItems", "Give each action an id of its own.")
		}
		seen = append(seen, a.ID)
	}
}

func (s State) submit(by fact.Actor, c SubmitRemediation) (Event, error) {
	if err := s.in(Planned); err != nil {
		return nil, err
	}
	if err := s.owned(by); err != nil {
		return nil, err
	}
	var f check.Form
	f.Name("#/statement", c.Statement)
	if len(c.ActionsDone) == 0 || len(c.ActionsDone) > maxActions {
		f.Object("#/actionsDone", "minItems", "Name 1 to %d actions that were done.", maxActions)
	}
	if len(c.EvidenceIDs) == 0 || len(c.EvidenceIDs) > MaxEvidence {
		f.Object("#/evidenceIds", "minItems", "Name 1 to %d pieces of evidence.", MaxEvidence)
	}
	for i, id := range c.EvidenceIDs {
		f.ID(fmt.Sprintf("#/evidenceIds/%d", i), id)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	for _, id := range c.ActionsDone {
		if !slices.Contains(s.actions, id) {
			return nil, ErrAction.Detailf("The plan has no action %q: plan it, or name one it has.", id)
		}
	}
	if len(c.UnknownEvidence) > 0 {
		return nil, ErrEvidence.Detailf("There is no evidence %s here: register it first.", c.UnknownEvidence[0])
	}
	return RemediationSubmitted{ActionsDone: slices.Clone(c.ActionsDone), Statement: c.Statement, EvidenceIDs: slices.Clone(c.EvidenceIDs)}, nil
}
