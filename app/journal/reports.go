package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/journal"
)

// Cause is what led to a reminder.
type Cause struct {
	EventID       string // of the causing event
	CorrelationID string // of its chain; empty = a new one
}

// Remind records that something is due. It is recorded once however often it is
// asked for under the same command id with the same content. An error means that
// it may not be recorded: ask again.
func (r *Recorder) Remind(ctx context.Context, organizationID, commandID uuid.UUID, e journal.Reminded, by Cause) error {
	if r == nil {
		return nil
	}
	return r.report(ctx, organizationID, commandID, []entry{{event: e, causation: by.EventID, correlationID: by.CorrelationID}})
}

// Diverged records rows of read models that were not what the log says: at most
// eventlog.MaxEventsPerCommand of one organization.
func (r *Recorder) Diverged(ctx context.Context, organizationID uuid.UUID, rows ...journal.ReadModelDiverged) error {
	if r == nil || len(rows) == 0 {
		return nil
	}
	entries := make([]entry, len(rows))
	for i, row := range rows {
		entries[i].event = row
	}
	return r.report(ctx, organizationID, uuid.Nil, entries)
}

// Repaired records that a read model was replaced by what the log says.
func (r *Recorder) Repaired(ctx context.Context, organizationID uuid.UUID, e journal.ReadModelRepaired) error {
	if r == nil {
		return nil
	}
	return r.report(ctx, organizationID, uuid.Nil, []entry{{event: e}})
}

// report writes at once and says whether it did.
func (r *Recorder) report(ctx context.Context, organizationID, commandID uuid.UUID, entries []entry) error {
	now := r.options.Clock().UTC().Truncate(time.Microsecond)
	for i := range entries {
		entries[i].at = now
	}
	cmd, err := r.commandOf(orInstallation(organizationID), commandID, entries)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if _, err := r.append(ctx, cmd); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}
