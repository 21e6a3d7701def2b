package indicator_test

import (
	"errors"
	"testing"

	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	channel "strata.dev/strata/domain/source"
)

// terms of the source that asks, from nothing to everything.
var (
	account = indicator.SourceTerms{}
	barred  = indicator.SourceTerms{Registered: true}
	allowed = indicator.SourceTerms{Registered: true, Allowed: true}
	trusted = indicator.SourceTerms{Registered: true, Allowed: true, Override: true}
)

// TestWhoWroteLast is S14: what comes of a source's word, by its terms and by
// who wrote the key last.
func TestWhoWroteLast(t *testing.T) {
	none := []past{defined(scores)}
	machines := []past{defined(scores), {By: source, Event: recorded(m1, 2022, "5").Event}}
	persons := []past{defined(scores), recorded(m1, 2022, "5")}
	corrected := append(machines[:2:2], past{By: olga, Event: indicator.MeasurementCorrected{
		MeasurementID: m1, KeyVersion: 2, Period: year(2022), Old: number("5"), New: number("6"), Reason: "r",
	}})
	withdrawn := append(machines[:2:2], voided(m1, 2022, "5"))
	restated := append(persons[:2:2], past{By: source, Event: indicator.MeasurementCorrected{
		MeasurementID: m1, KeyVersion: 2, Period: year(2022), Old: number("5"), New: number("6"), Reason: indicator.SourceRestated,
	}})
	withdrawnBySource := append(machines[:2:2], past{By: source, Event: voided(m1, 2022, "5").Event})
	record := func(t indicator.SourceTerms) indicator.Command {
		return indicator.RecordMeasurement{MeasurementID: m2, Period: year(2022), Value: indicator.Stated{Number: "7"}, Source: t}
	}
	correct := func(t indicator.SourceTerms) indicator.Command {
		return indicator.CorrectMeasurement{Period: year(2022), Value: indicator.Stated{Number: "7"}, Reason: indicator.SourceRestated, Source: t}
	}
	void := func(t indicator.SourceTerms) indicator.Command {
		return indicator.VoidMeasurement{Period: year(2022), Reason: "r", Source: t}
	}
	for _, c := range []struct {
		name   string
		given  []past
		when   func(indicator.SourceTerms) indicator.Command
		terms  indicator.SourceTerms
		reason string // "" = done
	}{
		{"a new value", none, record, allowed, ""},
		{"a new value of what it may not write", none, record, barred, channel.NotAllowed},
		{"a new value of a service account", none, record, account, ""},
		{"its own value", machines, correct, allowed, ""},
		{"its own value, where it may not write any more", machines, correct, barred, channel.NotAllowed},
		{"a person's value", persons, correct, allowed, channel.ProtectedValue},
		{"a person's value, of a service account", persons, correct, account, channel.ProtectedValue},
		{"a person's value, with override", persons, correct, trusted, ""},
		{"its own value that a person corrected", corrected, correct, allowed, channel.ProtectedValue},
		{"a person's value that it corrected", restated, correct, allowed, ""},
		{"its own value, voided", machines, void, allowed, ""},
		{"what it may not write, voided", machines, void, barred, channel.NotAllowed},
		{"a person's value, voided", persons, void, allowed, channel.ProtectedValue},
		{"a person's value, voided with override", persons, void, trusted, ""},
		{"a value that a person withdrew", withdrawn, record, allowed, channel.ProtectedValue},
		{"a value that a person withdrew, with override", withdrawn, record, trusted, ""},
		{"a value that it withdrew", withdrawnBySource, record, allowed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := indicator.Decide(decider.Fold(c.given), source, c.when(c.terms))
			if c.reason == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			f, ok := errors.AsType[*fault.Fault](err)
			if !ok || !f.Is(indicator.ErrSource) || f.Extra["reason"] != c.reason || f.Detail == "" {
				t.Errorf("got %v, want %v for %s", err, indicator.ErrSource, c.reason)
			}
		})
	}
	// Persons are not bound by what sources may.
	if _, err := indicator.Decide(decider.Fold(persons), olga, indicator.VoidMeasurement{Period: year(2022), Reason: "r", Source: barred}); err != nil {
		t.Errorf("a person is refused: %v", err)
	}
	// What is there already is told before whose it is: repeating it harms nobody.
	_, err := indicator.Decide(decider.Fold(persons), source, indicator.CorrectMeasurement{
		Period: year(2022), Value: indicator.Stated{Number: "5"}, Reason: indicator.SourceRestated, Source: allowed,
	})
	if !errors.Is(err, indicator.ErrSameValue) {
		t.Errorf("the same value: %v", err)
	}
}

// TestCorrectingByWithdrawing is S9 for the way around it.
func TestCorrectingByWithdrawing(t *testing.T) {
	given := []past{defined(scores), recorded(m1, 2022, "5"), health(indicator.OffTrack)}
	withdrawn := append(given[:3:3], voided(m1, 2022, "5"))
	proof := id("evidence", 1)
	other := indicator.Breach{FindingID: id("finding", 1), OwnerID: id("person", 9)}
	own := indicator.Breach{FindingID: id("finding", 1), OwnerID: olga.ID}
	void := func(evidence string, b indicator.Breach) indicator.VoidMeasurement {
		return indicator.VoidMeasurement{MeasurementID: m1, Reason: "wrong", EvidenceID: evidence, Breach: b}
	}
	again := func(b indicator.Breach) indicator.RecordMeasurement {
		return indicator.RecordMeasurement{MeasurementID: m2, Period: year(2022), Value: indicator.Stated{Number: "9"}, Breach: b}
	}
	proved := void(proof, other)
	unproved := proved
	unproved.EvidenceUnknown = true
	withProof := indicator.MeasurementVoided{MeasurementID: m1, KeyVersion: 2, Period: year(2022), Old: number("5"), Reason: "wrong", EvidenceID: proof}
	toUnknown := indicator.HealthChanged{From: indicator.OffTrack, To: indicator.Unknown, Trend: indicator.Insufficient, Rule: indicator.Increase, CauseMeasurementID: m1}
	stillUnknown := indicator.HealthChanged{From: indicator.OffTrack, To: indicator.Unknown, Period: year(2022), Actual: reading(number("9")), Trend: indicator.Insufficient, Rule: indicator.Increase, CauseMeasurementID: m2}
	decider.Run(t, []spec{
		{Name: "with evidence", Given: given, By: olga, When: proved, Then: []indicator.Event{withProof, toUnknown}},
		{Name: "without", Given: given, By: olga, When: void("", other), Refused: indicator.ErrBreachEvidence},
		{Name: "with evidence that is not there", Given: given, By: olga, When: unproved, Refused: indicator.ErrEvidence},
		{Name: "by who answers for the finding", Given: given, By: olga, When: void(proof, own), Refused: indicator.ErrBreachOwner},
		{Name: "and then another value by them", Given: withdrawn, By: olga, When: again(own), Refused: indicator.ErrBreachOwner},
		{
			Name: "and then another value by somebody else", Given: withdrawn, By: olga, When: again(other),
			Then: []indicator.Event{indicator.MeasurementRecorded{MeasurementID: m2, KeyVersion: 3, Period: year(2022), Reading: number("9")}, stillUnknown},
		},
	})
	if s := decider.Fold(append(given[:3:3], health(indicator.OnTrack))); !s.EverOff || s.Status != indicator.OnTrack {
		t.Errorf("what was off track is not remembered: %v, %s", s.EverOff, s.Status)
	}
}
