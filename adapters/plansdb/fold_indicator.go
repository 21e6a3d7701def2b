package plansdb

import (
	"fmt"
	"slices"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
)

func (w *writer) foldIndicator(c *change, e indicator.Event) error {
	row := w.indicators.Get(c.ref)
	if defined, first := e.(indicator.Defined); first {
		if row != nil {
			return fmt.Errorf("the indicator is defined already")
		}
		row = &indicatorRow{
			org: c.org, id: c.id, defined: c.position, strategyID: defined.StrategyID, objectiveID: defined.ObjectiveID,
			importID: defined.ImportID, definition: defined.Definition, headline: dimsKey(defined.Headline),
			health: string(indicator.Unknown), linked: c.position, ownerID: indexed(defined.OwnerID),
		}
	}
	if row == nil {
		return fmt.Errorf("the indicator was never defined")
	}
	if err := follows(c, row.version); err != nil {
		return err
	}
	if err := w.foldSeries(c, row, e); err != nil {
		return err
	}
	w.wroteExternally(c, e)
	row.version = c.version
	w.indicators.Put(c.ref, row)
	return nil
}

// foldSeries does what the event does beside the row's version.
func (w *writer) foldSeries(c *change, row *indicatorRow, e indicator.Event) error {
	switch e := e.(type) {
	case indicator.Defined:
		w.authored(c, row)
	case indicator.Redefined:
		w.redefine(c, row, e)
		w.authored(c, row)
	case indicator.TargetSet:
		w.setTarget(c, row, e)
		w.authored(c, row)
	case indicator.MeasurementRecorded:
		return w.record(c, row, e)
	case indicator.MeasurementCorrected:
		return w.correct(c, row, e)
	case indicator.MeasurementVoided:
		return w.void(c, row, e)
	case indicator.HealthChanged:
		row.health = string(e.To)
	case indicator.Retired:
		row.retired, row.replacedBy = true, e.ReplacedBy
		w.authored(c, row)
	default:
		return fmt.Errorf("event %T has no fold", e)
	}
	return nil
}

// authored notes who wrote to the definition or the targets: persons only, as
// the domain does.
func (w *writer) authored(c *change, row *indicatorRow) {
	if c.by.Kind != fact.Person {
		return
	}
	w.authors.Put(part{c.ref, c.by.ID}, &authorRow{
		org: c.org, indicatorID: c.id, id: c.by.ID, version: c.version, strategyID: row.strategyID, last: c.position,
	})
}

// redefine leaves it to the domain's own fold what the fields mean.
func (w *writer) redefine(c *change, row *indicatorRow, e indicator.Redefined) {
	s := indicator.State{
		StrategyID: row.strategyID, ObjectiveID: row.objectiveID, Definition: row.definition, Epoch: int(row.epoch),
	}.Apply(c.by, e)
	if int32(s.Epoch) > row.epoch {
		b := query.Break{Epoch: s.Epoch, Reason: e.Reason, By: c.by.ID, At: c.at, Position: c.position}
		for _, change := range e.Changes {
			b.Fields = append(b.Fields, change.Field)
		}
		row.breaks = append(slices.Clip(row.breaks), b)
	}
	if s.StrategyID != row.strategyID {
		m := &moveRow{org: c.org, position: c.position, version: c.version, indicatorID: c.id, from: row.strategyID}
		if c.by.Kind == fact.Person {
			m.by = c.by.ID
		}
		w.moves.Put(approvalKey{c.org, c.position}, m)
		row.linked = c.position
	}
	row.strategyID, row.objectiveID = s.StrategyID, s.ObjectiveID
	row.definition, row.epoch, row.headline, row.ownerID = s.Definition, int32(s.Epoch), dimsKey(s.Definition.Headline), indexed(s.Definition.OwnerID)
}

// withFormer keeps the value that is replaced, and no more than are shown.
func withFormer(former []query.Former, f query.Former) []query.Former {
	all := append(slices.Clip(former), f)
	return all[max(0, len(all)-query.MaxFormer):]
}

func targetKeyOf(of ref, e indicator.TargetSet) targetKey {
	return targetKey{of, dimsKey(e.Dims), e.Period.End, e.Period.Start}
}

func (w *writer) setTarget(c *change, row *indicatorRow, e indicator.TargetSet) {
	k := targetKeyOf(c.ref, e)
	t := &targetRow{
		org: c.org, indicatorID: c.id, dimsKey: k.dims, end: k.end, start: k.start, version: c.version, first: c.position,
		dims: e.Dims, reading: e.Reading, note: e.Note, epoch: row.epoch, origin: c.origin, setAt: c.at, setBy: c.by.ID,
	}
	if before := w.targets.Get(k); before != nil {
		t.first, t.changes = before.first, before.changes+1
		t.former = withFormer(before.former, query.Former{
			Reading: before.reading, Note: before.note, Source: before.origin, RecordedAt: before.setAt.UTC(), RecordedBy: before.setBy, Reason: e.Reason,
		})
	} else {
		row.targets++
	}
	w.targets.Put(k, t)
}

func (w *writer) record(c *change, row *indicatorRow, e indicator.MeasurementRecorded) error {
	k := part{c.ref, e.MeasurementID}
	if w.measurements.Get(k) != nil {
		return fmt.Errorf("measurement %s is there already", e.MeasurementID)
	}
	w.measurements.Put(k, &measurementRow{
		org: c.org, indicatorID: c.id, id: e.MeasurementID, version: c.version, first: c.position,
		dimsKey: dimsKey(e.Dims), end: e.Period.End, start: e.Period.Start, dims: e.Dims, reading: e.Reading, note: e.Note,
		observedAt: e.ObservedAt, externalRef: e.ExternalRef, epoch: row.epoch, origin: c.origin, recordedAt: c.at, recordedBy: c.by.ID,
	})
	row.measurements++
	return nil
}

func (w *writer) correct(c *change, row *indicatorRow, e indicator.MeasurementCorrected) error {
	m, err := w.living(c, e.MeasurementID)
	if err != nil {
		return err
	}
	m.former = withFormer(m.former, query.Former{
		Reading: m.reading, Note: m.note, Source: m.origin, RecordedAt: m.recordedAt.UTC(), RecordedBy: m.recordedBy, Reason: e.Reason,
	})
	m.version, m.reading, m.note, m.observedAt, m.epoch = c.version, e.New, e.Note, e.ObservedAt, row.epoch
	m.origin, m.recordedAt, m.recordedBy = c.origin, c.at, c.by.ID
	m.corrections++
	row.corrections++
	w.measurements.Put(part{c.ref, m.id}, m)
	return nil
}

func (w *writer) void(c *change, row *indicatorRow, e indicator.MeasurementVoided) error {
	m, err := w.living(c, e.MeasurementID)
	if err != nil {
		return err
	}
	at := c.at
	m.version, m.void, m.voidedAt, m.voidedBy, m.voidReason = c.version, true, &at, c.by.ID, e.Reason
	row.measurements--
	row.voided++
	w.measurements.Put(part{c.ref, m.id}, m)
	return nil
}

func (w *writer) living(c *change, id string) (*measurementRow, error) {
	m := w.measurements.Get(part{c.ref, id})
	if m == nil || m.void {
		return nil, fmt.Errorf("there is no living measurement %s", id)
	}
	return m, nil
}
