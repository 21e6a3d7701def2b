package indicator_test

import (
	"slices"
	"testing"
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/refusal"
)

var byRegion = func() indicator.Definition {
	d := scores
	d.Dimensions = []indicator.Dimension{{Name: "region", Values: []string{"north", "south"}}, {Name: "age"}}
	return d
}()

var milestone = indicator.Definition{
	Name: "Law passed", Unit: "stage", Type: indicator.Qualitative, Direction: indicator.Milestone, Frequency: calendar.Irregular,
	Done: []string{"in force"}, Tolerance: indicator.Tolerance{AtRisk: "0", OffTrack: "0.1"},
}

func TestRecording(t *testing.T) {
	record := func(id string, y int, number string) indicator.RecordMeasurement {
		return indicator.RecordMeasurement{MeasurementID: id, Period: year(y), Value: indicator.Stated{Number: number}}
	}
	dims := func(d indicator.Dims) indicator.RecordMeasurement {
		c := record(m1, 2022, "1")
		c.Dims = d
		return c
	}
	base := []past{defined(scores)}
	once := scores
	once.Frequency = calendar.Once
	zoned := time.Date(2026, 1, 2, 3, 4, 5, 6_007_008, time.FixedZone("CET", 3600))
	stored := time.Date(2026, 1, 2, 2, 4, 5, 6_007_000, time.UTC)
	observed := record(m1, 2022, "5.90")
	observed.ObservedAt, observed.Note, observed.Value.Descriptor = &zoned, "...", "Annual"
	missing := indicator.Reading{DescriptorName: "Observation status", Descriptor: "Missing value; suppressed"}
	gap := record(m1, 2022, "")
	gap.Value = indicator.Stated{DescriptorName: missing.DescriptorName, Descriptor: missing.Descriptor}
	neverObserved := record(m1, 2022, "1")
	faraway := time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	neverObserved.ObservedAt = &faraway
	qualitative := func(v indicator.Stated) indicator.RecordMeasurement {
		return indicator.RecordMeasurement{MeasurementID: m1, Period: year(2022), Value: v}
	}

	decider.Run(t, []spec{
		{
			Name: "keeps the text it came as", Given: base, By: olga, When: observed,
			Then: []indicator.Event{indicator.MeasurementRecorded{
				MeasurementID: m1, KeyVersion: 1, Period: year(2022), ObservedAt: &stored, Note: "...",
				Reading: indicator.Reading{Value: "5.9", OriginalText: "5.90", Descriptor: "Annual"},
			}},
		},
		{
			Name: "changes the health in the same breath", Given: []past{defined(scores), target(2022, "6.82")}, By: source, When: record(m1, 2022, "6.02"),
			Then: []indicator.Event{
				indicator.MeasurementRecorded{MeasurementID: m1, KeyVersion: 1, Period: year(2022), Reading: number("6.02")},
				indicator.HealthChanged{
					From: indicator.Unknown, To: indicator.OffTrack, Period: year(2022), Actual: reading(number("6.02")), Target: reading(number("6.82")),
					Trend: indicator.Insufficient, Rule: indicator.Increase, CauseMeasurementID: m1,
				},
			},
		},
		{
			Name: "an earlier period leaves the health", Given: []past{defined(scores), target(2022, "6.82"), recorded(m1, 2022, "6.02"), health(indicator.OffTrack)}, By: olga, When: record(m2, 2021, "9"),
			Then: []indicator.Event{indicator.MeasurementRecorded{MeasurementID: m2, KeyVersion: 1, Period: year(2021), Reading: number("9")}},
		},
		{
			Name: "by dimensions", Given: []past{defined(byRegion)}, By: olga, When: dims(indicator.Dims{"region": "north", "age": "15-24"}),
			Then: []indicator.Event{indicator.MeasurementRecorded{MeasurementID: m1, KeyVersion: 1, Period: year(2022), Dims: indicator.Dims{"region": "north", "age": "15-24"}, Reading: number("1")}},
		},
		{
			Name: "again after a void, as the next version of the key", Given: []past{defined(scores), recorded(m1, 2022, "6"), voided(m1, 2022, "6")}, By: olga, When: record(m2, 2022, "6"),
			Then: []indicator.Event{indicator.MeasurementRecorded{MeasurementID: m2, KeyVersion: 3, Period: year(2022), Reading: number("6")}},
		},
		{
			Name: "a descriptor", Given: []past{defined(milestone)}, By: olga, When: qualitative(indicator.Stated{Descriptor: "first reading"}),
			Then: []indicator.Event{indicator.MeasurementRecorded{MeasurementID: m1, KeyVersion: 1, Period: year(2022), Reading: indicator.Reading{Descriptor: "first reading"}}},
		},
		{Name: "one value per key", Given: []past{defined(scores), recorded(m1, 2022, "6")}, By: olga, When: record(m2, 2022, "7"), Refused: indicator.ErrMeasured},
		{Name: "one key per id", Given: []past{defined(scores), recorded(m1, 2022, "6")}, By: olga, When: record(m1, 2021, "7"), Refused: indicator.ErrMeasurementID},
		{Name: "for ever", Given: []past{defined(scores), recorded(m1, 2022, "6"), voided(m1, 2022, "6")}, By: olga, When: record(m1, 2022, "6"), Refused: indicator.ErrMeasurementID},
		{
			Name: "no number, and why", Given: []past{defined(scores), target(2022, "6"), recorded(m2, 2021, "7"), health(indicator.OnTrack)}, By: olga, When: gap,
			Then: []indicator.Event{
				indicator.MeasurementRecorded{MeasurementID: m1, KeyVersion: 1, Period: year(2022), Reading: missing},
				indicator.HealthChanged{
					From: indicator.OnTrack, To: indicator.Unknown, Period: year(2022), Actual: &missing, Target: reading(number("6")),
					Trend: indicator.Insufficient, Rule: indicator.Increase, CauseMeasurementID: m1,
				},
			},
		},
		{Name: "no number", Given: base, By: olga, When: record(m1, 2022, "redesigned income questions"), Refused: refusal.Invalid},
		{Name: "nothing at all", Given: base, By: olga, When: record(m1, 2022, ""), Refused: indicator.ErrValueKind},
		{Name: "a number for a descriptor", Given: []past{defined(milestone)}, By: olga, When: qualitative(indicator.Stated{Number: "1", Descriptor: "x"}), Refused: indicator.ErrValueKind},
		{Name: "no descriptor", Given: []past{defined(milestone)}, By: olga, When: qualitative(indicator.Stated{DescriptorName: "x"}), Refused: indicator.ErrValueKind},
		{Name: "off the grid", Given: base, By: olga, When: indicator.RecordMeasurement{MeasurementID: m1, Period: calendar.Period{Start: "2022-01-01", End: "2022-06-30"}, Value: indicator.Stated{Number: "1"}}, Refused: indicator.ErrOffGrid},
		{Name: "a second period of what is measured once", Given: []past{defined(once), recorded(m1, 2021, "1")}, By: olga, When: record(m2, 2022, "1"), Refused: indicator.ErrOffGrid},
		{Name: "no period", Given: base, By: olga, When: indicator.RecordMeasurement{MeasurementID: m1, Value: indicator.Stated{Number: "1"}}, Refused: refusal.Invalid},
		{Name: "the future", Given: base, By: olga, When: record(m1, 2027, "1"), Refused: indicator.ErrFuture},
		{
			Name: "the year that has begun", Given: base, By: olga, When: record(m1, 2026, "1"),
			Then: []indicator.Event{indicator.MeasurementRecorded{MeasurementID: m1, KeyVersion: 1, Period: year(2026), Reading: number("1")}},
		},
		{Name: "an unknown dimension", Given: base, By: olga, When: dims(indicator.Dims{"region": "north"}), Refused: indicator.ErrDimension},
		{Name: "an unknown value of one", Given: []past{defined(byRegion)}, By: olga, When: dims(indicator.Dims{"region": "west"}), Refused: indicator.ErrDimension},
		{Name: "in a year that cannot be written", Given: base, By: olga, When: neverObserved, Refused: refusal.Invalid},
		{Name: "by an author", Given: base, By: ann, When: record(m1, 2022, "1"), Refused: authz.ErrRole},
	})
}

