package plansdb

import (
	"fmt"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/source"
)

// foldSource keeps the register of sources and what they sent. The register of
// imports is a source that nobody registered: what it has refused are imports.
func (w *writer) foldSource(c *change, e source.Event) error {
	row := w.sources.Get(c.ref)
	if registered, first := e.(source.Registered); first {
		if row != nil {
			return fmt.Errorf("the source is registered already")
		}
		row = &sourceRow{
			org: c.org, id: c.id, registered: c.position, name: registered.Name, system: registered.System, channel: string(registered.Channel),
			stewardID: registered.StewardID, status: string(source.Active), statusSince: c.at, schemaRef: registered.SchemaRef,
			registeredAt: c.at, registeredBy: c.by.ID,
		}
		row.agree(registered.Terms)
		row.version = c.version - 1 // an import may have come before
	}
	if row == nil {
		return w.foldImport(c, e)
	}
	if err := follows(c, row.version); err != nil {
		return err
	}
	switch e := e.(type) {
	case source.Registered:
	case source.StatusChanged:
		row.status, row.statusReason, row.statusBy, row.statusSince = string(e.To), e.Reason, c.by.ID, c.at
		if e.Terms != nil {
			row.agree(*e.Terms)
		}
	case source.IngestRejected:
		w.rejected(c, row, e)
	default:
		return fmt.Errorf("event %T has no fold", e)
	}
	row.version = c.version
	w.sources.Put(c.ref, row)
	return nil
}

func (row *sourceRow) agree(t source.Terms) {
	row.publicKey, row.fingerprint, row.allowed, row.maxRate = t.PublicKey, t.CredentialFingerprint, t.AllowedIndicators, int32(t.MaxRatePerMin)
}

// foldImport keeps the list of imports. Each has one event, so nothing needs to
// be known of those before.
func (w *writer) foldImport(c *change, e source.Event) error {
	row := &importRow{org: c.org, version: c.version, imported: c.position, importedBy: c.by.ID, importedAt: c.at}
	switch e := e.(type) {
	case source.ImportAccepted:
		row.id, row.status, row.strategyID, row.plan, row.format = e.ImportID, query.ImportAccepted, e.StrategyID, string(e.Plan), string(e.Format)
		row.sha256, row.counts = e.DocumentSHA256, e.Counts
		for _, n := range e.DeviationCounts {
			row.deviations += int32(n.Count)
		}
		row.details = importDetails{
			Size: e.Size, ContentHash: e.ContentHash, DocumentType: e.DocumentType, TypeAssumed: e.TypeAssumed,
			Again: e.Again, Reason: e.Reason, AuthorizedBy: e.AuthorizedBy,
			DeviationCounts: e.DeviationCounts, Deviations: e.Deviations, Matched: e.Matched,
			FileName: e.FileName, Submitter: e.Submitter,
		}
	case source.IngestRejected:
		row.id, row.status, row.sha256, row.code = e.MessageID, query.ImportRefused, e.PayloadSHA256, e.Code
		row.details = importDetails{Size: e.Size, Line: e.Line, Column: e.Column}
	default:
		return fmt.Errorf("the source was never registered")
	}
	w.imports.Put(ref{c.org, row.id}, row)
	return nil
}

// rejected notes what a registered source sent in vain.
func (w *writer) rejected(c *change, row *sourceRow, e source.IngestRejected) {
	r := c.external()
	r.sourceID, r.messageID, r.payloadSHA256, r.item = row.id, e.SourceMessageID, e.PayloadSHA256, int32(e.Item)
	if r.channel == "" {
		r.channel = row.channel
	}
	r.outcome, r.code, r.detail, r.evidenceID, r.indicatorRef = query.ChangeRejected, e.Code, e.Detail, e.EvidenceID, e.IndicatorRef
	w.external.Put(approvalKey{c.org, c.position}, r)
}

// external begins the row of an event that comes from a message.
func (c *change) external() *externalRow {
	r := &externalRow{
		org: c.org, position: c.position, version: c.version, eventID: c.eventID, sourceID: indexed(c.source.ID), channel: c.source.Channel,
		messageID: c.source.MessageID, payloadSHA256: c.source.PayloadSHA256, recordedAt: c.at,
	}
	if r.channel == "" {
		r.channel = c.origin
	}
	return r
}

// originImport is the origin of what an imported document says. It names the
// register of imports as its source, which is listed by itself.
const originImport = "import"

// wroteExternally notes a value that a source wrote. It is derived from the
// indicator's stream alone: whether the source is registered is not looked up.
func (w *writer) wroteExternally(c *change, e indicator.Event) {
	if c.source.ID == "" || c.origin == originImport {
		return
	}
	r := c.external()
	r.indicatorID = c.id
	switch e := e.(type) {
	case indicator.MeasurementRecorded:
		r.outcome, r.measurementID, r.start, r.end, r.dims = query.ChangeAccepted, e.MeasurementID, e.Period.Start, e.Period.End, e.Dims
		r.after, r.externalRef = &e.Reading, e.ExternalRef
	case indicator.MeasurementCorrected:
		r.outcome, r.measurementID, r.start, r.end, r.dims = query.ChangeCorrected, e.MeasurementID, e.Period.Start, e.Period.End, e.Dims
		r.before, r.after = &e.Old, &e.New
	default:
		return
	}
	w.external.Put(approvalKey{c.org, c.position}, r)
}
