package faults_test

import (
	"context"
	"testing"
	"time"

	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

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

// rabbitmqBlocked: the broker is there and takes nothing.
func (w *world) rabbitmqBlocked(t *testing.T) {
	w.during(t, func() {
		w.wait(100*time.Millisecond, 300*time.Millisecond)
		w.ctl(t, "set_vm_memory_high_watermark", "absolute", "1MB")
		w.answersWithoutBroker(t)
		w.ctl(t, "set_vm_memory_high_watermark", "absolute", "1GB")
		w.recovered(t, "an alarm")
	})
}

// queueUnbound: the broker takes what nobody would get, and says so.
func (w *world) queueUnbound(t *testing.T) {
	w.during(t, func() {
		w.wait(100*time.Millisecond, 300*time.Millisecond)
		w.Unbind(t, w.consumer.Queue)
		w.answersWithoutBroker(t)
		w.Bind(t, w.consumer.Queue)
		w.recovered(t, "a queue without a binding")
		w.settle(t)
	})
}

// answersWithoutBroker: the service says that something is wrong, answers
// commands and shows them, and holds nothing in the databases while it waits.
func (w *world) answersWithoutBroker(t *testing.T) {
	t.Helper()
	const long = 1500 * time.Millisecond
	testenv.Eventually(t, recovery, "the service says that something is wrong, and is ready all the same", func() error { return healthy(w.service, "degraded") })
	ctx, cancel := context.WithTimeout(t.Context(), recovery)
	defer cancel()
	o := w.load.Probe(ctx)
	if o.Outcome != system.OK || o.Attempts != 1 {
		t.Errorf("without a broker a command got %s %s after %d attempts, want ok at once", o.Outcome, o.Code, o.Attempts)
	}
	w.readable(t, o, recovery)
	w.wait(long, long+100*time.Millisecond)
	for _, held := range w.HeldLong(t, long) {
		t.Errorf("held open while the broker takes nothing: %s", held)
	}
	if has := w.consumer.Has(); has >= o.Position {
		t.Errorf("the consumer has position %d, recorded while the broker took nothing", has)
	}
}

func (w *world) ctl(t *testing.T, args ...string) {
	t.Helper()
	if out, err := w.rabbitmq.Ctl(t.Context(), args...); err != nil {
		t.Fatalf("rabbitmqctl %v: %v\n%s", args, err, out)
	}
}
