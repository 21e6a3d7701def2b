package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/eventlog/eventlogtest"
	"strata.dev/strata/app/restore"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/tests/testenv"
)

// recorded fills a log with commands of two events each, and closes it.
func recorded(t *testing.T, urls testenv.LogURLs, commands int) []eventlog.Event {
	t.Helper()
	log, err := postgres.Open(t.Context(), urls.App, postgres.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for range commands {
		if _, err := log.Append(t.Context(), eventlogtest.Command(uuid.New(), "strategy-"+uuid.NewString(), 0, 2)); err != nil {
			t.Fatal(err)
		}
	}
	return readAll(t, log)
}

func restorer(t *testing.T, urls testenv.LogURLs) *postgres.Restorer {
	t.Helper()
	r, err := postgres.OpenRestorer(t.Context(), urls.Admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// A log whose end was lost goes on in another epoch: its first event says so, and
// cursors that stood for what was lost are set back.
func TestAnEpochBegins(t *testing.T) {
	urls := testenv.Log(t)
	before := recorded(t, urls, 5)
	pool := testenv.Pool(t, urls.Admin)
	if _, err := pool.Exec(t.Context(), `INSERT INTO cursors (consumer_group, position) VALUES ('relay', 14), ('processes', 7)`); err != nil {
		t.Fatal(err)
	}
	r := restorer(t, urls)
	epoch, diverged, err := restore.BeginEpoch(t.Context(), r, restore.NewEpoch{Reason: " The disk was lost. ", Operator: "dba"}, []restore.Follower{
		{Name: "behind", At: eventlog.Place{Position: 3, Epoch: 1}, Remedy: "none"},
		{Name: "level", At: eventlog.Place{Position: 10, Epoch: 1}, Remedy: "none"},
		{Name: "ahead", At: eventlog.Place{Position: 12, Epoch: 1}, Remedy: "rebuild it"},
		{Name: "strange", At: eventlog.Place{Position: 3, Epoch: 9}, Remedy: "rebuild it"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if epoch.Number != 10 || epoch.First != 11 || epoch.RestoredTo != 10 || epoch.LostHead != 12 || epoch.Reason != "The disk was lost." {
		t.Errorf("epoch %+v", epoch)
	}
	want := []restore.Divergence{
		{Who: "ahead", At: 12, Epoch: 1, Shared: 10, Lost: 2, Remedy: "rebuild it"},
		{Who: "strange", At: 3, Epoch: 9, Shared: 0, Lost: 3, Remedy: "rebuild it"},
	}
	if !slices.Equal(diverged, want) {
		t.Errorf("diverged: %+v", diverged)
	}
	r.Close()

	log := open(t, urls.App, postgres.Options{})
	after := readAll(t, log)
	eventlogtest.CheckOrder(t, after)
	if len(after) != 11 || !slices.EqualFunc(after[:10], before, sameEvent) {
		t.Fatalf("%d events, or what was there has changed", len(after))
	}
	first := after[10]
	if first.Type != "journal.epoch-started" || first.ID != epoch.EventID || !first.RecordedAt.Equal(epoch.StartedAt) ||
		string(first.Data) != `{"epoch":10,"first":"11","lostHead":"12","operator":"dba","reason":"The disk was lost.","restoredTo":"10"}` {
		t.Errorf("the event that begins it: %s %s", first.Type, first.Data)
	}
	epochs, err := log.Epochs(t.Context())
	if err != nil || len(epochs.All()) != 2 || epochs.Current() != epoch {
		t.Errorf("epochs %+v, %v; want %+v", epochs.All(), err, epoch)
	}
	cursors, err := log.Cursors(t.Context())
	if err != nil || cursors["relay"].Position != 10 || cursors["processes"].Position != 7 {
		t.Errorf("cursors %v, %v: the relay is to announce the epoch next", cursors, err)
	}
	if receipt, err := log.Append(t.Context(), eventlogtest.Command(uuid.New(), "strategy-1", 0, 1)); err != nil || receipt.Position != 12 {
		t.Errorf("the next append: %+v, %v", receipt, err)
	}
	checkSQL(t, urls.Admin)
}

// Epochs come one after the other, each with the event that begins it, and stay.
func TestEpochsCannotBeMadeUp(t *testing.T) {
	urls := testenv.Log(t)
	recorded(t, urls, 2)
	r := restorer(t, urls)
	if _, _, err := restore.BeginEpoch(t.Context(), r, restore.NewEpoch{Reason: "r"}, nil); err != nil {
		t.Fatal(err)
	}
	owner, service := testenv.Pool(t, urls.Admin), testenv.Pool(t, urls.App)
	for sql, want := range map[string]string{
		`UPDATE epochs SET reason = 'x'`: "23001", `DELETE FROM epochs`: "23001", `TRUNCATE epochs`: "23001",
		`INSERT INTO epochs SELECT 3, 4, 3, NULL, 'x', event_id, recorded_at FROM events LIMIT 1`: "23000",
		`INSERT INTO epochs SELECT 3, 5, 4, NULL, 'x', event_id, started_at FROM epochs`:          "23000",
		`INSERT INTO epochs SELECT 2, first, restored_to, NULL, 'x', event_id, now() FROM epochs`: "23000",
		`INSERT INTO epochs SELECT 3, 7, 5, NULL, 'x', event_id, started_at FROM epochs`:          "23000",
	} {
		_, err := owner.Exec(t.Context(), sql)
		var refused *pgconn.PgError
		if code := ""; errors.As(err, &refused) {
			code = refused.Code
			if code != want {
				t.Errorf("%s: %v, want %s", sql, err, want)
			}
		} else if want != "" || err != nil {
			t.Errorf("%s: %v, want %s", sql, err, want)
		}
	}
	for _, sql := range []string{`UPDATE epochs SET reason = 'x'`, `DELETE FROM epochs`, `INSERT INTO epochs SELECT * FROM epochs`} {
		var refused *pgconn.PgError
		if _, err := service.Exec(t.Context(), sql); !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("the service: %s: %v", sql, err)
		}
	}
}

// Nobody restores, or begins an epoch, beside a service; and no service starts
// while somebody does, or has left off halfway.
func TestARestoreIsAlone(t *testing.T) {
	urls := testenv.Log(t)
	log := open(t, urls.App, postgres.Options{})
	if _, err := postgres.OpenRestorer(t.Context(), urls.Admin); !errors.Is(err, restore.ErrInUse) || !strings.Contains(err.Error(), "strata read") {
		t.Fatalf("beside a service: %v", err)
	}
	log.Close()
	var r *postgres.Restorer
	testenv.Eventually(t, 20*time.Second, "the service's sessions are gone", func() (err error) {
		r, err = postgres.OpenRestorer(t.Context(), urls.Admin)
		return err
	})
	defer r.Close()
	if _, err := postgres.OpenRestorer(t.Context(), urls.Admin); !errors.Is(err, postgres.ErrRestoring) {
		t.Errorf("beside another restore: %v", err)
	}
	if _, err := postgres.Open(t.Context(), urls.App, postgres.Options{}); !errors.Is(err, postgres.ErrRestoring) {
		t.Errorf("a service beside a restore: %v", err)
	}
	other := testenv.Log(t)
	if err := r.Write(t.Context(), recorded(t, other, 3), nil); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := postgres.Open(t.Context(), urls.App, postgres.Options{}); !errors.Is(err, postgres.ErrHalfRestored) {
		t.Errorf("a service after half a restore: %v", err)
	}
	r = restorer(t, urls)
	if _, _, err := restore.BeginEpoch(t.Context(), r, restore.NewEpoch{Reason: "r"}, nil); err != nil {
		t.Fatal(err)
	}
	r.Close()
	log = open(t, urls.App, postgres.Options{})
	if cursors, err := log.Cursors(t.Context()); err != nil || len(cursors) != 1 || cursors["relay"].Position != 6 {
		t.Errorf("cursors %v, %v: history is not announced again, what begins the epoch is", cursors, err)
	}
}

// What a Restorer writes is what was read, to the byte, and it writes nothing that
// does not continue the log.
func TestARestorerWritesWhatWasThere(t *testing.T) {
	from, to := testenv.Log(t), testenv.Log(t)
	want := recorded(t, from, 50)
	r := restorer(t, to)
	for _, batch := range [][]eventlog.Event{want[:1], want[1:70], want[70:]} {
		if err := r.Write(t.Context(), batch, nil); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Read(t.Context(), 0, len(want)+1)
	if err != nil || !slices.EqualFunc(got, want, sameEvent) {
		t.Fatalf("%d events of %d, or not the same, %v", len(got), len(want), err)
	}
	for name, batch := range map[string][]eventlog.Event{"again": want[99:], "with a gap": shifted(want[99:], 2), "an event twice": shifted(want[98:99], 2)} {
		if err := r.Write(t.Context(), batch, nil); err == nil {
			t.Errorf("%s: it was written", name)
		}
	}
	if head, err := r.Head(t.Context()); err != nil || head != 100 {
		t.Errorf("the log ends at %d, %v", head, err)
	}
	r.Close()
}

// shifted is events at other positions.
func shifted(events []eventlog.Event, by int64) []eventlog.Event {
	out := slices.Clone(events)
	for i := range out {
		out[i].Position += by
	}
	return out
}

// A log that refuses takes nothing, says why, and answers who reads.
func TestALogRefusesCommands(t *testing.T) {
	urls := testenv.Log(t)
	log := open(t, urls.App, postgres.Options{})
	why := &restore.BehindError{Head: eventlog.Place{Position: 3, Epoch: 1}, Holder: "the archive", At: 9}
	log.Refuse(why)
	_, err := log.Append(t.Context(), eventlogtest.Command(uuid.New(), "strategy-1", 0, 1))
	refused, ok := errors.AsType[*fault.Fault](err)
	if !ok || refused.Slug != "log-behind" || refused.Kind != fault.Unavailable || !errors.Is(err, why) {
		t.Errorf("refused with %v", err)
	}
	if head, err := log.Head(t.Context()); err != nil || head != 0 {
		t.Errorf("head %d, %v", head, err)
	}
	log.Refuse(nil)
	if _, err := log.Append(t.Context(), eventlogtest.Command(uuid.New(), "strategy-1", 0, 1)); err != nil {
		t.Error(err)
	}
}
