package faults_test

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"strata.dev/strata/adapters/embedded"
	"strata.dev/strata/tests/system"
)

// The faults come one after another in one world, whose log grows: what a fault
// did to what was there before is judged, too.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	for _, f := range []struct {
		name string
		test func(*testing.T)
	}{
		{"service killed", w.serviceKilled},
		{"service asked to stop", w.serviceStopped},
		{"PostgreSQL killed", w.postgresKilled},
		{"RabbitMQ killed", w.rabbitmqKilled},
		{"RabbitMQ blocked by an alarm", w.rabbitmqBlocked},
		{"the only queue unbound", w.queueUnbound},
		{"PostgreSQL and RabbitMQ killed", w.bothKilled},
		{"leader of two killed", w.leaderKilled},
		{"acknowledgements lost", w.acknowledgementsLost},
		{"acknowledgement lost and no way back", w.outcomeUnknown},
		{"the log silent", w.logSilent},
		{"the same keys again", w.sameKeysAgain},
		{"read models after all that", w.rebuilt},
		{"messages of a source", w.messagesOfASource},
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

// bothKilled kills the servers, and the second time the service with them.
func (w *world) bothKilled(t *testing.T) {
	w.during(t, func() {
		for n := range 2 {
			w.wait(300*time.Millisecond, 900*time.Millisecond)
			w.kill(t, w.rabbitmq)
			w.wait(0, 300*time.Millisecond)
			w.kill(t, w.postgres)
			if n == 1 {
				w.service.Kill()
			}
			w.start(t, w.rabbitmq, w.postgres)
			if n == 1 {
				w.service.Start()
			}
			w.recovered(t, "a kill of both servers")
		}
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

// sameKeysAgain repeats commands that were acknowledged before, between and
// after the faults: each gets its first answer again.
func (w *world) sameKeysAgain(t *testing.T) {
	const most = 200
	operations, repeated, head := w.load.History.Operations(), 0, w.Head(t)
	for _, n := range w.rand.Perm(len(operations)) {
		first := operations[n]
		if first.Outcome != system.OK {
			continue
		}
		again := w.load.Begin(first.Request)
		if _, err := w.load.Send(t.Context(), w.service.Base, first.Request, &again); err != nil {
			t.Fatal(err)
		}
		if again.Outcome != system.OK || !again.Replayed || again.Position != first.Position || again.Version != first.Version || !slices.Equal(again.Events, first.Events) {
			t.Errorf("%s was answered with %s %s, version %d at position %d, events %v; now with version %d at position %d, events %v (replayed: %v)", first.Kind,
				again.Outcome, again.Code, first.Version, first.Position, first.Events, again.Version, again.Position, again.Events, again.Replayed)
		}
		if repeated++; repeated == most {
			break
		}
	}
	if after := w.Head(t); after != head {
		t.Errorf("the repetitions were recorded: the log is at position %d after %d", after, head)
	}
	t.Logf("%d commands repeated", repeated)
}

// rebuilt rebuilds both read models while commands come in; a rebuild when none
// comes gives the same content.
func (w *world) rebuilt(t *testing.T) {
	w.Verify(t) // those that have lived through it all; a rebuild would wipe out what is wrong
	w.during(t, func() {
		for _, name := range []string{"plans", "audit"} {
			if r := system.CLI(t, w.Environ(nil), "projections", "rebuild", name); r.Code != 0 {
				t.Errorf("rebuild %s under load: exit code %d\n%s", name, r.Code, r.Stderr)
			}
			w.recovered(t, "a rebuild of "+name)
		}
	})
	w.readable(t, w.load.Probe(t.Context()), recovery) // the read models have everything
	w.Rebuild(t)
}
