package command

import (
	"context"

	"github.com/google/uuid"

	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
)

// Remembered gives the state a process would decide on after looking at the log.
func (s *Strategies) Remembered(ctx context.Context, organizationID, id uuid.UUID) (strategy.State, error) {
	f, err := s.executor.load(ctx, organizationID, s.executor.stream(id), true)
	return f.state, err
}

// Remembered gives the state a process has in memory.
func (o *Organizations) Remembered(id uuid.UUID) organization.State {
	f, _ := o.executor.cache.get(cacheKey(id, o.executor.stream(id)))
	return f.state
}
