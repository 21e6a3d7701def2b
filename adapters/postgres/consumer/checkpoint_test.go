package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

// model stands for a read database: effect and checkpoint move together.
type model struct {
	mu     sync.Mutex
	taken  []int64
	parked []int64
	at     int64
	asked  int
	fail   func(events []eventlog.Event) error
}

func (m *model) checkpoint(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return m.at, nil
}

func (m *model) apply(_ context.Context, events []eventlog.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(events); err != nil {
			return err
		}
	}
	for _, e := range events {
		if e.Position <= m.at {
			continue
		}
		if e.Position != m.at+1 {
			return fmt.Errorf("gap: at %d, given %d", m.at, e.Position)
		}
		m.taken, m.at = append(m.taken, e.Position), e.Position
	}
	return nil
}

func (m *model) park(_ context.Context, e eventlog.Event, reason string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !strings.Contains(reason, "bad event") {
		return fmt.Errorf("reason %q", reason)
	}
	m.parked, m.at = append(m.parked, e.Position), e.Position
	return nil
}

func (m *model) await(t *testing.T, want []int64) {
	t.Helper()
	testenv.Eventually(t, patience, "the model is complete", func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !slices.Equal(m.taken, want) {
			return fmt.Errorf("has %d, %s", len(m.taken), ends(m.taken))
		}
		return nil
	})
}

func TestTheGroupsOwnCheckpointIsTheTruth(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 500)
	if _, err := pool.Exec(t.Context(), `INSERT INTO cursors (consumer_group, position) VALUES ('plans', 450)`); err != nil {
		t.Fatal(err)
	}
	m := &model{at: 100} // the hint in the log says 450 and is wrong
	c := start(t, log.App, consumer.Group{Name: "plans", Handler: m.apply, Checkpoint: m.checkpoint, BatchRows: 64})
	m.await(t, between(101, 500))

	// The model is set back, as by a restore: the next batch does not connect, and the group rewinds.
	m.mu.Lock()
	m.at, m.taken = 300, nil
	m.mu.Unlock()
	logfill.Append(t, pool, 10)
	m.await(t, between(301, 510))
	if n := c.logs.count("rewinding to the checkpoint"); n != 1 {
		t.Errorf("rewinding was told %d times", n)
	}
	status := c.awaitStatus(t, "all well", func(s consumer.GroupStatus) bool { return s.LastError == "" && s.Position == 510 })
	if !status.Leader || status.Lag != 0 {
		t.Errorf("status %+v", status)
	}
	if at := cursor(t, pool, "plans"); at < 450 {
		t.Errorf("the hint went back to %d", at)
	}
}

func TestAModelAheadOfTheLogIsRefused(t *testing.T) {
	log := testenv.Log(t)
	logfill.Append(t, testenv.Pool(t, log.App), 5)
	m := &model{at: 8}
	c := start(t, log.App, consumer.Group{Name: "plans", Handler: m.apply, Checkpoint: m.checkpoint})
	c.awaitStatus(t, "it is refused", func(s consumer.GroupStatus) bool {
		return strings.Contains(s.LastError, "plans is at position 8 of epoch 1; the log ends at position 5 of epoch 1")
	})
}

func TestPoisonGoesToTheModelsOwnPark(t *testing.T) {
	log := testenv.Log(t)
	logfill.Append(t, testenv.Pool(t, log.App), 200)
	m := &model{}
	m.fail = func(events []eventlog.Event) error {
		if slices.ContainsFunc(events, func(e eventlog.Event) bool { return e.Position == 77 }) {
			return consumer.Poison(errors.New("bad event"))
		}
		return nil
	}
	c := start(t, log.App, consumer.Group{Name: "plans", Handler: m.apply, Checkpoint: m.checkpoint, Park: m.park})
	m.await(t, slices.Concat(between(1, 76), between(78, 200)))
	if !slices.Equal(m.parked, []int64{77}) {
		t.Errorf("parked %v", m.parked)
	}
	if _, err := c.Resume(t.Context(), "plans", logfill.Stream(77)); !errors.Is(err, consumer.ErrOwnCheckpoint) {
		t.Error(err)
	}
}

