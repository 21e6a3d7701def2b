package readdb

import (
	"sync"

	"strata.dev/strata/app/eventlog"
)

// Signal tells readers in the same process how far the live model is, as soon
// as a batch is committed. The zero value is ready; safe for concurrent use.
type Signal struct {
	epochs eventlog.Epochs // of the log that the projector follows; never changes

	mu       sync.Mutex
	position int64
	changed  chan struct{} // closed by the next Raise; nil while nobody waits
}

// Raise notes that the live model contains position and wakes who waits.
// Positions never go back.
func (s *Signal) Raise(position int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if position <= s.position {
		return
	}
	s.position = position
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Look gives the position last raised, and a channel that is closed when there
// is a higher one.
func (s *Signal) Look() (int64, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.position, s.changed
}
