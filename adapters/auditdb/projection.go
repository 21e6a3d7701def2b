package auditdb

import (
	"context"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/adapters/internal/readdb"
	"strata.dev/strata/app/eventlog"
)

// Name of the projection and of its consumer group.
const Name = "audit"

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

func (model) Decode(e eventlog.Event) (*row, error) { return rowOf(e), nil }

func (model) Writer(empty bool) readdb.Writer[*row] { return &writer{loading: empty} }

func (model) Content() []readdb.Content { return []readdb.Content{events.Content()} }

// writer collects rows: there is nothing to fold.
type writer struct {
	loading bool // into a copy that is being built: COPY works
	rows    []*row
	bytes   int
}

func (*writer) Load(context.Context, pgx.Tx, []*row) error { return nil }

func (w *writer) Fold(r *row) error {
	w.rows = append(w.rows, r)
	w.bytes += len(r.event.Data) + len(r.event.Metadata) + rowOverhead
	return nil
}

// rowOverhead is about what a row takes beside its bodies.
const rowOverhead = 512

// Weight counts rows fourfold: nothing is gained by holding them, and while one
// part is being copied the next one is being read.
func (w *writer) Weight() int { return w.bytes / 64 }

// Flush writes. No row can be there yet: the checkpoint is locked in the same
// transaction.
func (w *writer) Flush(ctx context.Context, tx pgx.Tx) error {
	rows := w.rows
	w.rows, w.bytes = nil, 0
	if w.loading {
		return events.Copy(ctx, tx, rows)
	}
	batch := &pgx.Batch{}
	if err := events.QueueUpsert(batch, rows); err != nil {
		return err
	}
	return readdb.Send(ctx, tx, batch)
}
