package restore_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"strata.dev/strata/app/archive"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/restore"
)

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func frontierOf(events []eventlog.Event) (tree archive.Frontier, err error) {
	for i := range events {
		tree.Append(eventlog.LeafHash(&events[i]))
	}
	return tree, nil
}

func TestALogBehindItsArchive(t *testing.T) {
	k, events := hundred(t)
	changed := slices.Clone(events)
	changed[95].Data = []byte(`{}`)
	second := []eventlog.Epoch{{Number: 2, First: 96, RestoredTo: 95}}
	for name, c := range map[string]struct {
		log      *target
		behind   bool
		position int64 // of the first difference
	}{
		"level":              {log: &target{events: events}},
		"ahead":              {log: &target{events: append(slices.Clone(events), recorded(101)[100])}},
		"behind":             {log: &target{events: events[:99]}, behind: true},
		"empty":              {log: &target{}, behind: true},
		"another history":    {log: &target{events: changed}, behind: true, position: 96},
		"in the next epoch":  {log: &target{events: changed, epochs: second}},
		"another before it":  {log: &target{events: slices.Concat(events[:93], changed[95:96], events[94:]), epochs: second}, behind: true, position: 94},
		"next, and not long": {log: &target{events: changed[:96], epochs: second}},
	} {
		err := restore.Compare(t.Context(), c.log, k.store)
		behind, ok := errors.AsType[*restore.BehindError](err)
		if ok != c.behind || !ok && err != nil || ok && behind.Fork != c.position {
			t.Errorf("%s: %v", name, err)
		}
	}
	k.add(2, recordedAt(101))
	if err := restore.Compare(t.Context(), &target{events: append(slices.Clone(events), recordedAt(101)...)}, k.store); err == nil {
		t.Error("the archive is an epoch ahead, and nobody notices")
	}
	if err := restore.Compare(t.Context(), &target{}, newArchive(t).store); err != nil {
		t.Errorf("an empty archive says nothing: %v", err)
	}
}

// recordedAt is the event of a position.
func recordedAt(position int) []eventlog.Event { return recorded(position)[position-1:] }

func TestReadModelsAheadOfTheLog(t *testing.T) {
	epochs, err := eventlog.NewEpochs([]eventlog.Epoch{{Number: 2, First: 51, RestoredTo: 50}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		at     eventlog.Place
		behind bool
	}{
		"level": {eventlog.Place{Position: 60, Epoch: 2}, false}, "beyond": {eventlog.Place{Position: 61, Epoch: 2}, true},
		"of the history before": {eventlog.Place{Position: 61, Epoch: 1}, false}, "of a later one": {eventlog.Place{Position: 61, Epoch: 3}, true},
	} {
		if got := restore.Behind(epochs, 60, []restore.Follower{{Name: "plans", At: c.at}}); (got != nil) != c.behind {
			t.Errorf("%s: %v", name, got)
		}
	}
}
