package restore

import (
	"fmt"

	"strata.dev/strata/app/eventlog"
)

// BehindError says that somebody holds more of the log's present history than the
// log does, or something else: the log has lost its end. What is recorded now
// would be a second history of the same positions.
type BehindError struct {
	Head   eventlog.Place
	Holder string // who holds it: the archive, a read model, a consumer group
	At     int64  // the last position that it holds
	Fork   int64  // the first position at which both differ; 0 = the log only ends too early
}

func (e *BehindError) Error() string {
	what := fmt.Sprintf("the log ends at position %d of epoch %d, and %s holds positions up to %d", e.Head.Position, e.Head.Epoch, e.Holder, e.At)
	if e.Fork > 0 {
		what = fmt.Sprintf("position %d of the log (epoch %d) is not the one that %s holds", e.Fork, e.Head.Epoch, e.Holder)
	}
	return what + ": no commands are taken. Stop the service and restore the log (`strata restore log --from …`), " +
		"or, if what is missing is lost, begin another epoch (`strata epoch start --reason …`)"
}

// Behind says by whose place the log has lost its end, if by anybody's: they
// follow the history that the log is in, and are beyond its end.
func Behind(epochs eventlog.Epochs, head int64, followers []Follower) *BehindError {
	current := epochs.Current().Number
	for _, f := range followers {
		if f.At.Epoch >= current && f.At.Position > head {
			return &BehindError{Head: eventlog.Place{Position: head, Epoch: current}, Holder: f.Name, At: f.At.Position}
		}
	}
	return nil
}
