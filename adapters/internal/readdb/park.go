package readdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
)

// foldError is what a model's Fold said about one event.
type foldError struct{ err error }

func (e *foldError) Error() string { return e.err.Error() }
func (e *foldError) Unwrap() error { return e.err }

// parking collects what a batch leaves behind, by stream.
type parking map[string]*parkedEvent

type parkedEvent struct {
	event   eventlog.Event
	reason  error
	skipped int64
}

func (p parking) add(e eventlog.Event, reason error) {
	p[e.StreamID] = &parkedEvent{event: e, reason: reason}
}

// skips says whether the event's stream was parked before, and counts it.
func (p parking) skips(e eventlog.Event) bool {
	at, parked := p[e.StreamID]
	if parked {
		at.skipped++
	}
	return parked
}

// panicked gives the first panic among the reasons, if there is one.
func (p parking) panicked() error {
	for _, stream := range slices.Sorted(maps.Keys(p)) {
		var panicked *panicError
		if errors.As(p[stream].reason, &panicked) {
			return p[stream].reason
		}
	}
	return nil
}

// park writes the parked streams beside the model, in its transaction.
func (p *Projection[D]) park(ctx context.Context, tx pgx.Tx, g generation, streams parking) error {
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		at := streams[stream]
		e, reason := at.event, printable(at.reason.Error())
		_, err := tx.Exec(ctx, `
			INSERT INTO public.parked (projection, generation, stream_id, organization_id, position, version, event_id, type, reason, skipped)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			p.Name(), g.number, stream, e.OrganizationID, e.Position, e.Version, e.ID, e.Type, reason, at.skipped)
		if err != nil {
			return fmt.Errorf("park stream %s: %w", stream, err)
		}
		p.log.ErrorContext(ctx, "a stream is parked: its next event cannot be applied", "stream", stream,
			"position", e.Position, "type", e.Type, "reason", reason)
	}
	return nil
}

// printable makes a reason fit for the database: bounded, valid text without NUL.
func printable(s string) string {
	const longest = 2000
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) > longest {
		s = s[:longest]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return s
}

// skipParked takes the events of parked streams out of the batch and counts them.
func skipParked[D any](ctx context.Context, tx pgx.Tx, name string, g generation, items []item[D]) ([]item[D], error) {
	count := map[string]int64{}
	for _, it := range items {
		count[it.event.StreamID]++
	}
	streams := slices.Sorted(maps.Keys(count))
	counts := make([]int64, len(streams))
	for i, s := range streams {
		counts[i] = count[s]
	}
	rows, err := tx.Query(ctx, `
		UPDATE public.parked p SET skipped = skipped + u.n FROM unnest($3::text[], $4::bigint[]) AS u (stream_id, n)
		WHERE p.projection = $1 AND p.generation = $2 AND p.stream_id = u.stream_id RETURNING p.stream_id`,
		name, g.number, streams, counts)
	if err != nil {
		return nil, fmt.Errorf("look for parked streams: %w", err)
	}
	parked, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for parked streams: %w", err)
	}
	if len(parked) == 0 {
		return items, nil
	}
	out := make([]item[D], 0, len(items))
	for _, it := range items {
		if !slices.Contains(parked, it.event.StreamID) {
			out = append(out, it)
		}
	}
	return out, nil
}

// Resume implements projection.Projection.
func (p *Projection[D]) Resume(ctx context.Context, log eventlog.StreamReader, streamID string) error {
	err := inTx(ctx, p.pool, func(tx pgx.Tx) error {
		g, err := lockLiveOf(ctx, tx, p)
		if err != nil {
			return err
		}
		// The row goes first: were it there, the fold below would skip the stream.
		var e eventlog.Event
		err = tx.QueryRow(ctx, `DELETE FROM public.parked WHERE projection = $1 AND generation = $2 AND stream_id = $3
			RETURNING organization_id, version`, p.Name(), g.number, streamID).Scan(&e.OrganizationID, &e.Version)
		if errors.Is(err, pgx.ErrNoRows) {
			return projection.ErrNotParked
		}
		if err != nil {
			return err
		}
		missed, err := log.ReadStream(ctx, e.OrganizationID, streamID, e.Version-1, 0)
		if err != nil {
			return fmt.Errorf("read what it missed: %w", err)
		}
		return p.foldMissed(ctx, tx, g, missed)
	})
	if err != nil {
		return fmt.Errorf("resume %s in projection %s: %w", streamID, p.Name(), err)
	}
	return nil
}

// foldMissed applies a resumed stream's events up to the checkpoint. The first
// that fails ends it: the stream stays as it was, parked.
func (p *Projection[D]) foldMissed(ctx context.Context, tx pgx.Tx, g generation, missed []eventlog.Event) error {
	behind := slices.IndexFunc(missed, func(e eventlog.Event) bool { return e.Position > g.position })
	if behind >= 0 {
		missed = missed[:behind]
	}
	items := p.decode(ctx, missed)
	w := p.model.Writer(false)
	if err := w.Load(ctx, tx, decodedOf(items)); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	for _, it := range items {
		err := it.poison
		if err == nil {
			err = guarded(func() error { return w.Fold(it.decoded) })
		}
		if err != nil {
			return fmt.Errorf("position %d (%s): %w", it.event.Position, it.event.Type, err)
		}
	}
	return w.Flush(ctx, tx)
}
