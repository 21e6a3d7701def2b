package rest

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/strategy"
	"strata.dev/strata/ports/rest/gen"
)

// DraftStrategy handles POST /v1/strategies.
func (s *server) DraftStrategy(ctx context.Context, r gen.DraftStrategyRequestObject) (gen.DraftStrategyResponseObject, error) {
	x, b := of(ctx), r.Body
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("new id: %w", err)
	}
	result, err := s.options.App.Strategies.Execute(ctx, x.call(x.fingerprint(), ""), id, strategy.DraftStrategy{
		LineageKey: value(b.LineageKey), DocumentType: value(b.DocumentType), Frame: b.Frame, Replaces: value(b.Replaces),
	})
	if err != nil {
		return nil, err
	}
	location := "/v1/strategies/" + result.ID.String()
	x.recorded(result, location)
	return gen.DraftStrategy201JSONResponse{StrategyCreatedJSONResponse: gen.StrategyCreatedJSONResponse{
		Body: strategyResult(result),
		Headers: gen.StrategyCreatedResponseHeaders{
			ETag: etag(result.Version, ""), Location: location,
			StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}}, nil
}

// AmendFrame handles POST …/commands/amend-frame.
func (s *server) AmendFrame(ctx context.Context, r gen.AmendFrameRequestObject) (gen.AmendFrameResponseObject, error) {
	b := r.Body
	answer, err := s.onStrategy(ctx, r.ID, b.Reason, strategy.AmendFrame{Edits: b.Changes, Reason: b.Reason})
	return gen.AmendFrame200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// AddGoal handles POST …/commands/add-goal.
func (s *server) AddGoal(ctx context.Context, r gen.AddGoalRequestObject) (gen.AddGoalResponseObject, error) {
	b := r.Body
	c := strategy.AddGoal{
		GoalID: of(ctx).derive("goal"), Identifier: value(b.Identifier), Sequence: value(b.Sequence), Name: b.Name,
		Description: value(b.Description), Stakeholders: value(b.Stakeholders), OtherInformation: value(b.OtherInformation),
	}
	answer, err := s.onStrategy(ctx, r.ID, "", c)
	answer.Body.GoalID = &c.GoalID
	return gen.AddGoal200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// AmendGoal handles POST …/commands/amend-goal.
func (s *server) AmendGoal(ctx context.Context, r gen.AmendGoalRequestObject) (gen.AmendGoalResponseObject, error) {
	b := r.Body
	answer, err := s.onStrategy(ctx, r.ID, b.Reason, strategy.AmendGoal{GoalID: b.GoalID, Edits: b.Changes, Reason: b.Reason})
	return gen.AmendGoal200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// RetireGoal handles POST …/commands/retire-goal.
func (s *server) RetireGoal(ctx context.Context, r gen.RetireGoalRequestObject) (gen.RetireGoalResponseObject, error) {
	b := r.Body
	answer, err := s.onStrategy(ctx, r.ID, b.Reason, strategy.RetireGoal{GoalID: b.GoalID, Reason: b.Reason})
	return gen.RetireGoal200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// AddObjective handles POST …/commands/add-objective.
func (s *server) AddObjective(ctx context.Context, r gen.AddObjectiveRequestObject) (gen.AddObjectiveResponseObject, error) {
	b := r.Body
	c := strategy.AddObjective{
		ObjectiveID: of(ctx).derive("objective"), GoalID: b.GoalID, Identifier: value(b.Identifier), Sequence: value(b.Sequence),
		Name: value(b.Name), Description: value(b.Description), Stakeholders: value(b.Stakeholders),
		OtherInformation: value(b.OtherInformation), Relationships: value(b.Relationships),
	}
	answer, err := s.onStrategy(ctx, r.ID, "", c)
	answer.Body.ObjectiveID = &c.ObjectiveID
	return gen.AddObjective200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// AmendObjective handles POST …/commands/amend-objective.
func (s *server) AmendObjective(ctx context.Context, r gen.AmendObjectiveRequestObject) (gen.AmendObjectiveResponseObject, error) {
	b := r.Body
	answer, err := s.onStrategy(ctx, r.ID, b.Reason, strategy.AmendObjective{ObjectiveID: b.ObjectiveID, Edits: b.Changes, Reason: b.Reason})
	return gen.AmendObjective200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// MoveObjective handles POST …/commands/move-objective.
func (s *server) MoveObjective(ctx context.Context, r gen.MoveObjectiveRequestObject) (gen.MoveObjectiveResponseObject, error) {
	b := r.Body
	answer, err := s.onStrategy(ctx, r.ID, b.Reason, strategy.MoveObjective{ObjectiveID: b.ObjectiveID, GoalID: b.GoalID, Reason: b.Reason})
	return gen.MoveObjective200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// RetireObjective handles POST …/commands/retire-objective.
func (s *server) RetireObjective(ctx context.Context, r gen.RetireObjectiveRequestObject) (gen.RetireObjectiveResponseObject, error) {
	b := r.Body
	answer, err := s.onStrategy(ctx, r.ID, b.Reason, strategy.RetireObjective{ObjectiveID: b.ObjectiveID, Reason: b.Reason})
	return gen.RetireObjective200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// SubmitStrategy handles POST …/commands/submit.
func (s *server) SubmitStrategy(ctx context.Context, r gen.SubmitStrategyRequestObject) (gen.SubmitStrategyResponseObject, error) {
	answer, err := s.onStrategy(ctx, r.ID, "", strategy.SubmitStrategy{Summary: value(r.Body.Summary)})
	return gen.SubmitStrategy200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// RequestChanges handles POST …/commands/request-changes.
func (s *server) RequestChanges(ctx context.Context, r gen.RequestChangesRequestObject) (gen.RequestChangesResponseObject, error) {
	b := r.Body
	answer, err := s.onStrategy(ctx, r.ID, b.Comments, strategy.RequestChanges{ContentHash: b.ContentHash, Comments: b.Comments})
	return gen.RequestChanges200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// ApproveStrategy handles POST …/commands/approve.
func (s *server) ApproveStrategy(ctx context.Context, r gen.ApproveStrategyRequestObject) (gen.ApproveStrategyResponseObject, error) {
	b := r.Body
	c := strategy.ApproveStrategy{ContentHash: b.ContentHash, Meaning: b.Meaning, Comment: value(b.Comment)}
	answer, err := s.onStrategy(ctx, r.ID, c.Comment, c)
	return gen.ApproveStrategy200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// ActivateStrategy handles POST …/commands/activate.
func (s *server) ActivateStrategy(ctx context.Context, r gen.ActivateStrategyRequestObject) (gen.ActivateStrategyResponseObject, error) {
	b := r.Body
	c := strategy.ActivateStrategy{ContentHash: b.ContentHash, Meaning: b.Meaning, EffectiveFrom: day(b.EffectiveFrom)}
	answer, err := s.onStrategy(ctx, r.ID, "", c)
	return gen.ActivateStrategy200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// OpenRevision handles POST …/commands/open-revision.
func (s *server) OpenRevision(ctx context.Context, r gen.OpenRevisionRequestObject) (gen.OpenRevisionResponseObject, error) {
	answer, err := s.onStrategy(ctx, r.ID, r.Body.Reason, strategy.OpenRevision{Reason: r.Body.Reason})
	return gen.OpenRevision200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// WithdrawRevision handles POST …/commands/withdraw-revision.
func (s *server) WithdrawRevision(ctx context.Context, r gen.WithdrawRevisionRequestObject) (gen.WithdrawRevisionResponseObject, error) {
	answer, err := s.onStrategy(ctx, r.ID, r.Body.Reason, strategy.WithdrawRevision{Reason: r.Body.Reason})
	return gen.WithdrawRevision200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// PutOnHold handles POST …/commands/put-on-hold.
func (s *server) PutOnHold(ctx context.Context, r gen.PutOnHoldRequestObject) (gen.PutOnHoldResponseObject, error) {
	b, ref := r.Body, value(r.Body.Ref)
	if ref == "" {
		ref = of(ctx).derive("order")
	}
	answer, err := s.onStrategy(ctx, r.ID, b.Reason, strategy.PutStrategyOnHold{Blocker: strategy.Blocker{Kind: strategy.ByOrder, Ref: ref}, Reason: b.Reason})
	return gen.PutOnHold200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// ResumeStrategy handles POST …/commands/resume.
func (s *server) ResumeStrategy(ctx context.Context, r gen.ResumeStrategyRequestObject) (gen.ResumeStrategyResponseObject, error) {
	answer, err := s.onStrategy(ctx, r.ID, r.Body.Reason, strategy.ResumeStrategy{Reason: r.Body.Reason})
	return gen.ResumeStrategy200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// CloseStrategy handles POST …/commands/close.
func (s *server) CloseStrategy(ctx context.Context, r gen.CloseStrategyRequestObject) (gen.CloseStrategyResponseObject, error) {
	b := r.Body
	answer, err := s.onStrategy(ctx, r.ID, b.Reason, strategy.CloseStrategy{Outcome: b.Outcome, SuccessorID: value(b.SuccessorID), Reason: b.Reason})
	return gen.CloseStrategy200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// AttestPeriod handles POST …/commands/attest-period.
func (s *server) AttestPeriod(ctx context.Context, r gen.AttestPeriodRequestObject) (gen.AttestPeriodResponseObject, error) {
	b := r.Body
	answer, err := s.onStrategy(ctx, r.ID, "", strategy.AttestPeriod{Period: b.Period, Statement: b.Statement, Meaning: b.Meaning})
	return gen.AttestPeriod200JSONResponse{StrategyChangedJSONResponse: answer}, err
}

// onStrategy runs a command on an existing strategy of the token's organization.
func (s *server) onStrategy(ctx context.Context, id uuid.UUID, reason string, c strategy.Command) (gen.StrategyChangedJSONResponse, error) {
	x := of(ctx)
	result, err := s.options.App.Strategies.Execute(ctx, x.call(x.fingerprint(), reason), id, c)
	if err != nil {
		return gen.StrategyChangedJSONResponse{}, err
	}
	x.recorded(result, "")
	return gen.StrategyChangedJSONResponse{
		Body: strategyResult(result),
		Headers: gen.StrategyChangedResponseHeaders{
			ETag: etag(result.Version, ""), StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}, nil
}

func strategyResult(r command.Result) gen.StrategyResult {
	return gen.StrategyResult{
		StrategyID: r.ID.String(), Revision: r.Revision,
		Version: decimal(r.Version), Position: decimal(r.Position), EventIds: ids(r.EventIDs),
	}
}

// day is an optional date as the domain has it.
func day(d *gen.Date) calendar.Date {
	if d == nil {
		return ""
	}
	return calendar.Date(d.String())
}
