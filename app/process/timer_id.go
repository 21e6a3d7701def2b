package process

import (
	"github.com/google/uuid"

	"strata.dev/strata/domain/process"
)

// TimerID is the id of the timer of a kind and subject that an event sets, or
// that a timer sets when it fires: it follows from the id of either. Whoever
// checks stored timers makes it again.
func TimerID(setBy uuid.UUID, kind, subject string) uuid.UUID {
	return origin{process: process.Deadlining, id: setBy}.deriveID("timer", kind, subject)
}
