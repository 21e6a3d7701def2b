package readdb

import "testing"

func TestSignalWakesWhoLooked(t *testing.T) {
	var s Signal
	if at, _ := s.Look(); at != 0 {
		t.Errorf("a new signal is at %d", at)
	}
	_, changed := s.Look()
	s.Raise(5)
	select {
	case <-changed:
	default:
		t.Error("a raised signal wakes nobody")
	}
	at, changed := s.Look()
	s.Raise(5)
	s.Raise(4)
	select {
	case <-changed:
		t.Error("a signal that was not raised woke somebody")
	default:
	}
	if again, _ := s.Look(); at != 5 || again != 5 {
		t.Errorf("the signal is at %d, then %d, want 5: it never goes back", at, again)
	}
}
