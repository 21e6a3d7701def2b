package rest

import (
	"context"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/ports/rest/gen"
)

var errNoSystem = fault.New(fault.Unavailable, "unavailable", "How the installation is cannot be told here now.")

// noSystem is an installation that nobody looks after.
func noSystem(context.Context) (query.System, error) { return query.System{}, errNoSystem }

// GetSystem handles GET /v1/system.
func (s *server) GetSystem(ctx context.Context, _ gen.GetSystemRequestObject) (gen.GetSystemResponseObject, error) {
	v, err := s.options.System(ctx)
	if err != nil {
		return nil, err
	}
	return gen.GetSystem200JSONResponse{Body: v, Headers: gen.GetSystem200ResponseHeaders{StrataPosition: decimal(v.Position)}}, nil
}

// ListJournal handles GET /v1/journal.
func (s *server) ListJournal(ctx context.Context, r gen.ListJournalRequestObject) (gen.ListJournalResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Audit.Journal(ctx, x.read(), query.JournalFilter{
		Kind: string(value(p.Kind)), ActorID: value(p.ActorID), Rule: value(p.Rule), From: value(p.From), To: value(p.To),
		Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	if n := len(page.Items); n > 0 {
		x.shown(n, page.Items[0].Position, page.Items[n-1].Position)
	}
	return gen.ListJournal200JSONResponse{Body: page, Headers: gen.ListJournal200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// GetSegregation handles GET /v1/segregation.
func (s *server) GetSegregation(ctx context.Context, r gen.GetSegregationRequestObject) (gen.GetSegregationResponseObject, error) {
	x, p := of(ctx), r.Params
	v, err := s.options.App.Audit.Segregation(ctx, x.read(), query.SegregationFilter{
		From: value(p.From), To: value(p.To), DormantDays: int(value(p.DormantDays)),
	})
	if err != nil {
		return nil, err
	}
	x.shown(len(v.Conflicts)+len(v.NearMisses)+len(v.Dormant), 0, v.Position)
	return gen.GetSegregation200JSONResponse{Body: v, Headers: gen.GetSegregation200ResponseHeaders{StrataPosition: decimal(v.Position)}}, nil
}

// ListAttestations handles GET /v1/attestations.
func (s *server) ListAttestations(ctx context.Context, r gen.ListAttestationsRequestObject) (gen.ListAttestationsResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Audit.Attestations(ctx, x.read(), query.AttestationFilter{
		StrategyID: value(p.StrategyID), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	return gen.ListAttestations200JSONResponse{Body: page, Headers: gen.ListAttestations200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// GetChangesSinceAttestation handles GET /v1/attestations/{id}/changes.
func (s *server) GetChangesSinceAttestation(ctx context.Context, r gen.GetChangesSinceAttestationRequestObject) (gen.GetChangesSinceAttestationResponseObject, error) {
	x, p := of(ctx), r.Params
	v, err := s.options.App.Audit.ChangesSinceAttestation(ctx, x.read(), query.ChangesFilter{
		AttestationID: r.ID, Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	if n := len(v.Items); n > 0 {
		x.shown(n, v.Items[0].Position, v.Items[n-1].Position)
	}
	return gen.GetChangesSinceAttestation200JSONResponse{Body: v, Headers: gen.GetChangesSinceAttestation200ResponseHeaders{
		StrataPosition: decimal(v.Position), Link: x.next("cursor", v.NextCursor),
	}}, nil
}

// GetProvenance handles GET /v1/measurements/{id}/provenance.
func (s *server) GetProvenance(ctx context.Context, r gen.GetProvenanceRequestObject) (gen.GetProvenanceResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Audit.Provenance(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	if n := len(v.Steps); n > 0 {
		x.shown(n, v.Steps[0].Position, v.Steps[n-1].Position)
	}
	return gen.GetProvenance200JSONResponse{Body: v, Headers: gen.GetProvenance200ResponseHeaders{StrataPosition: decimal(v.Position)}}, nil
}

// ListPersons handles GET /v1/persons.
func (s *server) ListPersons(ctx context.Context, r gen.ListPersonsRequestObject) (gen.ListPersonsResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Plans.Persons(ctx, x.read(), paging(p.Limit, p.Cursor, p.Count))
	if err != nil {
		return nil, err
	}
	x.shown(len(page.Items), 0, page.Position)
	return gen.ListPersons200JSONResponse{Body: page, Headers: gen.ListPersons200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// GetPerson handles GET /v1/persons/{id}.
func (s *server) GetPerson(ctx context.Context, r gen.GetPersonRequestObject) (gen.GetPersonResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Person(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	x.shown(len(v.Acts), 0, v.Position)
	return gen.GetPerson200JSONResponse{Body: v, Headers: gen.GetPerson200ResponseHeaders{StrataPosition: decimal(v.Position)}}, nil
}
