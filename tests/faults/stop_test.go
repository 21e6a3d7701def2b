package faults_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// serviceStopped stops the service in order, at random moments and while every
// client waits for an answer: what is under way is answered, what comes is not
// let in, and nothing is announced twice. (At a random moment a request may meet
// the closing of the idle connection it is sent on, as with any HTTP server; that
// nothing under way is lost is therefore asked where all are under way.)
func (w *world) serviceStopped(t *testing.T) {
	const stops = 4
	duplicates := system.Duplicates(w.consumer.Deliveries(t))
	var longest time.Duration
	w.during(t, func() {
		for n := range stops {
			w.wait(200*time.Millisecond, 600*time.Millisecond)
			stop := w.service.Stop
			if n%2 == 0 {
				stop = func() int { return w.stopInFlight(t) }
			}
			began := time.Now()
			code := stop()
			took := time.Since(began)
			longest = max(longest, took)
			if code != 0 || took > recovery {
				t.Errorf("the service ended with code %d after %s, want 0 within the drain of %s", code, took, recovery)
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

// stopInFlight holds the log until every client waits for an answer, asks the
// service to stop, and lets the log go on when nobody is let in any more.
func (w *world) stopInFlight(t *testing.T) (code int) {
	t.Helper()
	release := w.HoldAppends(t)
	defer release()
	// Asked of the service: what a client has sent may not have been read yet. And
	// twice, with nothing answered between: some commands are refused without the log.
	answered := -1
	testenv.Eventually(t, recovery, "every client to wait for an answer", func() error {
		before := answered
		n := w.service.Answering()
		answered = len(w.load.History.Operations())
		if n < clients || answered != before {
			return fmt.Errorf("%d of %d wait in the service, %d were answered before", n, w.load.InFlight(), answered)
		}
		return nil
	})
	before := w.load.Failures()
	w.service.Terminate()
	testenv.Eventually(t, recovery, "the service to let nobody in", func() error {
		if w.service.Listening() {
			return errors.New("it does")
		}
		return nil
	})
	if n := w.load.InFlight(); n < clients {
		t.Errorf("%d of %d requests in flight were given up", clients-n, clients)
	}
	release()
	code = w.service.Ended()
	for kind, n := range w.load.Failures() {
		if kind != system.ConnectionRefused && n > before[kind] {
			t.Errorf("%d requests in flight were not answered: %s", n-before[kind], kind)
		}
	}
	return code
}
