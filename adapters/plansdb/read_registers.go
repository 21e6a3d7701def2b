package plansdb

import (
	"context"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
)

// Approvals implements query.Plans.
func (r *Reader) Approvals(ctx context.Context, ask query.Read, f query.ApprovalFilter) (query.Page[query.ApprovalRecord], error) {
	var page query.Page[query.ApprovalRecord]
	ask = ask.Within(f.Paging)
	s, err := spanOf(f, ask.AsOf, f.Paging)
	if err != nil {
		return page, err
	}
	if f.Revision < 0 || f.Revision > 0 && f.StrategyID == "" {
		return page, query.ErrInvalid.Detailf("A revision is asked for with its strategy.").At("#/revision", "dependentRequired", "needs strategyId")
	}
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		q := approvalsOf(f)
		rows, err := all(ctx, tx, approvalsTable, q.sql(approvalsTable.SelectAs("a"), s.limit+1), q.between(s.after, s.cutAt(at.position))...)
		if err != nil {
			return err
		}
		page.Position = at.position
		if page.Items, err = approvalRecords(ctx, tx, rows[:min(len(rows), s.limit)]); err != nil {
			return err
		}
		if len(rows) > s.limit {
			if page.NextCursor, err = s.next(f, at, rows[s.limit-1].position); err != nil {
				return err
			}
		}
		page.Total, err = total(ctx, tx, f.Paging, q.total(), q.between(0, s.cutAt(at.position))...)
		return err
	})
	return page, err
}

func approvalsOf(f query.ApprovalFilter) walk {
	w := newWalk("approvals a", "a.", "position")
	switch {
	case f.StrategyID != "":
		w.along("a.", "strategy_id", f.StrategyID)
	case f.ApproverID != "":
		w.along("a.", "approver_id", f.ApproverID)
	}
	if f.StrategyID != "" && f.ApproverID != "" {
		w.where("a.approver_id = " + w.arg(f.ApproverID))
	}
	if f.Revision > 0 {
		w.where("a.revision = " + w.arg(f.Revision))
	}
	if !f.From.IsZero() {
		w.where("a.approved_at >= " + w.arg(f.From))
	}
	if !f.To.IsZero() {
		w.where("a.approved_at < " + w.arg(f.To))
	}
	return w
}

// approvalRecords puts approvals beside all those of the same content.
func approvalRecords(ctx context.Context, tx pgx.Tx, rows []*approvalRow) ([]query.ApprovalRecord, error) {
	strategies, hashes := make([]string, len(rows)), map[string][]*approvalRow{}
	for i, a := range rows {
		strategies[i] = a.strategyID
	}
	named, err := list(ctx, tx, strategiesTable, `WHERE strategy_id = ANY($1)`, strategies)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, s := range named {
		names[s.id] = s.frame.Name
	}
	all, err := list(ctx, tx, approvalsTable, `WHERE strategy_id = ANY($1)`, strategies)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		hashes[a.contentKey()] = append(hashes[a.contentKey()], a)
	}
	records := make([]query.ApprovalRecord, len(rows))
	for i, a := range rows {
		records[i] = a.record(names[a.strategyID], hashes[a.contentKey()])
	}
	return records, nil
}

// contentKey tells apart what was approved: the same content may be submitted again.
func (a *approvalRow) contentKey() string {
	at := ""
	if a.submittedAt != nil {
		at = a.submittedAt.UTC().String()
	}
	return a.strategyID + " " + strconv.Itoa(int(a.revision)) + " " + a.contentHash + " " + at
}

// record shows an approval with those that were there with it.
func (a *approvalRow) record(name string, same []*approvalRow) query.ApprovalRecord {
	q := query.ApprovalRecord{
		Approval: query.Approval{
			ApproverID: a.approverID, Meaning: a.meaning, ContentHash: a.contentHash, Comment: a.comment,
			QuorumReached: a.quorumReached, ApprovedAt: a.approvedAt.UTC(), PrintedName: a.printedName,
		},
		EventID: a.eventID.String(), Position: a.position, StrategyID: a.strategyID, StrategyName: name, Revision: int(a.revision),
		SubmittedBy: a.submittedBy, SubmittedAt: a.submittedAt, Authors: append([]string{}, a.authors...), Overlap: []string{},
		PolicyVersion: int(a.policyVersion), AuthMethod: a.authMethod, AuthAt: a.authAt, VoidedAt: a.voidedAt, VoidedBy: a.voidedBy,
	}
	for _, o := range same {
		if o.position <= a.position {
			q.Approvers = append(q.Approvers, o.approverID)
		}
	}
	slices.Sort(q.Approvers)
	q.Approvers = slices.Compact(q.Approvers)
	for _, id := range q.Approvers {
		if slices.Contains(q.Authors, id) {
			q.Overlap = append(q.Overlap, id)
		}
	}
	q.Independent = len(q.Overlap) == 0
	return q
}

// Holds implements query.Plans.
func (r *Reader) Holds(ctx context.Context, ask query.Read, f query.HoldFilter) (query.Page[query.LegalHold], error) {
	var page query.Page[query.LegalHold]
	ask = ask.Within(f.Paging)
	s, err := spanOf(f, ask.AsOf, f.Paging)
	if err != nil {
		return page, err
	}
	switch f.State {
	case "", "placed", "released":
	default:
		return page, query.ErrInvalid.Detailf("There is no such state.").At("#/state", "enum", "must be placed or released")
	}
	const where = `WHERE placed > $1 AND placed <= $2 AND ($3 = '' OR (released_at IS NULL) = ($3 = 'placed'))`
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		rows, err := list(ctx, tx, holdsTable, where+` ORDER BY placed LIMIT `+strconv.Itoa(s.limit+1), s.after, s.cutAt(at.position), f.State)
		if err != nil {
			return err
		}
		page.Position, page.Items = at.position, []query.LegalHold{}
		for _, h := range rows[:min(len(rows), s.limit)] {
			page.Items = append(page.Items, query.LegalHold{
				ID: h.id, Matter: h.matter, Basis: h.basis, WholeOrg: h.scope.Organization, Streams: h.scope.Streams, Subjects: h.scope.Subjects,
				PlacedAt: h.placedAt.UTC(), PlacedBy: h.placedBy, ReleasedAt: h.releasedAt,
				RequestedBy: h.requestedBy, AuthorizedBy: h.authorizedBy, ReleaseReason: h.releaseReason,
			})
		}
		if len(rows) > s.limit {
			if page.NextCursor, err = s.next(f, at, rows[s.limit-1].placed); err != nil {
				return err
			}
		}
		page.Total, err = total(ctx, tx, f.Paging, `SELECT count(*) FROM legal_holds `+where, int64(0), s.cutAt(at.position), f.State)
		return err
	})
	return page, err
}
