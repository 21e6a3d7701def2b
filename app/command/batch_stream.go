package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
)

// batchStream is what a batch asks of one indicator.
type batchStream struct {
	*batch
	id      uuid.UUID
	name    string
	pending []batchItem // not answered yet, in order
}

// roundBytes is how many bytes of events a batch puts into one append: enough
// to make the append cheap, and far below what the log takes.
const roundBytes = eventlog.MaxCommandBytes / 4

// round is what the pending items lead to on one state.
type round struct {
	base      folded[indicator.State]
	accepted  []acceptedItem
	refused   []refusedItem
	unchanged []unchangedItem
	decided   int // of the pending items; the others wait for the next append
	bytes     int
	state     indicator.State // after what was accepted
	events    []eventlog.NewEvent
}

type acceptedItem struct {
	batchItem
	by     asking
	events []indicator.Event
}

type refusedItem struct {
	batchItem
	err error
}

// write answers the pending items, by appends with ids made from id. It says
// whether the log has anything of them under id itself.
//
// An append is decided like a single command: a refusal that rests on what is
// remembered is looked at again first. Once an append is recorded, what was
// refused between its items stays refused, since it would come after them now.
func (s *batchStream) write(ctx context.Context, id uuid.UUID) (recorded bool, err error) {
	x := s.indicators.executor
	leave, err := x.queues.enter(ctx, s.name)
	if err != nil {
		return false, eventlog.ErrUnavailable.Because(err)
	}
	defer leave()
	began := time.Now()
	var since time.Time
	refresh, under, lost := false, id, 0
	for n := 1; len(s.pending) > 0 && lost < maxLostRaces; {
		base, err := x.load(ctx, s.call.Principal.OrganizationID, s.name, refresh)
		if err != nil {
			return recorded, err
		}
		d, err := s.decide(ctx, base, since)
		if err != nil {
			return recorded, err
		}
		if since.IsZero() && len(d.refused)+len(d.unchanged) > 0 {
			since, refresh = began, base.checked.Before(began)
			continue
		}
		sent := time.Now()
		receipt, found, err := s.append(ctx, under, d)
		switch {
		case errors.Is(err, eventlog.ErrWrongVersion):
			refresh = true
			lost++
			continue
		case err != nil:
			return recorded, err
		case found && receipt.StreamID != s.name:
			return recorded, &recordedElsewhere{receipt.StreamID}
		case found:
			if err := s.replay(ctx, receipt, since); err != nil {
				return recorded, err
			}
			refresh = true
		case len(d.accepted) == 0: // and nothing was recorded before, either
			s.settle(d, receipt, lost+1)
			return recorded, nil
		default:
			s.settle(d, receipt, lost+1)
			s.remember(d, receipt, sent)
			refresh = false
		}
		recorded = true
		under = step(id, "round", n)
		n++
	}
	if len(s.pending) > 0 {
		return recorded, ErrContended
	}
	return recorded, nil
}

// decide goes through the pending items until an append is full.
func (s *batchStream) decide(ctx context.Context, base folded[indicator.State], since time.Time) (round, error) {
	x := s.indicators.executor
	prepare := s.indicators.preparer(s.call, s.id)
	at := x.options.Clock().UTC()
	r := round{base: base, state: base.state}
	for _, item := range s.pending {
		one, err := s.decideItem(ctx, prepare, r.state, item, at, since)
		if err != nil {
			if !restsOnState(err) {
				return round{}, err
			}
			r.refused, r.decided = append(r.refused, refusedItem{item, err}), r.decided+1
			continue
		}
		if len(one.events) == 0 {
			r.unchanged, r.decided = append(r.unchanged, unchangedItem{item, one.same}), r.decided+1
			continue
		}
		call := s.call
		call.CommandID, call.Reason = item.id, one.reason
		if report, ok := item.command.(Report); ok {
			call.Origin.Sequence = report.Sequence
		}
		d := decision[indicator.Event]{events: one.events, by: slices.Repeat([]asking{one.by}, len(one.events)), at: at}
		encoded, err := x.encode(call, d)
		if err != nil {
			return round{}, err
		}
		size := 0
		for _, e := range encoded {
			size += len(e.Data) + len(e.Metadata)
		}
		if len(r.accepted) > 0 && (len(r.events)+len(encoded) > eventlog.MaxEventsPerCommand || r.bytes+size > roundBytes) {
			return r, nil
		}
		for _, e := range one.events {
			r.state = x.apply(r.state, one.by.Actor, e)
		}
		r.accepted = append(r.accepted, acceptedItem{item, one.by, one.events})
		r.events, r.bytes, r.decided = append(r.events, encoded...), r.bytes+size, r.decided+1
	}
	return r, nil
}

// append records what was accepted under an id, or finds what was recorded
// under it before.
func (s *batchStream) append(ctx context.Context, id uuid.UUID, d round) (receipt eventlog.Receipt, found bool, err error) {
	log := s.indicators.executor.options.Log
	if len(d.accepted) == 0 {
		receipt, hash, found, err := log.FindCommand(ctx, id)
		switch {
		case err != nil:
			return eventlog.Receipt{}, false, fmt.Errorf("look for command %s: %w", id, err)
		case found && !bytes.Equal(hash, s.call.Hash):
			return eventlog.Receipt{}, false, eventlog.ErrCommandReused
		}
		return receipt, found, nil
	}
	receipt, err = log.Append(ctx, eventlog.Command{
		ID: id, Hash: s.call.Hash, OrganizationID: s.call.Principal.OrganizationID,
		StreamID: s.name, ExpectedVersion: d.base.version, Events: d.events,
	})
	return receipt, err == nil && receipt.Replayed, err
}

