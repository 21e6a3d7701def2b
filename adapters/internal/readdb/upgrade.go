package readdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/projection"
)

// upgradePoll is how often one looks for the end of somebody else's rebuild.
const upgradePoll = 250 * time.Millisecond

// Upgrade implements projection.Projection.
func (p *Projection[D]) Upgrade(ctx context.Context, log eventlog.Reader, progress func(projection.Progress)) error {
	for {
		live, err := p.liveLayout(ctx)
		switch {
		case err != nil:
			return err
		case live == p.model.Layout():
			return nil
		case live > p.model.Layout():
			return p.older(live)
		}
		p.log.InfoContext(ctx, "the live model has the layout of another release: rebuilding", "live", live, "layout", p.model.Layout())
		if err := p.Rebuild(ctx, log, progress); !errors.Is(err, projection.ErrRebuilding) {
			return err
		}
		pause := time.NewTimer(upgradePoll)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

func (p *Projection[D]) liveLayout(ctx context.Context) (int, error) {
	var layout int
	err := p.pool.QueryRow(ctx, `SELECT layout FROM public.generations WHERE projection = $1 AND state = 'live'`, p.Name()).Scan(&layout)
	if err != nil {
		return 0, fmt.Errorf("layout of projection %s: %w", p.Name(), err)
	}
	return layout, nil
}

// older is the error for a live model that a newer release has made; nil if it is not newer.
func (p *Projection[D]) older(live int) error {
	if live <= p.model.Layout() {
		return nil
	}
	return &projection.LayoutError{Projection: p.Name(), Live: live, Code: p.model.Layout()}
}
