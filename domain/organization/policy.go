package organization

import (
	"errors"
	"strings"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/severity"
)

// Policy is how an organization governs its strategies.
type Policy struct {
	Version                   int      `json:"version"` // 1 = the defaults; one more each time it is set
	Quorum                    Quorum   `json:"quorum"`
	AutoHoldSeverity          Severity `json:"autoHoldSeverity"`          // a finding as severe as this puts an active strategy on hold
	AutoResume                bool     `json:"autoResume"`                // and once it has ended nobody need lift the hold
	BreachSeverity            Severity `json:"breachSeverity"`            // of the finding that a missed target raises
	AcceptanceMaxDays         int      `json:"acceptanceMaxDays"`         // how long a risk can be accepted at most (S7)
	RetentionYears            int      `json:"retentionYears"`            // how long what is recorded under this policy is kept at least
	RejectionSuspendThreshold int      `json:"rejectionSuspendThreshold"` // rejected messages per hour after which a source is suspended
}

// Quorum is what a revision needs before it may come into force (S2).
type Quorum struct {
	N                  int  `json:"n"` // distinct approvers
	ComplianceRequired bool `json:"complianceRequired"`
}

// Severity is the word that policies and findings share.
type Severity = severity.Severity

// Limits of a policy.
const (
	MaxQuorum             = 20
	MaxAcceptanceDays     = 365 // S7: twelve months
	MaxRetentionYears     = 100
	MaxRejectionThreshold = 100_000
)

// DefaultPolicy is version 1 of every organization's policy.
func DefaultPolicy() Policy {
	return Policy{
		Version: 1, Quorum: Quorum{N: 2, ComplianceRequired: true}, AutoHoldSeverity: severity.Critical, BreachSeverity: severity.Medium,
		AcceptanceMaxDays: MaxAcceptanceDays, RetentionYears: 10, RejectionSuspendThreshold: 100,
	}
}

// Weaker lists the members in which p asks for less than o does; none if p is
// as strict everywhere. To hold on milder findings, to lift holds by hand, to
// raise graver findings, to accept risks for a shorter time, to keep records
// longer and to suspend a source sooner is stricter.
func (p Policy) Weaker(o Policy) []string {
	var in []string
	for _, m := range []struct {
		name string
		less bool
	}{
		{"quorum.n", p.Quorum.N < o.Quorum.N},
		{"quorum.complianceRequired", !p.Quorum.ComplianceRequired && o.Quorum.ComplianceRequired},
		{"autoHoldSeverity", p.AutoHoldSeverity.Rank() > o.AutoHoldSeverity.Rank()},
		{"autoResume", p.AutoResume && !o.AutoResume},
		{"breachSeverity", p.BreachSeverity.Rank() < o.BreachSeverity.Rank()},
		{"acceptanceMaxDays", p.AcceptanceMaxDays > o.AcceptanceMaxDays},
		{"retentionYears", p.RetentionYears < o.RetentionYears},
		{"rejectionSuspendThreshold", p.RejectionSuspendThreshold > o.RejectionSuspendThreshold},
	} {
		if m.less {
			in = append(in, m.name)
		}
	}
	return in
}

func (p Policy) check(f *check.Form) {
	between := func(at string, value, from, to int) {
		if value < from || value > to {
			f.Object(at, "maximum", "Give a whole number from %d to %d.", from, to)
		}
	}
	known := func(at string, s Severity) {
		if s.Rank() == 0 {
			f.Object(at, "enum", "Give low, medium, high or critical.")
		}
	}
	between("#/quorum/n", p.Quorum.N, 1, MaxQuorum)
	known("#/autoHoldSeverity", p.AutoHoldSeverity)
	known("#/breachSeverity", p.BreachSeverity)
	between("#/acceptanceMaxDays", p.AcceptanceMaxDays, 1, MaxAcceptanceDays)
	between("#/retentionYears", p.RetentionYears, 1, MaxRetentionYears)
	between("#/rejectionSuspendThreshold", p.RejectionSuspendThreshold, 1, MaxRejectionThreshold)
}

// setPolicy holds S8 for policies: a weaker one takes two compliance officers,
// the one who asked for it (and countersigned) and the one who gives the command.
// Who asked did so in view of the policy they sign against: a signature from
// before it came into force counts no more, and so none is used twice.
func (s State) setPolicy(by fact.Actor, c SetGovernancePolicy) ([]Event, error) {
	if err := authz.Check(by, authz.SetGovernancePolicy); err != nil {
		return nil, err
	}
	old, next := s.Policy(), c.Policy
	next.Version = old.Version + 1
	var f check.Form
	f.Reason(c.Reason)
	next.check(&f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if next.sameAs(old) {
		return nil, ErrNothingChanges.Detailf("This is the policy already: give another one.")
	}
	e := GovernancePolicySet{Policy: next, Old: old, Reason: c.Reason}
	if weaker := next.Weaker(old); len(weaker) > 0 {
		err := authz.SecondPerson(ErrDualControl, by, c.Second, authz.ComplianceOfficer)
		// Signatures carry whole seconds.
		if err == nil && !c.Second.SignedAt.Add(time.Second).After(s.policySince) {
			err = ErrDualControl.Detailf("The policy has changed since this was countersigned: have it countersigned again.")
		}
		if err != nil {
			if f, ok := errors.AsType[*fault.Fault](err); ok {
				err = f.Detailf("%s The policy is weaker in %s.", f.Detail, strings.Join(weaker, ", "))
			}
			return nil, err
		}
		if err := authz.Signed(by); err != nil {
			return nil, err
		}
		e.RequestedBy, e.AuthorizedBy = c.Second.ID, by.ID
	}
	return []Event{e}, nil
}

func (p Policy) sameAs(o Policy) bool {
	p.Version = o.Version
	return p == o
}

// RetainedUntil says until when what was recorded at an instant is kept: by the
// longest retention of the policy of then and of any since. Setting a shorter
// one shortens nothing that is there (R12).
func (s State) RetainedUntil(recorded time.Time) time.Time {
	years := s.Policy().RetentionYears
	for _, p := range s.formerPolicies {
		if !p.until.Before(recorded) { // at the same instant it may have come first
			years = max(years, p.retentionYears)
		}
	}
	return recorded.AddDate(years, 0, 0)
}

// formerPolicy is what is remembered of a policy that another one replaced.
type formerPolicy struct {
	until          time.Time
	retentionYears int
}
