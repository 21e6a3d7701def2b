package rest

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/ports/rest/gen"
)

// RegisterSource handles POST /v1/sources.
func (s *server) RegisterSource(ctx context.Context, r gen.RegisterSourceRequestObject) (gen.RegisterSourceResponseObject, error) {
	x, b := of(ctx), r.Body
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("new id: %w", err)
	}
	result, err := s.options.App.Sources.Execute(ctx, x.call(x.fingerprint(), ""), id, source.RegisterSource{
		Name: b.Name, System: b.System, Channel: b.Channel, StewardID: b.StewardID, PublicKey: b.PublicKey,
		AllowedIndicators: b.AllowedIndicators, SchemaRef: value(b.SchemaRef), MaxRatePerMin: b.MaxRatePerMin,
	})
	if err != nil {
		return nil, err
	}
	location := "/v1/sources/" + result.ID.String()
	x.recorded(result, location)
	return gen.RegisterSource201JSONResponse{SourceCreatedJSONResponse: gen.SourceCreatedJSONResponse{
		Body: sourceResult(result, b.PublicKey),
		Headers: gen.SourceCreatedResponseHeaders{
			ETag: etag(result.Version, ""), Location: location,
			StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}}, nil
}

// SuspendSource handles POST …/commands/suspend.
func (s *server) SuspendSource(ctx context.Context, r gen.SuspendSourceRequestObject) (gen.SuspendSourceResponseObject, error) {
	b := r.Body
	answer, err := s.onSource(ctx, r.ID, b.Reason, "", source.SuspendSource{Reason: b.Reason})
	return gen.SuspendSource200JSONResponse{SourceChangedJSONResponse: answer}, err
}

// ReinstateSource handles POST …/commands/reinstate.
func (s *server) ReinstateSource(ctx context.Context, r gen.ReinstateSourceRequestObject) (gen.ReinstateSourceResponseObject, error) {
	b := r.Body
	answer, err := s.onSource(ctx, r.ID, b.Reason, value(b.PublicKey), source.ReinstateSource{
		Reason: b.Reason, PublicKey: value(b.PublicKey), AllowedIndicators: value(b.AllowedIndicators), MaxRatePerMin: value(b.MaxRatePerMin),
	})
	return gen.ReinstateSource200JSONResponse{SourceChangedJSONResponse: answer}, err
}

// onSource runs a command on an existing source of the token's organization.
func (s *server) onSource(ctx context.Context, id uuid.UUID, reason, key string, c source.Command) (gen.SourceChangedJSONResponse, error) {
	x := of(ctx)
	result, err := s.options.App.Sources.Execute(ctx, x.call(x.fingerprint(), reason), id, c)
	if err != nil {
		return gen.SourceChangedJSONResponse{}, err
	}
	x.recorded(result, "")
	return gen.SourceChangedJSONResponse{
		Body: sourceResult(result, key),
		Headers: gen.SourceChangedResponseHeaders{
			ETag: etag(result.Version, ""), StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}, nil
}

// sourceResult names the key that was given, as it will be known.
func sourceResult(r command.Result, key string) gen.SourceResult {
	body := gen.SourceResult{SourceID: r.ID.String(), Version: decimal(r.Version), Position: decimal(r.Position), EventIds: ids(r.EventIDs)}
	if fingerprint, ok := source.Fingerprint(key); ok {
		body.CredentialFingerprint = &fingerprint
	}
	return body
}

// ListSources handles GET /v1/sources.
func (s *server) ListSources(ctx context.Context, r gen.ListSourcesRequestObject) (gen.ListSourcesResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Plans.Sources(ctx, x.read(), query.SourceFilter{
		Status: string(value(p.Status)), Channel: string(value(p.Channel)), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	return gen.ListSources200JSONResponse{Body: page, Headers: gen.ListSources200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// GetSource handles GET /v1/sources/{id}.
func (s *server) GetSource(ctx context.Context, r gen.GetSourceRequestObject) (gen.GetSourceResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Source(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	// What it sent is in the streams of the indicators, and counted by the hour.
	content := v
	content.Position = 0
	tag, same, err := x.tagged(v.Version, content)
	if err != nil {
		return nil, err
	}
	if same {
		return notModified(tag, v.Position), nil
	}
	return gen.GetSource200JSONResponse{Body: v, Headers: gen.GetSource200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// ListExternalChanges handles GET /v1/external-changes.
func (s *server) ListExternalChanges(ctx context.Context, r gen.ListExternalChangesRequestObject) (gen.ListExternalChangesResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Plans.ExternalChanges(ctx, x.read(), query.ExternalFilter{
		SourceID: value(p.SourceID), Outcome: string(value(p.Outcome)),
		From: value(p.From), To: value(p.To), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	if n := len(page.Items); n > 0 {
		x.shown(n, page.Items[0].Position, page.Items[n-1].Position)
	}
	return gen.ListExternalChanges200JSONResponse{Body: page, Headers: gen.ListExternalChanges200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}
