package rest

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/ports/rest/gen"
)

// RaiseFinding handles POST /v1/findings.
func (s *server) RaiseFinding(ctx context.Context, r gen.RaiseFindingRequestObject) (gen.RaiseFindingResponseObject, error) {
	x, b := of(ctx), r.Body
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("new id: %w", err)
	}
	result, err := s.options.App.Findings.Execute(ctx, x.call(x.fingerprint(), ""), id, finding.RaiseFinding{
		Kind: b.Kind, Severity: b.Severity, Title: b.Title, Condition: b.Condition, Criteria: b.Criteria,
		Cause: value(b.Cause), Effect: value(b.Effect), Recommendation: value(b.Recommendation),
		Subjects: b.Subjects, Origin: b.Origin, EngagementRef: value(b.EngagementRef),
	})
	if err != nil {
		return nil, err
	}
	location := "/v1/findings/" + result.ID.String()
	x.recorded(result, location)
	return gen.RaiseFinding201JSONResponse{FindingCreatedJSONResponse: gen.FindingCreatedJSONResponse{
		Body: findingResult(result),
		Headers: gen.FindingCreatedResponseHeaders{
			ETag: etag(result.Version, ""), Location: location,
			StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}}, nil
}

// AssignFinding handles POST …/commands/assign.
func (s *server) AssignFinding(ctx context.Context, r gen.AssignFindingRequestObject) (gen.AssignFindingResponseObject, error) {
	b := r.Body
	answer, err := s.onFinding(ctx, r.ID, value(b.Reason), finding.AssignFinding{OwnerID: b.OwnerID, DueDate: day(b.DueDate), Reason: value(b.Reason)})
	return gen.AssignFinding200JSONResponse{FindingChangedJSONResponse: answer}, err
}

// ReclassifyFinding handles POST …/commands/reclassify.
func (s *server) ReclassifyFinding(ctx context.Context, r gen.ReclassifyFindingRequestObject) (gen.ReclassifyFindingResponseObject, error) {
	b := r.Body
	answer, err := s.onFinding(ctx, r.ID, b.Reason, finding.ReclassifyFinding{Severity: value(b.Severity), Kind: value(b.Kind), Reason: b.Reason})
	return gen.ReclassifyFinding200JSONResponse{FindingChangedJSONResponse: answer}, err
}

// PlanRemediation handles POST …/commands/plan-remediation.
func (s *server) PlanRemediation(ctx context.Context, r gen.PlanRemediationRequestObject) (gen.PlanRemediationResponseObject, error) {
	x, b := of(ctx), r.Body
	c := finding.PlanRemediation{Response: b.Response, DueDate: day(b.DueDate), Reason: value(b.Reason)}
	planned := make([]string, len(b.Actions))
	for i, a := range b.Actions {
		planned[i] = value(a.ID)
		if planned[i] == "" {
			planned[i] = x.derive(fmt.Sprintf("action-%d", i))
		}
		c.Actions = append(c.Actions, finding.Action{ID: planned[i], Text: a.Text, DueDate: day(&a.DueDate), OwnerID: a.OwnerID})
	}
	answer, err := s.onFinding(ctx, r.ID, c.Reason, c)
	answer.Body.ActionIds = &planned
	return gen.PlanRemediation200JSONResponse{FindingChangedJSONResponse: answer}, err
}

// SubmitRemediation handles POST …/commands/submit-remediation.
func (s *server) SubmitRemediation(ctx context.Context, r gen.SubmitRemediationRequestObject) (gen.SubmitRemediationResponseObject, error) {
	b := r.Body
	answer, err := s.onFinding(ctx, r.ID, "", finding.SubmitRemediation{ActionsDone: b.ActionsDone, Statement: b.Statement, EvidenceIDs: b.EvidenceIds})
	return gen.SubmitRemediation200JSONResponse{FindingChangedJSONResponse: answer}, err
}

// AcceptRisk handles POST …/commands/accept-risk.
func (s *server) AcceptRisk(ctx context.Context, r gen.AcceptRiskRequestObject) (gen.AcceptRiskResponseObject, error) {
	b := r.Body
	answer, err := s.onFinding(ctx, r.ID, b.Justification, finding.AcceptRisk{Justification: b.Justification, ExpiresOn: day(&b.ExpiresOn), Meaning: b.Meaning})
	return gen.AcceptRisk200JSONResponse{FindingChangedJSONResponse: answer}, err
}

