package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata.dev/strata/adapters/embedded"
	pgconsumer "strata.dev/strata/adapters/postgres/consumer"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// recovery is the bound that the service has to keep after a fault has ended:
// commands succeed again, and relay and projections have caught up.
const recovery = 10 * time.Second

const (
	clients   = 12
	perSecond = 150
)

func TestMain(m *testing.M) { os.Exit(system.Main(m)) }

// world is a system on servers of its own, with a load and a consumer.
type world struct {
	*system.System
	postgres *embedded.Postgres
	rabbitmq *embedded.RabbitMQ
	service  *system.Service
	load     *system.Load
	consumer *system.Consumer
	rand     *rand.Rand

	// Of the fault under way: how often it came, and the longest recovery.
	times   int
	longest time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("STRATA_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("STRATA_TEST_SEED: %v", err)
		}
	}
	t.Logf("STRATA_TEST_SEED=%d", seed)
	w := &world{rand: rand.New(rand.NewPCG(seed, 1))}
	w.rabbitmq = testenv.StartRabbitMQ(t)
	w.postgres = testenv.StartPostgres(t)
	w.System, w.service = system.Start(t, system.Options{Postgres: w.postgres, RabbitMQ: w.rabbitmq, Queues: []string{"tests.faults"}})
	w.settle(t)
	w.consumer = w.Consume(t, "tests.faults")
	w.load = w.NewLoad(t, system.LoadOptions{Clients: clients, PerSecond: perSecond, Seed: seed, Bases: []string{w.service.Base}})
	return w
}

// settle is called before a kill may follow what was declared in the broker: one
// that is killed within seconds forgets it, and that is RabbitMQ's. See Kill.
func (w *world) settle(t *testing.T) {
	t.Helper()
	if err := w.rabbitmq.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// during runs the load while fault does its work, then waits until all is
// answered and judges the whole history so far.
func (w *world) during(t *testing.T, fault func()) {
	t.Helper()
	before, duplicates := len(w.load.History.Operations()), system.Duplicates(w.consumer.Deliveries(t))
	w.times, w.longest = 0, 0
	began := time.Now()
	w.load.Run()
	func() {
		defer w.load.Stop() // also when fault fails the test
		fault()
	}()
	took := time.Since(began)
	w.judge(t)
	operations := w.load.History.Operations()[before:]
	outcomes, attempts := map[system.Outcome]int{}, 0
	for _, o := range operations {
		outcomes[o.Outcome]++
		attempts += o.Attempts
	}
	slowest := system.Longest(operations)
	duplicates = system.Duplicates(w.consumer.Deliveries(t)) - duplicates
	t.Logf("%d commands in %s (%.0f/s) with %d repetitions: %v; %d duplicates at the consumer; longest recovery %s; slowest answer %s (%s, %d attempts); failures so far %v",
		len(operations), took.Round(time.Millisecond), float64(len(operations))/took.Seconds(), attempts-len(operations), outcomes,
		duplicates, w.longest.Round(time.Millisecond),
		slowest.Ended.Sub(slowest.Began).Round(time.Millisecond), slowest.Request.Kind, slowest.Attempts, w.load.Failures())
	if most := w.times * pgconsumer.DefaultRelayBatchRows; duplicates > most {
		t.Errorf("%d duplicates after %d faults: more than a batch for each", duplicates, w.times)
	}
	if outcomes[system.OK] == 0 || outcomes[system.Refused] == 0 {
		t.Error("the load did not do both: succeed, and be refused")
	}
	if outcomes[system.Unknown] > 0 {
		t.Errorf("%d commands were not answered within half a minute after the end", outcomes[system.Unknown])
	}
}

// judge waits until the consumer has the whole log, and checks everything.
func (w *world) judge(t *testing.T) {
	t.Helper()
	w.consumer.Await(t, w.Head(t), 2*recovery)
	log := w.Log(t)
	found := system.Check(w.load.Given, w.load.History.Operations(), log, w.consumer.Deliveries(t))
	for i, v := range found {
		if i == 10 {
			t.Errorf("and %d more", len(found)-i)
			break
		}
		t.Error(v)
	}
}

// recovered is called when a fault has ended. It returns when a new command
// succeeded and has arrived everywhere: at the consumer, and in both read
// databases.
func (w *world) recovered(t *testing.T, after string) time.Duration {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), recovery)
	defer cancel()
	o := w.load.Probe(ctx)
	if o.Outcome != system.OK {
		t.Fatalf("after %s no command succeeded within %s: %s %s after %d attempts; failures so far %v", after, recovery, o.Outcome, o.Code, o.Attempts, w.load.Failures())
	}
	answered := time.Since(began)
	w.arrived(t, o, recovery-answered)
	took := time.Since(began)
	w.times, w.longest = w.times+1, max(w.longest, took)
	return took
}

// arrived waits until the operation is at the consumer and in both read databases.
func (w *world) arrived(t *testing.T, o system.Operation, within time.Duration) {
	t.Helper()
	w.readable(t, o, within)
	w.consumer.Await(t, o.Position, within)
}

// readable waits until the operation is in both read databases.
func (w *world) readable(t *testing.T, o system.Operation, within time.Duration) {
	t.Helper()
	indicator := "/v1/indicators/" + strings.TrimPrefix(o.Stream, "indicator-")
	reading := w.Client(w.service.Base, "arlo")
	for _, path := range []string{indicator, indicator + "/events?limit=1"} { // of plans, and of audit
		testenv.Eventually(t, within, fmt.Sprintf("position %d in the answer of %s", o.Position, path), func() error {
			_, err := system.Get(t.Context(), reading, path, o.Position)
			return err
		})
	}
}

// healthy says whether the service says so of itself.
func healthy(s *system.Service, want string) error {
	if got := s.Health(); got != want {
		return fmt.Errorf("it says %s, not %s", got, want)
	}
	return nil
}

// wait lets a random time pass, since when a fault comes is the scenario.
func (w *world) wait(least, most time.Duration) {
	t := time.NewTimer(least + time.Duration(w.rand.Int64N(int64(most-least))))
	defer t.Stop()
	<-t.C
}
