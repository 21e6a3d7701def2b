package rest

import (
	"context"

	"strata.dev/strata/app/query"
	"strata.dev/strata/ports/rest/gen"
)

// GetOrganization handles GET /v1/organization.
func (s *server) GetOrganization(ctx context.Context, _ gen.GetOrganizationRequestObject) (gen.GetOrganizationResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Organization(ctx, x.read())
	if err != nil {
		return nil, err
	}
	tag := etag(v.Version, "")
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, v.Position), nil
	}
	return gen.GetOrganization200JSONResponse{Body: v, Headers: gen.GetOrganization200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// GetGovernancePolicy handles GET /v1/organization/governance-policy.
func (s *server) GetGovernancePolicy(ctx context.Context, _ gen.GetGovernancePolicyRequestObject) (gen.GetGovernancePolicyResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Organization(ctx, x.read())
	if err != nil {
		return nil, err
	}
	tag := etag(v.Version, "")
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, v.Position), nil
	}
	return gen.GetGovernancePolicy200JSONResponse{Body: v.Policy, Headers: gen.GetGovernancePolicy200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// ListLegalHolds handles GET /v1/organization/legal-holds.
func (s *server) ListLegalHolds(ctx context.Context, r gen.ListLegalHoldsRequestObject) (gen.ListLegalHoldsResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Plans.Holds(ctx, x.read(), query.HoldFilter{State: string(value(p.State)), Paging: paging(p.Limit, p.Cursor, p.Count)})
	if err != nil {
		return nil, err
	}
	return gen.ListLegalHolds200JSONResponse{Body: page, Headers: gen.ListLegalHolds200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// ListMembers handles GET /v1/organization/members.
func (s *server) ListMembers(ctx context.Context, r gen.ListMembersRequestObject) (gen.ListMembersResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Plans.Members(ctx, x.read(), paging(p.Limit, p.Cursor, p.Count))
	if err != nil {
		return nil, err
	}
	return gen.ListMembers200JSONResponse{Body: page, Headers: gen.ListMembers200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// ListStrategies handles GET /v1/strategies.
func (s *server) ListStrategies(ctx context.Context, r gen.ListStrategiesRequestObject) (gen.ListStrategiesResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Plans.Strategies(ctx, x.read(), query.StrategyFilter{State: string(value(p.State)), Paging: paging(p.Limit, p.Cursor, p.Count)})
	if err != nil {
		return nil, err
	}
	return gen.ListStrategies200JSONResponse{Body: page, Headers: gen.ListStrategies200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// GetStrategy handles GET /v1/strategies/{id}.
func (s *server) GetStrategy(ctx context.Context, r gen.GetStrategyRequestObject) (gen.GetStrategyResponseObject, error) {
	x, p := of(ctx), r.Params
	v, err := s.options.App.Plans.Strategy(ctx, x.read(), query.StrategyAsk{ID: r.ID, Content: value(p.Content)})
	if err != nil {
		return nil, err
	}
	content := v
	content.Position = 0 // the position moves with everything everywhere
	tag, same, err := x.tagged(v.Version, content)
	if err != nil {
		return nil, err
	}
	if same {
		return notModified(tag, v.Position), nil
	}
	return gen.GetStrategy200JSONResponse{Body: v, Headers: gen.GetStrategy200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// GetScorecard handles GET /v1/strategies/{id}/scorecard.
func (s *server) GetScorecard(ctx context.Context, r gen.GetScorecardRequestObject) (gen.GetScorecardResponseObject, error) {
	x, p := of(ctx), r.Params
	v, err := s.options.App.Plans.Scorecard(ctx, x.read(), query.ScorecardFilter{
		StrategyID: r.ID, Content: value(p.Content), GoalID: value(p.GoalID), Health: value(p.Health), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	content := v
	content.Position = 0
	content.NextCursor = "" // holds the position
	tag, same, err := x.tagged(v.Version, content)
	if err != nil {
		return nil, err
	}
	if same {
		return notModified(tag, v.Position), nil
	}
	return gen.GetScorecard200JSONResponse{Body: v, Headers: gen.GetScorecard200ResponseHeaders{
		ETag: tag, StrataPosition: decimal(v.Position), Link: x.next("cursor", v.NextCursor),
	}}, nil
}

// GetIndicator handles GET /v1/indicators/{id}.
func (s *server) GetIndicator(ctx context.Context, r gen.GetIndicatorRequestObject) (gen.GetIndicatorResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Indicator(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	// Freshness changes with the calendar, the version does not.
	tag := etag(v.Version, v.Freshness.Status)
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, v.Position), nil
	}
	return gen.GetIndicator200JSONResponse{Body: v, Headers: gen.GetIndicator200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// GetSeries handles GET /v1/indicators/{id}/series.
func (s *server) GetSeries(ctx context.Context, r gen.GetSeriesRequestObject) (gen.GetSeriesResponseObject, error) {
	x, p := of(ctx), r.Params
	only, err := dims(p.Dims)
	if err != nil {
		return nil, err
	}
	v, err := s.options.App.Plans.Series(ctx, x.read(), query.SeriesFilter{
		IndicatorID: r.ID, From: string(day(p.From)), To: string(day(p.To)), Kind: string(value(p.Kind)),
		Dims: only, Voided: value(p.Voided), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	tag := etag(v.Version, "")
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, v.Position), nil
	}
	return gen.GetSeries200JSONResponse{Body: v, Headers: gen.GetSeries200ResponseHeaders{
		ETag: tag, StrataPosition: decimal(v.Position), Link: x.next("cursor", v.NextCursor),
	}}, nil
}

func notModified(tag string, position int64) gen.NotModifiedResponse {
	return gen.NotModifiedResponse{Headers: gen.NotModifiedResponseHeaders{ETag: tag, StrataPosition: decimal(position)}}
}
