package readdb

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/fault"
)

// The log is set back and goes on in another epoch. A model that holds what was
// lost is neither read nor taken for further than the log; a rebuild replaces it
// although it is not as far, and what is read then follows the new epoch.
func TestAModelOfALostHistory(t *testing.T) {
	f := setup(t, Options{})
	f.fill(40)
	if err := bring(t.Context(), f.projection, f.log, 100); err != nil {
		t.Fatal(err)
	}
	if epoch, err := f.projection.Followed(t.Context()); err != nil || epoch != 1 {
		t.Fatalf("it follows epoch %d, %v", epoch, err)
	}
	read := func(p *Projection[eventlog.Event]) error {
		return f.reader(t, p.Signal()).InTenantTx(t.Context(), query.Read{OrganizationID: f.orgs[0]}, func(context.Context, pgx.Tx, int64) error { return nil })
	}
	if err := read(f.projection); err != nil {
		t.Fatal(err)
	}
	// Restored behind position 40: nothing of the model is lost.
	level := f.openAs(t, "level", Options{Epochs: begun(t, 40)})
	if err := read(level); err != nil {
		t.Errorf("a model that has nothing of what was lost: %v", err)
	}
	// Restored to 25: positions 26 to 40 are others now, and there are fewer.
	old := f.log
	f.log = old.UpTo(25)
	f.fill(3)
	beyond := f.openAs(t, "beyond", Options{Epochs: begun(t, 25)})
	refused, ok := errors.AsType[*fault.Fault](read(beyond))
	if !ok || refused.Kind != fault.Unavailable || !strings.Contains(refused.Detail, "position 40 of epoch 1, of which the log has kept the positions up to 25") {
		t.Errorf("a model beyond the fork: %v", refused)
	}
	if err := beyond.Rebuild(t.Context(), f.log, nil); err != nil {
		t.Fatal(err)
	}
	position, sum := f.got(t)
	if want := f.want(t, 28); position != 28 || !maps.Equal(sum, want) {
		t.Errorf("rebuilt to position %d: %v, want %v", position, sum, want)
	}
	if epoch, err := beyond.Followed(t.Context()); err != nil || epoch != 2 {
		t.Errorf("it follows epoch %d, %v", epoch, err)
	}
	if err := read(beyond); err != nil {
		t.Error(err)
	}
	st, err := beyond.Status(t.Context())
	if err != nil || st.Generation.Epoch != 2 || st.Generation.Position != 28 {
		t.Errorf("status %+v, %v", st.Generation, err)
	}
	// Without an epoch begun a model is never exchanged for one that is not as far.
	same := f.openAs(t, "same", Options{})
	if err := same.Rebuild(t.Context(), f.log.UpTo(20), nil); err == nil || !strings.Contains(err.Error(), "is this its log?") {
		t.Errorf("a rebuild from a shorter log: %v", err)
	}
}

func TestFollowing(t *testing.T) {
	f := setup(t, Options{})
	for range 2 {
		if err := f.projection.Follow(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
	}
	if epoch, err := f.projection.Followed(t.Context()); err != nil || epoch != 3 {
		t.Errorf("it follows epoch %d, %v", epoch, err)
	}
}

// begun is the history of a log that was restored to a position once.
func begun(t *testing.T, restoredTo int64) eventlog.Epochs {
	t.Helper()
	epochs, err := eventlog.NewEpochs([]eventlog.Epoch{{Number: 2, First: restoredTo + 1, RestoredTo: restoredTo}})
	if err != nil {
		t.Fatal(err)
	}
	return epochs
}
