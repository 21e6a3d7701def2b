package postgres_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/eventlog/eventlogtest"
	"strata.dev/strata/tests/testenv"
)

// ask is one call on a stream: an append behind a version, or a read.
type ask struct {
	stream   string
	read     bool
	expected int64
	events   int64
}

// got is its answer: recorded, or where the stream is.
type got struct {
	recorded bool
	version  int64
}

// register is what a stream is to its users: a version that appends move.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byStream := map[string][]porcupine.Operation{}
		for _, o := range history {
			s := o.Input.(ask).stream
			byStream[s] = append(byStream[s], o)
		}
		for _, part := range byStream {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		version, in, out := state.(int64), input.(ask), output.(got)
		switch {
		case in.read:
			return out.version == version, version
		case out.recorded:
			return in.expected == version && out.version == version+in.events, out.version
		}
		return out.version == version && in.expected != version, version
	},
}

// TestLinearizable: what clients of several processes see of a stream, refusals
// and reads included, could have happened one after the other, within the time
// each call took; also while connections die.
func TestLinearizable(t *testing.T) {
	urls := testenv.Log(t)
	r := &race{urls: urls}
	logs := []*postgres.Log{open(t, urls.App, postgres.Options{Logger: quiet}), open(t, urls.App, postgres.Options{Logger: quiet, Writers: 2})}
	organization := uuid.New()
	start := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	unknown := map[uuid.UUID]int{} // index in history
	stop := r.startKilling(t)
	var clients sync.WaitGroup
	for client := range 8 {
		clients.Go(func() {
			rnd := rand.New(rand.NewPCG(3, uint64(client)))
			seen := map[string]int64{}
			for range 150 {
				log := logs[rnd.IntN(len(logs))]
				in := ask{stream: fmt.Sprintf("strategy-%d", rnd.IntN(4)), read: rnd.IntN(4) == 0, events: 1 + rnd.Int64N(3)}
				in.expected = seen[in.stream]
				cmd := eventlogtest.Command(organization, in.stream, in.expected, int(in.events))
				out, err, called := got{}, error(nil), time.Since(start)
				if in.read {
					var events []eventlog.Event
					events, err = log.ReadStream(t.Context(), organization, in.stream, 0, 0)
					out.version = int64(len(events))
				} else {
					var receipt eventlog.Receipt
					receipt, err = log.Append(t.Context(), cmd)
					var wrong *eventlog.VersionError
					if errors.As(err, &wrong) {
						err, out = nil, got{version: wrong.Actual}
					} else {
						out = got{recorded: true, version: receipt.Version}
					}
				}
				returned := time.Since(start)
				mu.Lock()
				switch operation := (porcupine.Operation{ClientId: client, Input: in, Call: int64(called), Output: out, Return: int64(returned)}); {
				case err == nil:
					history = append(history, operation)
					seen[in.stream] = out.version
				case errors.Is(err, eventlog.ErrOutcomeUnknown):
					operation.Return = math.MaxInt64
					operation.Output = got{recorded: true, version: in.expected + in.events}
					unknown[cmd.ID] = len(history)
					history = append(history, operation)
				case !errors.Is(err, eventlog.ErrUnavailable): // that one promises that nothing happened
					t.Errorf("%+v: %v", in, err)
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	stop()
	var absent []int
	for id, i := range unknown {
		if _, _, ok, err := logs[0].FindCommand(t.Context(), id); err != nil {
			t.Fatal(err)
		} else if !ok {
			absent = append(absent, i)
		}
	}
	slices.Sort(absent)
	for _, i := range slices.Backward(absent) {
		history = slices.Delete(history, i, i+1)
	}
	if answer := porcupine.CheckOperationsTimeout(register, history, 20*time.Second); answer != porcupine.Ok {
		t.Errorf("a history of %d calls: %s", len(history), answer)
	}
	// The checker can say no: after all of it, one reader sees the beginning.
	end := int64(time.Since(start))
	history = append(history, porcupine.Operation{Input: ask{stream: "strategy-0", read: true}, Call: end, Output: got{}, Return: end + 1})
	if answer := porcupine.CheckOperationsTimeout(register, history, 20*time.Second); answer != porcupine.Illegal {
		t.Errorf("a history with a stale read: %s", answer)
	}
	t.Logf("%d calls, %d connections killed", len(history), r.kills.Load())
}
