package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/ports/rest/gen"
)

// simultaneousUploads bounds memory: evidence is held whole until it is stored.
const simultaneousUploads = 8

var errUploadsBusy = fault.New(fault.RateLimited, "overloaded", "Too many uploads are at work. Try again later.")

// RegisterEvidence handles POST /v1/evidence.
func (s *server) RegisterEvidence(ctx context.Context, r gen.RegisterEvidenceRequestObject) (gen.RegisterEvidenceResponseObject, error) {
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		return nil, errUploadsBusy
	}
	x, p := of(ctx), r.Params
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, readFault(err)
	}
	if err := checkDigest(x.digests, content); err != nil {
		return nil, err
	}
	c := evidence.RegisterEvidence{Kind: evidence.Kind(p.Kind), MediaType: mediaBytes, CollectedAt: p.CollectedAt, FileName: x.fileName}
	if p.MediaType != nil {
		c.MediaType = *p.MediaType
	}
	asked, sum, err := evidenceAsked(c, content)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("new id: %w", err)
	}
	call := x.call(command.FingerprintBytes(x.operation.method, x.path, asked), "")
	result, err := s.options.App.Evidence.Register(ctx, call, id, content, c)
	if err != nil {
		return nil, err
	}
	location := "/v1/evidence/" + result.ID.String()
	x.recorded(result, location)
	body := evidenceResult(result)
	body.Sha256 = &sum
	return gen.RegisterEvidence201JSONResponse{EvidenceCreatedJSONResponse: gen.EvidenceCreatedJSONResponse{
		Body: body,
		Headers: gen.EvidenceCreatedResponseHeaders{
			ETag: etag(result.Version, ""), Location: location,
			StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}}, nil
}

// evidenceAsked is what a registration asks for: as text that a repetition is
// told from another request by, and the SHA-256 that stands for the bytes in it.
func evidenceAsked(c evidence.RegisterEvidence, content []byte) (asked []byte, sum string, err error) {
	digest := sha256.Sum256(content)
	sum = hex.EncodeToString(digest[:])
	asked, err = json.Marshal(struct {
		Kind        evidence.Kind `json:"kind"`
		MediaType   string        `json:"mediaType"`
		CollectedAt *time.Time    `json:"collectedAt,omitempty"`
		SHA256      string        `json:"sha256"`
	}{c.Kind, c.MediaType, c.CollectedAt, sum})
	if err != nil {
		return nil, "", fmt.Errorf("evidence asked for: %w", err)
	}
	return asked, sum, nil
}

// LinkEvidence handles POST …/commands/link.
func (s *server) LinkEvidence(ctx context.Context, r gen.LinkEvidenceRequestObject) (gen.LinkEvidenceResponseObject, error) {
	x, b := of(ctx), r.Body
	result, err := s.options.App.Evidence.Execute(ctx, x.call(x.fingerprint(), ""), r.ID, evidence.LinkEvidence{
		Relation: b.Relation, Target: b.Target, Note: value(b.Note),
	})
	if err != nil {
		return nil, err
	}
	x.recorded(result, "")
	return gen.LinkEvidence200JSONResponse{EvidenceChangedJSONResponse: gen.EvidenceChangedJSONResponse{
		Body: evidenceResult(result),
		Headers: gen.EvidenceChangedResponseHeaders{
			ETag: etag(result.Version, ""), StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}}, nil
}

func evidenceResult(r command.Result) gen.EvidenceResult {
	return gen.EvidenceResult{EvidenceID: r.ID.String(), Version: decimal(r.Version), Position: decimal(r.Position), EventIds: ids(r.EventIDs)}
}

// ListEvidence handles GET /v1/evidence.
func (s *server) ListEvidence(ctx context.Context, r gen.ListEvidenceRequestObject) (gen.ListEvidenceResponseObject, error) {
	x, p := of(ctx), r.Params
	page, err := s.options.App.Plans.EvidenceList(ctx, x.read(), query.EvidenceFilter{
		Kind: string(value(p.Kind)), SHA256: value(p.Sha256), TargetType: string(value(p.TargetType)), TargetID: value(p.TargetID),
		From: value(p.From), To: value(p.To), Paging: paging(p.Limit, p.Cursor, p.Count),
	})
	if err != nil {
		return nil, err
	}
	return gen.ListEvidence200JSONResponse{Body: page, Headers: gen.ListEvidence200ResponseHeaders{
		StrataPosition: decimal(page.Position), Link: x.next("cursor", page.NextCursor),
	}}, nil
}

// GetEvidence handles GET /v1/evidence/{id}.
func (s *server) GetEvidence(ctx context.Context, r gen.GetEvidenceRequestObject) (gen.GetEvidenceResponseObject, error) {
	x := of(ctx)
	v, err := s.options.App.Plans.Evidence(ctx, x.read(), r.ID)
	if err != nil {
		return nil, err
	}
	// What supersedes or redacts it says so in a stream of its own.
	content := v
	content.Position = 0
	tag, same, err := x.tagged(v.Version, content)
	if err != nil {
		return nil, err
	}
	if same {
		return notModified(tag, v.Position), nil
	}
	return gen.GetEvidence200JSONResponse{Body: v, Headers: gen.GetEvidence200ResponseHeaders{ETag: tag, StrataPosition: decimal(v.Position)}}, nil
}

// GetEvidenceContent handles GET /v1/evidence/{id}/content.
func (s *server) GetEvidenceContent(ctx context.Context, r gen.GetEvidenceContentRequestObject) (gen.GetEvidenceContentResponseObject, error) {
	x := of(ctx)
	content, media, err := s.options.App.Evidence.Content(ctx, x.principal, r.ID)
	if err != nil {
		return nil, err
	}
	x.shown(1, 0, 0)
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	if noneMatch(x.noneMatch, tag) {
		return gen.SameFileResponse{Headers: gen.SameFileResponseHeaders{ETag: tag}}, nil
	}
	return download{name: r.ID.String(), media: media, tag: tag, body: content}, nil
}

// download is an answer of bytes that somebody else made. Whatever their media
// type, nothing shows them as a page of ours: browsers keep them as a file
// (Content-Disposition), believe no other type (nosniff), and run nothing in
// them (the policy of envelope).
type download struct {
	name, media, tag string
	body             []byte
}

// VisitGetEvidenceContentResponse implements gen.GetEvidenceContentResponseObject.
func (d download) VisitGetEvidenceContentResponse(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", d.media)
	h.Set("Content-Disposition", `attachment; filename="`+d.name+`"`)
	h.Set("Content-Length", strconv.Itoa(len(d.body)))
	h.Set(headerDigest, contentDigest(d.body))
	h.Set(headerETag, d.tag)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(d.body)
	return err
}
