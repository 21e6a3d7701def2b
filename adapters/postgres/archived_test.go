package postgres_test

import (
	"testing"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/tests/testenv"
)

func TestHowFarTheArchiveIsIsNotedForOthers(t *testing.T) {
	log := testenv.Log(t)
	ctx := t.Context()
	var instances []*postgres.Archived
	for range 2 {
		a, err := postgres.OpenArchived(ctx, log.App)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		instances = append(instances, a)
	}
	here, elsewhere := instances[0], instances[1]
	for _, step := range []struct{ note, want int64 }{{0, 0}, {7, 7}, {5, 7}, {9, 9}} {
		if step.note > 0 {
			if err := here.NoteArchived(ctx, step.note); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := elsewhere.Archived(ctx); err != nil || got != step.want {
			t.Errorf("after %d was noted: %d, %v; want %d", step.note, got, err, step.want)
		}
	}

	// What was noted of a history that the log has left counts as far as both have it.
	admin := testenv.Pool(t, log.Admin)
	for _, sql := range []string{
		`ALTER TABLE epochs DISABLE TRIGGER USER`,
		`INSERT INTO epochs (number, first, restored_to, reason, event_id, started_at) VALUES (2, 5, 4, 'test', gen_random_uuid(), now())`,
	} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := elsewhere.Archived(ctx); err != nil || got != 4 {
		t.Errorf("in the next epoch: %d, %v; want 4", got, err)
	}
	if err := here.NoteArchived(ctx, 6); err != nil {
		t.Fatal(err)
	}
	if got, err := elsewhere.Archived(ctx); err != nil || got != 6 {
		t.Errorf("noted in the next epoch: %d, %v; want 6", got, err)
	}
}
