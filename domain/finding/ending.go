package finding

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/severity"
)

// What the signatures of this package stand for.
const (
	MeansAcceptance = "risk-acceptance"
	MeansClosure    = "closure"
)

// minDismissal is how much a dismissal has to say, in characters.
const minDismissal = 20

// accept holds S7: whoever accepts a risk never owned nor raised the finding;
// a critical one takes two who may; and it is for a time that the policy bounds.
func (s State) accept(by fact.Actor, c AcceptRisk) (Event, error) {
	if err := s.in(Owned, Planned, Accepted); err != nil {
		return nil, err
	}
	var f check.Form
	f.Name("#/justification", c.Justification)
	if !c.ExpiresOn.Valid() {
		f.Object("#/expiresOn", "format", "Give a date as YYYY-MM-DD.")
	}
	if c.Meaning != MeansAcceptance {
		f.Object("#/meaning", "const", "Say what your signature means: %s.", MeansAcceptance)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	today := calendar.Of(by.At)
	if latest := today.AddDays(c.MaxDays); c.ExpiresOn <= today || c.ExpiresOn > latest {
		return nil, ErrExpiry.Detailf("A risk is accepted for %d days at most: give a date after today, and by %s.", c.MaxDays, latest)
	}
	if err := s.independent(append([]string{by.ID}, c.SamePerson...)); err != nil {
		return nil, err
	}
	acceptors := []string{by.ID}
	if s.Severity == severity.Critical {
		if err := authz.SecondPerson(ErrTwoAcceptors, by, c.Second, authz.RiskAcceptor); err != nil {
			return nil, err
		}
		// Who countersigned did so in view of the finding as it was: a signature from
		// before its last turn counts no more, and so none is used twice. Signatures
		// carry whole seconds.
		if !c.Second.SignedAt.Add(time.Second).After(s.turnedAt) {
			return nil, ErrTwoAcceptors.Detailf("The finding was accepted, returned or reclassified since this was countersigned: have it countersigned again.")
		}
		if err := s.independent(append([]string{c.Second.ID}, c.Second.SamePerson...)); err != nil {
			return nil, err
		}
		acceptors = append(acceptors, c.Second.ID)
	}
	if err := authz.Signed(by); err != nil {
		return nil, err
	}
	return RiskAccepted{Acceptors: acceptors, Justification: c.Justification, ExpiresOn: c.ExpiresOn}, nil
}

func (s State) independent(person []string) error {
	for _, id := range person {
		if slices.Contains(s.owners, id) || id == s.RaisedBy {
			return ErrOwnRisk.Detailf("Member %s answered for this finding or raised it: somebody who did neither must accept its risk.", id)
		}
	}
	return nil
}

// verifier holds S6: whoever says that a finding is over, or is not, never owned
// it nor submitted its remediation; what an audit found, an auditor judges.
func (s State) verifier(by fact.Actor, samePerson []string) error {
	for _, id := range append([]string{by.ID}, samePerson...) {
		if slices.Contains(s.owners, id) || slices.Contains(s.submitters, id) {
			return ErrOwnVerification.Detailf("Member %s answered for this finding: somebody who did not must judge it.", id)
		}
	}
	if s.Origin == FromAudit && !by.Has(authz.Auditor) {
		return ErrOwnVerification.Detailf("An audit found this: an auditor must judge it.")
	}
	return nil
}

func (s State) giveBack(by fact.Actor, c ReturnFinding) (Event, error) {
	if err := s.in(Submitted, Accepted, Ended); err != nil {
		return nil, err
	}
	var f check.Form
	f.Name("#/comments", c.Comments)
	switch c.Reason {
	case Insufficient, Ineffective, AcceptanceExpired, AcceptanceRevoked:
	default:
		f.Object("#/reason", "enum", "Give insufficient, ineffective, acceptance_expired or acceptance_revoked.")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	fits := map[Stage][]Returned{
		Submitted: {Insufficient, Ineffective}, Accepted: {AcceptanceExpired, AcceptanceRevoked}, Ended: {Ineffective},
	}
	switch {
	case !slices.Contains(fits[s.Stage], c.Reason):
		return nil, ErrReturnReason.Detailf("A finding that is %s is not returned as %s.", s.Stage, c.Reason)
	case c.Reason == AcceptanceExpired && calendar.Of(by.At) <= s.ExpiresOn:
		return nil, ErrNotExpired.Detailf("The risk is accepted until %s: revoke the acceptance, or wait.", s.ExpiresOn)
	case by.Kind != fact.Person && c.Reason != AcceptanceExpired:
		return nil, ErrMachine.Detailf("Only persons judge a finding: somebody must sign in to return it.")
	case by.Kind == fact.Person:
		if err := s.verifier(by, c.SamePerson); err != nil {
			return nil, err
		}
	}
	return ReturnedToWork{Reason: c.Reason, Comments: c.Comments}, nil
}

func (s State) close(by fact.Actor, c CloseFinding) (Event, error) {
	var f check.Form
	switch c.Resolution {
	case Remediated:
		f.Name("#/effectivenessCheck", c.EffectivenessCheck)
	case Dismissed:
		f.Short("#/effectivenessCheck", c.EffectivenessCheck)
		if utf8.RuneCountInString(strings.TrimSpace(c.Reason)) < minDismissal {
			f.Object("#/reason", "minLength", "Say in at least %d characters why it is dismissed.", minDismissal)
		}
	default:
		f.Object("#/resolution", "enum", "Give remediated or dismissed.")
	}
	f.Short("#/reason", c.Reason)
	if c.Meaning != MeansClosure {
		f.Object("#/meaning", "const", "Say what your signature means: %s.", MeansClosure)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	stages := []Stage{Submitted}
	if c.Resolution == Dismissed {
		stages = []Stage{Open, Owned}
	}
	if err := s.in(stages...); err != nil {
		return nil, err
	}
	if err := s.verifier(by, c.SamePerson); err != nil {
		return nil, err
	}
	if err := authz.Signed(by); err != nil {
		return nil, err
	}
	return Closed{Resolution: c.Resolution, EffectivenessCheck: c.EffectivenessCheck, Reason: c.Reason, VerifierID: by.ID}, nil
}
