package finding

import (
	"fmt"
	"slices"
	"strings"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/severity"
)

// MaxSubjects bounds what one finding is about.
const MaxSubjects = 200

// Decide answers a command with the events it leads to, or with a fault and no
// events. It reads nothing but its arguments.
func Decide(s State, by fact.Actor, c Command) ([]Event, error) {
	e, err := decide(s, by, c)
	if err != nil {
		return nil, err
	}
	return []Event{e}, nil
}

func decide(s State, by fact.Actor, c Command) (Event, error) {
	kind, ok := kindOf(c)
	if !ok {
		return nil, refusal.Invalid.Detailf("A finding takes no command %T.", c)
	}
	if by.Kind != fact.Person && (kind == authz.CloseFinding || kind == authz.AcceptRisk) {
		return nil, ErrMachine.Detailf("Only persons do this: somebody must sign in to %s.", strings.ReplaceAll(kind, "-", " "))
	}
	if err := authz.Check(by, kind); err != nil {
		return nil, err
	}
	if r, ok := c.(RaiseFinding); ok {
		return s.raise(r)
	}
	if !s.Exists() {
		return nil, ErrNotRaised.Detailf("There is no such finding: raise it first.")
	}
	switch c := c.(type) {
	case AssignFinding:
		return s.assign(by, c)
	case ReclassifyFinding:
		return s.reclassify(c)
	case PlanRemediation:
		return s.plan(by, c)
	case SubmitRemediation:
		return s.submit(by, c)
	case AcceptRisk:
		return s.accept(by, c)
	case ReturnFinding:
		return s.giveBack(by, c)
	case CloseFinding:
		return s.close(by, c)
	}
	return nil, refusal.Invalid.Detailf("A finding takes no command %T.", c)
}

// kindOf is the name of a command in the table of roles.
func kindOf(c Command) (kind string, ok bool) {
	switch c.(type) {
	case RaiseFinding:
		return authz.RaiseFinding, true
	case AssignFinding:
		return authz.AssignFinding, true
	case ReclassifyFinding:
		return authz.ReclassifyFinding, true
	case PlanRemediation:
		return authz.PlanRemediation, true
	case SubmitRemediation:
		return authz.SubmitRemediation, true
	case AcceptRisk:
		return authz.AcceptRisk, true
	case ReturnFinding:
		return authz.ReturnFinding, true
	case CloseFinding:
		return authz.CloseFinding, true
	}
	return "", false
}

// in refuses a command that the finding's stage does not allow.
func (s State) in(stages ...Stage) error {
	if slices.Contains(stages, s.Stage) {
		return nil
	}
	return ErrState.Detailf("The finding is %s, and this is for one that is %s.", s.Stage, join(stages))
}

func join(stages []Stage) string {
	texts := make([]string, len(stages))
	for i, stage := range stages {
		texts[i] = string(stage)
	}
	return strings.Join(texts, " or ")
}

func (s State) raise(c RaiseFinding) (Event, error) {
	if s.Exists() {
		return nil, ErrRaised.Detailf("This finding is raised already; raise another one under its own id.")
	}
	var f check.Form
	f.ID("#/findingId", c.FindingID)
	checkKind(&f, c.Kind)
	checkSeverity(&f, c.Severity)
	f.Name("#/title", c.Title)
	f.Name("#/condition", c.Condition)
	f.Name("#/criteria", c.Criteria)
	f.Prose("#/cause", c.Cause)
	f.Prose("#/effect", c.Effect)
	f.Prose("#/recommendation", c.Recommendation)
	f.Short("#/engagementRef", c.EngagementRef)
	f.Short("#/dedupeKey", c.DedupeKey)
	switch c.Origin {
	case FromAudit, FromCompliance, FromBreach, FromIngest, FromLogVerification:
	default:
		f.Object("#/origin", "enum", "Give audit, compliance, breach, ingest or log_verification.")
	}
	checkSubjects(&f, c.Subjects)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if len(c.UnknownSubjects) > 0 {
		return nil, ErrSubject.Detailf("There is no %s here: name what the finding is about.", c.UnknownSubjects[0])
	}
	if c.SameOpen != "" {
		return nil, ErrSameOpen.Detailf("Finding %s is about the same and not over: work on that one.", c.SameOpen)
	}
	return Raised{
		FindingID: c.FindingID, Kind: c.Kind, Severity: c.Severity, Title: c.Title, Condition: c.Condition, Criteria: c.Criteria,
		Cause: c.Cause, Effect: c.Effect, Recommendation: c.Recommendation, Subjects: slices.Clone(c.Subjects), Origin: c.Origin,
		EngagementRef: c.EngagementRef, DedupeKey: c.DedupeKey,
	}, nil
}

