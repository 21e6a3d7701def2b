package journal_test

import (
	"fmt"
	"sync"
	"testing"

	"strata.dev/strata/adapters/postgres"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/tests/testenv"
)

// Two instances on the real log: every refusal is counted, in few events.
func TestTwoInstancesOnPostgres(t *testing.T) {
	url := testenv.Log(t).App
	var recorders []*journal.Recorder
	var logs []*postgres.Log
	for range 2 {
		log, err := postgres.Open(t.Context(), url, postgres.Options{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, log)
		recorders = append(recorders, open(t, log, journal.Options{}))
	}
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			for i := range 50 {
				recorders[n%2].Denied(t.Context(), denial(eve, "approve-strategy", fmt.Sprintf("strategy-%d", i%5)))
			}
		})
	}
	all.Wait()
	for _, r := range recorders {
		closed(t, r)
	}
	list := written(t, logs[0], org)
	if got := counts(t, list); got["approve-strategy"] != 1000 || len(list) > 30 {
		t.Errorf("%d events count %v", len(list), got)
	}
	for _, log := range logs {
		log.Close()
	}
}
