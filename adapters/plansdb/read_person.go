package plansdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/organization"
)

// Person implements query.Plans.
func (r *Reader) Person(ctx context.Context, ask query.Read, id uuid.UUID) (query.Person, error) {
	var answer query.Person
	err := r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		p := &person{tx: tx, now: at.at}
		if err := p.find(ctx, id.String()); err != nil {
			return err
		}
		answer = query.Person{ID: id.String(), SubjectIDs: p.subjects, Position: at.position}
		var err error
		if answer.Enrolments, err = p.enrolments(ctx); err != nil {
			return err
		}
		if answer.Acts, answer.MoreActs, err = p.acts(ctx); err != nil {
			return err
		}
		if answer.Holds, err = p.holds(ctx); err != nil {
			return err
		}
		if answer.Erasures, err = p.erasures(ctx); err != nil {
			return err
		}
		if answer.Texts, err = p.texts(ctx); err != nil {
			return err
		}
		answer.Sealed, answer.Erased = len(answer.Texts) > 0, len(answer.Erasures) > 0
		answer.Retention, err = p.retention(ctx, len(answer.Holds) > 0)
		return err
	})
	return answer, err
}

// person is what a question about a person has found so far.
type person struct {
	tx       pgx.Tx
	now      time.Time
	members  []*memberRow
	ids      []string // of the memberships
	subjects []string
	latest   *time.Time // registration of the latest evidence about the person
}

