package auditdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

const (
	typeAttested  = "strategy.period-attested"
	typeDefined   = "indicator.defined"
	typeRedefined = "indicator.redefined"
)

// touching are the types of events that change what a period says of an indicator.
var touching = []string{
	"indicator.measurement-corrected", "indicator.measurement-recorded", "indicator.measurement-voided", typeRedefined, "indicator.target-set",
}

// Attestations implements query.Audit.
func (r *Reader) Attestations(ctx context.Context, ask query.Read, f query.AttestationFilter) (query.Page[query.Attestation], error) {
	var out query.Page[query.Attestation]
	if err := checkText("#/strategyId", f.StrategyID); err != nil {
		return out, err
	}
	found, err := r.pageOf(ctx, ask, f, f.Paging, func(_ context.Context, _ pgx.Tx, l *list) error {
		l.column, l.values = "type", []string{typeAttested}
		if f.StrategyID != "" {
			l.rest, l.args = append(l.rest, "strategy_id = $%d"), append(l.args, f.StrategyID)
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	out = query.Page[query.Attestation]{Items: make([]query.Attestation, len(found.rows)), NextCursor: found.next, Total: found.total, Position: found.position}
	for i, row := range found.rows {
		if out.Items[i], err = attestationOf(row); err != nil {
			return query.Page[query.Attestation]{}, err
		}
	}
	return out, nil
}

func attestationOf(r *row) (query.Attestation, error) {
	body, err := eventcodec.Decode(r.event.Type, r.event.SchemaVersion, r.event.Data)
	if err != nil {
		return query.Attestation{}, unreadable(r, err)
	}
	b, ok := body.(strategy.PeriodAttested)
	if !ok {
		return query.Attestation{}, query.ErrNotFound.Detailf("Event %s is no attestation.", r.event.ID)
	}
	return query.Attestation{
		ID: r.event.ID.String(), Position: r.event.Position, StrategyID: r.strategyID, Period: b.Period, Statement: b.Statement,
		AttesterID: b.AttesterID, AttestedAt: r.event.RecordedAt, Revision: b.Revision, ContentHash: b.ContentHash,
		LogPosition: b.LogPosition, HeadHash: b.HeadHash, Signature: r.entry().Signature,
	}, nil
}

// ChangesSinceAttestation implements query.Audit.
func (r *Reader) ChangesSinceAttestation(ctx context.Context, ask query.Read, f query.ChangesFilter) (query.ChangesSinceAttestation, error) {
	var out query.ChangesSinceAttestation
	limit, err := f.Size()
	if err != nil {
		return out, err
	}
	ask = ask.Within(f.Paging)
	cut, after, err := cursorOf(f, ask.AsOf, f.Cursor)
	if err != nil {
		return out, err
	}
	err = r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, position, known int64) error {
		found, err := eventByID(ctx, tx, f.AttestationID, position)
		if err != nil {
			return err
		}
		if out.Attestation, err = attestationOf(found); err != nil {
			return err
		}
		if f.Cursor == "" {
			cut = position
		}
		s := since{period: out.Attestation.Period, after: max(after, out.Attestation.LogPosition), upTo: min(cut, position), limit: limit, count: f.Count}
		if s.streams, err = indicatorsOf(ctx, tx, out.Attestation.StrategyID, out.Attestation.LogPosition); err != nil {
			return err
		}
		if f.Count && f.Cursor != "" { // all pages' items are counted, not those of this page and the next ones
			whole := s
			whole.after, whole.limit = out.Attestation.LogPosition, 0
			if err := whole.find(ctx, tx); err != nil {
				return err
			}
			s.count, out.Total = false, &whole.total
		}
		if err := s.find(ctx, tx); err != nil {
			return err
		}
		if s.count {
			out.Total = &s.total
		}
		out.Position, out.Items = position, entries(s.found)
		if !s.more {
			return nil
		}
		then, err := settled(ctx, tx, ask.AsOf, position, known)
		if err != nil {
			return err
		}
		out.NextCursor, err = query.EncodeCursor(f, then, cut, strconv.FormatInt(s.found[limit-1].event.Position, 10))
		return err
	})
	return out, err
}

// indicatorsOf are the streams of the indicators that belonged to a strategy at
// a position.
func indicatorsOf(ctx context.Context, tx pgx.Tx, strategyID string, at int64) ([]string, error) {
	belongs := map[string]bool{}
	var order []string
	l := list{upTo: at, column: "strategy_id", values: []string{strategyID}, rest: []string{"type = ANY($%d)"}, args: []any{[]string{typeDefined, typeRedefined}}}
	err := l.all(ctx, tx, func(r *row) error {
		if !strings.HasPrefix(r.event.StreamID, indicatorStream) {
			return nil
		}
		if _, known := belongs[r.event.StreamID]; !known {
			order = append(order, r.event.StreamID)
		}
		belongs[r.event.StreamID] = r.strategyID == strategyID
		return nil
	})
	var streams []string
	for _, s := range order {
		if belongs[s] {
			streams = append(streams, s)
		}
	}
	return streams, err
}

// since finds what touches a period on some streams.
type since struct {
	period      calendar.Period
	streams     []string
	after, upTo int64
	limit       int  // 0 = none are wanted
	count       bool // look at all, for total

	found []*row
	more  bool
	total int64
}

// fewStreams is up to how many streams each is walked by itself.
const fewStreams = 200

func (s *since) find(ctx context.Context, tx pgx.Tx) error {
	if len(s.streams) == 0 {
		return nil
	}
	l := list{after: s.after, upTo: s.upTo, column: "stream_id", values: s.streams, rest: []string{"type = ANY($%d)"}, args: []any{touching}}
	if len(s.streams) > fewStreams {
		l.column, l.values, l.rest, l.args = "type", touching, []string{"stream_id = ANY($%d)"}, []any{s.streams}
	}
	for {
		rows, err := l.page(ctx, tx, query.MaxLimit)
		if err != nil {
			return fmt.Errorf("changes since an attestation: %w", err)
		}
		for _, r := range rows {
			l.after = r.event.Position
			touches, err := touchesPeriod(r, s.period)
			switch {
			case err != nil:
				return err
			case !touches:
				continue
			case len(s.found) < s.limit:
				s.found = append(s.found, r)
			case s.limit > 0:
				s.more = true
			}
			s.total++
		}
		if len(rows) < query.MaxLimit || s.more && !s.count {
			return nil
		}
	}
}

// touchesPeriod says whether an event changes what a period says.
func touchesPeriod(r *row, p calendar.Period) (bool, error) {
	body, err := eventcodec.Decode(r.event.Type, r.event.SchemaVersion, r.event.Data)
	if err != nil {
		return false, unreadable(r, err)
	}
	var of calendar.Period
	switch b := body.(type) {
	case indicator.MeasurementRecorded:
		of = b.Period
	case indicator.MeasurementCorrected:
		of = b.Period
	case indicator.MeasurementVoided:
		of = b.Period
	case indicator.TargetSet:
		of = b.Period
	case indicator.Redefined:
		return true, nil // what all its values mean
	}
	return of.Start <= p.End && of.End >= p.Start, nil
}

func unreadable(r *row, err error) error {
	return query.ErrIncomplete.Detailf("The event at position %d cannot be read by this release.", r.event.Position).Because(err)
}

// eventByID finds one event that was recorded up to a position.
func eventByID(ctx context.Context, tx pgx.Tx, id uuid.UUID, upTo int64) (*row, error) {
	rows, err := tx.Query(ctx, events.Select()+` WHERE event_id = $1 AND position <= $2`, id, upTo)
	if err != nil {
		return nil, fmt.Errorf("audit event: %w", err)
	}
	found, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("audit event: %w", err)
	}
	if len(found) == 0 {
		return nil, query.ErrNotFound.Detailf("There is no event %s.", id)
	}
	return found[0], nil
}
