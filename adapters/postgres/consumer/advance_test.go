package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/tests/relay/logfill"
	"strata.dev/strata/tests/testenv"
)

// walker stands for a group that reads the log by itself.
type walker struct {
	mu    sync.Mutex
	at    int64
	steps int
	fail  bool
}

func (w *walker) checkpoint(context.Context) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at, nil
}

func (w *walker) advance(_ context.Context, after, upTo int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps++
	if w.fail {
		w.fail = false
		return errors.New("not now")
	}
	if after != w.at || upTo <= after || upTo > after+100 {
		return fmt.Errorf("at %d, asked to go from %d to %d", w.at, after, upTo)
	}
	w.at = upTo
	return nil
}

func (w *walker) await(t testing.TB, want int64) {
	t.Helper()
	testenv.Eventually(t, patience, fmt.Sprintf("it is at %d", want), func() error {
		if at, _ := w.checkpoint(t.Context()); at != want {
			return fmt.Errorf("at %d", at)
		}
		return nil
	})
}

// A group that reads by itself is told from where to where, without gaps and not
// too far at once, goes on after a failure, and finds by looking what nobody told
// it of.
func TestAGroupMayAdvanceByItself(t *testing.T) {
	log := testenv.Log(t)
	pool := testenv.Pool(t, log.App)
	logfill.Append(t, pool, 250)
	w := &walker{fail: true}
	c := start(t, log.App, consumer.Group{Name: "walker", Advance: w.advance, Checkpoint: w.checkpoint, BatchRows: 100, Lazy: 50 * time.Millisecond})
	w.await(t, 250)
	if w.steps != 4 { // one failed
		t.Errorf("%d steps to 250", w.steps)
	}
	var listening int
	if err := testenv.Pool(t, log.Admin).QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'strata lease' AND query LIKE 'LISTEN%'`).Scan(&listening); err != nil || listening != 0 {
		t.Errorf("%d connections listen, %v", listening, err)
	}
	logfill.Append(t, pool, 5) // nobody calls Wake
	w.await(t, 255)
	logfill.Append(t, pool, 1)
	c.Wake(256)
	w.await(t, 256)
	c.awaitStatus(t, "it is at the end", func(s consumer.GroupStatus) bool { return s.Position == 256 && s.Lag == 0 && s.LastError == "" })
}

func TestAdvanceNeedsACheckpoint(t *testing.T) {
	w := &walker{}
	for _, g := range []consumer.Group{
		{Name: "x", Advance: w.advance},
		{Name: "x", Advance: w.advance, Checkpoint: w.checkpoint, Handler: (&sink{}).handle},
		{Name: "x", Checkpoint: w.checkpoint},
		{Name: "x", Advance: w.advance, Checkpoint: w.checkpoint, Lazy: -1},
	} {
		if _, err := consumer.New("postgres://localhost/x", []consumer.Group{g}, consumer.Options{}); err == nil {
			t.Errorf("taken: %+v", g)
		}
	}
}
