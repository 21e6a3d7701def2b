package embedded

import "errors"

// What can be wrong with the machine, to be asked for with errors.Is.
var (
	ErrBinaryMissing = errors.New("binary missing")
	ErrTooOld        = errors.New("version not supported")
	ErrPortTaken     = errors.New("port taken")
	ErrInUse         = errors.New("directory in use")
	ErrNotAllowed    = errors.New("not allowed")
	ErrStart         = errors.New("server did not start")
)

// Problem is an error for the person at the terminal: one line that says what
// could not be done, why, and how to go on.
type Problem struct {
	Kind error  // one of the errors above
	What string // "cannot start PostgreSQL"
	Why  string // "port 5432 is taken by another program"
	Next string // "stop that program or choose another port"
	Err  error  // the cause, if it says more; it is not part of the line
}

func (p *Problem) Error() string { return p.What + ": " + p.Why + ". " + p.Next + "." }

// Unwrap makes both the kind and the cause visible to errors.Is.
func (p *Problem) Unwrap() []error {
	if p.Err == nil {
		return []error{p.Kind}
	}
	return []error{p.Kind, p.Err}
}
