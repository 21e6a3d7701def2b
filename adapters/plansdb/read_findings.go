package plansdb

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/severity"
)

// stages is the order of a finding's states.
var stages = []string{
	string(finding.Open), string(finding.Owned), string(finding.Planned), string(finding.Submitted), string(finding.Accepted), string(finding.Ended),
}

// Findings implements query.Plans.
func (r *Reader) Findings(ctx context.Context, ask query.Read, f query.FindingFilter) (query.FindingBoard, error) {
	board := query.FindingBoard{Items: []query.FindingSummary{}}
	ask = ask.Within(f.Paging)
	s, err := spanOf(f, ask.AsOf, f.Paging)
	if err != nil {
		return board, err
	}
	if err := checkFindings(f); err != nil {
		return board, err
	}
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		on := cmp.Or(f.On, at.today)
		board.On, board.Position = on, at.position
		q := boardOf(f, on)
		rows, err := all(ctx, tx, findingsTable, q.page(s.limit+1), q.between(s.after, s.cutAt(at.position))...)
		if err != nil {
			return err
		}
		for _, row := range rows[:min(len(rows), s.limit)] {
			board.Items = append(board.Items, row.summary(on))
		}
		if len(rows) > s.limit {
			if board.NextCursor, err = s.next(f, at, rows[s.limit-1].raised); err != nil {
				return err
			}
		}
		if board.Total, err = total(ctx, tx, f.Paging, q.total(), q.between(0, s.cutAt(at.position))...); err != nil || f.Cursor != "" {
			return err
		}
		board.Counts, err = countFindings(ctx, tx, f, on, at.position)
		return err
	})
	return board, err
}

func checkFindings(f query.FindingFilter) error {
	one := func(member, value string, known ...string) error {
		if value == "" || slices.Contains(known, value) {
			return nil
		}
		return query.ErrInvalid.Detailf("There is no such %s.", member).At("#/"+member, "enum", "must be "+strings.Join(known, ", "))
	}
	for _, s := range f.State {
		if err := one("state", s, stages...); err != nil {
			return err
		}
	}
	for _, s := range f.Severity {
		if err := one("severity", s, string(severity.Low), string(severity.Medium), string(severity.High), string(severity.Critical)); err != nil {
			return err
		}
	}
	if err := one("origin", f.Origin, string(finding.FromAudit), string(finding.FromCompliance), string(finding.FromBreach),
		string(finding.FromIngest), string(finding.FromLogVerification)); err != nil {
		return err
	}
	if n := f.ExpiringWithin; n != nil && (*n < 0 || *n > query.MaxExpiringWithin) {
		return query.ErrInvalid.Detailf("An acceptance expires within 0 to %d days.", query.MaxExpiringWithin).
			At("#/expiringWithin", "maximum", fmt.Sprintf("must be from 0 to %d", query.MaxExpiringWithin))
	}
	if f.On != "" && !f.On.Valid() {
		return query.ErrInvalid.Detailf("on is not a day.").At("#/on", "format", "must be YYYY-MM-DD")
	}
	return nil
}

// board is the query for a list of findings. It walks one index in the order of
// positions: of a subject's findings, of an owner's, or of all.
type board struct {
	walk
}

const (
	overdueBy = `f.state <> 'closed' AND f.state <> 'accepted' AND f.due_date <> '' AND f.due_date < `
	living    = `f.state <> 'closed'` // as the partial indexes have it
)

// scopeOf is what the roll-up counts, too.
func scopeOf(f query.FindingFilter) board {
	b := board{newWalk("findings f", "f.", "raised")}
	const of = ` JOIN findings f ON f.organization_id = s.organization_id AND f.finding_id = s.finding_id`
	switch {
	case f.StrategyID != "":
		b.from = "finding_subjects s" + of
		b.along("s.", "subject_id", f.StrategyID)
		b.where("s.subject_type = 'strategy'")
	case f.IndicatorID != "":
		b.from = "finding_subjects s" + of
		b.along("s.", "subject_id", f.IndicatorID)
		b.where("s.subject_type = 'indicator'")
	case f.OwnerID != "":
		b.along("f.", "owner_id", f.OwnerID)
		b.where("f.owner_id <> ''")
	}
	if f.StrategyID != "" && f.IndicatorID != "" {
		b.where(`EXISTS (SELECT FROM finding_subjects o WHERE o.organization_id = f.organization_id AND o.finding_id = f.finding_id
			AND o.subject_type = 'indicator' AND o.subject_id = ` + b.arg(f.IndicatorID) + `)`)
	}
	if f.OwnerID != "" && (f.StrategyID != "" || f.IndicatorID != "") {
		b.where("f.owner_id = " + b.arg(f.OwnerID))
	}
	if f.Origin != "" {
		b.where("f.origin = " + b.arg(f.Origin))
	}
	return b
}

