package rest

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/ingest"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/ports/rest/gen"
)

// Intake takes the messages of outside sources. What it says about a message is
// beside the answer as a fault, if it was refused as a whole. Safe for
// concurrent use.
type Intake interface {
	Take(ctx context.Context, m ingest.Message) (ingest.Answer, error)
}

// noIntake is an installation that takes nothing from sources.
type noIntake struct{}

var errNoIntake = fault.New(fault.Unavailable, "unavailable", "Messages of sources cannot be taken here now.")

func (noIntake) Take(context.Context, ingest.Message) (ingest.Answer, error) {
	return ingest.Answer{}, errNoIntake
}

var errUnbelieved = errUnauthenticated.Detailf("This is no message of a source that is registered here: see that organization, source, message id, body and key are those that were signed.")

// unbelieved keeps from a stranger which sources there are: why a message is not
// believed is for the journal.
func (x *exchange) unbelieved(claimed uuid.UUID, err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Kind != fault.Unauthenticated {
		return err
	}
	x.ruled, x.principal.OrganizationID = f, claimed
	return errUnbelieved.Because(err)
}

// IngestMeasurements handles POST /v1/sources/{id}/measurements. The gate has
// looked at nothing but headers and size: who it is shows in the signature, and
// what is wrong with the body of one who is believed is kept.
func (s *server) IngestMeasurements(ctx context.Context, r gen.IngestMeasurementsRequestObject) (gen.IngestMeasurementsResponseObject, error) {
	x := of(ctx)
	organization, err := uuid.Parse(r.Params.StrataOrganization)
	if err != nil {
		return nil, fmt.Errorf("organization of a message: %w", err) // the contract says what an id is
	}
	answer, err := s.options.Ingest.Take(ctx, ingest.Message{
		OrganizationID: organization, SourceID: r.ID, MessageID: r.Params.StrataMessageID,
		Kind: ingest.HTTP, Channel: "http", Body: x.body, Signature: x.signature,
		RequestID: x.requestID, TraceParent: x.traceParent, TraceState: x.traceState,
	})
	if err != nil {
		return nil, x.unbelieved(organization, err)
	}
	x.recordedUpTo(answer.Position)
	return gen.IngestMeasurements200JSONResponse{Body: answer, Headers: gen.IngestMeasurements200ResponseHeaders{
		StrataPosition: decimal(answer.Position), IdempotentReplayed: replayed(command.Result{Replayed: answer.Replayed}),
	}}, nil
}
