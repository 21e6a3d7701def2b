package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/source"
)

// accepted is an import with the facts about its acceptance.
type accepted struct {
	Import
	event    eventlog.Event
	metadata eventlog.Metadata
}

// Get gives an accepted import, or ErrNoImport.
func (i *Imports) Get(ctx context.Context, organizationID, importID uuid.UUID) (Import, error) {
	a, err := i.accepted(ctx, organizationID, importID)
	if err != nil {
		return Import{}, err
	}
	return a.Import, nil
}

// Status says how far an import is, or gives ErrNoImport.
func (i *Imports) Status(ctx context.Context, organizationID, importID uuid.UUID) (ImportRun, error) {
	a, err := i.accepted(ctx, organizationID, importID)
	if err != nil {
		return ImportRun{}, err
	}
	run, ok, err := i.options.Imports.Run(ctx, organizationID, importID)
	if err == nil && !ok { // the store was lost; the log was not
		run = ImportRun{OrganizationID: organizationID, ImportID: importID, State: ImportAccepted, UpdatedAt: a.AcceptedAt}
	}
	return run, err
}

// Unfinished lists the imports of all organizations that are accepted and not
// applied, the longest untouched first: for Run, after a crash. One that was
// being accepted when the process died may be in it; Run gives ErrNoImport for
// it, and then it is not in the list any more.
func (i *Imports) Unfinished(ctx context.Context) ([]ImportRun, error) {
	return i.options.Imports.UnfinishedRuns(ctx)
}

// originalReaders may read documents as they came: those who answer for what
// was made of them. They name persons, so viewers do not see them.
var originalReaders = []string{authz.Author, authz.ComplianceOfficer, authz.Auditor}

// Original gives the document of an import byte for byte, and its SHA-256.
func (i *Imports) Original(ctx context.Context, p Principal, importID uuid.UUID) (document []byte, sha256 string, err error) {
	m, err := i.organizations.member(ctx, p, i.options.Clock().Add(-MembershipAge))
	if err != nil {
		return nil, "", err
	}
	a, err := i.accepted(ctx, p.OrganizationID, importID)
	if err != nil {
		return nil, "", err
	}
	if by := m.actor(a.ImportAccepted.StrategyID); !by.Has(originalReaders...) {
		return nil, "", authz.ErrRole.Detailf("To read a document as it came, have the role %s, %s or %s here.", originalReaders[0], originalReaders[1], originalReaders[2])
	}
	document, err = i.options.Imports.Original(ctx, p.OrganizationID, a.DocumentSHA256)
	return document, a.DocumentSHA256, err
}

// accepted finds an import in the organization's register.
func (i *Imports) accepted(ctx context.Context, organizationID, importID uuid.UUID) (*accepted, error) {
	for _, refresh := range []bool{false, true} {
		f, err := i.register(ctx, organizationID, refresh)
		if err != nil {
			return nil, err
		}
		if found, ok := f.state.Import(importID.String()); ok {
			return i.acceptedAt(ctx, organizationID, found.Version)
		}
	}
	return nil, ErrNoImport.Detailf("There is no such import.")
}

// acceptedAt reads one entry of the register. An entry of a refusal is given as
// that refusal.
func (i *Imports) acceptedAt(ctx context.Context, organizationID uuid.UUID, version int64) (*accepted, error) {
	stream := i.sources.stream(fileSource(organizationID))
	events, err := i.options.Log.ReadStream(ctx, organizationID, stream, version-1, 1)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", stream, err)
	}
	if len(events) != 1 {
		return nil, fmt.Errorf("read %s: version %d is not there", stream, version)
	}
	e := events[0]
	body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
	if err != nil {
		return nil, fmt.Errorf("read %s: version %d: %w", stream, version, err)
	}
	metadata, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		return nil, fmt.Errorf("read %s: version %d: %w", stream, version, err)
	}
	switch body := body.(type) {
	case source.ImportAccepted:
		a := &accepted{event: e, metadata: metadata}
		a.Import = Import{ImportAccepted: body, AcceptedBy: metadata.Actor.ID, AcceptedAt: e.RecordedAt, Position: e.Position}
		if a.ImportID, err = uuid.Parse(body.ImportID); err == nil {
			a.Import.StrategyID, err = uuid.Parse(body.StrategyID)
		}
		return a, err
	case source.IngestRejected:
		return nil, refusedBefore(body)
	}
	return nil, fmt.Errorf("read %s: version %d: %s is no event of a source", stream, version, e.Type)
}

// refusedBefore is the refusal that was recorded.
func refusedBefore(e source.IngestRejected) error {
	if e.Code == source.ErrIdentical.Rule {
		return source.ErrIdentical.Detailf("The same content was imported before: say again, and why, to import it once more.")
	}
	return stratml.ErrRefused.Detailf("This document was refused before (%s).", e.Code).
		With("reason", e.Code).With("line", e.Line).With("column", e.Column)
}

// errContent marks refusals of what a document says, which no other state of
// the strategy would take.
var errContent = refusal.Invalid

// maxAcceptedBytes keeps the event of an acceptance below what the log takes,
// with room for its metadata.
const maxAcceptedBytes = eventlog.MaxEventBytes - 64<<10

// listDeviations counts all deviations and lists as many as the event holds.
func listDeviations(e *source.ImportAccepted, d stratml.Deviations, omitted []stratml.Deviation) {
	counts := maps.Clone(d.Counts)
	if counts == nil {
		counts = map[string]int{}
	}
	for _, o := range omitted {
		counts[o.Code]++
	}
	for _, code := range slices.Sorted(maps.Keys(counts)) {
		e.DeviationCounts = append(e.DeviationCounts, source.CodeCount{Code: code, Count: counts[code]})
	}
	size := encodedSize(*e)
	for _, d := range slices.Concat(d.List, omitted) {
		at := source.Deviation{Code: d.Code, Line: d.Line, Column: d.Column, Path: d.Path}
		if size += encodedSize(at) + len(","); size > maxAcceptedBytes || len(e.Deviations) == source.MaxDeviations {
			return
		}
		e.Deviations = append(e.Deviations, at)
	}
}

// encodedSize is how many bytes v takes in an event.
func encodedSize(v any) int {
	b, err := json.Marshal(v)
	if err != nil {
		return maxAcceptedBytes // cannot be written at all: the append says so
	}
	return len(b)
}

func countsOf(doc *stratml.Document) source.Counts {
	c := doc.Count()
	return source.Counts{
		Goals: c.Goals, Objectives: c.Objectives, Indicators: c.Indicators, Targets: c.Targets, Actuals: c.Actuals,
		Stakeholders: c.Stakeholders, Persons: c.Persons,
	}
}

// failureOf is what is noted of a refusal that ended an import, ok = false if
// the same import may work later.
func failureOf(err error) (*ImportFailure, bool) {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return nil, false
	}
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Unknown, fault.RateLimited:
		return nil, false
	}
	return &ImportFailure{Slug: f.Slug, Rule: f.Rule, Detail: f.Detail}, true
}
