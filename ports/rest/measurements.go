package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/ports/rest/gen"
)

// RecordMeasurements handles POST /v1/measurements.
func (s *server) RecordMeasurements(ctx context.Context, r gen.RecordMeasurementsRequestObject) (gen.RecordMeasurementsResponseObject, error) {
	x := of(ctx)
	items := make([]command.BatchItem, len(r.Body.Items))
	for i, item := range r.Body.Items {
		id, err := uuid.Parse(item.IndicatorID)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err) // the contract says what an id is
		}
		items[i] = command.BatchItem{IndicatorID: id, Command: measuring(item)}
	}
	results, err := s.options.App.Indicators.RecordBatch(ctx, x.call(x.fingerprint(), ""), items)
	if err != nil {
		return nil, err
	}
	body := gen.MeasurementsRecorded{Items: make([]gen.MeasurementResult, len(results))}
	var position int64
	all := true
	for i, result := range results {
		body.Items[i] = x.itemResult(i, items[i].IndicatorID, result)
		position = max(position, result.Result.Position)
		all = all && result.Err == nil && result.Result.Replayed
		if result.Err == nil {
			body.Recorded++
		} else {
			body.Refused++
			s.deniedItem(ctx, "indicator-"+items[i].IndicatorID.String(), result.Err)
		}
	}
	body.Position = decimal(position)
	x.recordedUpTo(position)
	return gen.RecordMeasurements200JSONResponse{Body: body, Headers: gen.RecordMeasurements200ResponseHeaders{
		StrataPosition: body.Position, IdempotentReplayed: replayed(command.Result{Replayed: all}),
	}}, nil
}

// measuring is an item as the domain has it; the contract has made sure that it
// is one of the three.
func measuring(item gen.MeasurementItem) indicator.Command {
	switch {
	case item.Record != nil:
		return record(*item.Record)
	case item.Correct != nil:
		return correct(*item.Correct)
	}
	return void(*item.Void)
}

// itemResult tells one item what the single command would have told its caller.
func (x *exchange) itemResult(index int, id uuid.UUID, r command.ItemResult) gen.MeasurementResult {
	out := gen.MeasurementResult{Index: index, IndicatorID: id.String(), Status: http.StatusOK}
	if r.Err != nil {
		f := asFault(r.Err, x)
		out.Status = status(f)
		problem := members(f, out.Status, x)
		out.Problem = &problem
		return out
	}
	out.MeasurementID = optional(r.MeasurementID)
	out.Version, out.Position = optional(decimal(r.Result.Version)), optional(decimal(r.Result.Position))
	events := ids(r.Result.EventIDs)
	out.EventIds = &events
	if r.Result.Replayed {
		out.Replayed = &r.Result.Replayed
	}
	return out
}
