package command_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
)

// Whoever lost an answer repeats the batch: whatever the log had done by then,
// every item is in it once.
func TestABatchSurvivesEveryFailureOfTheLog(t *testing.T) {
	t.Parallel()
	for failing := int64(1); failing <= 4; failing++ {
		for name, happened := range map[string]bool{"nothing happened": false, "it happened": true} {
			t.Run(fmt.Sprintf("append %d fails and %s", failing, name), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				ids := w.scores(4)
				faulty := &spy{Log: w.log, onAppend: func(n int64, do func() (eventlog.Receipt, error)) (eventlog.Receipt, error) {
					if n != failing {
						return do()
					}
					if happened {
						if _, err := do(); err != nil {
							return eventlog.Receipt{}, err
						}
					}
					return eventlog.Receipt{}, eventlog.ErrOutcomeUnknown
				}}
				commands := command.New(command.Options{Log: faulty, Basis: basis{w.log}, Findings: w.findings()})
				var items []command.BatchItem
				for _, id := range ids {
					items = append(items, record(id, 2001, "1"), record(id, 2002, "2"), correct(id, 2001, "3"))
				}
				call := w.as("owner")
				first, err := commands.Indicators.RecordBatch(t.Context(), call, items)
				if err != nil {
					t.Fatal(err)
				}
				unknown := 0
				for _, r := range first {
					if errors.Is(r.Err, eventlog.ErrOutcomeUnknown) {
						unknown++
					}
				}
				if unknown == 0 || unknown%3 != 0 {
					t.Fatalf("%d items are answered with an unknown outcome: %v", unknown, told(first))
				}
				again, err := commands.Indicators.RecordBatch(t.Context(), call, items)
				if err != nil {
					t.Fatal(err)
				}
				for n, r := range again {
					if r.Err != nil || (first[n].Err == nil && first[n].MeasurementID != r.MeasurementID) {
						t.Errorf("item %d: %+v, and %+v again", n, first[n], r)
					}
				}
				for _, id := range ids {
					if diff := cmp.Diff(map[string]string{"2001": "3", "2002": "2"}, w.live(id)); diff != "" {
						t.Error(diff)
					}
					if n := len(w.stream("indicator-" + id.String())); n != 2+3+1 { // definition, target; health once
						t.Errorf("%d events: %v", n, types(w.stream("indicator-"+id.String())))
					}
				}
			})
		}
	}
}

func TestBatchesOnOneIndicatorAtTheSameTime(t *testing.T) {
	t.Parallel()
	onLogs(t, batchesAtTheSameTime)
}

func batchesAtTheSameTime(t *testing.T, w *world) {
	a := w.scores(1)[0]
	var group sync.WaitGroup
	calls := []command.Call{w.as("owner"), w.as("owner"), w.as("owner"), w.as("owner")}
	calls = append(calls, calls[0], calls[1]) // and two that are repeated meanwhile
	for n, call := range calls {
		commands := w.commands
		if n%2 == 1 {
			commands = w.process()
		}
		group.Go(func() {
			var items []command.BatchItem
			for y := range 20 {
				items = append(items, record(a, 1900+20*(n%4)+y, "1"))
			}
			results, err := commands.Indicators.RecordBatch(t.Context(), call, items)
			if err != nil {
				t.Error(err)
			}
			for _, r := range results {
				if r.Err != nil {
					t.Error(r.Err)
				}
			}
		})
	}
	group.Wait()
	if n := len(w.live(a)); n != 80 {
		t.Errorf("%d values, want 80", n)
	}
	recorded := 0
	for _, e := range w.stream("indicator-" + a.String()) {
		if e.Type == "indicator.measurement-recorded" {
			recorded++
		}
	}
	if recorded != 80 {
		t.Errorf("%d recordings, want 80", recorded)
	}
}
