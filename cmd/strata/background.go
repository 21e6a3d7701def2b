package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"strata.dev/strata/app/process"
	"strata.dev/strata/app/projection"
)

// upgradePause is between attempts to bring a read model up to this release.
const upgradePause = 2 * time.Second

// background starts what an instance does beside answering: it reads for the
// consumer groups, fires the timers of the processes, takes messages of sources
// from their queues, brings read models up to this release and verifies them,
// works on accepted imports, seals documents, archives signed checkpoints, and fetches the
// issuer's keys. All of it ends with ctx.
func (s *service) background(ctx context.Context, parts *errgroup.Group) {
	finished := make(chan struct{}) // closed when no group reads any more
	if len(s.cfg.Groups) == 0 {
		close(finished)
	} else {
		parts.Go(func() error {
			defer close(finished)
			if err := s.consumers.Run(ctx); err != nil {
				return fmt.Errorf("consumer groups: %w", err)
			}
			return nil
		})
	}
	if s.cfg.takesPart(process.Group) {
		parts.Go(func() error {
			s.processes.RunTimers(ctx, s.leadsProcesses, 0)
			return nil
		})
	}
	for _, p := range s.projections() {
		if s.cfg.takesPart(p.Name()) {
			parts.Go(func() error { return s.upgrade(ctx, p) })
			parts.Go(func() error {
				s.verifying.run(ctx, p)
				return nil
			})
		}
	}
	if s.persons != nil {
		parts.Go(func() error {
			s.sealOriginals(ctx)
			return nil
		})
	}
	if s.archiver != nil {
		parts.Go(func() error {
			s.runArchiving(ctx, finished)
			return nil
		})
	}
	if s.sealer != nil {
		parts.Go(func() error {
			s.runSealing(ctx)
			return nil
		})
	}
	if s.selfVerifying != nil {
		parts.Go(func() error {
			s.selfVerifying.rolling.Run(ctx, s.leadsLedger)
			return nil
		})
	}
	if s.cfg.takesPart(s.audit.Name()) {
		parts.Go(func() error {
			s.sampling.run(ctx)
			return nil
		})
	}
	if s.inbound != nil {
		parts.Go(func() error {
			s.inbound.Run(ctx)
			return nil
		})
	}
	if s.store != nil {
		parts.Go(func() error {
			s.standing.watch(ctx, s.store)
			return nil
		})
	}
	parts.Go(func() error { return s.api.Run(ctx) })
	parts.Go(func() error {
		s.warm(ctx)
		return nil
	})
}

// warm fetches the issuer's keys, so that the first token need not wait. An
// issuer that does not answer yet is asked again by the first token.
func (s *service) warm(ctx context.Context) {
	if err := s.tokens.Warm(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "the issuer's keys could not be fetched yet", "err", err)
	}
}

// upgrade rebuilds a read model that another release has made. What may pass is
// tried again; that a newer release has taken over does not pass, and ends the
// process.
func (s *service) upgrade(ctx context.Context, p projection.Projection) error {
	for ctx.Err() == nil {
		err := p.Upgrade(ctx, s.events, nil)
		if err == nil {
			break
		}
		var overtaken *projection.LayoutError
		if errors.As(err, &overtaken) {
			return fmt.Errorf("upgrade projection %s: %w", p.Name(), err)
		}
		if wait(ctx, upgradePause) {
			s.log.WarnContext(ctx, "the read model could not be brought up to this release yet", "projection", p.Name(), "err", err)
		}
	}
	return nil
}
