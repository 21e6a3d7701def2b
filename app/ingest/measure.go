package ingest

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
)

// measure decides the measurements of a message and records what comes of them.
func (w *work) measure(ctx context.Context, readings []reading, last int64, before map[int]source.IngestRejected) (sequence int64, err error) {
	w.answer.Items = make([]Item, len(readings))
	batch := make([]command.BatchItem, len(readings))
	names, err := w.references.of(ctx, w.OrganizationID, w.SourceID, w.source.Terms.AllowedIndicators)
	if err != nil {
		return 0, err
	}
	refer := lookup{names}
	high := last
	for n, r := range readings {
		w.answer.Items[n].Index = n
		if was, ok := before[n+1]; ok {
			r.code, r.detail = was.Code, was.Detail
		}
		if r.code == "" && r.sequence > 0 {
			if r.sequence <= last || r.sequence < high {
				r = r.refuse(source.SequenceBack, "Sequence %d comes after %d.", r.sequence, high)
			} else {
				high = r.sequence
			}
		}
		if r.code == "" {
			found, err := refer.resolve(ctx, r.ref)
			if err != nil {
				return 0, err
			}
			if batch[n] = r.item(found); found.code != "" {
				r.code, r.detail = found.code, found.detail
			} else {
				w.answer.Items[n].IndicatorID = found.id.String()
			}
		}
		if r.code != "" {
			w.rejectItem(n, r.code, r.detail)
			batch[n] = command.BatchItem{Refused: faultOf(r.code, r.detail)}
		}
	}
	w.rejectDuplicates(readings, batch)
	if err := w.record(ctx, batch); err != nil {
		return 0, err
	}
	for n, item := range w.answer.Items {
		if item.Status != Rejected {
			sequence = max(sequence, readings[n].sequence)
		}
	}
	if err := w.rejectItems(ctx, readings); err != nil {
		return 0, err
	}
	w.answer.count()
	w.answer.Settled = true
	return sequence, nil
}

// item is a measurement as the batch takes it.
func (r reading) item(found reference) command.BatchItem {
	return command.BatchItem{IndicatorID: found.id, Command: command.Report{
		RecordMeasurement: indicator.RecordMeasurement{
			Period: r.period, Dims: r.dims, Value: r.value, ObservedAt: r.observedAt, Note: r.note, ExternalRef: r.externalRef,
		},
		Unit: r.unit, Reference: found.by, Sequence: r.sequence,
	}}
}

func (w *work) rejectItem(n int, code, detail string) {
	w.answer.Items[n] = Item{Index: n, IndicatorID: w.answer.Items[n].IndicatorID, Status: Rejected, Code: code, Detail: bounded(detail)}
}

// rejectDuplicates refuses all measurements of one key if the message has
// several: which of them counts is the source's to say.
func (w *work) rejectDuplicates(readings []reading, batch []command.BatchItem) {
	type key struct {
		indicator uuid.UUID
		key       string
	}
	first := map[key]int{}
	for n, r := range readings {
		if batch[n].Refused != nil && w.answer.Items[n].Code != source.DuplicateKeyInBatch {
			continue
		}
		k := key{batch[n].IndicatorID, indicator.Key(r.period, r.dims)}
		earlier, twice := first[k]
		if !twice {
			first[k] = n
			continue
		}
		for _, i := range [...]int{earlier, n} {
			w.rejectItem(i, source.DuplicateKeyInBatch, fmt.Sprintf("Measurements %d and %d of the message are for the same key.", earlier, n))
			batch[i] = command.BatchItem{IndicatorID: k.indicator, Refused: faultOf(source.Malformed, "")}
		}
	}
}

// record gives the measurements that nothing speaks against to their indicators.
func (w *work) record(ctx context.Context, batch []command.BatchItem) error {
	some := false
	for _, item := range batch {
		some = some || item.Refused == nil
	}
	if !some {
		return nil
	}
	results, err := w.options.Commands.Indicators.RecordBatch(ctx, w.asking(), batch)
	if code, _, ok := codeOf(err); ok && code == source.SourceSuspended {
		return ErrSuspended.Detailf("It was suspended meanwhile.")
	}
	if err != nil {
		return err
	}
	for n, r := range results {
		item := &w.answer.Items[n]
		switch {
		case batch[n].Refused != nil:
		case r.Err != nil && dependency(r.Err):
			return r.Err // what was recorded is found again
		case r.Err != nil:
			code, detail, ok := codeOf(r.Err)
			switch {
			case !ok:
				return r.Err
			case code == source.SourceSuspended:
				return ErrSuspended.Detailf("It was suspended meanwhile.") // and the message waits
			}
			w.rejectItem(n, code, detail)
		default:
			item.MeasurementID = r.MeasurementID
			item.Status = Unchanged
			if r.Result.Position > 0 {
				item.Status, item.EventID = Recorded, r.Result.EventIDs[0].String()
			}
			if r.Corrected {
				item.Status = Corrected
			}
			w.answer.Position = max(w.answer.Position, r.Result.Position)
		}
	}
	return nil
}

// rejectItems records the refused measurements of the message.
func (w *work) rejectItems(ctx context.Context, readings []reading) error {
	var all []source.RejectIngest
	for n, item := range w.answer.Items {
		if item.Status == Rejected {
			r := w.rejection(item.Code, item.Detail)
			r.Item, r.IndicatorRef = n+1, shorten(readings[n].ref)
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return nil
	}
	position, err := w.keepAndReject(ctx, w.ids(), all)
	w.answer.Position = max(w.answer.Position, position)
	return err
}
