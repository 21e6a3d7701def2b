package rest

import (
	"context"
	"strings"

	"strata.dev/strata/app/query"
	"strata.dev/strata/ports/rest/gen"
)

// ListApprovals handles GET /v1/approvals.
func (s *server) ListApprovals(ctx context.Context, r gen.ListApprovalsRequestObject) (gen.ListApprovalsResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Plans.Approvals(ctx, x.read(), query.ApprovalFilter{
		StrategyID: value(p.StrategyID), Revision: int(value(p.Revision)), ApproverID: value(p.ApproverID),
		From: value(p.From), To: value(p.To), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	return gen.ListApprovals200JSONResponse{Body: page, Headers: gen.ListApprovals200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// ListActivity handles GET /v1/activity.
func (s *server) ListActivity(ctx context.Context, r gen.ListActivityRequestObject) (gen.ListActivityResponseObject, error) {
	p := r.Params
	page, link, err := s.history(ctx, query.HistoryFilter{
		StreamID: value(p.StreamID), StrategyID: value(p.StrategyID), SubjectID: value(p.SubjectID), ActorID: value(p.ActorID),
		Role: value(p.Role), Types: value(p.Types), From: value(p.From), To: value(p.To), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	return gen.ListActivity200JSONResponse{Body: page, Headers: gen.ListActivity200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: link,
	}}, nil
}

// GetStrategyHistory handles GET /v1/strategies/{id}/events.
func (s *server) GetStrategyHistory(ctx context.Context, r gen.GetStrategyHistoryRequestObject) (gen.GetStrategyHistoryResponseObject, error) {
	p := r.Params
	page, link, err := s.history(ctx, query.HistoryFilter{
		StreamID: "strategy-" + r.ID.String(), SubjectID: value(p.SubjectID), ActorID: value(p.ActorID), Role: value(p.Role),
		Types: value(p.Types), From: value(p.From), To: value(p.To), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	return gen.GetStrategyHistory200JSONResponse{Body: page, Headers: gen.GetStrategyHistory200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: link,
	}}, nil
}

// GetIndicatorHistory handles GET /v1/indicators/{id}/events.
func (s *server) GetIndicatorHistory(ctx context.Context, r gen.GetIndicatorHistoryRequestObject) (gen.GetIndicatorHistoryResponseObject, error) {
	p := r.Params
	page, link, err := s.history(ctx, query.HistoryFilter{
		StreamID: "indicator-" + r.ID.String(), SubjectID: value(p.SubjectID), ActorID: value(p.ActorID), Role: value(p.Role),
		Types: value(p.Types), From: value(p.From), To: value(p.To), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	return gen.GetIndicatorHistory200JSONResponse{Body: page, Headers: gen.GetIndicatorHistory200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: link,
	}}, nil
}

// history is a page of events. An aggregate has at least one, so nothing at all
// of one, without any other criterion, means that there is no such aggregate here.
func (s *server) history(ctx context.Context, f query.HistoryFilter) (query.Page[query.Entry], *string, error) {
	x := of(ctx)
	if strings.HasPrefix(f.StreamID, journalStreams) { // what it finds tells, whatever it shows
		if err := s.options.App.Organizations.MayReadJournal(ctx, x.principal); err != nil {
			return query.Page[query.Entry]{}, nil, err
		}
	}
	page, err := s.options.App.Audit.History(ctx, x.read(), f)
	if err != nil {
		return page, nil, err
	}
	if err := s.withhold(ctx, x, page.Items); err != nil {
		return page, nil, err
	}
	if n := len(page.Items); n > 0 {
		x.shown(n, page.Items[0].Position, page.Items[n-1].Position)
	}
	named, paths := f.StreamID != "", len(x.operation.paths) > 0
	other := f.SubjectID != "" || f.ActorID != "" || f.Role != "" || len(f.Types) > 0 || !f.From.IsZero() || !f.To.IsZero()
	if len(page.Items) == 0 && named && paths && !other && f.Cursor == "" {
		return page, nil, query.ErrNotFound
	}
	return page, x.next("cursor", page.NextCursor), nil
}

// GetEvent handles GET /v1/events/{id}.
func (s *server) GetEvent(ctx context.Context, r gen.GetEventRequestObject) (gen.GetEventResponseObject, error) {
	x := of(ctx)
	entry, err := s.options.App.Audit.Event(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	list := []query.Entry{entry}
	if err := s.withhold(ctx, x, list); err != nil {
		return nil, err
	}
	entry = list[0]
	x.shown(1, entry.Position, entry.Position)
	tag := etag(entry.Version, "")
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, entry.Position), nil
	}
	return gen.GetEvent200JSONResponse{Body: entry, Headers: gen.GetEvent200ResponseHeaders{ETag: tag, StrataPosition: decimal(entry.Position)}}, nil
}

// GetStrategyDiff handles GET /v1/strategies/{id}/diff.
func (s *server) GetStrategyDiff(ctx context.Context, r gen.GetStrategyDiffRequestObject) (gen.GetStrategyDiffResponseObject, error) {
	p := r.Params
	f := query.DiffFilter{StrategyID: r.ID, Paging: paging(p.Limit, p.Cursor, p.Count)}
	d, link, err := s.diff(ctx, f, p.From, p.To)
	if err != nil {
		return nil, err
	}
	return gen.GetStrategyDiff200JSONResponse{Body: d, Headers: gen.GetStrategyDiff200ResponseHeaders{StrataPosition: decimal(d.Position), Link: link}}, nil
}

// GetIndicatorDiff handles GET /v1/indicators/{id}/diff.
func (s *server) GetIndicatorDiff(ctx context.Context, r gen.GetIndicatorDiffRequestObject) (gen.GetIndicatorDiffResponseObject, error) {
	p := r.Params
	f := query.DiffFilter{IndicatorID: r.ID, Paging: paging(p.Limit, p.Cursor, p.Count)}
	d, link, err := s.diff(ctx, f, p.From, p.To)
	if err != nil {
		return nil, err
	}
	return gen.GetIndicatorDiff200JSONResponse{Body: d, Headers: gen.GetIndicatorDiff200ResponseHeaders{StrataPosition: decimal(d.Position), Link: link}}, nil
}

// GetFindingDiff handles GET /v1/findings/{id}/diff.
func (s *server) GetFindingDiff(ctx context.Context, r gen.GetFindingDiffRequestObject) (gen.GetFindingDiffResponseObject, error) {
	p := r.Params
	f := query.DiffFilter{FindingID: r.ID, Paging: paging(p.Limit, p.Cursor, p.Count)}
	d, link, err := s.diff(ctx, f, p.From, p.To)
	if err != nil {
		return nil, err
	}
	return gen.GetFindingDiff200JSONResponse{Body: d, Headers: gen.GetFindingDiff200ResponseHeaders{StrataPosition: decimal(d.Position), Link: link}}, nil
}

// GetEvidenceDiff handles GET /v1/evidence/{id}/diff.
func (s *server) GetEvidenceDiff(ctx context.Context, r gen.GetEvidenceDiffRequestObject) (gen.GetEvidenceDiffResponseObject, error) {
	p := r.Params
	f := query.DiffFilter{EvidenceID: r.ID, Paging: paging(p.Limit, p.Cursor, p.Count)}
	d, link, err := s.diff(ctx, f, p.From, p.To)
	if err != nil {
		return nil, err
	}
	return gen.GetEvidenceDiff200JSONResponse{Body: d, Headers: gen.GetEvidenceDiff200ResponseHeaders{StrataPosition: decimal(d.Position), Link: link}}, nil
}

// GetSourceDiff handles GET /v1/sources/{id}/diff.
func (s *server) GetSourceDiff(ctx context.Context, r gen.GetSourceDiffRequestObject) (gen.GetSourceDiffResponseObject, error) {
	p := r.Params
	f := query.DiffFilter{SourceID: r.ID, Paging: paging(p.Limit, p.Cursor, p.Count)}
	d, link, err := s.diff(ctx, f, p.From, p.To)
	if err != nil {
		return nil, err
	}
	return gen.GetSourceDiff200JSONResponse{Body: d, Headers: gen.GetSourceDiff200ResponseHeaders{StrataPosition: decimal(d.Position), Link: link}}, nil
}

// GetOrganizationDiff handles GET /v1/organization/diff.
func (s *server) GetOrganizationDiff(ctx context.Context, r gen.GetOrganizationDiffRequestObject) (gen.GetOrganizationDiffResponseObject, error) {
	p := r.Params
	f := query.DiffFilter{Organization: true, Paging: paging(p.Limit, p.Cursor, p.Count)}
	d, link, err := s.diff(ctx, f, p.From, p.To)
	if err != nil {
		return nil, err
	}
	return gen.GetOrganizationDiff200JSONResponse{Body: d, Headers: gen.GetOrganizationDiff200ResponseHeaders{StrataPosition: decimal(d.Position), Link: link}}, nil
}

func (s *server) diff(ctx context.Context, f query.DiffFilter, from, to *gen.Mark) (query.Diff, *string, error) {
	x := of(ctx)
	var err error
	if f.From, err = mark("from", from); err != nil {
		return query.Diff{}, nil, err
	}
	if f.To, err = mark("to", to); err != nil {
		return query.Diff{}, nil, err
	}
	d, err := s.options.App.Audit.Diff(ctx, x.read(), f)
	x.shown(len(d.Items), d.From.Position, d.To.Position)
	return d, x.next("cursor", d.NextCursor), err
}

// ListImports handles GET /v1/imports.
func (s *server) ListImports(ctx context.Context, r gen.ListImportsRequestObject) (gen.ListImportsResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Plans.Imports(ctx, x.read(), query.ImportFilter{
		StrategyID: value(p.StrategyID), Status: string(value(p.Status)), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	return gen.ListImports200JSONResponse{Body: page, Headers: gen.ListImports200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// GetImport handles GET /v1/imports/{id}.
func (s *server) GetImport(ctx context.Context, r gen.GetImportRequestObject) (gen.GetImportResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Import(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	content := v
	content.Position = 0
	detail, err := digest(content)
	if err != nil {
		return nil, err
	}
	tag := `"` + detail + `"`
	if noneMatch(x.noneMatch, tag) {
		return gen.UnchangedResponse{Headers: gen.UnchangedResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
	}
	return gen.GetImport200JSONResponse{Body: v, Headers: gen.GetImport200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}
