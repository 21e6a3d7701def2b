package eventlog

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

// Epoch is one history of the log. The first begins with position 1. A restore
// that may have lost the end of the log begins the next one: up to RestoredTo it
// is the history before it, from First on another one, although positions go on
// without a gap. First is then the event journal.epoch-started, which says so to
// everybody who reads.
type Epoch struct {
	Number     int       `json:"number"`             // 1, 2, 3 …; a number is missing where a history was lost with its beginning
	First      int64     `json:"first"`              // position of its first event: RestoredTo + 1
	RestoredTo int64     `json:"restoredTo"`         // the last position it has in common with the epoch before it; 0 of the first
	LostHead   int64     `json:"lostHead,omitempty"` // the last position that is known of what was left behind; 0 = nothing is known
	Reason     string    `json:"reason,omitempty"`
	EventID    uuid.UUID `json:"eventId,omitzero"` // of the event at First; zero of the first epoch
	StartedAt  time.Time `json:"startedAt,omitzero"`
}

// Epochs are all histories that lead to a log, oldest first. The zero value is
// that of a log that was never restored: epoch 1.
type Epochs struct{ later []Epoch }

// NewEpochs checks that later, all epochs but the first, continue each other.
func NewEpochs(later []Epoch) (Epochs, error) {
	before := Epoch{Number: 1}
	for _, e := range later {
		if e.Number <= before.Number || e.First != e.RestoredTo+1 || e.RestoredTo < before.First {
			return Epochs{}, fmt.Errorf("epoch %d begins at position %d and is restored to %d, after epoch %d that began at %d", e.Number, e.First, e.RestoredTo, before.Number, before.First)
		}
		before = e
	}
	return Epochs{later: later}, nil
}

// All lists the epochs, the first included. It is never empty.
func (e Epochs) All() []Epoch {
	return append([]Epoch{{Number: 1, First: 1}}, e.later...)
}

// Current is the history that is written now.
func (e Epochs) Current() Epoch {
	if len(e.later) == 0 {
		return Epoch{Number: 1, First: 1}
	}
	return e.later[len(e.later)-1]
}

// Number gives an epoch by its number.
func (e Epochs) Number(n int) (Epoch, bool) {
	for _, epoch := range e.All() {
		if epoch.Number == n {
			return epoch, true
		}
	}
	return Epoch{}, false
}

// Of is the number of the epoch in which a position was recorded. It does not
// ask whether the position is there.
func (e Epochs) Of(position int64) int {
	for i := len(e.later) - 1; i >= 0; i-- {
		if position >= e.later[i].First {
			return e.later[i].Number
		}
	}
	return 1
}

// Shared is the last position that who followed an epoch has in common with the
// history that is written now: beyond it, what they hold is not in the log. It is
// math.MaxInt64 for the current epoch, and 0 for one that the log does not know.
func (e Epochs) Shared(followed int) int64 {
	if _, known := e.Number(followed); !known {
		return 0
	}
	shared := int64(math.MaxInt64)
	for _, later := range e.later {
		if later.Number > followed {
			shared = min(shared, later.RestoredTo)
		}
	}
	return shared
}

// Place is how far somebody has taken the log, and in which of its histories.
type Place struct {
	Position int64 `json:"position"`
	Epoch    int   `json:"epoch"`
}

// Check says whether who stands at a place can go on with this log, which ends at
// head: what they have taken must be what the log holds. If not, it is an
// *AheadError.
func (e Epochs) Check(who string, at Place, head int64) error {
	shared := min(e.Shared(at.Epoch), head)
	if at.Position <= shared {
		return nil
	}
	return &AheadError{Who: who, At: at, Head: Place{Position: head, Epoch: e.Current().Number}, Shared: shared}
}

// AheadError says that somebody has taken what the log does not hold: the log was
// restored from an older copy, or another history was begun before the place
// where they stand. Going on would skip what is recorded next, and keep what
// never happened.
type AheadError struct {
	Who    string // a consumer group, read model or consumer
	At     Place  // where it is
	Head   Place  // where the log is
	Shared int64  // the last position that both have
	Remedy string // what to do; "" = what AheadError says by itself
}

func (e *AheadError) Error() string {
	where := fmt.Sprintf("%s is at position %d of epoch %d; the log ends at position %d of epoch %d", e.Who, e.At.Position, e.At.Epoch, e.Head.Position, e.Head.Epoch)
	if e.Shared < e.Head.Position {
		where += fmt.Sprintf(", and both have the positions up to %d only", e.Shared)
	}
	remedy := e.Remedy
	if remedy == "" {
		remedy = "it holds what this log does not: restore a newer log, or rebuild it from this one"
	}
	return where + ": " + remedy
}

// EpochReader knows the histories of a log.
type EpochReader interface {
	// Epochs gives all of them, as recorded now.
	Epochs(ctx context.Context) (Epochs, error)
}
