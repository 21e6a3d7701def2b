package auditdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/indicator"
)

const evidenceStream = "evidence-"

// Provenance implements query.Audit.
func (r *Reader) Provenance(ctx context.Context, ask query.Read, measurementID uuid.UUID) (query.Provenance, error) {
	var out query.Provenance
	err := r.asOf(ctx, ask, func(ctx context.Context, tx pgx.Tx, position, _ int64) error {
		out = query.Provenance{MeasurementID: measurementID.String(), State: query.Live, Position: position}
		t := tracing{tx: tx, upTo: position}
		steps, err := t.measured(ctx, measurementID.String())
		if err != nil {
			return err
		}
		if len(steps) == 0 {
			return query.ErrNotFound.Detailf("There is no measurement %s.", measurementID)
		}
		stream := steps[0].event.StreamID
		out.IndicatorID = strings.TrimPrefix(stream, indicatorStream)
		if out.StrategyID, err = strategyOf(ctx, tx, stream, position); err != nil {
			return err
		}
		for _, row := range steps {
			if row.event.Type == "indicator.measurement-voided" {
				out.State = query.Voided
			}
			step, err := t.step(ctx, row)
			if err != nil {
				return err
			}
			out.Steps = append(out.Steps, step)
		}
		return nil
	})
	return out, err
}

// strategyOf is the strategy that an indicator belonged to at a position.
func strategyOf(ctx context.Context, tx pgx.Tx, stream string, at int64) (string, error) {
	rows, err := tx.Query(ctx, `SELECT strategy_id FROM events WHERE (stream_id, position) > ($1, 0) AND (stream_id, position) <= ($1, $2)
		ORDER BY stream_id DESC, position DESC LIMIT 1`, stream, at)
	if err != nil {
		return "", fmt.Errorf("strategy of %s: %w", stream, err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}

// tracing goes from a measurement's events to what is behind them.
type tracing struct {
	tx   pgx.Tx
	upTo int64
}

// about lists the events about a subject, in order.
func (t tracing) about(ctx context.Context, subjects ...string) ([]*row, error) {
	l := list{upTo: t.upTo, column: "subject_id", values: subjects}
	var found []*row
	err := l.all(ctx, t.tx, func(r *row) error { found = append(found, r); return nil })
	return found, err
}

// measured lists the events of one measurement. Ids are unique within an
// indicator; of two indicators with the same one, the first counts.
func (t tracing) measured(ctx context.Context, id string) ([]*row, error) {
	all, err := t.about(ctx, id)
	var steps []*row
	for _, r := range all {
		if strings.HasPrefix(r.event.StreamID, indicatorStream) && (len(steps) == 0 || steps[0].event.StreamID == r.event.StreamID) {
			steps = append(steps, r)
		}
	}
	return steps, err
}

func (t tracing) step(ctx context.Context, r *row) (query.ProvenanceStep, error) {
	step := query.ProvenanceStep{Entry: r.entry(), Evidence: []query.MeasurementEvidence{}, Causes: []query.Entry{}}
	m, err := eventlog.DecodeMetadata(r.event.Metadata)
	if err != nil {
		return step, unreadable(r, err)
	}
	step.CommandID = m.CommandID.String()
	body, err := eventcodec.Decode(r.event.Type, r.event.SchemaVersion, r.event.Data)
	if err != nil {
		return step, unreadable(r, err)
	}
	var named string
	switch b := body.(type) {
	case indicator.MeasurementRecorded:
		if b.ImportID != "" {
			step.Import = &query.ImportLink{ImportID: b.ImportID, DocumentSHA256: m.Origin.PayloadSHA256}
		}
	case indicator.MeasurementCorrected:
		named = b.EvidenceID
	case indicator.MeasurementVoided:
		named = b.EvidenceID
	}
	if m.Origin.Kind == "import" && step.Import == nil {
		step.Import = &query.ImportLink{ImportID: m.Origin.MessageID, DocumentSHA256: m.Origin.PayloadSHA256}
	}
	if named != "" {
		if err := t.evidence(ctx, &step, named, query.Named); err != nil {
			return step, err
		}
	}
	if err := t.linked(ctx, &step, r); err != nil {
		return step, err
	}
	return step, t.causes(ctx, &step)
}

// linked finds the evidence that was linked to the event.
func (t tracing) linked(ctx context.Context, step *query.ProvenanceStep, r *row) error {
	links, err := t.about(ctx, r.event.ID.String())
	if err != nil {
		return err
	}
	for _, link := range links {
		body, err := eventcodec.Decode(link.event.Type, link.event.SchemaVersion, link.event.Data)
		if err != nil {
			return unreadable(link, err)
		}
		if b, ok := body.(evidence.Linked); ok {
			if err := t.evidence(ctx, step, strings.TrimPrefix(link.event.StreamID, evidenceStream), string(b.Relation)); err != nil {
				return err
			}
		}
	}
	return nil
}

// evidence adds a piece of evidence, with the hash of its bytes where it is known.
func (t tracing) evidence(ctx context.Context, step *query.ProvenanceStep, id, relation string) error {
	e := query.MeasurementEvidence{EvidenceID: id, Relation: relation}
	l := list{upTo: t.upTo, column: "stream_id", values: []string{evidenceStream + id}}
	first, err := l.page(ctx, t.tx, 1)
	if err != nil {
		return fmt.Errorf("evidence %s: %w", id, err)
	}
	for _, r := range first {
		body, err := eventcodec.Decode(r.event.Type, r.event.SchemaVersion, r.event.Data)
		if err != nil {
			return unreadable(r, err)
		}
		if b, ok := body.(evidence.Registered); ok {
			e.SHA256, e.MediaType = b.SHA256, b.MediaType
		}
	}
	step.Evidence = append(step.Evidence, e)
	return nil
}

// causes follows the chain of causes to its root. A cause that is no event of
// the organization ends it.
func (t tracing) causes(ctx context.Context, step *query.ProvenanceStep) error {
	next, seen := step.CausationID, map[string]bool{step.ID: true}
	for range query.MaxCauses {
		if !ident.Valid(next) || seen[next] {
			return nil
		}
		seen[next] = true
		rows, err := t.tx.Query(ctx, events.Select()+` WHERE event_id = $1::uuid`, next)
		if err != nil {
			return fmt.Errorf("cause %s: %w", next, err)
		}
		found, err := pgx.CollectRows(rows, scan)
		if err != nil {
			return fmt.Errorf("cause %s: %w", next, err)
		}
		if len(found) == 0 {
			return nil
		}
		cause := found[0].entry()
		step.Causes = append(step.Causes, cause)
		next = cause.CausationID
	}
	return nil
}