func boardOf(f query.FindingFilter, on calendar.Date) board {
	b := scopeOf(f)
	if len(f.State) > 0 {
		b.where("f.state = ANY(" + b.arg(f.State) + ")")
		if !slices.Contains(f.State, string(finding.Ended)) {
			b.where(living)
		}
	}
	if len(f.Severity) > 0 {
		b.where("f.severity = ANY(" + b.arg(f.Severity) + ")")
	}
	if f.Overdue != nil {
		overdue := overdueBy + b.arg(string(on))
		if *f.Overdue {
			b.where(overdue)
		} else {
			b.where("NOT (" + overdue + ")")
		}
	}
	if f.ExpiringWithin != nil {
		b.where("f.state = 'accepted' AND " + living + " AND f.expires_on <= " + b.arg(string(on.AddDays(*f.ExpiringWithin))))
	}
	return b
}

// page leaves out what the board does not show: it can be large.
func (b board) page(limit int) string {
	return b.sql(strings.Replace(findingsTable.SelectAs("f"), "f.details", "'null'::jsonb", 1), limit)
}

// countFindings is the roll-up, the gravest first.
func countFindings(ctx context.Context, tx pgx.Tx, f query.FindingFilter, on calendar.Date, position int64) ([]query.FindingCount, error) {
	b := scopeOf(f)
	overdue := "count(*) FILTER (WHERE " + overdueBy + b.arg(string(on)) + ")"
	rows, err := tx.Query(ctx, `SELECT f.severity, f.state, count(*), `+overdue+`, min(f.raised_at) FROM `+b.condition()+` GROUP BY f.severity, f.state`,
		b.between(0, position)...)
	if err != nil {
		return nil, fmt.Errorf("count findings: %w", err)
	}
	counts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (query.FindingCount, error) {
		var c query.FindingCount
		var first time.Time
		err := row.Scan(&c.Severity, &c.State, &c.Findings, &c.Overdue, &first)
		if c.State != string(finding.Ended) {
			c.OldestDays = days(calendar.Of(first), on)
		}
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("count findings: %w", err)
	}
	slices.SortFunc(counts, func(a, b query.FindingCount) int {
		return cmp.Or(cmp.Compare(severity.Severity(b.Severity).Rank(), severity.Severity(a.Severity).Rank()),
			cmp.Compare(slices.Index(stages, a.State), slices.Index(stages, b.State)))
	})
	return counts, nil
}

// days is how many days lie between two; not less than zero.
func days(from, to calendar.Date) int {
	a, err1 := time.Parse(time.DateOnly, string(from))
	b, err2 := time.Parse(time.DateOnly, string(to))
	if err1 != nil || err2 != nil || b.Before(a) {
		return 0
	}
	return int(b.Sub(a) / (24 * time.Hour))
}

func (row *findingRow) summary(on calendar.Date) query.FindingSummary {
	q := query.FindingSummary{
		ID: row.id, Kind: string(row.kind), Severity: string(row.severity), State: row.state, Title: row.title, Origin: row.origin,
		Subjects: row.subjects, EngagementRef: row.engagementRef, DedupeKey: row.dedupeKey, OwnerID: row.ownerID, DueDate: row.dueDate,
		ExpiresOn: row.expiresOn, Resolution: row.resolution, RaisedAt: row.raisedAt.UTC(), RaisedBy: row.raisedBy,
		ChangedAt: row.changedAt.UTC(), Version: row.version,
	}
	state := finding.State{ID: row.id, Stage: finding.Stage(row.state), DueDate: row.dueDate}
	if q.Overdue = state.Overdue(on); q.Overdue {
		q.OverdueDays = days(row.dueDate, on)
	}
	until := on
	if row.closedAt != nil {
		at := row.closedAt.UTC()
		q.ClosedAt, until = &at, calendar.Of(at)
	}
	q.AgeDays = days(calendar.Of(row.raisedAt), until)
	if row.expiresOn != "" {
		left := days(on, row.expiresOn) - days(row.expiresOn, on)
		q.ExpiresInDays = &left
	}
	return q
}

// Finding implements query.Plans.
func (r *Reader) Finding(ctx context.Context, ask query.Read, id uuid.UUID) (query.FindingDetail, error) {
	if !ask.AsOf.IsNow() {
		return r.pastFinding(ctx, ask, id)
	}
	var answer query.FindingDetail
	err := r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		row, err := one(ctx, tx, findingsTable, `WHERE finding_id = $1`, id.String())
		if err != nil {
			return err
		}
		answer = row.answer(at.today, at.position)
		answer.Evidence, err = linkedTo(ctx, tx, "finding", row.id, at.position)
		return err
	})
	return answer, err
}

func (row *findingRow) answer(on calendar.Date, position int64) query.FindingDetail {
	d := row.details
	return query.FindingDetail{
		FindingSummary: row.summary(on), Condition: d.Condition, Criteria: d.Criteria, Cause: d.Cause, Effect: d.Effect,
		Recommendation: d.Recommendation, Assignments: listed(d.Assignments), Reclassified: listed(d.Reclassified), Remediation: d.Remediation,
		Submissions: listed(d.Submissions), Acceptances: listed(d.Acceptances), Returns: listed(d.Returns), Closures: listed(d.Closures),
		Evidence: []query.LinkedEvidence{}, Position: position,
	}
}

// listed is a list that is there even if nothing is in it.
func listed[T any](items []T) []T { return append([]T{}, items...) }
