package rest

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/ports/rest/gen"
)

const organizationPath = "/v1/organization"

// RegisterOrganization handles POST /v1/organizations.
func (s *server) RegisterOrganization(ctx context.Context, r gen.RegisterOrganizationRequestObject) (gen.RegisterOrganizationResponseObject, error) {
	x, b := of(ctx), r.Body
	// The organization is part of what the log compares of a repeated command, so
	// its id, too, is the same each time.
	id := uuid.NewSHA1(x.commandID(), []byte("organization"))
	first := func(what string, i gen.Identity) organization.FirstMember {
		return organization.FirstMember{
			MemberID: x.derive("member/" + what), GrantID: x.derive("grant/" + what),
			SubjectID: subjectID(id, i.Issuer, i.Subject), Issuer: i.Issuer,
			ExternalIDHash: organization.IdentityHash(id.String(), i.Issuer, i.Subject),
		}
	}
	administrator, officer := first("administrator", b.Administrator), first("compliance-officer", b.ComplianceOfficer)
	result, err := s.options.App.Organizations.Execute(ctx, x.call(x.fingerprint(), ""), id, organization.RegisterOrganization{
		Name: b.Name, Acronym: value(b.Acronym), StratMLIdentifier: value(b.StratmlIdentifier),
		TimeZone: value(b.TimeZone), FiscalYearStart: value(b.FiscalYearStart),
		Administrator: administrator, ComplianceOfficer: officer,
	})
	if err != nil {
		return nil, err
	}
	x.recorded(result, organizationPath)
	body := organizationResult(result)
	body.AdministratorID, body.ComplianceOfficerID = &administrator.MemberID, &officer.MemberID
	return gen.RegisterOrganization201JSONResponse{OrganizationCreatedJSONResponse: gen.OrganizationCreatedJSONResponse{
		Body: body,
		Headers: gen.OrganizationCreatedResponseHeaders{
			ETag: etag(result.Version, ""), Location: organizationPath,
			StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}}, nil
}

// EnrolMember handles POST /v1/organization/commands/enrol-member.
func (s *server) EnrolMember(ctx context.Context, r gen.EnrolMemberRequestObject) (gen.EnrolMemberResponseObject, error) {
	x, b := of(ctx), r.Body
	id := x.principal.OrganizationID
	c := organization.EnrolMember{
		MemberID: x.derive("member"), SubjectID: value(b.SubjectID), Issuer: b.Issuer,
		ExternalIDHash: organization.IdentityHash(id.String(), b.Issuer, b.Subject), Kind: b.Kind,
		DisplayName: value(b.DisplayName), Email: value(b.Email),
	}
	if c.SubjectID == "" {
		c.SubjectID = subjectID(id, b.Issuer, b.Subject)
	}
	answer, err := s.onOrganization(ctx, x, "", c)
	answer.Body.MemberID = &c.MemberID
	return gen.EnrolMember200JSONResponse{OrganizationChangedJSONResponse: answer}, err
}

// GrantRole handles POST /v1/organization/commands/grant-role.
func (s *server) GrantRole(ctx context.Context, r gen.GrantRoleRequestObject) (gen.GrantRoleResponseObject, error) {
	x, b := of(ctx), r.Body
	c := organization.GrantRole{
		GrantID: x.derive("grant"), MemberID: b.MemberID, Role: b.Role,
		Scope: organization.Scope{All: b.StrategyIds == nil}, ExpiresAt: b.ExpiresAt, TicketRef: value(b.TicketRef),
	}
	if b.StrategyIds != nil {
		c.Scope.StrategyIDs = slices.Sorted(slices.Values(*b.StrategyIds))
	}
	answer, err := s.onOrganization(ctx, x, "", c)
	answer.Body.GrantID = &c.GrantID
	return gen.GrantRole200JSONResponse{OrganizationChangedJSONResponse: answer}, err
}

// RevokeRole handles POST /v1/organization/commands/revoke-role.
func (s *server) RevokeRole(ctx context.Context, r gen.RevokeRoleRequestObject) (gen.RevokeRoleResponseObject, error) {
	b := r.Body
	answer, err := s.onOrganization(ctx, of(ctx), b.Reason, organization.RevokeRole{MemberID: b.MemberID, GrantIDs: b.GrantIds, Reason: b.Reason})
	return gen.RevokeRole200JSONResponse{OrganizationChangedJSONResponse: answer}, err
}

// OffboardMember handles POST /v1/organization/commands/offboard-member.
func (s *server) OffboardMember(ctx context.Context, r gen.OffboardMemberRequestObject) (gen.OffboardMemberResponseObject, error) {
	b := r.Body
	answer, err := s.onOrganization(ctx, of(ctx), b.Reason, organization.OffboardMember{MemberID: b.MemberID, Reason: b.Reason})
	return gen.OffboardMember200JSONResponse{OrganizationChangedJSONResponse: answer}, err
}

// SetGovernancePolicy handles POST /v1/organization/commands/set-governance-policy.
func (s *server) SetGovernancePolicy(ctx context.Context, r gen.SetGovernancePolicyRequestObject) (gen.SetGovernancePolicyResponseObject, error) {
	b := r.Body
	answer, err := s.onOrganization(ctx, of(ctx), b.Reason, organization.SetGovernancePolicy{Policy: b.Policy, Reason: b.Reason})
	return gen.SetGovernancePolicy200JSONResponse{OrganizationChangedJSONResponse: answer}, err
}

// PlaceLegalHold handles POST /v1/organization/commands/place-legal-hold.
func (s *server) PlaceLegalHold(ctx context.Context, r gen.PlaceLegalHoldRequestObject) (gen.PlaceLegalHoldResponseObject, error) {
	x, b := of(ctx), r.Body
	c := organization.PlaceLegalHold{HoldID: x.derive("hold"), Matter: b.Matter, Scope: b.Scope, Basis: b.Basis}
	slices.Sort(c.Scope.Streams)
	slices.Sort(c.Scope.Subjects)
	answer, err := s.onOrganization(ctx, x, "", c)
	answer.Body.HoldID = &c.HoldID
	return gen.PlaceLegalHold200JSONResponse{OrganizationChangedJSONResponse: answer}, err
}

// ReleaseLegalHold handles POST /v1/organization/commands/release-legal-hold.
func (s *server) ReleaseLegalHold(ctx context.Context, r gen.ReleaseLegalHoldRequestObject) (gen.ReleaseLegalHoldResponseObject, error) {
	b := r.Body
	answer, err := s.onOrganization(ctx, of(ctx), b.Reason, organization.ReleaseLegalHold{HoldID: b.HoldID, Reason: b.Reason})
	return gen.ReleaseLegalHold200JSONResponse{OrganizationChangedJSONResponse: answer}, err
}

// ErasePersonalData handles POST /v1/organization/commands/erase-personal-data.
func (s *server) ErasePersonalData(ctx context.Context, r gen.ErasePersonalDataRequestObject) (gen.ErasePersonalDataResponseObject, error) {
	x, b := of(ctx), r.Body
	erased, err := s.options.App.Erasure.Erase(ctx, x.call(x.fingerprint(), ""), command.ErasureRequest{
		SubjectID: b.SubjectID, Basis: b.Basis, WithoutCopy: value(b.WithoutCopy),
	})
	if err != nil {
		return nil, x.refused(err)
	}
	answer := x.changedOrganization(erased.Result)
	if erased.RequestID != "" {
		answer.Body.RequestID, answer.Body.KeyIds = &erased.RequestID, &erased.KeyIDs
		if len(erased.RedactedEvidenceIDs) > 0 {
			answer.Body.RedactedEvidenceIds = &erased.RedactedEvidenceIDs
		}
	}
	return gen.ErasePersonalData200JSONResponse{OrganizationChangedJSONResponse: answer}, nil
}

// onOrganization runs a command on the token's own organization.
func (s *server) onOrganization(ctx context.Context, x *exchange, reason string, c organization.Command) (gen.OrganizationChangedJSONResponse, error) {
	result, err := s.options.App.Organizations.Execute(ctx, x.call(x.fingerprint(), reason), x.principal.OrganizationID, c)
	if err != nil {
		return gen.OrganizationChangedJSONResponse{}, x.refused(err)
	}
	return x.changedOrganization(result), nil
}

func (x *exchange) changedOrganization(result command.Result) gen.OrganizationChangedJSONResponse {
	x.recorded(result, "")
	return gen.OrganizationChangedJSONResponse{
		Body: organizationResult(result),
		Headers: gen.OrganizationChangedResponseHeaders{
			ETag: etag(result.Version, ""), StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}
}

func organizationResult(r command.Result) gen.OrganizationResult {
	return gen.OrganizationResult{
		OrganizationID: r.ID.String(), Version: decimal(r.Version), Position: decimal(r.Position), EventIds: ids(r.EventIDs),
	}
}

// subjectID names a person or service within one organization: the same
// identity enrolled again is the same subject.
func subjectID(organizationID uuid.UUID, issuer, subject string) string {
	return uuid.NewSHA1(organizationID, []byte(fmt.Sprintf("%d/%s/%s", len(issuer), issuer, subject))).String()
}
