package strategy

import (
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
)

// attest holds S10: whoever stands by a period's measurements made none of them.
func (s State) attest(by fact.Actor, c AttestPeriod) ([]Event, error) {
	var f check.Form
	if !c.Period.Valid() {
		f.Object("#/period", "format", "Give start and end as YYYY-MM-DD, the end not before the start.")
	}
	f.Name("#/statement", c.Statement)
	if c.Meaning != Attestation {
		f.Object("#/meaning", "const", "Say what your signature means: attestation.")
	}
	f.Hash("#/indicatorDigest", c.IndicatorDigest)
	if c.LogPosition < 0 {
		f.Object("#/logPosition", "minimum", "Give a position of the log.")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	// The day it is anywhere on Earth counts: members are in all time zones.
	if today := calendar.Of(by.At.Add(14 * time.Hour)); c.Period.End > today {
		return nil, ErrPeriodOpen.Detailf("The period ends on %s: attest it once it is over.", c.Period.End)
	}
	switch {
	case !s.HasInForce():
		return nil, ErrNotInForce.Detailf("No revision is in force yet: there is nothing to attest.")
	case s.Phase == OnHold:
		return nil, ErrOnHold.Detailf("The strategy is on hold: resume it before you attest a period.")
	}
	if id, ok := meet(append([]string{by.ID}, c.SamePerson...), c.Measurers); ok {
		return nil, ErrOwnMeasurements.Detailf("Member %s recorded or corrected measurements of this period by hand: somebody who did not must attest it.", id)
	}
	if n := len(c.Unexplained); n > 0 {
		return nil, ErrUnexplained.Detailf("%d indicators are off track without a finding, %s among them: raise findings first.", n, c.Unexplained[0])
	}
	if err := authz.Signed(by); err != nil {
		return nil, err
	}
	return []Event{PeriodAttested{
		Period: c.Period, Statement: c.Statement, AttesterID: by.ID, Revision: s.InForce.Number,
		ContentHash: s.contentHash(s.InForce.Plan, c.IndicatorDigest), IndicatorDigest: c.IndicatorDigest, LogPosition: c.LogPosition, HeadHash: c.HeadHash,
	}}, nil
}
