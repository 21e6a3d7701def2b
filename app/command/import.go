package command

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/source"
)

// Imports turns documents into strategies, in two steps. Start reads a
// document, makes sure that all of it would be taken, and records that it was
// accepted; Run applies it. Everything that Run needs is in the log and in the
// store of imports by then, so anybody who knows the id can go on with an
// import, in any process, at any time. Safe for concurrent use.
//
// All ids, of appends and aggregates, are made from the import's id, and that
// from the call's command id: what is in the log already stays as it is,
// wherever an import was interrupted and however often it is gone on with. An
// import ends in draft: it never approves.
type Imports struct {
	organizations *Organizations
	strategies    *Strategies
	indicators    *Indicators
	sources       *executor[source.State, source.Command, source.Event]
	options       Options
}

func newImports(o Options, organizations *Organizations, strategies *Strategies, indicators *Indicators, sources *Sources) *Imports {
	return &Imports{organizations: organizations, strategies: strategies, indicators: indicators, sources: sources.executor, options: o}
}

// fileSources is the namespace of the ids of file sources.
var fileSources = uuid.MustParse("3c0c8f0e-8f0b-5a53-9d7e-6a1d9f2b7c41")

// fileSource is the id of an organization's source of files: it follows from
// the organization, nobody registers it.
func fileSource(organizationID uuid.UUID) uuid.UUID {
	return uuid.NewSHA1(fileSources, organizationID[:])
}

// ImportRequest is one upload.
type ImportRequest struct {
	Document   []byte               // the file's bytes
	AssumeType stratml.DocumentType // of a Part 2 document that does not say it; "" = refuse such a document
	RevisionOf uuid.UUID            // the strategy in force of which this is the next revision; zero = a new strategy
	Again      bool                 // import a content that was imported before; needs Reason
	Reason     string               // why; recorded
	FileName   string               // in clear; kept sealed, or not at all where there is no key store
}

// Fingerprint says what is asked (Call.Hash): the bytes and how to take them.
func (r ImportRequest) Fingerprint(method, path string) []byte {
	return r.FingerprintOf(method, path, sha256.Sum256(r.Document))
}

// FingerprintOf is Fingerprint for a document of which only the SHA-256 is at
// hand: for those who countersign an import.
func (r ImportRequest) FingerprintOf(method, path string, sum [sha256.Size]byte) []byte {
	q := url.Values{"documentType": {string(r.AssumeType)}, "reason": {r.Reason}, "again": {strconv.FormatBool(r.Again)}, "revisionOf": {r.RevisionOf.String()}}
	return FingerprintBytes(method, path+"?"+q.Encode(), sum[:])
}

// Import is what was accepted.
type Import struct {
	source.ImportAccepted
	ImportID   uuid.UUID
	StrategyID uuid.UUID
	AcceptedBy string // member
	AcceptedAt time.Time
	Position   int64 // of the acceptance
	Replayed   bool  // what is answered was in the log already
}

// Imported is the answer to an import that was applied.
type Imported struct {
	Import
	Revision   int   // of the strategy; always a draft
	Version    int64 // of the strategy's stream after the import's last append to it
	Position   int64 // of the import's last event
	Document   stratml.Counts
	Recorded   Recorded
	Deviations stratml.Deviations  // of the document
	Omitted    []stratml.Deviation // what was not recorded as it stands, and why
}

// Recorded counts what an import records.
type Recorded struct {
	Goals, Objectives, Indicators, Targets, Measurements int // new ones
	Amended, Moved, Retired                              int // elements of the plan that were there
	Redefined                                            int // indicators that were there
}

// Progress of an import, in appends.
type Progress struct{ Done, Total int }

// Import is Start and Run for those who wait.
func (i *Imports) Import(ctx context.Context, call Call, r ImportRequest, progress func(Progress)) (Imported, error) {
	a, plan, err := i.start(ctx, call, r)
	if err != nil {
		return Imported{}, err
	}
	if plan == nil {
		return i.Run(ctx, call.Principal.OrganizationID, a.ImportID, progress)
	}
	return i.apply(ctx, a, plan, progress)
}

// Start accepts a document, or refuses it. Nothing of the plan is written yet.
//
// A document that cannot be read or taken, or that says the same as one before,
// is refused with the fault that says why, after source.ingest-rejected was
// recorded: that and nothing else. Who may not import, or asks for what the
// strategy's state does not allow, is refused without a trace of the document.
//
// The same call again gives the same answer (Replayed), or the same refusal.
func (i *Imports) Start(ctx context.Context, call Call, r ImportRequest) (Import, error) {
	a, _, err := i.start(ctx, call, r)
	if err != nil {
		return Import{}, err
	}
	return a.Import, nil
}

