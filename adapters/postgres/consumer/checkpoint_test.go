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
		return strings.Contains(s.LastError, "at position 8, but the log ends at 5")
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
