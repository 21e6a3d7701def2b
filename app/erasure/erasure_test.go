package erasure_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/app/erasure"
	"strata.dev/strata/app/eventcodec"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/organization"
)

// doomed notes which keys were destroyed, and fails from a number on.
type doomed struct {
	keys   []string
	failAt int // 0 = never
}

var errAway = errors.New("away")

func (d *doomed) Destroy(_ context.Context, organizationID uuid.UUID, subjectID, requestID string) error {
	if d.failAt > 0 && len(d.keys)+1 >= d.failAt {
		return errAway
	}
	d.keys = append(d.keys, fmt.Sprint(organizationID, " ", subjectID, " ", requestID))
	return nil
}

// written is a log that is only read.
type written []eventlog.Event

func (w written) Read(_ context.Context, after int64, limit int) ([]eventlog.Event, error) {
	return w[min(int(after), len(w)):min(int(after)+limit, len(w))], nil
}

func (w written) Head(context.Context) (int64, error) { return int64(len(w)), nil }

// history is a log of n events in which every third one erases two keys.
func history(t *testing.T, n int) (log written, keys []string) {
	t.Helper()
	for i := range n {
		org, subject, request := uuid.New(), uuid.NewString(), uuid.NewString()
		var event any = organization.RoleRevoked{GrantIDs: []string{}, MemberID: subject, Reason: "r"}
		if i%3 == 0 {
			ids := []string{subject, uuid.NewString()}
			event = organization.PersonalDataErased{RequestID: request, SubjectID: subject, Basis: "b", KeyIDs: ids, RequestedBy: uuid.NewString(), AuthorizedBy: uuid.NewString()}
			for _, id := range ids {
				keys = append(keys, fmt.Sprint(org, " ", id, " ", request))
			}
		}
		typ, schema, data, err := eventcodec.Encode(event)
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, eventlog.Event{Position: int64(i + 1), OrganizationID: org, Type: typ, SchemaVersion: schema, Data: data})
	}
	return log, keys
}

// A whole log is gone through, however long it is; what is destroyed already may
// come again.
func TestReplay(t *testing.T) {
	for _, n := range []int{0, 1, 999, 1_000, 1_001, 2_500} {
		log, want := history(t, n)
		var d doomed
		got, err := erasure.Replay(t.Context(), log, &d)
		if err != nil || got != len(want) || !slices.Equal(d.keys, want) {
			t.Errorf("%d events: %d keys, %v; want %d", n, got, err, len(want))
		}
	}
}

func TestAKeyStoreThatIsAwayIsNotPassedOver(t *testing.T) {
	log, want := history(t, 9)
	d := &doomed{failAt: 4}
	if err := erasure.Handler(d)(t.Context(), log); !errors.Is(err, errAway) || len(d.keys) != 3 {
		t.Fatalf("%d keys, %v", len(d.keys), err)
	}
	if n, err := erasure.Replay(t.Context(), log, &doomed{failAt: 4}); !errors.Is(err, errAway) || n != 3 {
		t.Errorf("replayed %d of the first erasures, %v", n, err)
	}
	d = &doomed{}
	if err := erasure.Handler(d)(t.Context(), log); err != nil || !slices.Equal(d.keys, want) {
		t.Errorf("the batch again: %v, %v", d.keys, err)
	}
}

func TestAnErasureThatCannotBeReadIsAnError(t *testing.T) {
	log, _ := history(t, 1)
	log[0].Data = []byte(`{`)
	if err := erasure.Handler(&doomed{})(t.Context(), log); err == nil {
		t.Error("an erasure was passed over")
	}
}
