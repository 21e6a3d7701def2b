package indicator

import (
	"time"

	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/refusal"
)

// MaxKeys is how many keys one indicator can hold values for, void ones included.
const MaxKeys = 200_000

// SourceRestated is the reason of a correction that the source itself made.
const SourceRestated = "source_restated"

// Decide answers a command with the events it leads to, or with a fault and no
// events. It reads nothing but its arguments. If the events change the health
// of the indicator, the last one says so.
func Decide(s State, by fact.Actor, c Command) ([]Event, error) {
	e, err := decide(s, by, c)
	if err != nil {
		return nil, err
	}
	if changed, ok := healthChange(s, s.Apply(by, e), causeOf(e)); ok {
		return []Event{e, changed}, nil
	}
	return []Event{e}, nil
}

func decide(s State, by fact.Actor, c Command) (Event, error) {
	kind, ok := kindOf(c)
	if !ok {
		return nil, refusal.Invalid.Detailf("An indicator takes no command %T.", c)
	}
	if err := authz.Check(by, kind); err != nil {
		return nil, err
	}
	if d, ok := c.(DefineIndicator); ok {
		return s.define(by, d)
	}
	switch {
	case !s.Exists():
		return nil, ErrNotDefined.Detailf("There is no such indicator: define it first.")
	case s.Retired:
		return nil, ErrRetired.Detailf("This indicator is retired: define a new one, or use the one that replaced it.")
	}
	if err := sourceOf(c).allow(by); err != nil {
		return nil, err
	}
	switch c := c.(type) {
	case RedefineIndicator:
		return s.redefine(by, c)
	case RelinkIndicator:
		return s.relink(by, c)
	case SetTarget:
		return s.setTarget(by, c)
	case RecordMeasurement:
		return s.record(by, c)
	case CorrectMeasurement:
		return s.correct(by, c)
	case VoidMeasurement:
		return s.void(by, c)
	case RetireIndicator:
		return s.retire(by, c)
	}
	return nil, refusal.Invalid.Detailf("An indicator takes no command %T.", c)
}

// kindOf is the name of a command in the table of roles.
func kindOf(c Command) (kind string, ok bool) {
	switch c.(type) {
	case DefineIndicator:
		return authz.DefineIndicator, true
	case RedefineIndicator:
		return authz.RedefineIndicator, true
	case RelinkIndicator:
		return authz.RelinkIndicator, true
	case SetTarget:
		return authz.SetTarget, true
	case RecordMeasurement:
		return authz.RecordMeasurement, true
	case CorrectMeasurement:
		return authz.CorrectMeasurement, true
	case VoidMeasurement:
		return authz.VoidMeasurement, true
	case RetireIndicator:
		return authz.RetireIndicator, true
	}
	return "", false
}

func causeOf(e Event) (measurementID string) {
	switch e := e.(type) {
	case MeasurementRecorded:
		return e.MeasurementID
	case MeasurementCorrected:
		return e.MeasurementID
	case MeasurementVoided:
		return e.MeasurementID
	}
	return ""
}

func (s State) setTarget(by fact.Actor, c SetTarget) (Event, error) {
	var f check.Form
	f.Reason(c.Reason)
	f.Prose("#/note", c.Note)
	f.OptionalID("#/importId", c.ImportID)
	reading := s.Definition.read(&f, c.Value)
	checkKey(&f, c.Period, c.Dims)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.Definition.aims(c.Value); err != nil {
		return nil, err
	}
	if err := s.onGrid(c.Period, c.Dims); err != nil {
		return nil, err
	}
	authorizedBy, err := c.Authorization.forActor(by)
	if err != nil {
		return nil, err
	}
	e := TargetSet{
		Period: c.Period, Dims: c.Dims.orNone(), Reading: reading, Note: c.Note, Reason: c.Reason,
		AuthorizedBy: authorizedBy, ImportID: c.ImportID,
	}
	if previous, ok := s.Target(c.Period, c.Dims); ok {
		if previous.same(reading) && previous.Epoch == s.Epoch {
			return nil, ErrNothingChanges.Detailf("This is the target already: give another value.")
		}
		e.Previous = &previous.Reading
	} else if s.targets.Len() >= MaxKeys {
		return nil, ErrTooManySeries.Detailf("One indicator holds at most %d targets: define another one.", MaxKeys)
	}
	return e, nil
}

func (s State) record(by fact.Actor, c RecordMeasurement) (Event, error) {
	var f check.Form
	f.ID("#/measurementId", c.MeasurementID)
	f.Prose("#/note", c.Note)
	f.Short("#/externalRef", c.ExternalRef)
	f.OptionalID("#/importId", c.ImportID)
	c.ObservedAt = f.Instant("#/observedAt", c.ObservedAt)
	reading := s.Definition.read(&f, c.Value)
	checkKey(&f, c.Period, c.Dims)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.Definition.takes(c.Value); err != nil {
		return nil, err
	}
	if err := s.onGrid(c.Period, c.Dims); err != nil {
		return nil, err
	}
	// The day it is anywhere on Earth counts: members are in all time zones.
	if today := calendar.Of(by.At.Add(14 * time.Hour)); c.Period.Start > today {
		return nil, ErrFuture.Detailf("The period begins on %s, and today is %s: set a target, or record the value when there is one.", c.Period.Start, calendar.Of(by.At))
	}
	if _, used := s.keyByID.Get(c.MeasurementID); used {
		return nil, ErrMeasurementID.Detailf("Measurement ids are never used again: record under a new one.")
	}
	key, known := s.series.Get(Key(c.Period, c.Dims))
	switch {
	case known && !key.Void:
		return nil, ErrMeasured.Detailf("This period has a value, measurement %s: correct it instead.", key.ID).
			With("measurementId", key.ID)
	case !known && s.series.Len() >= MaxKeys:
		return nil, ErrTooManySeries.Detailf("One indicator holds values for at most %d keys: define another one.", MaxKeys)
	case known: // a value was withdrawn, and this is another one
		if err := c.Breach.allowsAnew(by); err != nil {
			return nil, err
		}
		if err := c.Source.overwrite(by, key); err != nil {
			return nil, err
		}
	}
	return MeasurementRecorded{
		MeasurementID: c.MeasurementID, KeyVersion: key.KeyVersion + 1, Period: c.Period, Dims: c.Dims.orNone(), Reading: reading,
		ObservedAt: c.ObservedAt, Note: c.Note, ExternalRef: c.ExternalRef, ImportID: c.ImportID,
	}, nil
}

