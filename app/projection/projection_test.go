package projection_test

import (
	"testing"

	"strata.dev/strata/app/projection"
)

func TestStatusInOneWord(t *testing.T) {
	building := &projection.Generation{}
	for want, s := range map[string]projection.Status{
		"live": {}, "building": {Building: building}, "parked": {Building: building, ParkedTotal: 1},
	} {
		if got := s.State(); got != want {
			t.Errorf("%+v is %q, want %q", s, got, want)
		}
	}
}

// A model may be ahead of a head that was looked at earlier.
func TestLagIsNeverNegative(t *testing.T) {
	s := projection.Status{Generation: projection.Generation{Position: 10}}
	for head, want := range map[int64]int64{15: 5, 10: 0, 9: 0} {
		if got := s.Lag(head); got != want {
			t.Errorf("lag behind %d: %d, want %d", head, got, want)
		}
	}
}