// find takes a member id for the subject that the member is, and a subject id for itself.
func (p *person) find(ctx context.Context, id string) error {
	p.subjects = []string{id}
	named, err := list(ctx, p.tx, membersTable, `WHERE member_id = $1`, id)
	if err != nil {
		return err
	}
	if len(named) > 0 && named[0].subjectID != "" {
		p.subjects[0] = named[0].subjectID
	}
	if p.members, err = list(ctx, p.tx, membersTable, `WHERE subject_id = $1`, p.subjects[0]); err != nil {
		return err
	}
	if len(p.members) == 0 {
		p.members = named // a service has no subject
	}
	slices.SortFunc(p.members, func(a, b *memberRow) int { return int(a.enrolled - b.enrolled) })
	p.ids = []string{}
	for _, m := range p.members {
		p.ids = append(p.ids, m.id)
	}
	err = p.tx.QueryRow(ctx, `SELECT max(e.registered_at) FROM evidence_subjects s
		JOIN evidence e ON e.organization_id = s.organization_id AND e.evidence_id = s.evidence_id WHERE s.subject_id = $1`, p.subjects[0]).Scan(&p.latest)
	if err != nil {
		return fmt.Errorf("evidence about a person: %w", err)
	}
	if len(p.members) == 0 && p.latest == nil {
		known := false
		if err := p.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM occurrences WHERE person_id = $1)`, p.subjects[0]).Scan(&known); err != nil {
			return fmt.Errorf("occurrences of a person: %w", err)
		}
		if !known {
			return query.ErrNotFound
		}
	}
	if len(named) > 0 && named[0].subjectID == "" {
		p.subjects = []string{}
	}
	return nil
}

func (p *person) enrolments(ctx context.Context) ([]query.Enrolment, error) {
	grants, err := list(ctx, p.tx, grantsTable, `WHERE member_id = ANY($1) ORDER BY version, grant_id`, p.ids)
	if err != nil {
		return nil, err
	}
	enrolments := []query.Enrolment{}
	for _, m := range p.members {
		e := query.Enrolment{
			MemberID: m.id, SubjectID: m.subjectID, Kind: m.kind, Issuer: m.issuer, EnrolledAt: m.enrolledAt.UTC(),
			OffboardedAt: inUTC(m.offboardedAt), Grants: []query.PastGrant{},
			DisplayName: m.displayName, Email: m.email,
		}
		for _, g := range grants {
			if g.memberID == m.id {
				e.Grants = append(e.Grants, query.PastGrant{
					Grant: g.grant(), RevokedAt: inUTC(g.revokedAt),
					Current: !g.revoked && !m.offboarded && (g.expiresAt == nil || g.expiresAt.After(p.now)),
				})
			}
		}
		enrolments = append(enrolments, e)
	}
	return enrolments, nil
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}

// partsOf are the things that memberships $1 and subject $2 have a part in.
const partsOf = `(
	SELECT 'approver' AS part, 'strategy' AS type, strategy_id AS id FROM approvals WHERE approver_id = ANY($1)
	UNION SELECT 'author', 'strategy', strategy_id FROM approvals WHERE authors ?| $1
	UNION SELECT 'author', 'strategy', strategy_id FROM strategies WHERE working->'authors' ?| $1 OR in_force->'authors' ?| $1
	UNION SELECT 'author', 'indicator', indicator_id FROM indicator_authors WHERE author_id = ANY($1)
	UNION SELECT 'owner', 'indicator', indicator_id FROM indicators WHERE owner_id = ANY($1) AND owner_id <> ''
	UNION SELECT part, 'finding', finding_id FROM finding_persons WHERE member_id = ANY($1)
	UNION SELECT 'steward', 'source', source_id FROM sources WHERE steward_id = ANY($1)
	UNION SELECT 'registrar', 'evidence', evidence_id FROM evidence WHERE registered_by = ANY($1)
	UNION SELECT 'subject', 'evidence', evidence_id FROM evidence_subjects WHERE subject_id = ANY($2)
	UNION SELECT part, type, id FROM occurrences WHERE person_id = ANY($1) AND part = 'signer'
	UNION SELECT part, type, id FROM occurrences WHERE person_id = ANY($2) AND part <> 'signer'
) a`

// acts are the things that the person has a part in, as many as are shown.
func (p *person) acts(ctx context.Context) (acts []query.Act, more bool, err error) {
	rows, err := p.tx.Query(ctx, `SELECT a.part, a.type, a.id, coalesce(s.frame->>'name', i.definition->>'name', f.title, o.name, '')
		FROM (SELECT * FROM `+partsOf+` ORDER BY part, type, id LIMIT $3) a
		LEFT JOIN strategies s ON a.type = 'strategy' AND s.strategy_id = a.id
		LEFT JOIN indicators i ON a.type = 'indicator' AND i.indicator_id = a.id
		LEFT JOIN findings f ON a.type = 'finding' AND f.finding_id = a.id
		LEFT JOIN sources o ON a.type = 'source' AND o.source_id = a.id
		ORDER BY a.part, a.type, a.id`, p.ids, p.subjects, query.MaxActs+1)
	if err != nil {
		return nil, false, fmt.Errorf("acts of a person: %w", err)
	}
	if acts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[query.Act]); err != nil {
		return nil, false, fmt.Errorf("acts of a person: %w", err)
	}
	return acts[:min(len(acts), query.MaxActs)], len(acts) > query.MaxActs, nil
}

// holds are those in place that cover the organization, the person, or anything
// that the person has a part in.
func (p *person) holds(ctx context.Context) ([]query.Hold, error) {
	inPlace, err := list(ctx, p.tx, holdsTable, `WHERE released_at IS NULL ORDER BY organization_id, placed`)
	if err != nil {
		return nil, err
	}
	touched, err := p.touched(ctx, inPlace)
	if err != nil {
		return nil, err
	}
	covering := []query.Hold{}
	for _, h := range inPlace {
		covers := ""
		switch {
		case h.scope.Organization:
			covers = "organization"
		case slices.ContainsFunc(h.scope.Subjects, func(s string) bool { return slices.Contains(p.subjects, s) }):
			covers = "subject"
		case slices.ContainsFunc(h.scope.Streams, func(s string) bool { return slices.Contains(touched, s) }):
			covers = "stream"
		default:
			continue
		}
		covering = append(covering, query.Hold{ID: h.id, Matter: h.matter, Covers: covers, PlacedAt: h.placedAt.UTC()})
	}
	return covering, nil
}

// touched are those of the streams under a hold that hold something of the person.
func (p *person) touched(ctx context.Context, holds []*holdRow) ([]string, error) {
	var held []string
	for _, h := range holds {
		held = append(held, h.scope.Streams...)
	}
	if len(held) == 0 {
		return nil, nil
	}
	rows, err := p.tx.Query(ctx, `SELECT t.stream FROM `+streamsOf+` t (stream) WHERE t.stream = ANY($3)`, p.ids, p.subjects, held)
	if err != nil {
		return nil, fmt.Errorf("streams under a hold: %w", err)
	}
	touched, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("streams under a hold: %w", err)
	}
	return touched, nil
}

// retention is reckoned from when nobody could act as this person any more.
func (p *person) retention(ctx context.Context, held bool) (query.Retention, error) {
	policy := organization.DefaultPolicy()
	rows, err := list(ctx, p.tx, organizationsTable, `WHERE true`)
	if err != nil {
		return query.Retention{}, err
	}
	if len(rows) == 1 && rows[0].policy != nil {
		policy = rows[0].policy.Rules
		policy.Version = rows[0].policy.Version
	}
	q := query.Retention{PolicyVersion: policy.Version, Years: policy.RetentionYears, Held: held}
	last := p.latest
	for _, m := range p.members {
		if m.offboardedAt == nil {
			return q, nil
		}
		if last == nil || m.offboardedAt.After(*last) {
			last = m.offboardedAt
		}
	}
	if last == nil {
		return q, nil // whom only plans name: what they are named in is kept as what it is
	}
	q.LastAt = inUTC(last)
	q.Until = calendar.Of(last.AddDate(policy.RetentionYears, 0, 0))
	return q, nil
}