// settle answers what was decided, and recorded if anything was accepted.
func (s *batchStream) settle(d round, receipt eventlog.Receipt, attempts int) {
	for _, item := range d.refused {
		s.answer(item.place, attempts, ItemResult{Err: item.err})
	}
	for _, item := range d.unchanged {
		s.batch.unchanged(s, item, d.base.version+int64(len(d.events)), attempts)
	}
	n := 0
	for _, item := range d.accepted {
		first := n
		n += len(item.events)
		s.answer(item.place, attempts, ItemResult{MeasurementID: measurementOf(item.events[0]), Corrected: corrects(item.events[0]), Result: Result{
			ID: s.id, StreamID: s.name, Version: d.base.version + int64(n), Position: receipt.FirstPosition + int64(n) - 1,
			EventIDs: receipt.EventIDs[first:n:n],
		}})
	}
	s.pending = s.pending[d.decided:]
}

// remember keeps the state after an append, as executor.recorded does.
func (s *batchStream) remember(d round, receipt eventlog.Receipt, sent time.Time) {
	x := s.indicators.executor
	state := d.base.state
	for _, item := range d.accepted {
		by := item.by.Actor
		by.At = receipt.RecordedAt.UTC()
		for _, e := range item.events {
			state = x.apply(state, by, e)
		}
	}
	x.cache.put(cacheKey(s.call.Principal.OrganizationID, s.name), folded[indicator.State]{state: state, version: receipt.Version, checked: sent})
}

// replay answers the pending items from an append that was recorded before: up
// to its last one, those it has not were refused. Their refusals are found
// again on the states of then.
func (s *batchStream) replay(ctx context.Context, receipt eventlog.Receipt, since time.Time) error {
	x, owner := s.indicators.executor, s.call.Principal.OrganizationID
	before := receipt.Version - int64(len(receipt.EventIDs))
	then, err := x.read(ctx, owner, s.name, folded[indicator.State]{}, int(before))
	if err != nil {
		return err
	}
	events, err := x.options.Log.ReadStream(ctx, owner, s.name, before, len(receipt.EventIDs))
	if err != nil {
		return fmt.Errorf("read %s: %w", s.name, err)
	}
	recorded, err := byCommand(events)
	if err != nil {
		return fmt.Errorf("read %s: %w", s.name, err)
	}
	last := -1
	for n, item := range s.pending {
		if len(recorded[item.id]) > 0 {
			last = n
		}
	}
	if last < 0 {
		return eventlog.ErrCommandReused // of these items it has none
	}
	prepare, state := s.indicators.preparer(s.call, s.id), then.state
	for _, item := range s.pending[:last+1] {
		if before := recorded[item.id]; len(before) > 0 {
			for _, e := range before {
				state = x.apply(state, e.by, e.body)
			}
			s.answer(item.place, 0, replayedItem(s.id, before))
			continue
		}
		one, err := s.decideItem(ctx, prepare, state, item, receipt.RecordedAt.UTC(), since)
		switch {
		case err == nil && len(one.events) == 0:
			s.batch.unchanged(s, unchangedItem{item, one.same}, receipt.Version, 0)
			continue
		case err == nil:
			err = ErrRefusedBefore
		case !restsOnState(err):
			return err
		}
		s.refuse(item.place, err)
	}
	s.pending = s.pending[last+1:]
	return nil
}

// recordedEvent is an event of a batch as the log has it.
type recordedEvent struct {
	eventlog.Event
	by   fact.Actor
	body indicator.Event
}

func byCommand(events []eventlog.Event) (map[uuid.UUID][]recordedEvent, error) {
	all := map[uuid.UUID][]recordedEvent{}
	for _, e := range events {
		m, err := eventlog.DecodeMetadata(e.Metadata)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", e.Version, err)
		}
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			return nil, fmt.Errorf("version %d: %w", e.Version, err)
		}
		event, ok := body.(indicator.Event)
		if !ok {
			return nil, fmt.Errorf("version %d: %s is no event of an indicator", e.Version, e.Type)
		}
		all[m.CommandID] = append(all[m.CommandID], recordedEvent{e, recordedBy(m, e), event})
	}
	return all, nil
}

func replayedItem(id uuid.UUID, events []recordedEvent) ItemResult {
	last := events[len(events)-1]
	r := ItemResult{MeasurementID: measurementOf(events[0].body), Corrected: corrects(events[0].body), Result: Result{
		ID: id, StreamID: last.StreamID, Version: last.Version, Position: last.Position, Replayed: true,
	}}
	for _, e := range events {
		r.Result.EventIDs = append(r.Result.EventIDs, e.ID)
	}
	return r
}

// fail answers what is still pending.
func (s *batchStream) fail(err error) {
	for _, item := range s.pending {
		if !s.done[item.place] {
			s.refuse(item.place, err)
		}
	}
	s.pending = nil
}

func measurementOf(e indicator.Event) string {
	switch e := e.(type) {
	case indicator.MeasurementRecorded:
		return e.MeasurementID
	case indicator.MeasurementCorrected:
		return e.MeasurementID
	case indicator.MeasurementVoided:
		return e.MeasurementID
	}
	return ""
}

func corrects(e indicator.Event) bool {
	_, ok := e.(indicator.MeasurementCorrected)
	return ok
}
