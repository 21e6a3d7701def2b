package command

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/quantity"
	"strata.dev/strata/domain/refusal"
)

// Report is what a source states about a period. What it leads to is decided on
// the indicator's state: a key without a value gets it; another value than the
// source states is corrected, as restated by the source; the same value (equal
// numbers, whatever their text) leads to nothing. For items of a batch only.
type Report struct {
	indicator.RecordMeasurement

	Unit      string                // must be the indicator's; "" = not said
	Reference indicator.ExternalRef // by which the source names the indicator; zero = by its id
	Sequence  int64                 // the source's own count, for the metadata; 0 = none
}

var (
	// ErrOtherUnit: the source states a value in another unit than the indicator's.
	ErrOtherUnit = refusal.Violated.WithRule("unit")
	// ErrOtherReference: the indicator does not go by this reference any more.
	ErrOtherReference = refusal.NotFound.WithRule("reference")
)

// on is the report as a command on a state; same is the living measurement that
// says so already.
func (r Report) on(s indicator.State) (c indicator.Command, same string) {
	live, ok := s.Live(r.Period, r.Dims)
	if !ok {
		return r.RecordMeasurement, ""
	}
	number, parsed := quantity.Parse(r.Value.Number)
	if (parsed || r.Value.Number == "") && live.Epoch == s.Epoch &&
		live.Value == number && live.DescriptorName == r.Value.DescriptorName && live.Descriptor == r.Value.Descriptor {
		// In the text that is recorded, the domain sees that nothing is corrected.
		same, r.Value.Number = live.ID, live.OriginalText
	}
	return indicator.CorrectMeasurement{
		MeasurementID: live.ID, Value: r.Value, ObservedAt: r.ObservedAt, Note: r.Note, Reason: indicator.SourceRestated,
	}, same
}

// fits says whether the report means this indicator as it is now.
func (r Report) fits(s indicator.State) error {
	if r.Reference != (indicator.ExternalRef{}) && !slices.Contains(s.Definition.ExternalRefs, r.Reference) {
		return ErrOtherReference.Detailf("No indicator of this source goes by %q.", r.Reference.Ref)
	}
	if r.Unit != "" && r.Unit != s.Definition.Unit {
		return ErrOtherUnit.Detailf("The indicator is measured in %q, not in %q.", s.Definition.Unit, r.Unit)
	}
	return nil
}

// decided is what one item leads to: events, or the measurement that makes it
// superfluous.
type decided struct {
	by     asking
	reason string
	events []indicator.Event
	same   string
}

// preparing is what preparer gives.
type preparing func(context.Context, indicator.State, indicator.Command, time.Time) (asking, indicator.Command, error)

// decideItem decides one item on a state. What a report says is compared with
// what is there last, so that nobody learns of values they may not write.
func (s *batchStream) decideItem(ctx context.Context, prepare preparing, state indicator.State, item batchItem, at, since time.Time) (d decided, err error) {
	c := item.command
	d.reason = item.reason
	report, reports := c.(Report)
	if reports {
		c, d.same = report.on(state)
		if correct, ok := c.(indicator.CorrectMeasurement); ok {
			d.reason = correct.Reason
		}
	}
	if d.by, c, err = prepare(ctx, state, c, since); err != nil {
		return decided{}, err
	}
	d.by.At = at
	d.events, err = s.indicators.executor.decide(state, d.by.Actor, c)
	if d.same != "" && errors.Is(err, indicator.ErrSameValue) {
		err = nil
	}
	if err == nil && reports {
		err = report.fits(state)
	}
	if err != nil {
		return decided{}, err
	}
	return d, nil
}

// unchangedItem is a report of what is recorded already.
type unchangedItem struct {
	batchItem
	measurementID string
}

func (b *batch) unchanged(s *batchStream, item unchangedItem, version int64, attempts int) {
	b.answer(item.place, attempts, ItemResult{MeasurementID: item.measurementID, Result: Result{ID: s.id, StreamID: s.name, Version: version}})
}

// State gives an indicator as the log has it: as it is remembered, or with fresh
// as it is now. The zero State is one that was never defined.
func (i *Indicators) State(ctx context.Context, organizationID, id uuid.UUID, fresh bool) (indicator.State, error) {
	f, err := i.executor.load(ctx, organizationID, i.executor.stream(id), fresh)
	return f.state, err
}
