package process

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/journal"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	domain "strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// Log is what the processes need of the event log.
type Log interface {
	eventlog.StreamReader
	// Head is the last position, 0 for an empty log.
	Head(ctx context.Context) (int64, error)
}

// Executor gives commands to aggregates of one kind; see package command.
type Executor[C any] interface {
	Execute(ctx context.Context, call command.Call, id uuid.UUID, commands ...C) (command.Result, error)
}

// UseCases is what processes can ask for.
type UseCases struct {
	Organizations Executor[organization.Command]
	Strategies    Executor[strategy.Command]
	Indicators    Executor[indicator.Command]
	Findings      Executor[finding.Command]
	Sources       Executor[source.Command]
}

// Index finds aggregates that events do not name. The ids are as of minPosition
// or later: the implementation waits for it, and answers with a fault of kind
// Unavailable if that takes too long. What the aggregates are is read from the
// log; an id too many does no harm.
type Index interface {
	// IndicatorsOf gives all indicators of a strategy.
	IndicatorsOf(ctx context.Context, organizationID, strategyID uuid.UUID, minPosition int64) ([]uuid.UUID, error)
	// StrategiesOfLineage gives all strategies with a lineage key.
	StrategiesOfLineage(ctx context.Context, organizationID uuid.UUID, lineageKey string, minPosition int64) ([]uuid.UUID, error)
	// FindingsAbout gives the findings about a subject that are not closed.
	FindingsAbout(ctx context.Context, organizationID uuid.UUID, subjectType, subjectID string, minPosition int64) ([]uuid.UUID, error)
	// FindingsByKey gives all findings with a dedupe key, closed ones included.
	FindingsByKey(ctx context.Context, organizationID uuid.UUID, dedupeKey string, minPosition int64) ([]uuid.UUID, error)
	// FindingsOwnedBy gives the findings that a member owns.
	FindingsOwnedBy(ctx context.Context, organizationID uuid.UUID, memberID string, minPosition int64) ([]uuid.UUID, error)
	// SourcesStewardedBy gives the sources that a member answers for.
	SourcesStewardedBy(ctx context.Context, organizationID uuid.UUID, memberID string, minPosition int64) ([]uuid.UUID, error)
}

// Reminders records that something is due; journal.Recorder is one. The same
// command id again records nothing again.
type Reminders interface {
	Remind(ctx context.Context, organizationID, commandID uuid.UUID, e domain.Reminded, cause journal.Cause) error
}

// Timer is a stored timer.
type Timer struct {
	OrganizationID uuid.UUID
	ID             uuid.UUID // follows from the event or timer that set it
	Kind           string
	Subject        string // "finding-<id>"
	DueAt          time.Time
	CauseID        uuid.UUID // event that set it
	CausePosition  int64
	CorrelationID  string
	Attempts       int // to fire it that failed
}

// Cancellation ends the pending timers of one kind and subject that events
// before a position have set.
type Cancellation struct {
	OrganizationID uuid.UUID
	Kind, Subject  string
	Before         int64
}

// TimerCounts is what an operator wants to know.
type TimerCounts struct {
	Pending int64
	Due     int64     // of those, how many should have fired by now
	Next    time.Time // when the next one is tried; zero if none is pending
}

// Timers keeps timers, beside the log. Safe for concurrent use. Failures are
// faults of kind Unavailable: nothing happened, or it may be done once more.
type Timers interface {
	// Set stores timers that are not there yet; one that has fired or was
	// cancelled stays as it is. Of the pending timers of one kind and subject
	// those of earlier events are cancelled, whatever the order of the calls.
	Set(ctx context.Context, timers []Timer) error
	// Cancel ends pending timers.
	Cancel(ctx context.Context, keys []Cancellation) error
	// Due gives pending timers to be tried by now, the one due longest first.
	Due(ctx context.Context, now time.Time, limit int) ([]Timer, error)
	// Fired ends a pending timer; of one that is not pending nothing changes.
	Fired(ctx context.Context, t Timer, at time.Time) error
	// Postpone tries a timer again later, and says why.
	Postpone(ctx context.Context, t Timer, until time.Time, reason string) error
	// Counts looks at all of them.
	Counts(ctx context.Context, now time.Time) (TimerCounts, error)
}

// Metrics hears of what the processes do. Safe for concurrent use.
type Metrics interface {
	// Step: process is its name; outcome is recorded, replayed, unchanged,
	// refused, reminded or failed.
	Step(process, outcome string)
	// Timer: kind is what it is for; outcome is fired or postponed.
	Timer(kind, outcome string)
}

// Options wires a Runner. All but the last three are required.
type Options struct {
	Log       Log
	UseCases  UseCases
	Index     Index
	Timers    Timers
	Reminders Reminders

	Metrics Metrics
	Logger  *slog.Logger     // nil = slog.Default()
	Clock   func() time.Time // nil = time.Now
}
