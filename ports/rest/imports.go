package rest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/ports/rest/gen"
)

const (
	// simultaneousImports bounds memory: a document is held whole while it is read.
	simultaneousImports = 4
	listedDeviations    = 1000
	// patience is how long an upload may pause.
	patience = 30 * time.Second
)

var (
	errImportsBusy = fault.New(fault.RateLimited, "overloaded", "Too many imports are at work. Try again later.")
	errDigest      = fault.New(fault.Malformed, "digest-mismatch", "The body is not the one that Content-Digest describes.")
)

// ImportStrategy handles POST /v1/strategies/stratml.
func (s *server) ImportStrategy(ctx context.Context, r gen.ImportStrategyRequestObject) (gen.ImportStrategyResponseObject, error) {
	p := r.Params
	return s.bringIn(ctx, r.Body, command.ImportRequest{
		AssumeType: stratml.DocumentType(value(p.DocumentType)), Again: value(p.Again), Reason: value(p.Reason), FileName: of(ctx).fileName,
	})
}

// ImportRevision handles POST /v1/strategies/{id}/stratml.
func (s *server) ImportRevision(ctx context.Context, r gen.ImportRevisionRequestObject) (gen.ImportRevisionResponseObject, error) {
	p := r.Params
	return s.bringIn(ctx, r.Body, command.ImportRequest{
		RevisionOf: r.ID, AssumeType: stratml.DocumentType(value(p.DocumentType)), Again: value(p.Again), Reason: value(p.Reason),
		FileName: of(ctx).fileName,
	})
}

// importAnswer is what both imports answer.
type importAnswer interface {
	gen.ImportStrategyResponseObject
	gen.ImportRevisionResponseObject
}

type importDone struct {
	gen.StrategyImportedJSONResponse
}

// VisitImportStrategyResponse implements gen.ImportStrategyResponseObject.
func (a importDone) VisitImportStrategyResponse(w http.ResponseWriter) error {
	return gen.ImportStrategy201JSONResponse(a).VisitImportStrategyResponse(w)
}

// VisitImportRevisionResponse implements gen.ImportRevisionResponseObject.
func (a importDone) VisitImportRevisionResponse(w http.ResponseWriter) error {
	return gen.ImportRevision201JSONResponse(a).VisitImportRevisionResponse(w)
}

type importAccepted struct{ gen.AcceptedJSONResponse }

// VisitImportStrategyResponse implements gen.ImportStrategyResponseObject.
func (a importAccepted) VisitImportStrategyResponse(w http.ResponseWriter) error {
	return gen.ImportStrategy202JSONResponse(a).VisitImportStrategyResponse(w)
}

// VisitImportRevisionResponse implements gen.ImportRevisionResponseObject.
func (a importAccepted) VisitImportRevisionResponse(w http.ResponseWriter) error {
	return gen.ImportRevision202JSONResponse(a).VisitImportRevisionResponse(w)
}

