package plansdb

import (
	"context"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb"
)

// governance are the writer's rows of findings, evidence and sources. Those that
// are written once, or say the same whatever was there before, are never loaded.
type governance struct {
	findings *readdb.Rows[ref, findingRow]
	subjects *readdb.Rows[subjectKey, subjectRow]
	parts    *readdb.Rows[partKey, partRow]
	evidence *readdb.Rows[ref, evidenceRow]
	links    *readdb.Rows[approvalKey, linkRow]
	inside   *readdb.Rows[part, insideRow]
	sources  *readdb.Rows[ref, sourceRow]
	external *readdb.Rows[approvalKey, externalRow]
}

func newGovernance(empty bool) governance {
	return governance{
		findings: readdb.NewRows(findingsTable, empty,
			func(k ref) *findingRow { return &findingRow{org: k.org, id: k.id} },
			func(r *findingRow) ref { return ref{r.org, r.id} }),
		subjects: readdb.NewRows(subjectsTable, empty,
			func(k subjectKey) *subjectRow {
				return &subjectRow{org: k.org, findingID: k.ref.id, kind: k.kind, id: k.id}
			},
			func(r *subjectRow) subjectKey { return subjectKey{ref{r.org, r.findingID}, r.kind, r.id} }),
		parts: readdb.NewRows(partsTable, empty,
			func(k partKey) *partRow {
				return &partRow{org: k.org, findingID: k.id, memberID: k.member, part: k.part}
			},
			func(r *partRow) partKey { return partKey{ref{r.org, r.findingID}, r.memberID, r.part} }),
		evidence: readdb.NewRows(evidenceTable, empty,
			func(k ref) *evidenceRow { return &evidenceRow{org: k.org, id: k.id} },
			func(r *evidenceRow) ref { return ref{r.org, r.id} }),
		links: readdb.NewRows(linksTable, empty,
			func(k approvalKey) *linkRow { return &linkRow{org: k.org, linked: k.position} },
			func(r *linkRow) approvalKey { return approvalKey{r.org, r.linked} }),
		inside: readdb.NewRows(insideTable, empty,
			func(k part) *insideRow { return &insideRow{org: k.org, evidenceID: k.ref.id, id: k.id} },
			func(r *insideRow) part { return part{ref{r.org, r.evidenceID}, r.id} }),
		sources: readdb.NewRows(sourcesTable, empty,
			func(k ref) *sourceRow { return &sourceRow{org: k.org, id: k.id} },
			func(r *sourceRow) ref { return ref{r.org, r.id} }),
		external: readdb.NewRows(externalTable, empty,
			func(k approvalKey) *externalRow { return &externalRow{org: k.org, position: k.position} },
			func(r *externalRow) approvalKey { return approvalKey{r.org, r.position} }),
	}
}

// weight is the writer's Weight of these rows.
func (g *governance) weight() int {
	return 8*g.findings.Len() + g.subjects.Len() + g.parts.Len() + 2*g.evidence.Len() + 2*g.links.Len() + g.inside.Len() +
		4*g.sources.Len() + 3*g.external.Len()
}

func (g *governance) flushes() []func(context.Context, pgx.Tx, *pgx.Batch, bool) error {
	return []func(context.Context, pgx.Tx, *pgx.Batch, bool) error{
		g.findings.Flush, g.subjects.Flush, g.parts.Flush, g.evidence.Flush, g.links.Flush, g.inside.Flush, g.sources.Flush, g.external.Flush,
	}
}
