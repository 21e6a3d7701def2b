package auditdb

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/app/eventlog"
)

// Name of the projection and of its consumer group.
const Name = "audit"

// layout is the number of the table and of what is read out into it; see readdb.Model.
const layout = 3

// Options of a projection.
type Options = readdb.Options

// Projection keeps the audit database. It implements projection.Projection.
type Projection struct{ *readdb.Projection[*row] }

// OpenProjection connects as strata_audit_projector. Close it.
func OpenProjection(ctx context.Context, url string, o Options) (*Projection, error) {
	p, err := readdb.Open(ctx, url, readdb.Model[*row](model{}), o)
	if err != nil {
		return nil, err
	}
	return &Projection{p}, nil
}

// model implements readdb.Model.
type model struct{}

func (model) Name() string { return Name }

func (model) Layout() int { return layout }

func (model) Decode(e eventlog.Event) (*row, error) { return rowOf(e), nil }

func (model) Writer(empty bool) readdb.Writer[*row] {
	return &writer{loading: empty, streams: newStreams(empty)}
}

func (model) Content() []readdb.Content {
	return []readdb.Content{events.Content(), streams.Content()}
}

// writer collects rows, and knows which strategy each indicator belongs to.
type writer struct {
	loading bool // into a copy that is being built: COPY works
	streams *readdb.Rows[streamKey, streamRow]
	rows    []*row
	bytes   int
}

// Load implements readdb.Writer.
func (w *writer) Load(ctx context.Context, tx pgx.Tx, rows []*row) error {
	var keys []streamKey
	for _, r := range rows {
		if strings.HasPrefix(r.event.StreamID, indicatorStream) {
			keys = append(keys, streamKey{r.event.OrganizationID, r.event.StreamID})
		}
	}
	batch := &pgx.Batch{}
	if err := w.streams.Load(batch, keys, nil); err != nil {
		return err
	}
	return readdb.Send(ctx, tx, batch)
}

// Fold implements readdb.Writer. It never refuses.
func (w *writer) Fold(r *row) error {
	if strings.HasPrefix(r.event.StreamID, indicatorStream) {
		w.belong(r)
	}
	w.rows = append(w.rows, r)
	w.bytes += len(r.event.Data) + len(r.event.Metadata) + rowOverhead
	return nil
}

// belong puts an indicator's event under the strategy that it belonged to.
func (w *writer) belong(r *row) {
	k := streamKey{r.event.OrganizationID, r.event.StreamID}
	var before string
	if s := w.streams.Get(k); s != nil {
		before = s.strategyID
	}
	if r.joins == "" || r.joins == before {
		r.strategyID = before
		return
	}
	r.strategyID, r.movedFrom = r.joins, before
	w.streams.Put(k, &streamRow{org: k.org, streamID: k.id, version: r.event.Version, strategyID: r.joins})
}

// rowOverhead is about what a row takes beside its bodies.
const rowOverhead = 512

// Weight counts rows fourfold: nothing is gained by holding them, and while one
// part is being copied the next one is being read. The strategies of indicators
// are kept while a copy is being built, so they do not count: letting go of them
// would bring no relief.
func (w *writer) Weight() int { return w.bytes / 64 }

// Flush writes. No event's row can be there yet: the checkpoint is locked in the
// same transaction.
func (w *writer) Flush(ctx context.Context, tx pgx.Tx) error {
	rows := w.rows
	w.rows, w.bytes = nil, 0
	batch := &pgx.Batch{}
	if err := w.streams.Flush(ctx, tx, batch, false); err != nil {
		return err
	}
	if w.loading {
		if err := events.Copy(ctx, tx, rows); err != nil {
			return err
		}
	} else if err := events.QueueUpsert(batch, rows); err != nil {
		return err
	}
	return readdb.Send(ctx, tx, batch)
}
