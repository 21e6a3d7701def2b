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
	Names          bool          // who asks may read names of persons
	Opened         func()        // hears that the answer shows one; may be nil
}

// Moment is a point of recorded time: a position of the log, or an instant,
// which means the last event recorded at it or before. The zero Moment is now.
// With both, as Cut.Moment has them, the position says what was known, and the
// instant what time it was.
type Moment struct {
	Position int64     `json:"p,omitempty,string"` // 0 = not given
	Instant  time.Time `json:"t,omitzero"`         // zero = not given
}

// IsNow says whether no point of the past is named.
func (m Moment) IsNow() bool { return m.Position == 0 && m.Instant.IsZero() }

// Settled says that the moment has been looked up: see Cut.
func (m Moment) Settled() bool { return m.Position != 0 && !m.Instant.IsZero() }

// Cut is a moment as the log has it. All read models answer as of Position.
type Cut struct {
	Position int64
	At       time.Time // the instant asked for, or when the last event up to Position was recorded

	// Of the organization: the last event up to Position, 0 and uuid.Nil if there
	// is none, and up to which position nothing else was recorded behind it. What
	// is so between Last and Quiet is what was so at Position. LastID tells two
	// histories apart that part before Last.
	Last   int64
	LastID uuid.UUID
	Quiet  int64
}

// Moment is the cut as a moment: asking for it again finds the same.
func (c Cut) Moment() Moment { return Moment{c.Position, c.At} }

// Within is the read for a page of a list: the pages of the past go on as of
// what the first one was as of, whatever instant named it. (Another position
// than the cursor's stays, and is refused with the cursor.)
func (r Read) Within(p Paging) Read {
	then := CursorMoment(p.Cursor)
	if !then.IsNow() && (r.AsOf.Position == 0 || r.AsOf.Position == then.Position) {
		r.AsOf = then
	}
	return r
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

// Past is where answers about the past come from. Safe for concurrent use.
type Past interface {
	// Moment looks up what r.AsOf stands for. A position that is not there yet is
	// waited for as Read.MinPosition is; an instant that is yet to come is ErrInvalid.
	Moment(ctx context.Context, r Read) (Cut, error)

	// Recorded gives the events of a stream behind a position up to the moment of
	// r.AsOf, in log order; of a strategy's stream with those of every indicator
	// that belonged to it by then, from their beginnings. A stream without any
	// gives none.
	Recorded(ctx context.Context, r Read, streamID string, after int64) (Recorded, error)

	// Everything gives at most limit of the organization's events behind a
	// position up to the moment of r.AsOf, in log order.
	Everything(ctx context.Context, r Read, after int64, limit int) ([]eventlog.Event, error)
}

// Recorded is a piece of the log.
type Recorded struct {
	Events []eventlog.Event
	Cut    Cut
	// Anchor is the event at position after: uuid.Nil if it is not one of those asked for.
	Anchor uuid.UUID
	// Joined is the last of Events by which an indicator came to the strategy from
	// elsewhere, 0 if there is none. What it had recorded before is not among
	// Events if after is not 0.
	Joined int64
}

// MaxRecalled is how many events an answer about one thing, or a report of what
// was recorded, may rest on.
const MaxRecalled = 250_000
