package plansdb

import (
	"context"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/organization"
)

// Organization implements query.Plans.
func (r *Reader) Organization(ctx context.Context, ask query.Read) (query.Organization, error) {
	var answer query.Organization
	err := r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		row, err := one(ctx, tx, organizationsTable, `WHERE true`)
		if err != nil {
			return err
		}
		answer = query.Organization{
			ID: row.org.String(), Name: row.name, Acronym: row.acronym, Identifier: row.identifier, TimeZone: row.timeZone,
			FiscalYearStart: int(row.fiscalYearStart), RegisteredAt: row.registeredAt.UTC(), Version: row.version, Position: at.position,
			Policy: query.Policy{Version: organization.DefaultPolicy().Version, Rules: organization.DefaultPolicy()},
		}
		if row.policy != nil {
			answer.Policy = *row.policy
		}
		return nil
	})
	return answer, err
}

// membersFilter binds a cursor to this list: it has no filter of its own.
const membersFilter = "members"

// Members implements query.Plans.
func (r *Reader) Members(ctx context.Context, ask query.Read, p query.Paging) (query.Page[query.Member], error) {
	var page query.Page[query.Member]
	ask = ask.Within(p)
	s, err := spanOf(membersFilter, ask.AsOf, p)
	if err != nil {
		return page, err
	}
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		rows, err := list(ctx, tx, membersTable, `WHERE enrolled > $1 AND enrolled <= $2 ORDER BY enrolled LIMIT $3`,
			s.after, s.cutAt(at.position), s.limit+1)
		if err != nil {
			return err
		}
		shown := rows[:min(len(rows), s.limit)]
		held, err := grantsOf(ctx, tx, shown)
		if err != nil {
			return err
		}
		page.Position, page.Items = at.position, make([]query.Member, 0, len(shown))
		for _, m := range shown {
			page.Items = append(page.Items, query.Member{
				ID: m.id, SubjectID: m.subjectID, Kind: m.kind, Issuer: m.issuer, Offboarded: m.offboarded,
				Roles: append([]query.Grant{}, held[m.id]...), EnrolledAt: m.enrolledAt.UTC(),
				DisplayName: m.displayName, Email: m.email,
			})
		}
		if len(rows) > s.limit {
			if page.NextCursor, err = s.next(membersFilter, at, shown[s.limit-1].enrolled); err != nil {
				return err
			}
		}
		page.Total, err = total(ctx, tx, p, `SELECT count(*) FROM members WHERE enrolled <= $1`, s.cutAt(at.position))
		return err
	})
	return page, err
}

// grantsOf are the grants that members hold, by member, in the order given. An
// expired one is among them: whether it counts is a matter of the clock.
func grantsOf(ctx context.Context, tx pgx.Tx, members []*memberRow) (map[string][]query.Grant, error) {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.id
	}
	rows, err := list(ctx, tx, grantsTable, `WHERE member_id = ANY($1) AND NOT revoked ORDER BY version, grant_id`, ids)
	if err != nil {
		return nil, err
	}
	held := map[string][]query.Grant{}
	for _, g := range rows {
		held[g.memberID] = append(held[g.memberID], g.grant())
	}
	return held, nil
}

func (g *grantRow) grant() query.Grant {
	q := query.Grant{ID: g.id, Role: g.role, ExpiresAt: g.expiresAt, GrantedAt: g.grantedAt.UTC(), GrantedBy: g.grantedBy}
	if !g.everywhere {
		q.StrategyIDs = g.strategyIDs
	}
	return q
}
