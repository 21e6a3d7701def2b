package faults_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// soon is how long somebody may wait to be told that the log does not answer:
// half a second until the service asks, a second for the log to say something, and
// something for a busy machine.
const soon = 3 * time.Second

// logSilent is a network that swallows everything, and breaks nothing: whoever
// waits for the log is told soon that it does not answer, but for the commands
// that were on their way, of which only the log knows.
func (w *world) logSilent(t *testing.T) {
	net := w.throughWire(t)
	w.recovered(t, "a start")
	w.during(t, func() {
		release := w.HoldAppends(t)
		testenv.Eventually(t, recovery, "commands on their way", func() error { return w.AppendWaits(t) })
		net.mute()
		release()
		// The clients of the load are all told, or wait for what they had sent; these come now.
		var asking sync.WaitGroup
		operations := make([]system.Operation, 8)
		for i := range operations {
			next := w.load.Next()
			o := &operations[i]
			*o = w.load.Begin(next)
			asking.Go(func() {
				_, err := w.load.Send(t.Context(), w.service.Base, next, o)
				if took := time.Since(o.Began); took > soon {
					t.Errorf("a command was answered after %s, want %s at most", took.Round(time.Millisecond), soon)
				}
				if err := wantProblem(err, http.StatusServiceUnavailable, "unavailable"); err != nil {
					t.Error(err)
				}
			})
		}
		asking.Go(func() { // what it said of itself last may be a second old
			testenv.Eventually(t, soon, "the service says that it is not ready", func() error { return healthy(w.service, "unavailable") })
		})
		asking.Wait()
		for _, o := range operations {
			o.Outcome, o.Code = system.Refused, "unavailable"
			w.load.Settle(o)
		}
		net.cut("mute")
		w.recovered(t, "a silence")
	})
}
