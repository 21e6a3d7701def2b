// Package erasure destroys the keys of which the log says that they are
// destroyed.
//
// A key is destroyed by whoever erases, right after the erasure is recorded.
// The consumer group erasure makes sure of it: it reads the log, and destroys
// what every organization.personal-data-erased names. A crash between the
// record and the deed is healed by it, and so is a key store that was away, or
// that was put back from a backup: [Replay] goes through a whole log, before
// anybody reads anything of one that was restored.
//
// # When it fails
//
// Destroying can be repeated any number of times. A key store that cannot be
// reached stops the group at the event: it tries again, its lag shows, and
// nothing is passed over. An event that cannot be read is an error for ever,
// which parks its stream: the group's status says so.
package erasure

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/organization"
)

// Group is the name of the consumer group.
const Group = "erasure"

// Keys destroys keys; personal.Sealer does.
type Keys interface {
	// Destroy makes a subject's key unreadable for ever, also where there never was
	// one. Destroying again changes nothing.
	Destroy(ctx context.Context, organizationID uuid.UUID, subjectID, requestID string) error
}

// batch is how many events Replay reads at once.
const batch = 1_000

// erased is the wire type of the event that names keys.
const erased = "organization.personal-data-erased"

// Handler is the group's eventlog.BatchHandler.
func Handler(keys Keys) eventlog.BatchHandler {
	return func(ctx context.Context, events []eventlog.Event) error {
		_, err := destroy(ctx, keys, events)
		return err
	}
}

// Replay destroys what a whole log says is destroyed, and gives how many keys
// that are. A log that was restored must not be read by anybody before.
func Replay(ctx context.Context, log eventlog.Reader, keys Keys) (destroyed int, err error) {
	for after := int64(0); ; {
		events, err := log.Read(ctx, after, batch)
		if err != nil {
			return destroyed, fmt.Errorf("read the log behind position %d: %w", after, err)
		}
		n, err := destroy(ctx, keys, events)
		destroyed += n
		if err != nil || len(events) < batch {
			return destroyed, err
		}
		after = events[len(events)-1].Position
	}
}

func destroy(ctx context.Context, keys Keys, events []eventlog.Event) (destroyed int, err error) {
	for _, e := range events {
		if e.Type != erased {
			continue
		}
		body, err := eventcodec.Decode(e.Type, e.SchemaVersion, e.Data)
		if err != nil {
			return destroyed, fmt.Errorf("erasure at position %d: %w", e.Position, err)
		}
		erasure, ok := body.(organization.PersonalDataErased)
		if !ok {
			return destroyed, fmt.Errorf("erasure at position %d: it is a %T", e.Position, body)
		}
		for _, id := range erasure.KeyIDs {
			if err := keys.Destroy(ctx, e.OrganizationID, id, erasure.RequestID); err != nil {
				return destroyed, fmt.Errorf("erasure at position %d: %w", e.Position, err)
			}
			destroyed++
		}
	}
	return destroyed, nil
}
