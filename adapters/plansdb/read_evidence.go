package plansdb

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/evidence"
)

// EvidenceList implements query.Plans.
func (r *Reader) EvidenceList(ctx context.Context, ask query.Read, f query.EvidenceFilter) (query.Page[query.EvidenceSummary], error) {
	page := query.Page[query.EvidenceSummary]{Items: []query.EvidenceSummary{}}
	ask = ask.Within(f.Paging)
	s, err := spanOf(f, ask.AsOf, f.Paging)
	if err != nil {
		return page, err
	}
	if err := checkEvidence(f); err != nil {
		return page, err
	}
	q := evidenceOf(f)
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		rows, err := all(ctx, tx, evidenceTable, q.sql(evidenceTable.SelectAs("e"), s.limit+1), q.between(s.after, s.cutAt(at.position))...)
		if err != nil {
			return err
		}
		page.Position = at.position
		for _, row := range rows[:min(len(rows), s.limit)] {
			page.Items = append(page.Items, row.summary())
		}
		if len(rows) > s.limit {
			if page.NextCursor, err = s.next(f, at, rows[s.limit-1].registered); err != nil {
				return err
			}
		}
		page.Total, err = total(ctx, tx, f.Paging, q.total(), q.between(0, s.cutAt(at.position))...)
		return err
	})
	return page, err
}

func checkEvidence(f query.EvidenceFilter) error {
	switch evidence.Kind(f.Kind) {
	case "", evidence.Document, evidence.ImportOriginal, evidence.Message, evidence.ExportPack, evidence.VerificationReport, evidence.Review:
	default:
		return query.ErrInvalid.Detailf("There is no such kind.").
			At("#/kind", "enum", "must be document, import_original, message, export_pack, verification_report or review")
	}
	switch f.TargetType {
	case "", "strategy", "indicator", "finding", "evidence", "source", "organization":
	default:
		return query.ErrInvalid.Detailf("There is no such type of target.").
			At("#/targetType", "enum", "must be strategy, indicator, finding, evidence, source or organization")
	}
	if (f.TargetType == "") != (f.TargetID == "") {
		return query.ErrInvalid.Detailf("A target is named by type and id.").At("#/targetId", "dependentRequired", "give targetType and targetId, or neither")
	}
	return nil
}

// linksOf are the links to one target up to a position, in the order of positions.
const linksOf = `evidence_links l WHERE (l.target_id, l.linked) >= (%[1]s, 0) AND (l.target_id, l.linked) <= (%[1]s, %[3]s) AND l.target_type = %[2]s`

func evidenceOf(f query.EvidenceFilter) walk {
	w := newWalk("evidence e", "e.", "registered")
	switch {
	case f.TargetID != "":
		// First the links, then the evidence of each: what is linked to one target is
		// less than all there is. OFFSET keeps the planner from doing it otherwise.
		w.from = fmt.Sprintf(`(SELECT DISTINCT l.organization_id, l.evidence_id FROM `+linksOf+` OFFSET 0) l
			CROSS JOIN LATERAL (SELECT k.* FROM evidence k WHERE k.organization_id = l.organization_id AND k.evidence_id = l.evidence_id OFFSET 0) e`,
			w.arg(f.TargetID), w.arg(f.TargetType), "$2")
	case f.SHA256 != "":
		w.along("e.", "sha256", f.SHA256)
	}
	if f.TargetID != "" && f.SHA256 != "" {
		w.where("e.sha256 = " + w.arg(f.SHA256))
	}
	if f.Kind != "" {
		w.where("e.kind = " + w.arg(f.Kind))
	}
	if !f.From.IsZero() {
		w.where("e.registered_at >= " + w.arg(f.From))
	}
	if !f.To.IsZero() {
		w.where("e.registered_at < " + w.arg(f.To))
	}
	return w
}

func (row *evidenceRow) summary() query.EvidenceSummary {
	return query.EvidenceSummary{
		ID: row.id, Kind: row.kind, SHA256: row.sha256, Size: row.size, MediaType: row.mediaType, CollectedAt: row.collectedAt.UTC(),
		RegisteredAt: row.registeredAt.UTC(), RegisteredBy: row.registeredBy, SourceID: row.sourceID, Links: int(row.links), Version: row.version,
		FileName: row.fileName,
	}
}

// Evidence implements query.Plans.
func (r *Reader) Evidence(ctx context.Context, ask query.Read, id uuid.UUID) (query.EvidenceDetail, error) {
	if !ask.AsOf.IsNow() {
		return r.pastEvidence(ctx, ask, id)
	}
	var answer query.EvidenceDetail
	err := r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		row, err := one(ctx, tx, evidenceTable, `WHERE evidence_id = $1`, id.String())
		if err != nil {
			return err
		}
		links, err := list(ctx, tx, linksTable, `WHERE evidence_id = $1 ORDER BY evidence_id, linked`, row.id)
		if err != nil {
			return err
		}
		answer = row.answer(links, at.position)
		answer.LinkedFrom, err = linkedTo(ctx, tx, "evidence", row.id, at.position)
		return err
	})
	return answer, err
}

func (row *evidenceRow) answer(links []*linkRow, position int64) query.EvidenceDetail {
	q := query.EvidenceDetail{
		EvidenceSummary: row.summary(), SubjectsInside: row.subjects, LinkList: []query.EvidenceTarget{}, LinkedFrom: []query.LinkedEvidence{}, Position: position,
	}
	for _, l := range links {
		q.LinkList = append(q.LinkList, query.EvidenceTarget{
			Relation: l.relation, Target: evidence.Target{Type: l.targetType, ID: l.targetID, Revision: int(l.revision), EventID: l.eventID},
			Note: l.note, LinkedAt: l.linkedAt.UTC(), LinkedBy: l.linkedBy,
		})
	}
	return q
}

// linkedTo gives the evidence that was linked to something last, up to a position.
func linkedTo(ctx context.Context, tx pgx.Tx, targetType, targetID string, position int64) ([]query.LinkedEvidence, error) {
	rows, err := tx.Query(ctx, `SELECT l.evidence_id, l.relation, e.kind, e.sha256, l.note, l.linked_at, l.linked_by
		FROM (SELECT * FROM `+fmt.Sprintf(linksOf, "$1", "$2", "$3")+` ORDER BY l.target_id DESC, l.linked DESC LIMIT $4) l
		JOIN evidence e ON e.organization_id = l.organization_id AND e.evidence_id = l.evidence_id ORDER BY l.linked`, targetID, targetType, position, query.MaxLinked)
	if err != nil {
		return nil, fmt.Errorf("linked evidence: %w", err)
	}
	linked, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (query.LinkedEvidence, error) {
		var l query.LinkedEvidence
		err := row.Scan(&l.EvidenceID, &l.Relation, &l.Kind, &l.SHA256, &l.Note, &l.LinkedAt, &l.LinkedBy)
		l.LinkedAt = l.LinkedAt.UTC()
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("linked evidence: %w", err)
	}
	return linked, nil
}
