package command

import (
	"context"

	"github.com/google/uuid"

	"strata.dev/strata/domain/strategy"
)

// Remembered gives the state a process would decide on after looking at the log.
func (s *Strategies) Remembered(ctx context.Context, organizationID, id uuid.UUID) (strategy.State, error) {
	f, err := s.executor.load(ctx, organizationID, s.executor.stream(id), true)
	return f.state, err
}
