package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

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

var errImportsBusy = fault.New(fault.RateLimited, "overloaded", "Too many imports are at work. Try again later.")

// ImportStrategy handles POST /v1/strategies/stratml.
func (s *server) ImportStrategy(ctx context.Context, r gen.ImportStrategyRequestObject) (gen.ImportStrategyResponseObject, error) {
	select {
	case s.imports <- struct{}{}:
		defer func() { <-s.imports }()
	default:
		return nil, errImportsBusy
	}
	x, assume := of(ctx), string(value(r.Params.DocumentType))
	doc, err := s.options.App.Documents.Parse(ctx, r.Body, stratml.Options{AssumeType: stratml.DocumentType(assume)})
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, readFault(err)
		}
		return nil, err
	}
	// What was asked is the document and how to read it.
	hash := command.FingerprintBytes(x.operation.method, x.path+"?documentType="+assume, []byte(doc.SHA256))
	imported, err := s.options.App.Imports.StratML(ctx, x.call(hash, ""), doc, nil)
	if err != nil {
		return nil, err
	}
	result := x.recorded(command.Result{
		ID: imported.StrategyID, Version: imported.Version, Revision: imported.Revision,
		Position: imported.Position, Replayed: imported.Replayed,
	}, "/v1/strategies/"+imported.StrategyID.String())
	return gen.ImportStrategy201JSONResponse{
		Body: importedBody(imported, doc.SHA256),
		Headers: gen.ImportStrategy201ResponseHeaders{
			ETag: etag(result.Version, ""), Location: x.location,
			StrataPosition: decimal(result.Position), IdempotentReplayed: replayed(result),
		},
	}, nil
}

func importedBody(i command.Imported, sha256 string) gen.StrategyImported {
	body := gen.StrategyImported{
		StrategyID: i.StrategyID.String(), ImportID: i.ImportID.String(), Revision: i.Revision,
		Version: decimal(i.Version), Position: decimal(i.Position), Sha256: sha256,
		Document: i.Document, DeviationCounts: i.Deviations.Counts,
		Deviations: head(i.Deviations.List), Omitted: head(i.Omitted),
	}
	if body.DeviationCounts == nil {
		body.DeviationCounts = map[string]int{}
	}
	body.Recorded.Goals, body.Recorded.Objectives = i.Recorded.Goals, i.Recorded.Objectives
	body.Recorded.Indicators, body.Recorded.Targets = i.Recorded.Indicators, i.Recorded.Targets
	body.Recorded.Measurements = i.Recorded.Measurements
	return body
}

func head(list []stratml.Deviation) []stratml.Deviation {
	if list == nil {
		return []stratml.Deviation{}
	}
	return list[:min(len(list), listedDeviations)]
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