// ReturnFinding handles POST …/commands/return.
func (s *server) ReturnFinding(ctx context.Context, r gen.ReturnFindingRequestObject) (gen.ReturnFindingResponseObject, error) {
	b := r.Body
	answer, err := s.onFinding(ctx, r.ID, b.Comments, finding.ReturnFinding{Reason: b.Reason, Comments: b.Comments})
	return gen.ReturnFinding200JSONResponse{FindingChangedJSONResponse: answer}, err
}

// CloseFinding handles POST …/commands/close.
func (s *server) CloseFinding(ctx context.Context, r gen.CloseFindingRequestObject) (gen.CloseFindingResponseObject, error) {
	b := r.Body
	answer, err := s.onFinding(ctx, r.ID, value(b.Reason), finding.CloseFinding{
		Resolution: b.Resolution, EffectivenessCheck: value(b.EffectivenessCheck), Reason: value(b.Reason), Meaning: b.Meaning,
	})
	return gen.CloseFinding200JSONResponse{FindingChangedJSONResponse: answer}, err
}

// onFinding runs a command on an existing finding of the token's organization.
func (s *server) onFinding(ctx context.Context, id uuid.UUID, reason string, c finding.Command) (gen.FindingChangedJSONResponse, error) {
	x := of(ctx)
	result, err := s.options.App.Findings.Execute(ctx, x.call(x.fingerprint(), reason), id, c)
	if err != nil {
		return gen.FindingChangedJSONResponse{}, x.refused(err)
	}
	x.recorded(result, "")
	return gen.FindingChangedJSONResponse{
		Body: findingResult(result),
		Headers: gen.FindingChangedResponseHeaders{
			ETag: etag(result.Version, ""), StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}, nil
}

func findingResult(r command.Result) gen.FindingResult {
	return gen.FindingResult{FindingID: r.ID.String(), Version: decimal(r.Version), Position: decimal(r.Position), EventIds: ids(r.EventIDs)}
}

// ListFindings handles GET /v1/findings.
func (s *server) ListFindings(ctx context.Context, r gen.ListFindingsRequestObject) (gen.ListFindingsResponseObject, error) {
	x, p := of(ctx), r.Params
	f := query.FindingFilter{
		State: value(p.State), Severity: value(p.Severity), Origin: string(value(p.Origin)), OwnerID: value(p.OwnerID),
		Overdue: p.Overdue, StrategyID: value(p.StrategyID), IndicatorID: value(p.IndicatorID), Paging: paging(p.Limit, p.Cursor, p.Count),
	}
	if p.ExpiringWithin != nil {
		days := int(*p.ExpiringWithin)
		f.ExpiringWithin = &days
	}
	board, err := s.options.App.Plans.Findings(ctx, x.read(), f)
	if err != nil {
		return nil, err
	}
	return gen.ListFindings200JSONResponse{Body: board, Headers: gen.ListFindings200ResponseHeaders{
		StrataPosition: decimal(board.Position), Link: x.next("cursor", board.NextCursor),
	}}, nil
}

// GetFinding handles GET /v1/findings/{id}.
func (s *server) GetFinding(ctx context.Context, r gen.GetFindingRequestObject) (gen.GetFindingResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Finding(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	// Evidence links are of other streams, and its age is of the day.
	content := v
	content.Position = 0
	tag, same, err := x.tagged(v.Version, content)
	if err != nil {
		return nil, err
	}
	if same {
		return notModified(tag, v.Position), nil
	}
	return gen.GetFinding200JSONResponse{Body: v, Headers: gen.GetFinding200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// GetFindingHistory handles GET /v1/findings/{id}/history.
func (s *server) GetFindingHistory(ctx context.Context, r gen.GetFindingHistoryRequestObject) (gen.GetFindingHistoryResponseObject, error) {
	p := r.Params
	page, link, err := s.history(ctx, query.HistoryFilter{
		StreamID: "finding-" + r.ID.String(), SubjectID: value(p.SubjectID), ActorID: value(p.ActorID), Role: value(p.Role),
		Types: value(p.Types), From: value(p.From), To: value(p.To), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	return gen.GetFindingHistory200JSONResponse{Body: page, Headers: gen.GetFindingHistory200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: link,
	}}, nil
}
