package plansdb

import (
	"fmt"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/source"
)

// foldSource keeps the list of imports. Each has one event, so nothing needs to
// be known of those before.
func (w *writer) foldSource(c *change, e source.Event) error {
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
		}
	case source.IngestRejected:
		row.id, row.status, row.sha256, row.code = e.MessageID, query.ImportRefused, e.PayloadSHA256, e.Code
		row.details = importDetails{Size: e.Size, Line: e.Line, Column: e.Column}
	default:
		return fmt.Errorf("event %T has no fold", e)
	}
	w.imports.Put(ref{c.org, row.id}, row)
	return nil
}