// bringIn accepts a document, and applies it unless the caller does not want to
// wait for that.
func (s *server) bringIn(ctx context.Context, body io.Reader, request command.ImportRequest) (importAnswer, error) {
	select {
	case s.imports <- struct{}{}:
		defer func() { <-s.imports }()
	default:
		return nil, errImportsBusy
	}
	x := of(ctx)
	var err error
	if request.Document, err = io.ReadAll(body); err != nil {
		return nil, readFault(err)
	}
	if err := checkDigest(x.digests, request.Document); err != nil {
		return nil, err
	}
	call := x.call(request.Fingerprint(x.operation.method, x.path), request.Reason)
	if x.prefer.async && s.operations.working() {
		return s.acceptImport(ctx, call, request)
	}
	imported, err := s.options.App.Imports.Import(ctx, call, request, nil)
	if err != nil {
		return nil, x.refused(err)
	}
	result := x.recorded(command.Result{
		ID: imported.StrategyID, Version: imported.Version, Revision: imported.Revision,
		Position: imported.Position, Replayed: imported.Replayed,
	}, "/v1/strategies/"+imported.StrategyID.String())
	return importDone{gen.StrategyImportedJSONResponse{
		Body: importedBody(imported),
		Headers: gen.StrategyImportedResponseHeaders{
			ETag: etag(result.Version, ""), Location: x.location,
			StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}}, nil
}

// acceptImport answers once it is certain that the import will be applied,
// whatever happens to this process.
func (s *server) acceptImport(ctx context.Context, call command.Call, request command.ImportRequest) (importAnswer, error) {
	x := of(ctx)
	if err := s.operations.room(ctx, x.principal.OrganizationID); err != nil {
		return nil, err
	}
	accepted, err := s.options.App.Imports.Start(ctx, call, request)
	if err != nil {
		return nil, x.refused(err)
	}
	body, _, err := s.operation(ctx, x.principal.OrganizationID, accepted.ImportID)
	if err != nil {
		return nil, err
	}
	s.operations.begin(x.principal.OrganizationID, accepted.ImportID)
	x.recordedUpTo(accepted.Position)
	return importAccepted{gen.AcceptedJSONResponse{Body: body, Headers: gen.AcceptedResponseHeaders{
		Location: "/v1/operations/" + accepted.ImportID.String(), RetryAfter: "1", PreferenceApplied: "respond-async",
		StrataPosition: decimal(accepted.Position), IdempotentReplayed: replayed(command.Result{Replayed: accepted.Replayed}),
	}}}, nil
}

func importedBody(i command.Imported) gen.StrategyImported {
	body := gen.StrategyImported{
		StrategyID: i.StrategyID.String(), ImportID: i.ImportID.String(), Revision: i.Revision,
		Version: decimal(i.Version), Position: decimal(i.Position), Sha256: i.DocumentSHA256,
		Document: i.Document, DeviationCounts: i.Deviations.Counts,
		Deviations: head(i.Deviations.List), Omitted: head(i.Omitted),
	}
	if body.DeviationCounts == nil {
		body.DeviationCounts = map[string]int{}
	}
	body.Recorded.Goals, body.Recorded.Objectives = i.Recorded.Goals, i.Recorded.Objectives
	body.Recorded.Indicators, body.Recorded.Targets = i.Recorded.Indicators, i.Recorded.Targets
	body.Recorded.Measurements = i.Recorded.Measurements
	body.Recorded.Amended, body.Recorded.Moved = i.Recorded.Amended, i.Recorded.Moved
	body.Recorded.Retired, body.Recorded.Redefined = i.Recorded.Retired, i.Recorded.Redefined
	return body
}

func head(list []stratml.Deviation) []stratml.Deviation {
	if list == nil {
		return []stratml.Deviation{}
	}
	return list[:min(len(list), listedDeviations)]
}

// ExportStrategy handles GET /v1/strategies/{id}/stratml.
func (s *server) ExportStrategy(ctx context.Context, r gen.ExportStrategyRequestObject) (gen.ExportStrategyResponseObject, error) {
	x, p := of(ctx), r.Params
	e, err := s.options.App.Exports.StratML(ctx, x.principal, r.ID, command.ExportOptions{
		Revision: command.RevisionChoice(value(p.Revision)), Part: stratml.Part(value(p.Part)),
	})
	if err != nil {
		return nil, err
	}
	x.opened = x.opened || e.Opened
	x.shown(1, 0, e.Position)
	// Indicators are streams of their own: the version alone does not name the content.
	sum := sha256.Sum256(e.Document)
	tag := etag(e.Version, hex.EncodeToString(sum[:8])+"-stratml")
	if noneMatch(x.noneMatch, tag) {
		return notModified(tag, e.Position), nil
	}
	return xmlFile{tag: tag, position: e.Position, omitted: len(e.Omitted), body: e.Document}, nil
}

// GetImportOriginal handles GET /v1/imports/{id}/original.
func (s *server) GetImportOriginal(ctx context.Context, r gen.GetImportOriginalRequestObject) (gen.GetImportOriginalResponseObject, error) {
	x := of(ctx)
	body, sum, err := s.options.App.Imports.Original(ctx, x.principal, r.ID)
	if err != nil {
		return nil, err
	}
	x.shown(1, 0, 0)
	tag := `"` + sum + `"`
	if noneMatch(x.noneMatch, tag) {
		return gen.SameFileResponse{Headers: gen.SameFileResponseHeaders{ETag: tag}}, nil
	}
	return xmlFile{tag: tag, omitted: -1, body: body}, nil
}

// xmlFile is an answer of XML bytes.
type xmlFile struct {
	tag      string
	position int64 // 0 = it does not depend on one
	omitted  int   // −1 = nothing can have been
	body     []byte
}

func (f xmlFile) write(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", mediaXML)
	h.Set("Content-Disposition", `attachment; filename="strategy.xml"`)
	h.Set(headerDigest, contentDigest(f.body))
	h.Set(headerETag, f.tag)
	if f.position > 0 {
		h.Set(headerPosition, decimal(f.position))
	}
	if f.omitted >= 0 {
		h.Set("Strata-Omitted", decimal(int64(f.omitted)))
	}
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(f.body)
	return err
}

// VisitExportStrategyResponse implements gen.ExportStrategyResponseObject.
func (f xmlFile) VisitExportStrategyResponse(w http.ResponseWriter) error { return f.write(w) }

// VisitGetImportOriginalResponse implements gen.GetImportOriginalResponseObject.
func (f xmlFile) VisitGetImportOriginalResponse(w http.ResponseWriter) error { return f.write(w) }

func contentDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// checkDigest holds a body against Content-Digest (RFC 9530). Algorithms other
// than sha-256 are passed over, as that standard allows.
func checkDigest(headers []string, body []byte) error {
	for _, line := range headers {
		for item := range strings.SplitSeq(line, ",") {
			name, digest, found := strings.Cut(strings.TrimSpace(item), "=")
			if !strings.EqualFold(name, "sha-256") {
				continue
			}
			digest, opened := strings.CutPrefix(digest, ":")
			digest, closed := strings.CutSuffix(digest, ":")
			want, err := base64.StdEncoding.DecodeString(digest)
			if !found || !opened || !closed || err != nil || len(want) != sha256.Size {
				return errMalformed.Detailf("Content-Digest holds no sha-256=:<base64>:.")
			}
			if got := sha256.Sum256(body); subtle.ConstantTimeCompare(got[:], want) == 0 {
				return errDigest.Detailf("It has %s.", contentDigest(body))
			}
		}
	}
	return nil
}

// upload is a body that may take long in all but must not pause: each read
// moves the connection's read deadline.
type upload struct {
	io.ReadCloser
	connection *http.ResponseController
	until      time.Time // deadline of the connection once the body is read
}

func (u upload) Read(p []byte) (int, error) {
	if err := u.deadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	n, err := u.ReadCloser.Read(p)
	if err != nil {
		// net/http goes on reading to notice a caller who leaves; a deadline
		// passed by then would look like one and cancel the import.
		err = errors.Join(err, u.deadline(u.until))
		if errors.Is(err, io.EOF) {
			err = io.EOF // readers compare
		}
	}
	return n, err
}

func (u upload) deadline(t time.Time) error {
	if err := u.connection.SetReadDeadline(t); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// importID names an operation.
type importID struct{ organization, id uuid.UUID }