func checkKind(f *check.Form, k Kind) {
	switch k {
	case Observation, Exception, MinorNC, MajorNC:
	default:
		f.Object("#/kind", "enum", "Give observation, exception, minor_nc or major_nc.")
	}
}

func checkSeverity(f *check.Form, s severity.Severity) {
	if s.Rank() == 0 {
		f.Object("#/severity", "enum", "Give low, medium, high or critical.")
	}
}

func checkSubjects(f *check.Form, subjects []Subject) {
	if len(subjects) == 0 || len(subjects) > MaxSubjects {
		f.Object("#/subjects", "minItems", "Name 1 to %d things that the finding is about.", MaxSubjects)
		return
	}
	for i, s := range subjects {
		at := fmt.Sprintf("#/subjects/%d", i)
		switch s.Type {
		case "strategy", "indicator", "source", "evidence", "organization":
		default:
			f.Object(at+"/type", "enum", "Give strategy, indicator, source, evidence or organization.")
		}
		if !ident.Valid(s.ID) {
			f.Object(at+"/id", "format", "Give a lower-case UUID.")
		}
		f.Revision(at+"/revision", s.Type, s.Revision)
	}
}

// DueDays is how many days a finding may take, by its severity.
func DueDays(s severity.Severity) int {
	switch s {
	case severity.Critical:
		return 30
	case severity.High:
		return 60
	case severity.Medium:
		return 90
	}
	return 180
}

func (s State) assign(by fact.Actor, c AssignFinding) (Event, error) {
	if err := s.in(Open, Owned, Planned); err != nil {
		return nil, err
	}
	today := calendar.Of(by.At)
	usual := today.AddDays(DueDays(s.Severity))
	if c.DueDate == "" {
		c.DueDate = usual
	}
	var f check.Form
	f.ID("#/ownerId", c.OwnerID)
	f.OptionalDate("#/dueDate", c.DueDate)
	f.Short("#/reason", c.Reason)
	if err := f.Err(); err != nil {
		return nil, err
	}
	switch {
	case c.DueDate < today:
		return nil, ErrDueDate.Detailf("The due date %s is over: give a later one.", c.DueDate)
	case c.DueDate > usual && strings.TrimSpace(c.Reason) == "":
		return nil, ErrDueDate.Detailf("A finding of severity %s is due by %s: give the reason for a later date.", s.Severity, usual)
	case !s.canRespond(c.OwnerRoles):
		return nil, ErrOwnerRole.Detailf("Member %s is not %s here (nor %s of a source that this is about) and could not respond: assign somebody who is.", c.OwnerID, authz.IndicatorOwner, authz.DataSteward)
	case c.OwnerID == s.OwnerID && c.DueDate == s.DueDate:
		return nil, ErrNothingChanges.Detailf("This is the owner already, with this due date: give another one.")
	}
	return Assigned{OwnerID: c.OwnerID, PreviousOwner: s.OwnerID, DueDate: c.DueDate, Reason: c.Reason}, nil
}

// canRespond says whether the owner of the finding can have these roles: it is
// for those who answer for indicators, or for the sources that it is about.
func (s State) canRespond(roles []string) bool {
	return slices.Contains(roles, authz.IndicatorOwner) ||
		slices.Contains(roles, authz.DataSteward) && slices.ContainsFunc(s.Subjects, func(o Subject) bool { return o.Type == "source" })
}

func (s State) reclassify(c ReclassifyFinding) (Event, error) {
	if err := s.in(Open, Owned, Planned, Submitted, Accepted); err != nil {
		return nil, err
	}
	if c.Severity == "" {
		c.Severity = s.Severity
	}
	if c.Kind == "" {
		c.Kind = s.Kind
	}
	var f check.Form
	f.Reason(c.Reason)
	checkKind(&f, c.Kind)
	checkSeverity(&f, c.Severity)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if c.Severity == s.Severity && c.Kind == s.Kind {
		return nil, ErrNothingChanges.Detailf("The finding is classified so already: give another severity or kind.")
	}
	return Reclassified{OldSeverity: s.Severity, Severity: c.Severity, OldKind: s.Kind, Kind: c.Kind, Reason: c.Reason}, nil
}
