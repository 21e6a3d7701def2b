package consumer

import (
	"errors"
	"fmt"
)

// ErrPoison marks an error that another attempt cannot cure: the event itself
// is at fault. Wrap it (fmt.Errorf("%w: …", ErrPoison, …)), or give an error
// type a method Poison() bool. A panic counts as poison too. Every other error
// is taken for passing, and the batch is tried again until it succeeds.
var ErrPoison error = poisonError{errors.New("the event cannot be taken")}

// Poison marks err as poison.
func Poison(err error) error { return poisonError{err} }

type poisonError struct{ err error }

func (e poisonError) Error() string { return e.err.Error() }
func (e poisonError) Unwrap() error { return e.err }
func (e poisonError) Poison() bool  { return true }

func isPoison(err error) bool {
	var p interface{ Poison() bool }
	return errors.As(err, &p) && p.Poison()
}

// panicError is a handler's panic, with the stack it left.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.value) }

// Poison makes a panic park the stream rather than stop the group.
func (e *panicError) Poison() bool { return true }

// delivered is how many leading messages of a failed Publish are safe anyway.
func delivered(err error) int {
	var d interface{ Delivered() int }
	if errors.As(err, &d) {
		return d.Delivered()
	}
	return 0
}

// isRefused says that a Publish failed for one message, while everything else is in order.
func isRefused(err error) bool {
	var r interface{ Refused() bool }
	return errors.As(err, &r) && r.Refused()
}