func TestPoisonStopsAGroupThatCannotPark(t *testing.T) {
	log := testenv.Log(t)
	logfill.Append(t, testenv.Pool(t, log.App), 200)
	m := &model{}
	m.fail = func(events []eventlog.Event) error {
		if slices.ContainsFunc(events, func(e eventlog.Event) bool { return e.Position == 77 }) {
			return consumer.ErrPoison
		}
		return nil
	}
	c := start(t, log.App, consumer.Group{Name: "plans", Handler: m.apply, Checkpoint: m.checkpoint})
	c.awaitStatus(t, "it shows", func(s consumer.GroupStatus) bool {
		return s.Position == 76 && strings.Contains(s.LastError, "position 77 is poison")
	})
}

// followed is a model's memory of the epoch.
type followed struct {
	mu    sync.Mutex
	epoch int
}

func (f *followed) Followed(context.Context) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.epoch, nil
}

func (f *followed) Follow(_ context.Context, epoch int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch = epoch
	return nil
}

// The log goes on in another epoch behind position 20: a model that is before the
// fork goes on and remembers it, one that is beyond it stands still, and so does a
// cursor of the history that was left.
func TestGroupsOfAnotherHistory(t *testing.T) {
	log := testenv.Log(t)
	admin := testenv.Pool(t, log.Admin)
	logfill.Append(t, testenv.Pool(t, log.App), 20)
	for _, sql := range []string{
		`INSERT INTO events (position, organization_sequence, version, recorded_at, organization_id, event_id, schema_version, stream_id, type, data, metadata)
			SELECT 21, 1, 1, clock_timestamp(), '5afe0000-0000-4000-8000-00000000a11d', '5afe0000-0000-4000-8000-000000000021', 1, 'journal-5afe0000-0000-4000-8000-00000000a11d', 'journal.epoch-started', '{}', '{}'`,
		`INSERT INTO epochs SELECT 2, 21, 20, NULL, 'r', event_id, recorded_at FROM events WHERE position = 21`,
		`INSERT INTO cursors (consumer_group, position, epoch) VALUES ('left', 21, 1), ('stays', 20, 1)`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	logfill.Append(t, testenv.Pool(t, log.App), 9)
	before, beyond := &model{at: 15}, &model{at: 25}
	remembers := &followed{epoch: 1}
	var left, stays sink
	c := start(t, log.App,
		consumer.Group{Name: "before", Handler: before.apply, Checkpoint: before.checkpoint, History: remembers},
		consumer.Group{Name: "beyond", Handler: beyond.apply, Checkpoint: beyond.checkpoint, History: &followed{epoch: 1}},
		consumer.Group{Name: "left", Handler: left.handle}, consumer.Group{Name: "stays", Handler: stays.handle})
	before.await(t, between(16, 30))
	testenv.Eventually(t, patience, "both that are beyond the fork are refused", func() error {
		refused := 0
		for _, s := range c.Status() {
			if strings.Contains(s.LastError, "of epoch 1; the log ends at position 30 of epoch 2, and both have the positions up to 20 only") {
				refused++
			}
		}
		if refused != 2 {
			return fmt.Errorf("%+v", c.Status())
		}
		return nil
	})
	testenv.Eventually(t, patience, "the cursor before the fork goes on", func() error {
		var position int64
		var epoch int
		err := admin.QueryRow(t.Context(), `SELECT position, epoch FROM cursors WHERE consumer_group = 'stays'`).Scan(&position, &epoch)
		if err != nil || position != 30 || epoch != 2 {
			return fmt.Errorf("at %d of epoch %d, %w", position, epoch, err)
		}
		return nil
	})
	if epoch, _ := remembers.Followed(t.Context()); epoch != 2 {
		t.Errorf("the model that went on follows epoch %d", epoch)
	}
	if len(left.seen()) != 0 || len(beyond.taken) != 0 {
		t.Error("who is beyond the fork was given events")
	}
}