func (s State) correct(by fact.Actor, c CorrectMeasurement) (Event, error) {
	var f check.Form
	checkTarget(&f, c.MeasurementID, c.Period, c.Dims)
	f.Reason(c.Reason)
	f.Prose("#/note", c.Note)
	f.OptionalID("#/evidenceId", c.EvidenceID)
	c.ObservedAt = f.Instant("#/observedAt", c.ObservedAt)
	reading := s.Definition.read(&f, c.Value)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.Definition.takes(c.Value); err != nil {
		return nil, err
	}
	if c.Reason == SourceRestated && by.Kind != fact.Source {
		return nil, ErrReservedRestate.Detailf("Only a source can say that it restated its own value: give your reason.")
	}
	old, err := s.living(c.MeasurementID, c.Period, c.Dims)
	if err != nil {
		return nil, err
	}
	if err := c.Breach.allows(by, c.EvidenceID); err != nil {
		return nil, err
	}
	if c.EvidenceUnknown {
		return nil, ErrEvidence.Detailf("There is no evidence %s here: register it first.", c.EvidenceID)
	}
	// The text that a number came as is kept, so it can be wrong by itself.
	if old.same(reading) && old.OriginalText == reading.OriginalText && old.Epoch == s.Epoch {
		return nil, ErrSameValue.Detailf("This is the value already: a correction gives another one.")
	}
	if err := c.Source.overwrite(by, old); err != nil {
		return nil, err
	}
	return MeasurementCorrected{
		MeasurementID: old.ID, KeyVersion: old.KeyVersion + 1, Period: old.Period, Dims: old.Dims, Old: old.Reading, New: reading,
		ObservedAt: c.ObservedAt, Note: c.Note, Reason: c.Reason, EvidenceID: c.EvidenceID,
	}, nil
}

func (s State) void(by fact.Actor, c VoidMeasurement) (Event, error) {
	var f check.Form
	checkTarget(&f, c.MeasurementID, c.Period, c.Dims)
	f.Reason(c.Reason)
	f.OptionalID("#/evidenceId", c.EvidenceID)
	if err := f.Err(); err != nil {
		return nil, err
	}
	old, err := s.living(c.MeasurementID, c.Period, c.Dims)
	if err != nil {
		return nil, err
	}
	if err := c.Breach.allows(by, c.EvidenceID); err != nil {
		return nil, err
	}
	if c.EvidenceUnknown {
		return nil, ErrEvidence.Detailf("There is no evidence %s here: register it first.", c.EvidenceID)
	}
	if err := c.Source.overwrite(by, old); err != nil {
		return nil, err
	}
	return MeasurementVoided{
		MeasurementID: old.ID, KeyVersion: old.KeyVersion + 1, Period: old.Period, Dims: old.Dims, Old: old.Reading, Reason: c.Reason,
		EvidenceID: c.EvidenceID,
	}, nil
}

// checkTarget takes the name of a measurement: its id, or else its key.
func checkTarget(f *check.Form, measurementID string, p calendar.Period, dims Dims) {
	if measurementID == "" && p != (calendar.Period{}) {
		checkKey(f, p, dims)
		return
	}
	f.ID("#/measurementId", measurementID)
}

func (s State) living(measurementID string, p calendar.Period, dims Dims) (Measurement, error) {
	if measurementID == "" {
		m, ok := s.Live(p, dims)
		if !ok {
			return m, ErrNotLiving.Detailf("There is no living measurement for %s here: it was voided, or never recorded.", Key(p, dims))
		}
		return m, nil
	}
	m, ok := s.LiveByID(measurementID)
	if !ok {
		return m, ErrNotLiving.Detailf("There is no living measurement %q here: it was voided, or belongs to another indicator.", measurementID)
	}
	return m, nil
}

func (s State) retire(by fact.Actor, c RetireIndicator) (Event, error) {
	var f check.Form
	f.Reason(c.Reason)
	f.OptionalID("#/replacedBy", c.ReplacedBy)
	if err := f.Err(); err != nil {
		return nil, err
	}
	if c.ReplacedBy == s.ID {
		return nil, ErrReplacesItself.Detailf("An indicator is replaced by another one: leave replacedBy out.")
	}
	authorizedBy, err := c.Authorization.forActor(by)
	if err != nil {
		return nil, err
	}
	return Retired{Reason: c.Reason, ReplacedBy: c.ReplacedBy, AuthorizedBy: authorizedBy}, nil
}
