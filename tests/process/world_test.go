package process_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"strata.dev/strata/adapters/plansdb"
	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/app/process"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// patience is for a machine that does a lot besides.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	code := testenv.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// world is an installation: log, timers, and the plans database, which follows
// the log by itself. Time is its own. Tests in worlds run side by side.
type world struct {
	t        *testing.T
	url      string // of the log
	log      *postgres.Log
	plans    *plansdb.Projection
	index    *plansdb.Reader
	timers   *postgres.Timers
	journal  *journal.Recorder
	commands *command.Commands
	sql      *pgxpool.Pool // of the log, as an administrator
	unsound  string        // why what is kept is not what the log says when the test ends; "" = it must be

	ahead  atomic.Int64 // of the real time, nanoseconds
	groups atomic.Pointer[[]*consumer.Consumers]
}

var quiet = slog.New(slog.DiscardHandler)

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	logURLs, plansURLs := testenv.Log(t), testenv.Plans(t)
	w := &world{t: t, url: logURLs.App}
	// Registered first, so it looks at what is left when everything has ended.
	t.Cleanup(func() {
		if w.unsound == "" {
			system.Databases{Log: logURLs.App, Plans: plansURLs.Projector}.Fsck(t)
		}
	})
	w.groups.Store(&[]*consumer.Consumers{})
	var err error
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.log, err = postgres.Open(t.Context(), logURLs.App, postgres.Options{Logger: quiet, OnCommit: func(head int64) {
		for _, g := range *w.groups.Load() {
			g.Wake(head)
		}
	}})
	check(err)
	t.Cleanup(w.log.Close)
	w.plans, err = plansdb.OpenProjection(t.Context(), plansURLs.Projector, plansdb.Options{Log: quiet})
	check(err)
	t.Cleanup(w.plans.Close)
	w.index, err = plansdb.OpenReader(t.Context(), plansURLs.Reader, w.plans)
	check(err)
	t.Cleanup(w.index.Close)
	w.timers, err = postgres.OpenTimers(t.Context(), logURLs.App)
	check(err)
	t.Cleanup(w.timers.Close)
	w.journal = journal.New(journal.Options{Log: w.log, Logger: quiet})
	t.Cleanup(func() {
		if err := w.journal.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	w.sql = testenv.Pool(t, logURLs.Admin)
	w.commands = w.process()
	w.run(consumer.Group{Name: w.plans.Name(), Handler: w.plans.Apply, Checkpoint: w.plans.Checkpoint})
	return w
}

// process gives the commands of another process on the same log.
func (w *world) process() *command.Commands {
	return command.New(command.Options{Log: w.log, Basis: w.index, Findings: w.index, Clock: w.now})
}

// now is the world's time. It never goes back by itself.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// pass lets days go by, or back.
func (w *world) pass(days int) { w.ahead.Add(int64(days) * int64(24*time.Hour)) }

// run reads for a group until stop is called or the test ends.
func (w *world) run(g consumer.Group) (stop func()) {
	w.t.Helper()
	c, err := consumer.New(w.url, []consumer.Group{g}, consumer.Options{Logger: quiet})
	if err != nil {
		w.t.Fatal(err)
	}
	groups := append([]*consumer.Consumers{c}, *w.groups.Load()...)
	w.groups.Store(&groups)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("group %s: %v", g.Name, err)
		}
	}
	w.t.Cleanup(stop)
	return stop
}

// runner gives the processes of another instance; the use cases may be wrapped.
func (w *world) runner(wrap func(process.UseCases) process.UseCases) *process.Runner {
	c := w.process()
	u := process.UseCases{
		Organizations: c.Organizations, Strategies: c.Strategies, Indicators: c.Indicators, Findings: c.Findings, Sources: c.Sources,
	}
	if wrap != nil {
		u = wrap(u)
	}
	return process.New(process.Options{
		Log: w.log, UseCases: u, Index: w.index, Timers: w.timers, Reminders: w.journal, Logger: quiet, Clock: w.now,
	})
}

// reader is a consumer group by hand: it hands out what is behind its cursor.
type reader struct {
	w      *world
	cursor int64
}

// pump gives a runner all there is, also what comes of that, and fires what is
// due. On an error the cursor stays where it is.
func (r *reader) pump(p *process.Runner) error {
	ctx := r.w.t.Context()
	for {
		events, err := r.w.log.Read(ctx, r.cursor, 1_000)
		if err != nil {
			return err
		}
		fired := 0
		if len(events) > 0 {
			if err := p.Handle(ctx, events); err != nil {
				return fmt.Errorf("handle: %w", err)
			}
			r.cursor = events[len(events)-1].Position
		} else if fired, err = p.FireTimers(ctx); err != nil {
			return fmt.Errorf("fire: %w", err)
		}
		if len(events) == 0 && fired == 0 {
			return nil
		}
	}
}

// mustPump is pump without an error to be expected.
func (r *reader) mustPump(p *process.Runner) {
	r.w.t.Helper()
	if err := r.pump(p); err != nil {
		r.w.t.Fatal(err)
	}
}

func call(key string, p command.Principal) command.Call {
	hash := sha256.Sum256([]byte(key))
	return command.Call{
		Principal: p, CommandID: command.CommandID(p.OrganizationID, p.Issuer, p.Subject, key), Hash: hash[:],
		Origin: eventlog.Origin{Kind: "api", Channel: "http"}, CorrelationID: "correlation-" + key,
	}
}

// events gives everything that an organization has recorded.
func (w *world) events(organizationID uuid.UUID) []eventlog.Event {
	w.t.Helper()
	var all []eventlog.Event
	for after := int64(0); ; {
		events, err := w.log.Read(w.t.Context(), after, 5_000)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		for _, e := range events {
			if e.OrganizationID == organizationID {
				all = append(all, e)
			}
		}
		after = events[len(events)-1].Position
	}
}

func withCancel(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(t.Context()))
}
