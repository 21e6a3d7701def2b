package plansdb

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/source"
)

// Sources implements query.Plans.
func (r *Reader) Sources(ctx context.Context, ask query.Read, f query.SourceFilter) (query.Page[query.Source], error) {
	page := query.Page[query.Source]{Items: []query.Source{}}
	ask = ask.Within(f.Paging)
	s, err := spanOf(f, ask.AsOf, f.Paging)
	if err != nil {
		return page, err
	}
	switch source.Status(f.Status) {
	case "", source.Active, source.Suspended:
	default:
		return page, query.ErrInvalid.Detailf("There is no such status.").At("#/status", "enum", "must be active or suspended")
	}
	switch source.Channel(f.Channel) {
	case "", source.HTTP, source.AMQP, source.File:
	default:
		return page, query.ErrInvalid.Detailf("There is no such channel.").At("#/channel", "enum", "must be http, amqp or file")
	}
	const where = `WHERE registered > $1 AND registered <= $2 AND ($3 = '' OR status = $3) AND ($4 = '' OR channel = $4)`
	err = r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		rows, err := list(ctx, tx, sourcesTable, where+` ORDER BY registered LIMIT `+strconv.Itoa(s.limit+1),
			s.after, s.cutAt(at.position), f.Status, f.Channel)
		if err != nil {
			return err
		}
		page.Position = at.position
		if page.Items, err = answersOf(ctx, tx, rows[:min(len(rows), s.limit)], at.position, at.at); err != nil {
			return err
		}
		if len(rows) > s.limit {
			if page.NextCursor, err = s.next(f, at, rows[s.limit-1].registered); err != nil {
				return err
			}
		}
		page.Total, err = total(ctx, tx, f.Paging, `SELECT count(*) FROM sources `+where, int64(0), s.cutAt(at.position), f.Status, f.Channel)
		return err
	})
	return page, err
}

// Source implements query.Plans.
func (r *Reader) Source(ctx context.Context, ask query.Read, id uuid.UUID) (query.Source, error) {
	if !ask.AsOf.IsNow() {
		return r.pastSource(ctx, ask, id)
	}
	var answer query.Source
	err := r.read(ctx, ask, func(ctx context.Context, tx pgx.Tx, at moment) error {
		row, err := one(ctx, tx, sourcesTable, `WHERE source_id = $1`, id.String())
		if err != nil {
			return err
		}
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

// answersOf puts beside each source what it sent last and what of it was
// rejected lately, up to a position and the time that it was then. Messages count once, however many of their items were refused.
func answersOf(ctx context.Context, tx pgx.Tx, rows []*sourceRow, position int64, now time.Time) ([]query.Source, error) {
	ids, answers, at := make([]string, len(rows)), make([]query.Source, len(rows)), map[string]int{}
	for i, row := range rows {
		ids[i], answers[i], at[row.id] = row.id, row.answer(), i
	}
	found, err := tx.Query(ctx, `SELECT s.id, x.message_id, x.payload_sha256, x.outcome, x.code, x.recorded_at, r.hour, r.day
		FROM unnest($1::text[]) AS s (id)
		LEFT JOIN LATERAL (SELECT c.* FROM external_changes c
			WHERE (c.source_id, c.position) >= (s.id, 0) AND (c.source_id, c.position) <= (s.id, $2)
			ORDER BY c.source_id DESC, c.position DESC LIMIT 1) x ON true
		CROSS JOIN LATERAL (SELECT
				count(*) FILTER (WHERE c.item = 0 AND c.recorded_at > $3) + count(DISTINCT c.message_id) FILTER (WHERE c.item > 0 AND c.recorded_at > $3) AS hour,
				count(*) FILTER (WHERE c.item = 0) + count(DISTINCT c.message_id) FILTER (WHERE c.item > 0) AS day
			FROM external_changes c
			WHERE c.outcome = 'rejected' AND c.source_id = s.id AND c.recorded_at > $4 AND c.position <= $2) r`,
		ids, position, now.Add(-time.Hour), now.Add(-24*time.Hour))
	if err != nil {
		return nil, fmt.Errorf("messages of sources: %w", err)
	}
	var id string
	var message, hash, outcome, code *string
	var recorded *time.Time
	var hour, day int64
	_, err = pgx.ForEachRow(found, []any{&id, &message, &hash, &outcome, &code, &recorded, &hour, &day}, func() error {
		a := &answers[at[id]]
		a.RejectedLastHour, a.RejectedLastDay = hour, day
		if recorded != nil {
			a.LastMessage = &query.SourceMessage{MessageID: *message, PayloadSHA256: *hash, Outcome: *outcome, Code: *code, RecordedAt: recorded.UTC()}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("messages of sources: %w", err)
	}
	return answers, nil
}

func (row *sourceRow) answer() query.Source {
	q := query.Source{
		ID: row.id, Name: row.name, System: row.system, Channel: row.channel, StewardID: row.stewardID, Status: row.status,
		StatusReason: row.statusReason, StatusBy: row.statusBy, StatusSince: row.statusSince.UTC(), PublicKey: row.publicKey,
		CredentialFingerprint: row.fingerprint, AllowedIndicators: []query.SourceAllowed{}, SchemaRef: row.schemaRef,
		MaxRatePerMin: int(row.maxRate), RegisteredAt: row.registeredAt.UTC(), RegisteredBy: row.registeredBy, Version: row.version,
	}
	for _, a := range row.allowed {
		q.AllowedIndicators = append(q.AllowedIndicators, query.SourceAllowed(a))
	}
	return q
}
