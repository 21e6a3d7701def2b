package plansdb

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/query"
)

// personsFilter binds a cursor to this list: it has no filter of its own.
const personsFilter = "persons"

// placesOf are the places in which subjects are named, with the sealed text that
// says who it is: what a member is called first, then what documents say.
const placesOf = `(
	SELECT subject_id AS person, true AS member, 'member-' || member_id AS place, 0 AS rank, display_name AS sealed
	FROM members WHERE kind = 'person' AND subject_id <> ''
	UNION ALL SELECT subject_id, false, 'evidence-' || evidence_id, 3, '' FROM evidence_subjects
	UNION ALL SELECT person_id, false, type || '-' || id, CASE part WHEN 'stakeholder' THEN 1 ELSE 2 END, sealed
	FROM occurrences WHERE part <> 'signer' AND type <> 'organization'
) o`

// streamsOf are the streams in which memberships $1 and subjects $2 occur or have
// a part: who is or was a member is in the organization's.
const streamsOf = `(SELECT a.type || '-' || a.id FROM ` + partsOf + ` WHERE a.type <> 'import'
	UNION SELECT stream FROM occurrences WHERE person_id = ANY($1) OR person_id = ANY($2)
	UNION SELECT 'organization-' || organization_id FROM members WHERE member_id = ANY($1) OR subject_id = ANY($2))`

// maxTexts is how many sealed texts are looked at to say who somebody is.
const maxTexts = 3

// Persons implements query.Plans.
func (r *Reader) Persons(ctx context.Context, ask query.Read, p query.Paging) (query.Page[query.PersonSummary], error) {
	page := query.Page[query.PersonSummary]{Items: []query.PersonSummary{}}
	ask = ask.Within(p)
	limit, err := p.Size()
	if err != nil {
		return page, err
	}
	after := ""
	if p.Cursor != "" {
		if _, after, err = query.DecodeCursor(personsFilter, ask.AsOf, p.Cursor); err != nil {
			return page, err
		}
	}
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		rows, err := tx.Query(ctx, `SELECT o.person, bool_or(o.member), count(DISTINCT o.place)::int,
				coalesce((array_agg(o.sealed ORDER BY o.rank, o.place) FILTER (WHERE o.sealed <> ''))[1:$3], '{}'),
				EXISTS (SELECT FROM erasures e WHERE e.subject_id = o.person)
			FROM `+placesOf+` WHERE o.person COLLATE "C" > $1 GROUP BY o.person ORDER BY o.person COLLATE "C" LIMIT $2`, after, limit+1, maxTexts)
		if err != nil {
			return fmt.Errorf("persons: %w", err)
		}
		items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (query.PersonSummary, error) {
			var s query.PersonSummary
			err := row.Scan(&s.SubjectID, &s.Member, &s.Places, &s.Texts, &s.Erased)
			s.Sealed = len(s.Texts) > 0
			return s, err
		})
		if err != nil {
			return fmt.Errorf("persons: %w", err)
		}
		page.Position, page.Items = at.position, append(page.Items, items[:min(len(items), limit)]...)
		if len(items) > limit {
			if page.NextCursor, err = query.EncodeCursor(personsFilter, at.asOf, at.position, items[limit-1].SubjectID); err != nil {
				return err
			}
		}
		page.Total, err = total(ctx, tx, p, `SELECT count(DISTINCT o.person) FROM `+placesOf)
		return err
	})
	return page, err
}

// texts are the sealed texts that say who the person is, the best first.
func (p *person) texts(ctx context.Context) ([]string, error) {
	rows, err := p.tx.Query(ctx, `SELECT o.sealed FROM `+placesOf+` WHERE o.person = ANY($1) AND o.sealed <> '' ORDER BY o.rank, o.place LIMIT $2`, p.subjects, maxTexts)
	if err != nil {
		return nil, fmt.Errorf("who a person is: %w", err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("who a person is: %w", err)
	}
	return texts, nil
}

// erasures are the certificates of what was erased of the person.
func (p *person) erasures(ctx context.Context) ([]query.Erasure, error) {
	rows, err := list(ctx, p.tx, erasuresTable, `WHERE subject_id = ANY($1) ORDER BY position`, p.subjects)
	if err != nil {
		return nil, err
	}
	var all []query.Erasure
	for _, row := range rows {
		all = append(all, query.Erasure{EventID: row.eventID.String(), Position: row.position, ErasedAt: row.erasedAt.UTC(), PersonalDataErased: row.event})
	}
	return all, nil
}

// PersonalData implements command.PersonIndex.
func (r *Reader) PersonalData(ctx context.Context, organizationID uuid.UUID, subjectID string, memberIDs []string, minPosition int64) (command.PersonPlaces, error) {
	var found command.PersonPlaces
	ask := query.Read{OrganizationID: organizationID, MinPosition: minPosition}
	err := r.db.InTenantTx(ctx, ask, func(ctx context.Context, tx pgx.Tx, _ int64) error {
		for _, kind := range []string{"organization", "strategy", "indicator", "finding", "evidence", "source"} {
			if err := refuseParked(ctx, tx, kind); err != nil {
				return err
			}
		}
		if memberIDs == nil {
			memberIDs = []string{}
		}
		for _, q := range []struct {
			into *[]string
			sql  string
			args []any
		}{
			{&found.Streams, streamsOf + ` ORDER BY 1`, []any{memberIDs, []string{subjectID}}},
			{&found.Signed, `SELECT DISTINCT stream FROM occurrences WHERE person_id = ANY($1) AND part = 'signer' ORDER BY 1`, []any{memberIDs}},
			{&found.Evidence, `SELECT evidence_id FROM evidence_subjects WHERE subject_id = $1 ORDER BY 1`, []any{subjectID}},
			{&found.Imports, `SELECT id FROM occurrences WHERE person_id = $1 AND part = 'subject' AND type = 'import' ORDER BY 1`, []any{subjectID}},
			{&found.Texts, `SELECT DISTINCT o.sealed FROM ` + placesOf + ` WHERE o.person = $1 AND o.sealed <> '' ORDER BY 1`, []any{subjectID}},
		} {
			rows, err := tx.Query(ctx, q.sql, q.args...)
			if err != nil {
				return fmt.Errorf("places of a person: %w", err)
			}
			if *q.into, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
				return fmt.Errorf("places of a person: %w", err)
			}
		}
		return nil
	})
	return found, err
}
