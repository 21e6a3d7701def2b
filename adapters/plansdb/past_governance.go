package plansdb

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// Of findings, evidence and sources, the rows are folded from their own stream as
// of then. What stands beside them is of other streams, and only ever added to:
// it is read from the database, up to the position of then.

// beside reads what was there at a position of the past.
func (r *Reader) beside(ctx context.Context, ask query.Read, at moment, read func(ctx context.Context, tx pgx.Tx) error) error {
	now := query.Read{OrganizationID: ask.OrganizationID, MinPosition: at.position, Wait: ask.Wait}
	return r.db.InTenantTx(ctx, now, func(ctx context.Context, tx pgx.Tx, _ int64) error { return read(ctx, tx) })
}

// pastFinding is Finding for a moment of the past.
func (r *Reader) pastFinding(ctx context.Context, ask query.Read, id uuid.UUID) (query.FindingDetail, error) {
	w, at, err := r.recall(ctx, ask, "finding-"+id.String())
	if err != nil {
		return query.FindingDetail{}, err
	}
	row := w.findings.Get(ref{ask.OrganizationID, id.String()})
	if row == nil {
		return query.FindingDetail{}, query.ErrNotFound
	}
	answer := row.answer(at.today, at.position)
	err = r.beside(ctx, ask, at, func(ctx context.Context, tx pgx.Tx) error {
		answer.Evidence, err = linkedTo(ctx, tx, "finding", row.id, at.position)
		return err
	})
	return answer, err
}

// pastEvidence is Evidence for a moment of the past.
func (r *Reader) pastEvidence(ctx context.Context, ask query.Read, id uuid.UUID) (query.EvidenceDetail, error) {
	w, at, err := r.recall(ctx, ask, "evidence-"+id.String())
	if err != nil {
		return query.EvidenceDetail{}, err
	}
	row := w.evidence.Get(ref{ask.OrganizationID, id.String()})
	if row == nil {
		return query.EvidenceDetail{}, query.ErrNotFound
	}
	links := slices.SortedFunc(w.links.All(), func(a, b *linkRow) int { return cmp.Compare(a.linked, b.linked) })
	answer := row.answer(links, at.position)
	err = r.beside(ctx, ask, at, func(ctx context.Context, tx pgx.Tx) error {
		answer.LinkedFrom, err = linkedTo(ctx, tx, "evidence", row.id, at.position)
		return err
	})
	return answer, err
}

// pastSource is Source for a moment of the past.
func (r *Reader) pastSource(ctx context.Context, ask query.Read, id uuid.UUID) (query.Source, error) {
	w, at, err := r.recall(ctx, ask, "source-"+id.String())
	if err != nil {
		return query.Source{}, err
	}
	row := w.sources.Get(ref{ask.OrganizationID, id.String()})
	if row == nil {
		return query.Source{}, query.ErrNotFound
	}
	var answer query.Source
	err = r.beside(ctx, ask, at, func(ctx context.Context, tx pgx.Tx) error {
		answers, err := answersOf(ctx, tx, []*sourceRow{row}, at.position, at.at)
		if err != nil {
			return err
		}
		answer = answers[0]
		answer.Position = at.position
		return nil
	})
	return answer, err
}
