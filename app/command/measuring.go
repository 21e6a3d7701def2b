package command

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
)

// measuring adds to commands on measurements of one indicator what only the
// service knows: the terms of the source that asks (S14), and the finding about
// a missed target that is open (S9). It reads each at most once per round of
// decisions: a batch holds hundreds of them.
type measuring struct {
	indicators *Indicators
	call       Call

	round    time.Time
	read     bool // terms, in this round
	terms    indicator.SourceTerms
	looked   bool // for breaches, in this round
	breaches []finding.State
}

func (w *measuring) complete(ctx context.Context, m member, s indicator.State, c indicator.Command, round time.Time) (indicator.Command, error) {
	if !w.round.Equal(round) {
		*w = measuring{indicators: w.indicators, call: w.call, round: round}
	}
	var err error
	switch c := c.(type) {
	case indicator.RecordMeasurement:
		c.Breach = indicator.Breach{}
		if c.Source, err = w.source(ctx, s); err == nil && voided(s, c) {
			c.Breach, err = w.breach(ctx, m, authz.RecordMeasurement, s)
		}
		return c, err
	case indicator.CorrectMeasurement:
		c.Source, c.Breach, c.EvidenceUnknown, err = w.replacing(ctx, m, authz.CorrectMeasurement, s, c.EvidenceID)
		return c, err
	case indicator.VoidMeasurement:
		c.Source, c.Breach, c.EvidenceUnknown, err = w.replacing(ctx, m, authz.VoidMeasurement, s, c.EvidenceID)
		return c, err
	}
	return c, nil
}

// replacing is what a command needs that changes a value or takes it away.
func (w *measuring) replacing(ctx context.Context, m member, kind string, s indicator.State, evidenceID string) (terms indicator.SourceTerms, b indicator.Breach, unknown bool, err error) {
	if terms, err = w.source(ctx, s); err == nil {
		b, err = w.breach(ctx, m, kind, s)
	}
	if err == nil {
		unknown, err = w.unknown(ctx, evidenceID)
	}
	return terms, b, unknown, err
}

// source gives what the asking source may do; nothing if a member asks. A
// source that is not active is refused.
func (w *measuring) source(ctx context.Context, s indicator.State) (indicator.SourceTerms, error) {
	p := w.call.Principal
	if p.sourceID == uuid.Nil || w.read {
		return w.terms, nil
	}
	registered, err := w.indicators.sources.acting(ctx, p, w.round)
	if err != nil {
		return indicator.SourceTerms{}, err
	}
	w.terms = indicator.SourceTerms{Registered: true}
	w.terms.Allowed, w.terms.Override = registered.Allows(s.ID)
	w.read = true
	return w.terms, nil
}

// breach is the finding that S9 is about. Only what was off track has one, so
// for most corrections nobody is asked.
func (w *measuring) breach(ctx context.Context, m member, kind string, s indicator.State) (indicator.Breach, error) {
	if !s.EverOff {
		return indicator.Breach{}, nil
	}
	// What is there is not looked for, nor told, for those who may not ask.
	by := m.actor(s.StrategyID)
	if may := authz.Check(by, kind) == nil; !may || by.Kind != fact.Person {
		return indicator.Breach{}, nil
	}
	if !w.looked {
		open, err := w.indicators.findings.about(ctx, w.call.Principal.OrganizationID, "indicator", s.ID)
		if err != nil {
			return indicator.Breach{}, err
		}
		w.breaches = slices.DeleteFunc(open, func(f finding.State) bool { return f.Origin != finding.FromBreach })
		w.looked = true
	}
	var b indicator.Breach
	person := m.in.SamePerson(m.ID)
	for _, f := range w.breaches {
		// There is one at most; should there be more, the asking person's own counts.
		if b.FindingID == "" || f.OwnerID == by.ID || slices.Contains(person, f.OwnerID) {
			b = indicator.Breach{FindingID: f.ID, OwnerID: f.OwnerID, SamePerson: person}
		}
	}
	return b, nil
}

func (w *measuring) unknown(ctx context.Context, evidenceID string) (bool, error) {
	if evidenceID == "" {
		return false, nil
	}
	there, err := w.indicators.directory.has(ctx, w.call.Principal.OrganizationID, "evidence", evidenceID)
	return !there, err
}

// voided says whether the key to record had a value that was withdrawn.
func voided(s indicator.State, c indicator.RecordMeasurement) bool {
	m, known := s.Last(c.Period, c.Dims)
	return known && m.Void
}
