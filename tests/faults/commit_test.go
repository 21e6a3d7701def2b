package faults_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"strata.dev/strata/ports/rest/restclient"
	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testenv"
)

// throughWire replaces the service by one that reaches its log over a wire.
func (w *world) throughWire(t *testing.T) *wire {
	t.Helper()
	net := newWire(t, w.Setting("STRATA_LOG_URL"))
	if code := w.service.Stop(); code != 0 {
		t.Errorf("the service ended with code %d", code)
	}
	direct := w.service
	w.service = w.Service(map[string]string{"STRATA_LOG_URL": net.url})
	w.service.Start()
	w.service.Ready()
	w.load.Target(w.service.Base)
	t.Cleanup(func() {
		w.service.Kill()
		w.service = direct
		w.service.Start()
		w.service.Ready()
		w.load.Target(w.service.Base)
	})
	return net
}

// acknowledgementsLost breaks the connections to the log at the moment of a
// commit, under load: after the commit and before its answer, or somewhere in
// the answer. Every client gets the true answer.
func (w *world) acknowledgementsLost(t *testing.T) {
	const rounds = 6
	net := w.throughWire(t)
	unheard := 0
	w.during(t, func() {
		for n := range rounds {
			w.wait(100*time.Millisecond, 400*time.Millisecond)
			if n%2 == 0 {
				w.commitUnheard(t, net, func() {}) // the load sends
				unheard++
				net.cut("mute")
			} else {
				net.add(fmt.Sprintf(`{"name":"limit","type":"limit_data","stream":"downstream","attributes":{"bytes":%d}}`, w.rand.IntN(2000)))
				w.wait(100*time.Millisecond, 300*time.Millisecond)
				net.cut("limit")
			}
			w.recovered(t, "a cut")
		}
	})
	t.Logf("%d cuts, %d of them right after a commit", rounds, unheard)
}

// commitUnheard makes the wire mute while a commit waits in the database, and
// lets it happen. At any other moment all clients could be waiting for what they
// read first, or the lane for a sign of life, and nothing would be committed. send
// is called when no commit can come before.
func (w *world) commitUnheard(t *testing.T, net *wire, send func()) {
	t.Helper()
	release := w.HoldAppends(t)
	defer release()
	send()
	testenv.Eventually(t, recovery, "a commit that waits to be let through", func() error { return w.AppendWaits(t) })
	net.mute()
	before := w.Head(t)
	release()
	testenv.Eventually(t, recovery, "a commit that nobody hears of", func() error {
		if w.Head(t) == before {
			return fmt.Errorf("the log is still at position %d", before)
		}
		return nil
	})
	if head, told := w.Head(t), w.load.Acknowledged(); head <= told {
		t.Errorf("the log is at position %d, and clients were told of %d over a mute wire", head, told)
	}
}

// outcomeUnknown keeps the log out of reach after a commit that was not heard
// of, for longer than the service tries to find out: it says that it does not
// know, never that nothing was recorded. The same key finds out later.
func (w *world) outcomeUnknown(t *testing.T) {
	net := w.throughWire(t)
	sent := w.load.Next()
	type answer struct {
		operation system.Operation
		err       error
	}
	answers := make(chan answer, 1)
	operation := w.load.Begin(sent)
	w.commitUnheard(t, net, func() {
		go func() {
			o := w.load.Begin(sent)
			_, err := w.load.Send(t.Context(), w.service.Base, sent, &o)
			answers <- answer{o, err}
		}()
	})
	if !slices.ContainsFunc(w.Log(t), func(r system.Record) bool { return r.Command == operation.Command }) {
		t.Fatal("what was committed is not what was sent")
	}
	net.down()
	// The lane looks for the lost command now: what comes is told that nothing was recorded.
	testenv.Eventually(t, recovery, "a refusal of what comes meanwhile", func() error {
		next := w.load.Next()
		o := w.load.Begin(next)
		_, err := w.load.Send(t.Context(), w.service.Base, next, &o)
		if err := wantProblem(err, http.StatusServiceUnavailable, "unavailable"); err != nil {
			return err
		}
		o.Outcome, o.Code = system.Refused, "unavailable"
		w.load.Settle(o)
		return nil
	})
	got := <-answers
	if err := wantProblem(got.err, http.StatusGatewayTimeout, "outcome-unknown"); err != nil {
		t.Errorf("the answer to a command that was recorded unheard: %v (%+v)", err, got.operation)
	}
	net.cut("mute")
	net.up()
	testenv.Eventually(t, recovery, "an answer to the repetition", func() error {
		_, err := w.load.Send(t.Context(), w.service.Base, sent, &operation)
		return err
	})
	if operation.Outcome != system.OK || !operation.Replayed {
		t.Errorf("the repetition got %+v, want the first answer again", operation)
	}
	w.load.Settle(operation)
	w.recovered(t, "the log's return")
	w.judge(t)
}

func wantProblem(err error, status int, code string) error {
	var p *restclient.Problem
	if errors.As(err, &p) && p.Status == status && p.Code == code {
		return nil
	}
	return fmt.Errorf("got %w, want %d %s", err, status, code)
}