func TestCorrecting(t *testing.T) {
	given := []past{defined(scores), target(2022, "6"), recorded(m1, 2022, "5423.59999999999"), health(indicator.OnTrack)}
	correct := func(number, reason string) indicator.CorrectMeasurement {
		return indicator.CorrectMeasurement{MeasurementID: m1, Value: indicator.Stated{Number: number}, Reason: reason}
	}
	corrected := indicator.MeasurementCorrected{
		MeasurementID: m1, KeyVersion: 2, Period: year(2022), Old: number("5423.59999999999"), New: number("5423.6"), Reason: "rounding",
	}
	restated := corrected
	restated.Reason = indicator.SourceRestated
	proof := id("evidence", 1)
	proved := corrected
	proved.EvidenceID = proof
	breached := func(evidence, owner string, same ...string) indicator.CorrectMeasurement {
		c := correct("5423.6", "rounding")
		c.EvidenceID, c.Breach = evidence, indicator.Breach{FindingID: id("finding", 1), OwnerID: owner, SamePerson: same}
		return c
	}
	fell := corrected
	fell.New = number("5.5")
	reworded := corrected
	reworded.New = indicator.Reading{Value: "5423.59999999999", OriginalText: "5423.599999999990"}
	missing := indicator.Reading{DescriptorName: "Observation status", Descriptor: "Missing value; suppressed"}
	suppress := indicator.CorrectMeasurement{
		MeasurementID: m1, Reason: "too few cases",
		Value: indicator.Stated{DescriptorName: missing.DescriptorName, Descriptor: missing.Descriptor},
	}
	suppressed := corrected
	suppressed.New, suppressed.Reason = missing, "too few cases"
	gap := indicator.MeasurementRecorded{MeasurementID: m1, KeyVersion: 1, Period: year(2022), Reading: missing}
	filled := corrected
	filled.Old, filled.New, filled.Reason = missing, number("6"), "published"
	restatable := slices.Clone(given)
	restatable[2].By = source
	decider.Run(t, []spec{
		{Name: "says what was", Given: given, By: olga, When: correct("5423.6", "rounding"), Then: []indicator.Event{corrected}},
		{Name: "by the source itself", Given: restatable, By: source, When: correct("5423.6", indicator.SourceRestated), Then: []indicator.Event{restated}},
		{
			Name: "with another health", Given: given, By: olga, When: correct("5.5", "rounding"),
			Then: []indicator.Event{fell, indicator.HealthChanged{
				From: indicator.OnTrack, To: indicator.AtRisk, Period: year(2022), Actual: reading(number("5.5")), Target: reading(number("6")),
				Trend: indicator.Insufficient, Rule: indicator.Increase, CauseMeasurementID: m1,
			}},
		},
		{
			Name: "to the same number in other words", Given: given, By: olga, When: correct("5423.599999999990", "rounding"), Then: []indicator.Event{reworded},
		},
		{Name: "to the same words", Given: given, By: olga, When: correct("5423.59999999999", "r"), Refused: indicator.ErrSameValue},
		{Name: "to no number, and why", Given: []past{defined(scores), recorded(m1, 2022, "5423.59999999999")}, By: olga, When: suppress, Then: []indicator.Event{suppressed}},
		{Name: "to a number at last", Given: []past{defined(scores), {By: olga, Event: gap}}, By: olga, When: correct("6", "published"), Then: []indicator.Event{filled}},
		{
			Name: "named by its key", Given: given, By: olga,
			When: indicator.CorrectMeasurement{Period: year(2022), Value: indicator.Stated{Number: "5423.6"}, Reason: "rounding"}, Then: []indicator.Event{corrected},
		},
		{
			Name: "named by a key without a value", Given: given, By: olga,
			When: indicator.CorrectMeasurement{Period: year(2021), Value: indicator.Stated{Number: "1"}, Reason: "r"}, Refused: indicator.ErrNotLiving,
		},
		{
			Name: "not named at all", Given: given, By: olga,
			When: indicator.CorrectMeasurement{Value: indicator.Stated{Number: "1"}, Reason: "r"}, Refused: refusal.Invalid,
		},
		{Name: "S9: during a breach with evidence", Given: given, By: olga, When: breached(proof, id("person", 9)), Then: []indicator.Event{proved}},
		{Name: "S9: during a breach that nobody answers for yet", Given: given, By: olga, When: breached(proof, ""), Then: []indicator.Event{proved}},
		{Name: "S9: not without evidence", Given: given, By: olga, When: breached("", id("person", 9)), Refused: indicator.ErrBreachEvidence},
		{Name: "S9: not by who answers for it", Given: given, By: olga, When: breached(proof, olga.ID), Refused: indicator.ErrBreachOwner},
		{Name: "S9: not by them under another id", Given: given, By: olga, When: breached(proof, id("person", 9), id("person", 9)), Refused: indicator.ErrBreachOwner},
		{Name: "S9: but by the source", Given: restatable, By: source, When: breached("", source.ID), Then: []indicator.Event{corrected}},
		{Name: "a person speaking for the source", Given: given, By: olga, When: correct("1", indicator.SourceRestated), Refused: indicator.ErrReservedRestate},
		{Name: "for no reason", Given: given, By: olga, When: correct("1", ""), Refused: refusal.Invalid},
		{Name: "what is not there", Given: []past{defined(scores)}, By: olga, When: correct("1", "r"), Refused: indicator.ErrNotLiving},
		{Name: "what was voided", Given: []past{defined(scores), recorded(m1, 2022, "6"), voided(m1, 2022, "6")}, By: olga, When: correct("1", "r"), Refused: indicator.ErrNotLiving},
		{Name: "by a process", Given: given, By: actor(fact.Process, 9), When: correct("1", "r"), Refused: authz.ErrRole},
	})
}

