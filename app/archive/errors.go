package archive

import (
	"errors"
	"fmt"
)

var (
	// ErrDamaged: an object of the archive is not what it should be.
	ErrDamaged = errors.New("damaged")
	// ErrMissing: an object of the archive that should be there is not.
	ErrMissing = errors.New("missing")
	// ErrDiffers: an object of the archive is whole, and says something else than the log.
	ErrDiffers = errors.New("not what the log holds")
)

// SegmentError says what is wrong with a segment, and from which position on it
// is not to be believed.
type SegmentError struct {
	Segment  string // its key
	Position int64  // the first one concerned; 0 = not known, take it for all of the segment
	Kind     error  // ErrDamaged, ErrMissing or ErrDiffers
	Err      error
}

func (e *SegmentError) Error() string {
	if e.Position == 0 {
		return fmt.Sprintf("archive segment %s: %v: %v", e.Segment, e.Kind, e.Err)
	}
	return fmt.Sprintf("archive segment %s, position %d: %v: %v", e.Segment, e.Position, e.Kind, e.Err)
}

// Unwrap makes errors.Is find both kind and cause.
func (e *SegmentError) Unwrap() []error { return []error{e.Kind, e.Err} }
