package query

import (
	"context"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
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
	AsOf           Moment        // answer from what was known then; zero = what is known now
}

// Moment is a point of recorded time: a position of the log, or an instant,
// which means the last event recorded at it or before. The zero Moment is now.
type Moment struct {
	Position int64     // 0 = not given
	Instant  time.Time // zero = not given
}

// IsNow says whether no point of the past is named.
func (m Moment) IsNow() bool { return m.Position == 0 && m.Instant.IsZero() }

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

// Past is where answers about the past come from. Safe for concurrent use.
type Past interface {
	// Recorded gives the events of a stream up to the moment of r.AsOf, in log
	// order; of a strategy's stream with those of every indicator that belonged
	// to it by then, from their beginnings. A stream without any gives none.
	Recorded(ctx context.Context, r Read, streamID string) (Recorded, error)
}

// Recorded is a piece of the log.
type Recorded struct {
	Events   []eventlog.Event
	Position int64     // of the moment
	At       time.Time // of the moment: the instant asked for, or when Position was recorded
}

// MaxRecalled is how many events an answer about the past may rest on.
const MaxRecalled = 250_000

// RefuseAsOf is ErrInvalid for a question about the past: for lists of the present.
func RefuseAsOf(r Read) error {
	if r.AsOf.IsNow() {
		return nil
	}
	return ErrInvalid.Detailf("This can be asked of the present only.").At("#/asOf", "unsupported", "leave it out")
}
