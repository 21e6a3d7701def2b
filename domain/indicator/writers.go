package indicator

import (
	"slices"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/source"
)

// allows holds S9: while a finding about a missed target is open, a person
// corrects or withdraws what it rests on with evidence only, and its owner not
// at all. Sources restate what is theirs.
func (b Breach) allows(by fact.Actor, evidenceID string) error {
	if err := b.allowsAnew(by); err != nil {
		return err
	}
	if b.FindingID != "" && by.Kind == fact.Person && evidenceID == "" {
		return ErrBreachEvidence.Detailf("Finding %s about this indicator is open: name the evidence for the correction.", b.FindingID)
	}
	return nil
}

// allowsAnew holds S9 for a value in place of one that was withdrawn, which
// together are a correction: the evidence came with the withdrawal.
func (b Breach) allowsAnew(by fact.Actor) error {
	if b.FindingID == "" || by.Kind != fact.Person {
		return nil
	}
	if b.OwnerID == by.ID || (b.OwnerID != "" && slices.Contains(b.SamePerson, b.OwnerID)) {
		return ErrBreachOwner.Detailf("You answer for finding %s about this indicator: somebody else must correct its measurements.", b.FindingID)
	}
	return nil
}

// sourceOf gives the terms of a command that a source may give.
func sourceOf(c Command) SourceTerms {
	switch c := c.(type) {
	case RecordMeasurement:
		return c.Source
	case CorrectMeasurement:
		return c.Source
	case VoidMeasurement:
		return c.Source
	}
	return SourceTerms{}
}

// allow holds the first half of S14: a registered source writes only the
// indicators that its steward allows.
func (t SourceTerms) allow(by fact.Actor) error {
	if by.Kind != fact.Source || !t.Registered || t.Allowed {
		return nil
	}
	return ErrSource.Detailf("Source %s may not write this indicator: its data steward must allow it.", by.ID).With("reason", source.NotAllowed)
}

// overwrite holds the second half of S14: what a person wrote last, a source
// changes only if its steward lets it. A value that a person withdrew is the
// person's, too: a source that repeats it would undo that.
func (t SourceTerms) overwrite(by fact.Actor, last Measurement) error {
	if by.Kind != fact.Source || !last.ByHand || t.Override {
		return nil
	}
	return ErrSource.Detailf("A person wrote the value for %s last: source %s may not change it.", Key(last.Period, last.Dims), by.ID).
		With("reason", source.ProtectedValue)
}
