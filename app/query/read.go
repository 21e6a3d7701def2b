package query

import (
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/domain/fault"
)

var (
	// ErrNotFound: no such thing in this organization, as of the answer's position.
	ErrNotFound = fault.New(fault.NotFound, "not-found", "There is nothing here by that name.")

	// ErrProjectionBehind: the read database has not reached Read.MinPosition
	// within Read.Wait. Extra has wanted and reached, both decimal strings.
	ErrProjectionBehind = fault.New(fault.Unavailable, "projection-behind", "The read database has not caught up yet. Try again.")

	// ErrIncomplete: an event of this organization could not be applied to the
	// read database, and the answer would have to rest on it. An operator is needed.
	ErrIncomplete = fault.New(fault.Unavailable, "projection-incomplete", "The read database is incomplete and cannot answer this.")

	// ErrUnavailable: the read database cannot be reached, or did not answer in time.
	ErrUnavailable = fault.New(fault.Unavailable, "unavailable", "The read database cannot be reached now. Try again.")

	// ErrInvalidCursor: a page cursor that no page gave for this question.
	ErrInvalidCursor = fault.New(fault.Malformed, "invalid-cursor", "This cursor does not belong to this question.")

	// ErrInvalid: a filter that cannot be asked.
	ErrInvalid = fault.New(fault.Invalid, "validation-failed", "The request is not acceptable.")
)

// How long a read may wait for its MinPosition.
const (
	DefaultWait = 2 * time.Second
	MaxWait     = 10 * time.Second
)

// Read is the part that all questions have in common.
type Read struct {
	OrganizationID uuid.UUID     // from the token, never from the path
	MinPosition    int64         // the answer reflects at least this position; 0 = whatever is there
	Wait           time.Duration // how long to wait for MinPosition; 0 = DefaultWait, at most MaxWait
}

// Patience is Wait with its default and its limit applied.
func (r Read) Patience() time.Duration {
	switch {
	case r.Wait <= 0:
		return DefaultWait
	case r.Wait > MaxWait:
		return MaxWait
	}
	return r.Wait
}
