package postgres_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/eventlog/eventlogtest"
	"strata.dev/strata/tests/testenv"
)

// check compares what the log holds with what the writers were told and with what the tail saw.
func (r *race) check(t *testing.T, tail []eventlog.Event) {
	t.Helper()
	checkSQL(t, r.urls.Admin)
	events := readAll(t, r.logs[0])
	eventlogtest.CheckOrder(t, events)
	if !slices.EqualFunc(events, tail, sameEvent) {
		t.Errorf("the tail saw %d events, the log has %d", len(tail), len(events))
	}
	commands := map[uuid.UUID][]eventlog.Event{}
	var current uuid.UUID
	for _, e := range events {
		if e.CommandID != uuid.Nil {
			current = e.CommandID
			if len(commands[current]) > 0 {
				t.Errorf("command %s is in the log twice", current)
			}
		}
		commands[current] = append(commands[current], e)
	}
	for id, a := range r.accepted {
		got := commands[id]
		if len(got) != len(a.cmd.Events) {
			t.Fatalf("command %s was acknowledged with %d events and is in the log with %d", id, len(a.cmd.Events), len(got))
		}
		for i, e := range got {
			if e.Position != a.receipt.FirstPosition+int64(i) || e.Version != a.cmd.ExpectedVersion+int64(i)+1 || e.StreamID != a.cmd.StreamID ||
				e.ID != a.cmd.Events[i].ID || string(e.Data) != string(a.cmd.Events[i].Data) || !e.RecordedAt.Equal(a.receipt.RecordedAt) {
				t.Fatalf("command %s: event %d is %+v; sent %+v, answered %+v", id, i, e, a.cmd, a.receipt)
			}
		}
	}
	found := 0
	for id, err := range r.refused {
		if len(commands[id]) > 0 {
			t.Errorf("command %s was refused (%v) and is in the log", id, err)
		}
	}
	for id := range r.unknown {
		if len(commands[id]) > 0 {
			found++
		}
	}
	if len(commands) != len(r.accepted)+found {
		t.Errorf("%d commands in the log, %d acknowledged, %d unknown and there", len(commands), len(r.accepted), found)
	}
	if share := float64(len(r.refused)) / float64(len(r.refused)+len(r.accepted)); share < 0.15 {
		t.Errorf("only %.0f %% of the commands were refused: the race is too tame", 100*share)
	}
	t.Logf("%d events, %d commands acknowledged, %d refused, %d unknown (%d of them recorded), %d connections killed",
		len(events), len(r.accepted), len(r.refused), len(r.unknown), found, r.kills.Load())
}

// checkSQL asks the database itself, not through our code.
func checkSQL(t *testing.T, admin string) {
	t.Helper()
	pool := testenv.Pool(t, admin)
	for what, query := range map[string]string{
		"positions without gaps": `SELECT coalesce(max(position), 0) = count(*) AND coalesce(min(position), 1) = 1 FROM events`,
		"versions ascend with positions": `SELECT coalesce(bool_and(version = n), true) FROM
			(SELECT version, row_number() OVER (PARTITION BY stream_id ORDER BY position) AS n FROM events) x`,
		"organization sequences ascend with positions": `SELECT coalesce(bool_and(organization_sequence = n), true) FROM
			(SELECT organization_sequence, row_number() OVER (PARTITION BY organization_id ORDER BY position) AS n FROM events) x`,
		"times never go back": `SELECT coalesce(bool_and(recorded_at >= before), true) FROM
			(SELECT recorded_at, lag(recorded_at) OVER (ORDER BY position) AS before FROM events) x`,
	} {
		var ok bool
		if err := pool.QueryRow(t.Context(), query).Scan(&ok); err != nil || !ok {
			t.Errorf("%s: %v, %v", what, ok, err)
		}
	}
}

func readAll(t *testing.T, log *postgres.Log) []eventlog.Event {
	t.Helper()
	var events []eventlog.Event
	for {
		page, err := log.Read(t.Context(), int64(len(events)), 5000)
		if err != nil {
			t.Fatal(err)
		}
		if events = append(events, page...); len(page) < 5000 {
			return events
		}
	}
}

func sameEvent(a, b eventlog.Event) bool {
	if !bytes.Equal(a.Data, b.Data) || !bytes.Equal(a.Metadata, b.Metadata) || !bytes.Equal(a.CommandHash, b.CommandHash) {
		return false
	}
	return a.Position == b.Position && a.OrganizationID == b.OrganizationID && a.OrganizationSequence == b.OrganizationSequence &&
		a.StreamID == b.StreamID && a.Version == b.Version && a.ID == b.ID && a.Type == b.Type && a.SchemaVersion == b.SchemaVersion &&
		a.CommandID == b.CommandID && a.RecordedAt.Equal(b.RecordedAt)
}

// TestRace is the whole promise at once: three processes' logs, 64 writers, a
// third of the commands refused, connections dying in the middle of commits,
// callers walking away; and a reader that follows from the beginning.
func TestRace(t *testing.T) {
	urls := testenv.Log(t)
	r := &race{urls: urls, writers: 64, events: 100_000, kill: true, impatient: true}
	for i := range 3 {
		r.logs = append(r.logs, open(t, urls.App, postgres.Options{Writers: 1 + i/2, Logger: quiet}))
	}
	tail := r.run(t)
	r.check(t, tail)
	if r.kills.Load() < 20 {
		t.Errorf("only %d connections were killed", r.kills.Load())
	}
}

// TestRaceOfOneLog is without kills: nothing may be unavailable or unknown then.
func TestRaceOfOneLog(t *testing.T) {
	urls := testenv.Log(t)
	r := &race{urls: urls, writers: 64, events: 10_000, logs: []*postgres.Log{open(t, urls.App, postgres.Options{})}}
	tail := r.run(t)
	r.check(t, tail)
	if len(r.unknown) != 0 {
		t.Errorf("%d unknown outcomes", len(r.unknown))
	}
}
