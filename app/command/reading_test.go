package command_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/organization"
)

func TestReadingTakesARole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enrol("viewer", authz.Viewer)
	w.enrol("nothing")
	reads := func(commands *command.Commands, name string) error {
		return commands.Organizations.MayRead(t.Context(), w.as(name).Principal)
	}
	other := w.process()
	for _, name := range []string{"admin", "officer", "author", "approver", "owner", "viewer"} {
		for _, commands := range []*command.Commands{w.commands, other} {
			if err := reads(commands, name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	refused(t, reads(w.commands, "nobody"), command.ErrNotMember)
	refused(t, reads(w.commands, "nothing"), authz.ErrRole)
	stranger := w.as("author").Principal
	stranger.OrganizationID = uuid.New()
	refused(t, w.commands.Organizations.MayRead(t.Context(), stranger), command.ErrNotMember)

	// A grant that another process records lets in at once, for some strategies also.
	id, _, _ := w.draft()
	w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org, organization.GrantRole{
		GrantID: uuid.NewString(), MemberID: w.members["nothing"], Role: authz.Viewer, TicketRef: "T-2",
		Scope: organization.Scope{StrategyIDs: []string{id.String()}},
	}))
	if err := reads(other, "nothing"); err != nil {
		t.Errorf("after the grant: %v", err)
	}
	w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org, organization.OffboardMember{MemberID: w.members["nothing"], Reason: "left"}))
	refused(t, reads(w.commands, "nothing"), command.ErrNotMember)
}

// What another instance has revoked is gone within the age of memberships.
func TestARevokedReaderReadsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		other := w.process()
		viewer := w.as("owner").Principal
		if err := other.Organizations.MayRead(t.Context(), viewer); err != nil {
			t.Fatal(err)
		}
		w.must(w.commands.Organizations.Execute(t.Context(), w.as("admin"), w.org, organization.OffboardMember{MemberID: w.members["owner"], Reason: "left"}))
		time.Sleep(command.MembershipAge + time.Millisecond) // of the bubble: the age is the scenario
		refused(t, other.Organizations.MayRead(t.Context(), viewer), command.ErrNotMember)
	})
}

// Reads do not need the log at every moment, but whoever could be revoked
// meanwhile does not read for longer than a minute.
func TestReadingWithoutTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &brittleLog{Log: &memory.Log{}}
		w := newWorldOn(t, log)
		viewer := w.as("owner").Principal
		log.down = true
		for range 59 {
			time.Sleep(time.Second) // of the bubble: how long the log is away is the scenario
			if err := w.commands.Organizations.MayRead(t.Context(), viewer); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second) // as above
		refused(t, w.commands.Organizations.MayRead(t.Context(), viewer), eventlog.ErrUnavailable)
		log.down = false
		if err := w.commands.Organizations.MayRead(t.Context(), viewer); err != nil {
			t.Errorf("when the log is back: %v", err)
		}
	})
}

// brittleLog is a log that can be away.
type brittleLog struct {
	eventlog.Log
	down bool
}

func (b *brittleLog) ReadStream(ctx context.Context, organization uuid.UUID, stream string, after int64, limit int) ([]eventlog.Event, error) {
	if b.down {
		return nil, eventlog.ErrUnavailable
	}
	return b.Log.ReadStream(ctx, organization, stream, after, limit)
}
