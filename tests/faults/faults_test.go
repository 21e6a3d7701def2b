package faults_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// The faults come one after another in one world, whose log grows: what a fault
// did to what was there before is judged, too. The letters and numbers are of
// the fault matrix of the project's reliability plan.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	for _, f := range []struct {
		name string
		test func(*testing.T)
	}{
		{"service killed", w.serviceKilled},                        // A2
		{"service asked to stop", w.serviceStopped},                // A7
		{"PostgreSQL killed", w.postgresKilled},                    // B10
		{"RabbitMQ killed", w.rabbitmqKilled},                      // C25
		{"PostgreSQL and RabbitMQ killed", w.bothKilled},           // B10 and C25
		{"leader of two killed", w.leaderKilled},                   // A5 without the zombie
		{"acknowledgements lost", w.acknowledgementsLost},          // B11
		{"acknowledgement lost and no way back", w.outcomeUnknown}, // B11
		{"read models after all that", func(t *testing.T) { w.Rebuild(t) }},
	} {
		if !t.Run(f.name, f.test) {
			t.Fatal("what would come next rests on a world that is broken")
		}
	}
}

// serviceKilled kills the service at random moments.
func (w *world) serviceKilled(t *testing.T) {
	const kills = 20
	w.during(t, func() {
		for range kills {
			w.wait(50*time.Millisecond, 600*time.Millisecond)
			w.service.Kill()
			w.service.Start()
			w.recovered(t, "a kill of the service")
		}
	})
	t.Logf("%d kills of the service", kills)
}

// serviceStopped stops the service in order: what is under way is answered,
// what comes is not let in, and nothing is announced twice.
func (w *world) serviceStopped(t *testing.T) {
	const stops = 3
	duplicates := system.Duplicates(w.consumer.Deliveries(t))
	var longest time.Duration
	w.during(t, func() {
		for range stops {
			w.wait(300*time.Millisecond, 800*time.Millisecond)
			before := w.load.Failures()
			began := time.Now()
			code := w.service.Stop()
			took := time.Since(began)
			longest = max(longest, took)
			if code != 0 || took > recovery {
				t.Errorf("the service ended with code %d after %s, want 0 within the drain of %s", code, took, recovery)
			}
			for kind, n := range w.load.Failures() {
				if kind != system.ConnectionRefused && n > before[kind] {
					t.Errorf("%d requests were not answered while the service stopped: %s", n-before[kind], kind)
				}
			}
			w.service.Start()
			w.recovered(t, "a stop of the service")
		}
	})
	if n := system.Duplicates(w.consumer.Deliveries(t)) - duplicates; n != 0 {
		t.Errorf("%d events were announced twice after orderly stops", n)
	}
	t.Logf("%d stops, the longest took %s", stops, longest.Round(time.Millisecond))
}

func (w *world) postgresKilled(t *testing.T) {
	const kills = 3
	w.during(t, func() {
		for range kills {
			w.wait(300*time.Millisecond, 900*time.Millisecond)
			w.kill(t, w.postgres)
			w.wait(0, 500*time.Millisecond)
			w.start(t, w.postgres)
			w.recovered(t, "a kill of PostgreSQL")
		}
	})
	t.Logf("%d kills of PostgreSQL", kills)
}

// rabbitmqKilled: commands do not need the broker, and what they record waits.
func (w *world) rabbitmqKilled(t *testing.T) {
	const kills = 2
	w.during(t, func() {
		for range kills {
			w.wait(300*time.Millisecond, 900*time.Millisecond)
			w.kill(t, w.rabbitmq)
			w.answersWithoutBroker(t)
			w.start(t, w.rabbitmq)
			w.recovered(t, "a kill of RabbitMQ")
		}
		testenv.Eventually(t, recovery, "the service is healthy again", func() error { return healthy(w.service, "ok") })
	})
	t.Logf("%d kills of RabbitMQ", kills)
}

func (w *world) answersWithoutBroker(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, recovery, "the service says that the broker is away, and is ready all the same", func() error { return healthy(w.service, "degraded") })
	ctx, cancel := context.WithTimeout(t.Context(), recovery)
	defer cancel()
	o := w.load.Probe(ctx)
	if o.Outcome != system.OK || o.Attempts != 1 {
		t.Errorf("without a broker a command got %s %s after %d attempts, want ok at once", o.Outcome, o.Code, o.Attempts)
	}
	w.readable(t, o, recovery)
}

func (w *world) bothKilled(t *testing.T) {
	w.during(t, func() {
		w.wait(300*time.Millisecond, 900*time.Millisecond)
		w.kill(t, w.rabbitmq)
		w.wait(0, 300*time.Millisecond)
		w.kill(t, w.postgres)
		w.start(t, w.rabbitmq, w.postgres)
		w.recovered(t, "a kill of both servers")
	})
}

// server is a PostgreSQL or a RabbitMQ.
type server interface {
	embedded.Server
	Kill() error
}

func (w *world) kill(t *testing.T, s server) {
	t.Helper()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) start(t *testing.T, servers ...server) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	for _, s := range servers {
		g.Go(func() error { return s.Start(ctx) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}
