package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/ports/rest/gen"
)

// Countersign handles POST /v1/countersignatures.
func (s *server) Countersign(ctx context.Context, r gen.CountersignRequestObject) (gen.CountersignResponseObject, error) {
	x, b := of(ctx), r.Body
	// Not as decoded: through Go's maps numbers would lose digits. The part of a
	// canonical text is canonical.
	var parts struct {
		Body json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(x.body, &parts); err != nil {
		return nil, fmt.Errorf("countersign: %w", err)
	}
	hash := command.FingerprintBytes(b.Method, b.Path, parts.Body)
	if d := b.Document; d != nil {
		request := command.ImportRequest{AssumeType: stratml.DocumentType(value(d.DocumentType)), Again: value(d.Again), Reason: value(d.Reason)}
		if m := revisionPath.FindStringSubmatch(b.Path); m != nil {
			request.RevisionOf = uuid.MustParse(m[1]) // the expression admits nothing else
		}
		var sum [sha256.Size]byte
		if _, err := hex.Decode(sum[:], []byte(d.Sha256)); err != nil {
			return nil, fmt.Errorf("countersign: %w", err) // the contract says what a hash is
		}
		hash = request.FingerprintOf(b.Method, b.Path, sum)
	}
	c, err := s.options.App.Organizations.Countersign(ctx, x.principal, hash, b.Meaning)
	if err != nil {
		return nil, err
	}
	token, signed, err := s.options.Countersigner.Sign(ctx, c)
	if err != nil {
		return nil, err
	}
	return gen.Countersign200JSONResponse{
		Token: token, ID: signed.ID, Hash: hex.EncodeToString(signed.Hash), SignedAt: signed.SignedAt, ExpiresAt: signed.ExpiresAt,
	}, nil
}

// revisionPath is where a document is brought in as the next revision.
var revisionPath = regexp.MustCompile(`^/v1/strategies/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/stratml$`)

// countersigned reads the second person's token, if there is one. A token that
// does not count does not refuse the request yet: one that was recorded with it
// before it expired is answered again.
func (s *server) countersigned(ctx context.Context, x *exchange, header []string) error {
	if len(header) == 0 {
		return nil
	}
	if len(header) > 1 {
		return errMalformed.Detailf("There is more than one %s.", headerSecond)
	}
	c, err := s.options.Countersigner.Verify(ctx, header[0], x.principal.OrganizationID)
	if err == nil {
		x.second = &c
	}
	x.secondErr = err
	return nil
}

// takeTwo are the rules that ask for a second person.
var takeTwo = []string{"S7", "S8", "S15"}

// refused is why a command was: where a second person is missing because the
// token that was sent does not count, it is that. The journal hears of the rule
// all the same.
func (x *exchange) refused(err error) error {
	var f *fault.Fault
	if x.secondErr != nil && errors.As(err, &f) && f.Kind == fault.Forbidden && slices.Contains(takeTwo, f.Rule) {
		x.ruled = f
		return x.secondErr
	}
	return err
}

// noCountersigner is an installation without a key.
type noCountersigner struct{}

var errNoCountersigner = fault.New(fault.Unavailable, "countersigning-unavailable", "Countersignatures are not set up here.")

func (noCountersigner) Sign(context.Context, command.Countersignature) (string, command.Countersignature, error) {
	return "", command.Countersignature{}, errNoCountersigner
}

func (noCountersigner) Verify(context.Context, string, uuid.UUID) (command.Countersignature, error) {
	return command.Countersignature{}, errNoCountersigner
}
