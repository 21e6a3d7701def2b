package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/ledger"
)

var _ ledger.Events = (*Log)(nil)

const eventSQL = `SELECT ` + columns + ` FROM public.events WHERE event_id = $1 AND organization_id = $2`

// FindEvent implements ledger.Events.
func (l *Log) FindEvent(ctx context.Context, organization, id uuid.UUID) (eventlog.Event, bool, error) {
	found, err := read(ctx, l, "find event "+id.String(), func(ctx context.Context) ([]eventlog.Event, error) {
		rows, _ := l.reads.Query(ctx, eventSQL, [16]byte(id), [16]byte(organization)) // CollectRows returns its error
		return pgx.CollectRows(rows, scanEvent)
	})
	if err != nil || len(found) == 0 {
		return eventlog.Event{}, false, err
	}
	return found[0], true, nil
}
