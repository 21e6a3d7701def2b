package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/refusal"
)

// MaxBatchItems is how many measurements one batch can hold.
const MaxBatchItems = 1_000

// parallelStreams is how many indicators of one batch are written at a time;
// the log commits what comes together as one group.
const parallelStreams = 16

// BatchItem is one measurement of a batch: to record, correct or void.
type BatchItem struct {
	IndicatorID uuid.UUID
	// Command is an indicator.RecordMeasurement, CorrectMeasurement or
	// VoidMeasurement, or a Report. A recording without a measurement id gets one
	// that is made from the call's command id and the item's place.
	Command indicator.Command
	// Refused keeps the item's place for one that was refused before it came
	// here: it is answered with this error, and nothing else is looked at.
	Refused error
}

// ItemResult is the answer to one item of a batch.
type ItemResult struct {
	Result        Result // if Err is nil; of a report that changed nothing, without position and events
	MeasurementID string // that was recorded, corrected or voided, or that a report repeats; "" if Err is not nil
	Corrected     bool   // a value was replaced by another
	Err           error  // as Execute gives it
}

// ErrRefusedBefore: an item that was refused when its batch was first recorded,
// for a reason that is no longer there. A new batch may bring it again.
var ErrRefusedBefore = refusal.Violated.WithRule("batch-order").
	Detailf("This item was refused when the batch was first recorded, and items after it were recorded: send it in a new request.")

// RecordBatch records, corrects and voids measurements of one indicator or
// several. Each item is answered as if it had come alone, for each indicator in
// the order given: one that is refused stops no other, and the next is decided
// on what was accepted before it. What is accepted for one indicator is one
// append, or a few if it is more than one append holds; every event carries the
// id of its item, which is made from the call's command id and the item's place.
//
// A repetition under the same command id finds what is in the log, item by
// item, and decides only what comes after. The hash of the call covers all
// items, as for any command. call.Expected is not looked at.
//
// The error beside the results is about the request as a whole, and then
// nothing was recorded by it: an incomplete call, no or too many items, a key
// that was used for another request, or a principal who is no member. Results
// are in the order of the items.
func (i *Indicators) RecordBatch(ctx context.Context, call Call, items []BatchItem) ([]ItemResult, error) {
	switch {
	case call.CommandID == uuid.Nil || len(call.Hash) == 0:
		return nil, ErrIncomplete
	case len(items) == 0 || len(items) > MaxBatchItems:
		limit := fmt.Sprintf("Give 1 to %d items.", MaxBatchItems)
		return nil, refusal.Invalid.Detailf("items: %s", limit).At("#/items", "maxItems", limit)
	}
	if _, err := i.organizations.member(ctx, call.Principal, time.Time{}); err != nil {
		if _, err := i.organizations.member(ctx, call.Principal, time.Now()); err != nil {
			return nil, err
		}
	}
	if call.CorrelationID == "" {
		call.CorrelationID = call.CommandID.String()
	}
	b := &batch{indicators: i, call: call, started: i.executor.options.Clock(), results: make([]ItemResult, len(items)), done: make([]bool, len(items))}
	byID := map[uuid.UUID]*batchStream{}
	var streams []*batchStream
	for n, item := range items {
		if item.Refused != nil {
			b.refuse(n, item.Refused)
			continue
		}
		c, reason, err := item.command(call.CommandID, n)
		if err != nil {
			b.refuse(n, err)
			continue
		}
		s := byID[item.IndicatorID]
		if s == nil {
			s = &batchStream{batch: b, id: item.IndicatorID, name: i.executor.stream(item.IndicatorID)}
			byID[item.IndicatorID], streams = s, append(streams, s)
		}
		s.pending = append(s.pending, batchItem{place: n, id: step(call.CommandID, "item", n), command: c, reason: reason})
	}
	if err := b.run(ctx, streams); err != nil {
		return nil, err
	}
	return b.results, nil
}

// command is the item's command as the domain takes it, and its reason.
func (item BatchItem) command(batch uuid.UUID, place int) (c indicator.Command, reason string, err error) {
	switch c := item.Command.(type) {
	case indicator.RecordMeasurement:
		if c.MeasurementID == "" {
			c.MeasurementID = step(batch, "measurement", place).String()
		}
		return c, "", nil
	case Report:
		if c.MeasurementID == "" {
			c.MeasurementID = step(batch, "measurement", place).String()
		}
		return c, "", nil
	case indicator.CorrectMeasurement:
		return c, c.Reason, nil
	case indicator.VoidMeasurement:
		return c, c.Reason, nil
	}
	return nil, "", refusal.Invalid.Detailf("A batch records, corrects and voids measurements, and takes no %T.", item.Command)
}

// batch is one batch at work. Streams write results of places of their own.
type batch struct {
	indicators *Indicators
	call       Call
	started    time.Time
	results    []ItemResult
	done       []bool
}

// batchItem is one item of one stream.
type batchItem struct {
	place   int // in the request
	id      uuid.UUID
	command indicator.Command
	reason  string
}

func (b *batch) refuse(place int, err error) { b.answer(place, 1, ItemResult{Err: err}) }

func (b *batch) answer(place, attempts int, r ItemResult) {
	b.results[place], b.done[place] = r, true
	o := b.indicators.executor.options
	o.Metrics.Command(b.indicators.executor.kind, outcome(r.Result, r.Err), attempts, o.Clock().Sub(b.started))
}

// run writes the streams. The first append of all carries the command id of the
// call itself, so that the log knows the key and another request under it is
// refused; on a repetition it is where it was, whatever is accepted now.
func (b *batch) run(ctx context.Context, streams []*batchStream) error {
	carrier := ""
	for carrier == "" && len(streams) > 0 {
		s := streams[0]
		recorded, err := s.write(ctx, b.call.CommandID)
		if at, ok := errors.AsType[*recordedElsewhere](err); ok {
			carrier = at.stream
			break
		}
		switch {
		case errors.Is(err, eventlog.ErrCommandReused):
			return err
		case err != nil && !ofOneStream(err):
			for _, s := range streams {
				s.fail(err)
			}
			return nil
		case err != nil:
			s.fail(err)
		case recorded:
			carrier = s.name
		}
		streams = streams[1:]
	}
	var group errgroup.Group
	group.SetLimit(parallelStreams)
	for _, s := range streams {
		group.Go(func() error {
			id := b.call.CommandID
			if s.name != carrier {
				id = uuid.NewSHA1(id, []byte(s.name))
			}
			if _, err := s.write(ctx, id); err != nil {
				s.fail(err)
			}
			return nil
		})
	}
	return group.Wait()
}

// ofOneStream says whether an error says nothing about the other streams: the
// log itself could be reached.
func ofOneStream(err error) bool {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return false
	}
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Unknown, fault.RateLimited:
		return false
	}
	return true
}

// recordedElsewhere: the command id is that of an append to another stream.
type recordedElsewhere struct{ stream string }

func (e *recordedElsewhere) Error() string { return "the command is recorded on " + e.stream }
