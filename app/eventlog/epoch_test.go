package eventlog_test

import (
	"errors"
	"math"
	"testing"

	"strata.dev/strata/app/eventlog"
)

func histories(t *testing.T) eventlog.Epochs {
	t.Helper()

	epochs, err := eventlog.NewEpochs([]eventlog.Epoch{
		{Number: 2, First: 101, RestoredTo: 100}, {Number: 3, First: 151, RestoredTo: 150}, {Number: 6, First: 161, RestoredTo: 160},
	})
	if err != nil {
		t.Fatal(err)
	}
	return epochs
}

func TestEpochsOfPositions(t *testing.T) {
	epochs := histories(t)
	for position, want := range map[int64]int{1: 1, 100: 1, 101: 2, 150: 2, 151: 3, 160: 3, 161: 6, 9999: 6} {
		if got := epochs.Of(position); got != want {
			t.Errorf("position %d is of epoch %d, want %d", position, got, want)
		}
	}
	for followed, want := range map[int]int64{-1: 0, 0: 0, 1: 100, 2: 150, 3: 160, 4: 0, 5: 0, 6: math.MaxInt64, 7: 0} {
		if got := epochs.Shared(followed); got != want {
			t.Errorf("who followed epoch %d shares %d, want %d", followed, got, want)
		}
	}
	if one := (eventlog.Epochs{}); one.Of(7) != 1 || one.Current().Number != 1 || len(one.All()) != 1 || one.Shared(1) != math.MaxInt64 {
		t.Error("a log that was never restored has one epoch")
	}
}

func TestWhoIsBeyondTheLogIsRefused(t *testing.T) {
	epochs := histories(t)
	for _, c := range []struct {
		at     eventlog.Place
		head   int64
		shared int64 // -1 = may go on
	}{
		{eventlog.Place{Position: 170, Epoch: 6}, 170, -1},
		{eventlog.Place{Position: 171, Epoch: 6}, 170, 170},
		{eventlog.Place{Position: 160, Epoch: 3}, 170, -1},
		{eventlog.Place{Position: 161, Epoch: 3}, 170, 160},
		{eventlog.Place{Position: 150, Epoch: 2}, 170, -1},
		{eventlog.Place{Position: 155, Epoch: 2}, 170, 150},
		{eventlog.Place{Position: 100, Epoch: 1}, 170, -1},
		{eventlog.Place{Position: 101, Epoch: 1}, 170, 100},
		{eventlog.Place{Position: 1, Epoch: 5}, 170, 0},
		{eventlog.Place{Position: 0, Epoch: 5}, 170, -1},
	} {
		err := epochs.Check("somebody", c.at, c.head)
		var ahead *eventlog.AheadError
		switch {
		case c.shared < 0 && err != nil:
			t.Errorf("%+v: %v", c.at, err)
		case c.shared >= 0 && (!errors.As(err, &ahead) || ahead.Shared != c.shared || ahead.Who != "somebody"):
			t.Errorf("%+v: %v, want %d in common", c.at, err, c.shared)
		}
	}
}

func TestEpochsHaveNoGaps(t *testing.T) {
	for name, later := range map[string][]eventlog.Epoch{
		"the first again":  {{Number: 1, First: 2, RestoredTo: 1}},
		"begins elsewhere": {{Number: 2, First: 9, RestoredTo: 1}},
		"before the last":  {{Number: 2, First: 9, RestoredTo: 8}, {Number: 3, First: 9, RestoredTo: 8}},
	} {
		if _, err := eventlog.NewEpochs(later); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
