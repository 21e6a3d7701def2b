package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// Receipt is what somebody keeps of a command to prove, without us, what was
// recorded of it and when that was sealed.
type Receipt struct {
	CommandID      uuid.UUID
	OrganizationID uuid.UUID
	Checkpoint     Checkpoint
	Events         []Sealed
	VKeys          []string // that have signed: a verifier knows better which to believe
}

// Sealed is an event with its proof.
type Sealed struct {
	Event eventlog.Event
	Proof Proof
}

// Receipt gives the receipt of a command of an organization. It waits until the
// command is sealed, at most as long as wait.
func (r *Reader) Receipt(ctx context.Context, organization, command uuid.UUID, wait time.Duration) (Receipt, error) {
	events, err := r.recorded(ctx, organization, command)
	if err != nil {
		return Receipt{}, err
	}
	c, err := r.Sealed(ctx, events[len(events)-1].Position, wait)
	if err != nil {
		return Receipt{}, err
	}
	receipt := Receipt{CommandID: command, OrganizationID: organization, Checkpoint: c}
	for i := range events {
		p, err := r.prove(ctx, &events[i], c.Size, c.Root)
		if err != nil {
			return Receipt{}, err
		}
		receipt.Events = append(receipt.Events, Sealed{Event: events[i], Proof: p})
	}
	keys, err := r.o.Store.Keys(ctx)
	if err != nil {
		return Receipt{}, fmt.Errorf("keys: %w", err)
	}
	for _, k := range keys {
		if k.LastSize >= c.Size {
			receipt.VKeys = append(receipt.VKeys, k.VKey)
		}
	}
	return receipt, nil
}

// recorded are the events of a command of the organization: one stream's, side by
// side in the log.
func (r *Reader) recorded(ctx context.Context, organization, command uuid.UUID) ([]eventlog.Event, error) {
	found, _, ok, err := r.o.Events.FindCommand(ctx, command)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoSuchCommand
	}
	events, err := r.o.Events.Read(ctx, found.FirstPosition-1, int(found.Position-found.FirstPosition+1))
	if err != nil {
		return nil, err
	}
	if len(events) == 0 || events[0].OrganizationID != organization {
		return nil, ErrNoSuchCommand // another organization's is none
	}
	return events, nil
}
