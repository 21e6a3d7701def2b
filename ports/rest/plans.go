package rest

import (
	"context"

	"strata.dev/strata/app/query"
	"strata.dev/strata/ports/rest/gen"
)

// GetOrganization handles GET /v1/organization.
func (s *server) GetOrganization(ctx context.Context, _ gen.GetOrganizationRequestObject) (gen.GetOrganizationResponseObject, error) {
	x := of(ctx)
	o, err := s.options.App.Plans.Organization(ctx, x.read())
	if err != nil {
		return nil, err
	}
	tag := etag(o.Version, "")
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, o.Position), nil
	}
	return gen.GetOrganization200JSONResponse{Body: o, Headers: gen.GetOrganization200ResponseHeaders{ETag: tag, StrataPosition: decimal(o.Position)}}, nil
}

// ListMembers handles GET /v1/organization/members.
func (s *server) ListMembers(ctx context.Context, r gen.ListMembersRequestObject) (gen.ListMembersResponseObject, error) {
	x := of(ctx)
	page, err := s.options.App.Plans.Members(ctx, x.read(), paging(r.Params.Limit, r.Params.Cursor))
	if err != nil {
		return nil, err
	}
	return gen.ListMembers200JSONResponse{Body: page, Headers: gen.ListMembers200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: nextLink(x.path, limitOf(r.Params.Limit), "cursor", page.NextCursor),
	}}, nil
}

// ListStrategies handles GET /v1/strategies.
func (s *server) ListStrategies(ctx context.Context, r gen.ListStrategiesRequestObject) (gen.ListStrategiesResponseObject, error) {
	x, state := of(ctx), string(value(r.Params.State))
	page, err := s.options.App.Plans.Strategies(ctx, x.read(), query.StrategyFilter{State: state, Paging: paging(r.Params.Limit, r.Params.Cursor)})
	if err != nil {
		return nil, err
	}
	return gen.ListStrategies200JSONResponse{Body: page, Headers: gen.ListStrategies200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: nextLink(x.path, limitOf(r.Params.Limit, "state", state), "cursor", page.NextCursor),
	}}, nil
}

// GetStrategy handles GET /v1/strategies/{id}.
func (s *server) GetStrategy(ctx context.Context, r gen.GetStrategyRequestObject) (gen.GetStrategyResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Strategy(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	content := v
	content.Position = 0 // the position moves with everything everywhere
	detail, err := digest(content)
	if err != nil {
		return nil, err
	}
	tag := etag(v.Version, detail)
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, v.Position), nil
	}
	return gen.GetStrategy200JSONResponse{Body: v, Headers: gen.GetStrategy200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// GetScorecard handles GET /v1/strategies/{id}/scorecard.
func (s *server) GetScorecard(ctx context.Context, r gen.GetScorecardRequestObject) (gen.GetScorecardResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Scorecard(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	content := v
	content.Position = 0
	detail, err := digest(content)
	if err != nil {
		return nil, err
	}
	tag := etag(v.Version, detail)
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, v.Position), nil
	}
	return gen.GetScorecard200JSONResponse{Body: v, Headers: gen.GetScorecard200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// GetIndicator handles GET /v1/indicators/{id}.
func (s *server) GetIndicator(ctx context.Context, r gen.GetIndicatorRequestObject) (gen.GetIndicatorResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Indicator(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	tag := etag(v.Version, "")
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, v.Position), nil
	}
	return gen.GetIndicator200JSONResponse{Body: v, Headers: gen.GetIndicator200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// GetSeries handles GET /v1/indicators/{id}/series.
func (s *server) GetSeries(ctx context.Context, r gen.GetSeriesRequestObject) (gen.GetSeriesResponseObject, error) {
	x, p := of(ctx), r.Params
	from, to := string(day(p.From)), string(day(p.To))
	v, err := s.options.App.Plans.Series(ctx, x.read(), query.SeriesFilter{IndicatorID: r.ID, From: from, To: to, Paging: paging(p.Limit, p.Cursor)})
	if err != nil {
		return nil, err
	}
	tag := etag(v.Version, "")
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, v.Position), nil
	}
	return gen.GetSeries200JSONResponse{Body: v, Headers: gen.GetSeries200ResponseHeaders{
		ETag: tag, StrataPosition: decimal(v.Position),
		Link: nextLink(x.path, limitOf(p.Limit, "from", from, "to", to), "cursor", v.NextCursor),
	}}, nil
}

func notModified(tag string, position int64) gen.NotModifiedResponse {
	return gen.NotModifiedResponse{Headers: gen.NotModifiedResponseHeaders{ETag: tag, StrataPosition: decimal(position)}}
}

func paging(limit *int32, cursor *string) query.Paging {
	return query.Paging{Limit: int(value(limit)), Cursor: value(cursor)}
}
