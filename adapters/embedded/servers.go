package embedded

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// Server is a Postgres or a RabbitMQ.
type Server interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// Start starts the servers at the same time and returns when all are ready, or
// stops all and returns the first error.
func Start(ctx context.Context, servers ...Server) error {
	g, starting := errgroup.WithContext(ctx)
	for _, s := range servers {
		g.Go(func() error { return s.Start(starting) })
	}
	if err := g.Wait(); err != nil {
		return errors.Join(err, Stop(context.WithoutCancel(ctx), servers...))
	}
	return nil
}

// Stop stops the servers at the same time.
func Stop(ctx context.Context, servers ...Server) error {
	errs := make([]error, len(servers))
	var g errgroup.Group
	for i, s := range servers {
		g.Go(func() error {
			errs[i] = s.Stop(ctx)
			return nil
		})
	}
	_ = g.Wait() // its functions return nil; errs has one each
	return errors.Join(errs...)
}
