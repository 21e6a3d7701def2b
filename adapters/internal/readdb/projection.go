package readdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
)

// Options of a projection. The zero value is good.
type Options struct {
	Log *slog.Logger // nil = none

	// Epochs are the histories of the log that is followed: a model that holds
	// more of a history than the log does is neither read nor continued, and a
	// rebuild may replace it by one that is not as far. Zero = there is one history.
	Epochs eventlog.Epochs

	// RebuildBatch is how many events a rebuild reads at once; 0 = 20,000.
	RebuildBatch int
	// RebuildRows is how many rows a rebuild folds in memory before it writes
	// them; 0 = 400,000, some hundred megabytes. A model that is smaller is
	// written once, by COPY.
	RebuildRows int

	// Step is called where fault tests want to kill: an error ends the work as a
	// lost connection would. Nil in production.
	Step func(ctx context.Context, name string) error
}

// Projection is projection.Projection over a Model.
type Projection[D any] struct {
	model   Model[D]
	pool    *pgxpool.Pool
	signal  Signal
	options Options
	log     *slog.Logger
}

var _ projection.Projection = (*Projection[struct{}])(nil)

// Open connects as the projector role. It does not wait for the database: that
// is seen at the first use.
func Open[D any](ctx context.Context, url string, model Model[D], o Options) (*Projection[D], error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.RebuildBatch <= 0 {
		o.RebuildBatch = 20_000
	}
	if o.RebuildRows <= 0 {
		o.RebuildRows = 400_000
	}
	if o.Step == nil {
		o.Step = func(context.Context, string) error { return nil }
	}
	pool, err := openPool(ctx, url, "strata-projector-"+model.Name(), map[string]string{
		// Statements over arrays would be planned anew each time (limits.md).
		"plan_cache_mode": "force_generic_plan",
		// Everything is looked up by key. A plan made while a table was empty would
		// scan it, or sort it, and be kept while it grows.
		"enable_seqscan": "off", "enable_bitmapscan": "off", "enable_sort": "off",
	})
	if err != nil {
		return nil, err
	}
	return &Projection[D]{
		model: model, pool: pool, options: o, log: o.Log.With("projection", model.Name()), signal: Signal{epochs: o.Epochs},
	}, nil
}

// Close ends the connections. Nothing else may run any more.
func (p *Projection[D]) Close() { p.pool.Close() }

// Log is where the projection says what is out of the ordinary.
func (p *Projection[D]) Log() *slog.Logger { return p.log }

// Signal is raised after each commit.
func (p *Projection[D]) Signal() *Signal { return &p.signal }

// Name implements projection.Projection.
func (p *Projection[D]) Name() string { return p.model.Name() }

// Checkpoint implements projection.Projection.
func (p *Projection[D]) Checkpoint(ctx context.Context) (int64, error) {
	var position int64
	err := p.pool.QueryRow(ctx, `SELECT position FROM public.generations WHERE projection = $1 AND state = 'live'`, p.Name()).Scan(&position)
	if err != nil {
		return 0, fmt.Errorf("checkpoint of %s: %w", p.Name(), err)
	}
	p.signal.Raise(position)
	return position, nil
}

// Apply implements projection.Projection.
func (p *Projection[D]) Apply(ctx context.Context, events []eventlog.Event) error {
	if len(events) == 0 {
		return nil
	}
	for i, e := range events[1:] {
		if want := events[i].Position + 1; e.Position != want {
			return &projection.GapError{Projection: p.Name(), Checkpoint: events[i].Position, Got: e.Position}
		}
	}
	reached, err := p.advance(ctx, p.decode(ctx, events), lockLiveOf[D])
	var gap *projection.GapError
	if errors.As(err, &gap) {
		return gap
	}
	if err != nil {
		return fmt.Errorf("projection %s at positions %d to %d: %w", p.Name(), events[0].Position, events[len(events)-1].Position, err)
	}
	p.signal.Raise(reached)
	return nil
}
