package rest

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/ports/rest/gen"
)

// DefineIndicator handles POST /v1/indicators.
func (s *server) DefineIndicator(ctx context.Context, r gen.DefineIndicatorRequestObject) (gen.DefineIndicatorResponseObject, error) {
	x, b := of(ctx), r.Body
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("new id: %w", err)
	}
	result, err := s.options.App.Indicators.Execute(ctx, x.call(x.fingerprint(), ""), id, indicator.DefineIndicator{
		StrategyID: b.StrategyID, ObjectiveID: b.ObjectiveID, Definition: b.Definition,
	})
	if err != nil {
		return nil, x.refused(err)
	}
	location := "/v1/indicators/" + result.ID.String()
	x.recorded(result, location)
	return gen.DefineIndicator201JSONResponse{IndicatorCreatedJSONResponse: gen.IndicatorCreatedJSONResponse{
		Body: indicatorResult(result),
		Headers: gen.IndicatorCreatedResponseHeaders{
			ETag: etag(result.Version, ""), Location: location,
			StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}}, nil
}

// SetTarget handles POST …/commands/set-target.
func (s *server) SetTarget(ctx context.Context, r gen.SetTargetRequestObject) (gen.SetTargetResponseObject, error) {
	b := r.Body
	answer, err := s.onIndicator(ctx, r.ID, b.Reason, indicator.SetTarget{
		Period: b.Period, Dims: value(b.Dims), Value: stated(b.Value, b.DescriptorName, b.Descriptor),
		Note: value(b.Note), Reason: b.Reason,
	})
	return gen.SetTarget200JSONResponse{IndicatorChangedJSONResponse: answer}, err
}

// RecordMeasurement handles POST …/commands/record.
func (s *server) RecordMeasurement(ctx context.Context, r gen.RecordMeasurementRequestObject) (gen.RecordMeasurementResponseObject, error) {
	c := record(*r.Body)
	c.MeasurementID = of(ctx).derive("measurement")
	answer, err := s.onIndicator(ctx, r.ID, "", c)
	answer.Body.MeasurementID = &c.MeasurementID
	return gen.RecordMeasurement200JSONResponse{IndicatorChangedJSONResponse: answer}, err
}

// CorrectMeasurement handles POST …/commands/correct.
func (s *server) CorrectMeasurement(ctx context.Context, r gen.CorrectMeasurementRequestObject) (gen.CorrectMeasurementResponseObject, error) {
	answer, err := s.onIndicator(ctx, r.ID, r.Body.Reason, correct(*r.Body))
	return gen.CorrectMeasurement200JSONResponse{IndicatorChangedJSONResponse: answer}, err
}

// VoidMeasurement handles POST …/commands/void.
func (s *server) VoidMeasurement(ctx context.Context, r gen.VoidMeasurementRequestObject) (gen.VoidMeasurementResponseObject, error) {
	answer, err := s.onIndicator(ctx, r.ID, r.Body.Reason, void(*r.Body))
	return gen.VoidMeasurement200JSONResponse{IndicatorChangedJSONResponse: answer}, err
}

// RedefineIndicator handles POST …/commands/redefine.
func (s *server) RedefineIndicator(ctx context.Context, r gen.RedefineIndicatorRequestObject) (gen.RedefineIndicatorResponseObject, error) {
	b := r.Body
	answer, err := s.onIndicator(ctx, r.ID, b.Reason, indicator.RedefineIndicator{
		Edits: b.Changes, ComparabilityBreak: value(b.ComparabilityBreak), Reason: b.Reason,
	})
	return gen.RedefineIndicator200JSONResponse{IndicatorChangedJSONResponse: answer}, err
}

// RelinkIndicator handles POST …/commands/relink.
func (s *server) RelinkIndicator(ctx context.Context, r gen.RelinkIndicatorRequestObject) (gen.RelinkIndicatorResponseObject, error) {
	b := r.Body
	answer, err := s.onIndicator(ctx, r.ID, b.Reason, indicator.RelinkIndicator{StrategyID: value(b.StrategyID), ObjectiveID: b.ObjectiveID, Reason: b.Reason})
	return gen.RelinkIndicator200JSONResponse{IndicatorChangedJSONResponse: answer}, err
}

// RetireIndicator handles POST …/commands/retire.
func (s *server) RetireIndicator(ctx context.Context, r gen.RetireIndicatorRequestObject) (gen.RetireIndicatorResponseObject, error) {
	b := r.Body
	answer, err := s.onIndicator(ctx, r.ID, b.Reason, indicator.RetireIndicator{Reason: b.Reason, ReplacedBy: value(b.ReplacedBy)})
	return gen.RetireIndicator200JSONResponse{IndicatorChangedJSONResponse: answer}, err
}

// onIndicator runs a command on an existing indicator of the token's organization.
func (s *server) onIndicator(ctx context.Context, id uuid.UUID, reason string, c indicator.Command) (gen.IndicatorChangedJSONResponse, error) {
	x := of(ctx)
	result, err := s.options.App.Indicators.Execute(ctx, x.call(x.fingerprint(), reason), id, c)
	if err != nil {
		return gen.IndicatorChangedJSONResponse{}, x.refused(err)
	}
	x.recorded(result, "")
	return gen.IndicatorChangedJSONResponse{
		Body: indicatorResult(result),
		Headers: gen.IndicatorChangedResponseHeaders{
			ETag: etag(result.Version, ""), StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}, nil
}

func indicatorResult(r command.Result) gen.IndicatorResult {
	return gen.IndicatorResult{
		IndicatorID: r.ID.String(), Version: decimal(r.Version), Position: decimal(r.Position), EventIds: ids(r.EventIDs),
	}
}

func record(b gen.RecordMeasurement) indicator.RecordMeasurement {
	return indicator.RecordMeasurement{
		Period: b.Period, Dims: value(b.Dims), Value: stated(b.Value, b.DescriptorName, b.Descriptor),
		ObservedAt: b.ObservedAt, Note: value(b.Note), ExternalRef: value(b.ExternalRef),
	}
}

func correct(b gen.CorrectMeasurement) indicator.CorrectMeasurement {
	return indicator.CorrectMeasurement{
		MeasurementID: value(b.MeasurementID), Period: value(b.Period), Dims: value(b.Dims),
		Value: stated(b.Value, b.DescriptorName, b.Descriptor), ObservedAt: b.ObservedAt,
		Note: value(b.Note), Reason: b.Reason, EvidenceID: value(b.EvidenceID),
	}
}

func void(b gen.VoidMeasurement) indicator.VoidMeasurement {
	return indicator.VoidMeasurement{
		MeasurementID: value(b.MeasurementID), Period: value(b.Period), Dims: value(b.Dims), Reason: b.Reason, EvidenceID: value(b.EvidenceID),
	}
}

func stated(number, descriptorName, descriptor *string) indicator.Stated {
	return indicator.Stated{Number: value(number), DescriptorName: value(descriptorName), Descriptor: value(descriptor)}
}
