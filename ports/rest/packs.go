package rest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/pack"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/ports/rest/gen"
)

// Packs makes evidence packs.
type Packs interface {
	Write(ctx context.Context, w io.Writer, ask pack.Ask, evidence pack.Evidence) (pack.Summary, error)
}

// simultaneousPacks is how many packs are made at the same moment: each takes the
// databases and the disk for seconds.
const simultaneousPacks = 2

var errPacksBusy = fault.New(fault.RateLimited, "overloaded", "Too many packs are being made. Try again later.")

// GetStreamPack handles GET /v1/packs/{streamId}.
func (s *server) GetStreamPack(ctx context.Context, r gen.GetStreamPackRequestObject) (gen.GetStreamPackResponseObject, error) {
	p := r.Params
	return s.pack(ctx, pack.Ask{StreamID: r.StreamID, From: value(p.From), To: value(p.To), Evidence: value(p.Evidence)}, value(p.FromPosition), value(p.ToPosition))
}

// GetOrganizationPack handles GET /v1/packs.
func (s *server) GetOrganizationPack(ctx context.Context, r gen.GetOrganizationPackRequestObject) (gen.GetOrganizationPackResponseObject, error) {
	p := r.Params
	return s.pack(ctx, pack.Ask{From: value(p.From), To: value(p.To), Evidence: value(p.Evidence)}, value(p.FromPosition), value(p.ToPosition))
}

// pack makes a pack in a file, so that its digest can go before it.
func (s *server) pack(ctx context.Context, ask pack.Ask, from, to string) (*packFile, error) {
	x := of(ctx)
	if s.options.Packs == nil {
		return nil, pack.ErrNoLedger
	}
	select {
	case s.packs <- struct{}{}:
		defer func() { <-s.packs }()
	default:
		return nil, errPacksBusy
	}
	ask.OrganizationID = x.principal.OrganizationID
	var err error
	if ask.FromPosition, err = positionOf(from); err != nil {
		return nil, err
	}
	if ask.ToPosition, err = positionOf(to); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "strata-pack-*.zip")
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	f := &packFile{file: file}
	evidence := packEvidence{pack.Known{Plans: s.options.App.Plans}, s.options.App.Evidence, x.principal}
	if f.summary, err = s.options.Packs.Write(ctx, file, ask, evidence); err != nil {
		return nil, errors.Join(err, f.close())
	}
	x.shown(f.summary.Events, f.summary.FirstPosition, f.summary.LastPosition)
	return f, nil
}

// positionOf reads a position, whose form the contract has seen to.
func positionOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errMalformed.Detailf("%q is no position.", text)
	}
	return n, nil
}

// packEvidence gives the evidence that the asker may read.
type packEvidence struct {
	known    pack.Known
	evidence *command.Evidence
	by       command.Principal
}

// Of implements pack.Evidence.
func (e packEvidence) Of(ctx context.Context, organizationID uuid.UUID, streamID string, at query.Moment) ([]uuid.UUID, error) {
	return e.known.EvidenceOf(ctx, organizationID, streamID, at)
}

// Content implements pack.Evidence.
func (e packEvidence) Content(ctx context.Context, id uuid.UUID) (content []byte, mediaType string, err error) {
	return e.evidence.Content(ctx, e.by, id)
}

// packFile is a pack that was made, on its way out. Its file has no name any more
// once it is closed.
type packFile struct {
	file    *os.File
	summary pack.Summary
}

func (f *packFile) close() error {
	return errors.Join(f.file.Close(), os.Remove(f.file.Name()))
}

// VisitGetStreamPackResponse implements gen.GetStreamPackResponseObject.
func (f *packFile) VisitGetStreamPackResponse(w http.ResponseWriter) error { return f.send(w) }

// VisitGetOrganizationPackResponse implements gen.GetOrganizationPackResponseObject.
func (f *packFile) VisitGetOrganizationPackResponse(w http.ResponseWriter) error { return f.send(w) }

func (f *packFile) send(w http.ResponseWriter) (err error) {
	defer func() { err = errors.Join(err, f.close()) }()
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	sum, err := hex.DecodeString(f.summary.SHA256)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="strata-pack.zip"`)
	h.Set("Content-Length", strconv.FormatInt(f.summary.Bytes, 10))
	h.Set(headerDigest, "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
	h.Set("Strata-Position", decimal(f.summary.LastPosition))
	w.WriteHeader(http.StatusOK)
	_, err = io.Copy(w, f.file)
	return err
}