// start gives the plan, too, unless the import was accepted before.
func (i *Imports) start(ctx context.Context, call Call, r ImportRequest) (*accepted, *importPlan, error) {
	if call.CommandID == uuid.Nil || len(call.Hash) == 0 {
		return nil, nil, ErrIncomplete
	}
	if a, found, err := i.answered(ctx, call); found || err != nil {
		return a, nil, err
	}
	m, err := i.organizations.member(ctx, call.Principal, time.Now())
	if err != nil {
		return nil, nil, err
	}
	importID := step(call.CommandID, "import")
	in := intake{imports: i, call: call, request: r, member: m, importID: importID, strategyID: step(importID, "strategy"), scope: ""}
	if r.RevisionOf != uuid.Nil {
		in.strategyID, in.scope = r.RevisionOf, r.RevisionOf.String()
	}
	// Reading 16 MB is not for those who may not import.
	if err := authz.Check(m.actor(in.scope), authz.ImportStratML); err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(r.Document)
	in.sha256 = hex.EncodeToString(sum[:])
	if err := in.examine(ctx); err != nil {
		return nil, nil, in.refuse(ctx, err)
	}
	if err := in.keep(ctx); err != nil {
		return nil, nil, err
	}
	result, err := in.record(ctx, source.AcceptImport(in.accept))
	if errors.Is(err, source.ErrIdentical) { // somebody was faster with it
		return nil, nil, in.refuse(ctx, err)
	}
	if err != nil {
		return nil, nil, err
	}
	a, err := i.acceptedAt(ctx, call.Principal.OrganizationID, result.Version)
	if err != nil {
		return nil, nil, err
	}
	if a.Replayed = result.Replayed; a.Replayed {
		return a, nil, nil
	}
	return a, in.plan, nil
}

// intake is one document on its way in.
type intake struct {
	imports    *Imports
	call       Call
	request    ImportRequest
	member     member
	importID   uuid.UUID
	strategyID uuid.UUID
	scope      string // within which the member must be an author
	sha256     string
	accept     source.ImportAccepted
	plan       *importPlan
}

// examine reads the document and decides everything that it would lead to,
// without writing anything: a document is refused as a whole or not at all.
func (in *intake) examine(ctx context.Context) error {
	day := calendar.Of(in.imports.options.Clock())
	organizationID := in.call.Principal.OrganizationID
	r, err := in.imports.read(ctx, organizationID, in.request.Document, in.request.AssumeType, day)
	if err != nil {
		return err
	}
	doc, kept := r.doc, r.kept
	var b *base
	var matched []source.Match
	if in.request.RevisionOf != uuid.Nil {
		if b, err = in.imports.baseNow(ctx, organizationID, in.request.RevisionOf); err != nil {
			return err
		}
		matched = b.match(kept)
	}
	in.plan = planImport(planning{
		importID: in.importID, strategyID: in.strategyID, reason: in.request.Reason, base: b, matched: matched,
	}, doc, kept, r.omitted)
	second, err := in.member.second(in.call, in.scope)
	if err != nil {
		return err
	}
	if err := in.rehearse(ctx, b, second); err != nil {
		return err
	}
	in.accept = source.ImportAccepted{
		ImportID: in.importID.String(), StrategyID: in.strategyID.String(), Plan: source.New, Matched: matched,
		DocumentSHA256: in.sha256, Size: len(in.request.Document), ContentHash: kept.ContentHash(), Format: source.Part2,
		DocumentType: string(doc.Type), TypeAssumed: doc.TypeAssumed, Counts: countsOf(doc),
		Again: in.request.Again, Reason: in.request.Reason, Day: day, Layout: importLayout,
		Subjects: r.subjects, Submitter: r.submitter,
	}
	if in.accept.FileName, err = in.imports.sealFileName(ctx, organizationID, in.sha256, in.request.FileName); err != nil {
		return err
	}
	if doc.Part == stratml.Part1 {
		in.accept.Format = source.Part1
	}
	if b != nil {
		in.accept.Plan, in.accept.BaseVersion, in.accept.BaseHead = source.Revision, b.version, b.head
		if in.plan.authorized {
			in.accept.AuthorizedBy = second.ID
		}
	}
	listDeviations(&in.accept, doc.Deviations, in.plan.omitted)

	// Whether the same was imported before is decided again with the append.
	f, err := in.imports.register(ctx, organizationID, true)
	if err != nil {
		return err
	}
	by := in.member.actor(in.scope)
	by.At = in.member.now
	_, err = source.Decide(f.state, by, source.AcceptImport(in.accept))
	if errors.Is(err, source.ErrImportID) {
		return nil // the same call is being answered elsewhere, and the append will tell
	}
	return err
}