func TestVoiding(t *testing.T) {
	given := []past{defined(scores), target(2021, "6"), target(2022, "6"), recorded(m1, 2021, "7"), recorded(m2, 2022, "1"), health(indicator.OffTrack)}
	void := indicator.VoidMeasurement{MeasurementID: m2, Reason: "wrong table"}
	decider.Run(t, []spec{
		{
			Name: "brings the earlier value back to the front", Given: given, By: olga, When: void,
			Then: []indicator.Event{
				indicator.MeasurementVoided{MeasurementID: m2, KeyVersion: 2, Period: year(2022), Old: number("1"), Reason: "wrong table"},
				indicator.HealthChanged{
					From: indicator.OffTrack, To: indicator.OnTrack, Period: year(2021), Actual: reading(number("7")), Target: reading(number("6")),
					Trend: indicator.Insufficient, Rule: indicator.Increase, CauseMeasurementID: m2,
				},
			},
		},
		{Name: "once", Given: append(given[:len(given):len(given)], voided(m2, 2022, "1")), By: olga, When: void, Refused: indicator.ErrNotLiving},
		{Name: "for a reason", Given: given, By: olga, When: indicator.VoidMeasurement{MeasurementID: m2}, Refused: refusal.Invalid},
	})
}

func TestSettingTargets(t *testing.T) {
	set := func(y int, number string) indicator.SetTarget {
		return indicator.SetTarget{Period: year(y), Value: indicator.Stated{Number: number}, Reason: "board decision"}
	}
	isSet := func(y int, now string, previous *indicator.Reading) indicator.TargetSet {
		return indicator.TargetSet{Period: year(y), Reading: number(now), Previous: previous, Reason: "board decision"}
	}
	described := set(2022, "")
	described.Value.Descriptor = "much more"
	annotated := set(2022, "6.82")
	annotated.Value.DescriptorName, annotated.Value.Descriptor = "Status", "Annual Baseline"
	decider.Run(t, []spec{
		{
			Name: "as in a StratML report", Given: []past{defined(scores)}, By: ann, When: annotated,
			Then: []indicator.Event{indicator.TargetSet{Period: year(2022), Reason: "board decision", Reading: indicator.Reading{
				Value: "6.82", OriginalText: "6.82", DescriptorName: "Status", Descriptor: "Annual Baseline",
			}}},
		},
		{Name: "for the future", Given: []past{defined(scores)}, By: ann, When: set(2100, "9"), Then: []indicator.Event{isSet(2100, "9", nil)}},
		{Name: "instead of another", Given: []past{defined(scores), target(2022, "7")}, By: ann, When: set(2022, "6"), Then: []indicator.Event{isSet(2022, "6", reading(number("7")))}},
		{
			Name: "and with it the health", Given: []past{defined(scores), target(2022, "7"), recorded(m1, 2022, "5"), health(indicator.OffTrack)}, By: ann, When: set(2022, "5"),
			Then: []indicator.Event{isSet(2022, "5", reading(number("7"))), indicator.HealthChanged{
				From: indicator.OffTrack, To: indicator.OnTrack, Period: year(2022), Actual: reading(number("5")), Target: reading(number("5")),
				Trend: indicator.Insufficient, Rule: indicator.Increase,
			}},
		},
		{Name: "to the same", Given: []past{defined(scores), target(2022, "7")}, By: ann, When: set(2022, "7.00"), Refused: indicator.ErrNothingChanges},
		{Name: "without a number", Given: []past{defined(scores)}, By: ann, When: set(2022, ""), Refused: indicator.ErrValueKind},
		{Name: "with a descriptor for a number", Given: []past{defined(scores)}, By: ann, When: described, Refused: indicator.ErrValueKind},
		{Name: "by the owner of the indicator", Given: []past{defined(scores)}, By: olga, When: set(2022, "1"), Refused: authz.ErrRole},
	})
}