// keep stores what is needed beside the log, before the log says that it is there.
func (in *intake) keep(ctx context.Context) error {
	store, organizationID := in.imports.options.Imports, in.call.Principal.OrganizationID
	if err := store.Keep(ctx, organizationID, in.sha256, in.request.Document); err != nil {
		return err
	}
	_, begun, err := store.Run(ctx, organizationID, in.importID)
	if err != nil || begun {
		return err
	}
	return store.SaveRun(ctx, ImportRun{
		OrganizationID: organizationID, ImportID: in.importID, State: ImportAccepted, Progress: Progress{Total: in.plan.appends()},
	})
}

// refuse records that the document was refused, if that is about the document,
// and gives the refusal. What is refused must be on record before anybody hears of it.
func (in *intake) refuse(ctx context.Context, refused error) error {
	f, ok := errors.AsType[*fault.Fault](refused)
	if !ok {
		return refused
	}
	reject := source.RejectIngest{MessageID: in.importID.String(), PayloadSHA256: in.sha256, Size: len(in.request.Document)}
	switch {
	case f.Is(stratml.ErrRefused), f.Is(stratml.ErrTooLarge):
		reject.Code, _ = f.Extra["reason"].(string)
		reject.Line, _ = f.Extra["line"].(int)
		reject.Column, _ = f.Extra["column"].(int)
	case f.Is(source.ErrIdentical):
		reject.Code = f.Rule
	case f.Kind == fault.Invalid && f.Is(errContent):
		reject.Code = "not-acceptable"
	default:
		return refused
	}
	if _, err := in.record(ctx, reject); err != nil {
		return err
	}
	return refused
}

// record appends to the organization's register of imports.
func (in *intake) record(ctx context.Context, c source.Command) (Result, error) {
	i, call := in.imports, in.call
	id := fileSource(call.Principal.OrganizationID)
	call.Expected = nil
	call.Origin.Kind, call.Origin.SourceID = "import", id.String()
	call.Origin.MessageID, call.Origin.PayloadSHA256 = in.importID.String(), in.sha256
	if call.Reason == "" {
		call.Reason = in.request.Reason
	}
	if call.CorrelationID == "" {
		call.CorrelationID = in.importID.String()
	}
	result, err := i.sources.execute(ctx, request[source.State, source.Command]{
		call: call, owner: call.Principal.OrganizationID, id: id, commands: []source.Command{c},
		prepare: func(ctx context.Context, _ source.State, c source.Command, since time.Time) (asking, source.Command, error) {
			m, err := i.organizations.member(ctx, call.Principal, since)
			if err != nil {
				return asking{}, nil, err
			}
			return m.asking(in.scope), c, nil
		},
	})
	if err != nil {
		return Result{}, fmt.Errorf("record import %s: %w", in.importID, err)
	}
	return result, nil
}

// register is the organization's register of imports.
func (i *Imports) register(ctx context.Context, organizationID uuid.UUID, refresh bool) (folded[source.State], error) {
	return i.sources.load(ctx, organizationID, i.sources.stream(fileSource(organizationID)), refresh)
}

// answered gives what the call's command id was answered with before.
func (i *Imports) answered(ctx context.Context, call Call) (*accepted, bool, error) {
	receipt, hash, found, err := i.options.Log.FindCommand(ctx, call.CommandID)
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("look for import %s: %w", call.CommandID, err)
	case !found:
		return nil, false, nil
	case !bytes.Equal(hash, call.Hash) || receipt.StreamID != i.sources.stream(fileSource(call.Principal.OrganizationID)):
		return nil, true, eventlog.ErrCommandReused
	}
	// The answer is for who asked first; the command id is made from who that is.
	a, err := i.acceptedAt(ctx, call.Principal.OrganizationID, receipt.Version)
	if err != nil {
		return nil, true, err
	}
	a.Replayed = true
	return a, true, nil
}
