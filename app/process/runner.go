package process

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/process"
)

// Group is the name of the consumer group.
const Group = "processes"

// Runner runs the processes. Handle and FireTimers may run beside each other.
type Runner struct {
	o Options

	handling sync.Mutex
	reader   *reader // of Handle

	firing sync.Mutex
	timed  *reader // of FireTimers

	mu    sync.Mutex
	clock TimerStatus
}

// New makes a Runner. It connects to nothing.
func New(o Options) *Runner {
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Runner{o: o, reader: newReader(o.Log, o.Clock), timed: newReader(o.Log, o.Clock)}
}

type noMetrics struct{}

func (noMetrics) Step(string, string)  {}
func (noMetrics) Timer(string, string) {}

// Handle is the group's eventlog.BatchHandler. It may be given any events, any
// number of times, in ascending order of positions.
func (r *Runner) Handle(ctx context.Context, events []eventlog.Event) error {
	var later deferred
	first := true
	for _, e := range events {
		concerned, ok := reactions[e.Type]
		if !ok {
			continue
		}
		if first { // most batches concern no process at all
			first = false
			r.handling.Lock()
			defer r.handling.Unlock()
			r.reader.forget()
		}
		if err := r.react(ctx, e, concerned, &later); err != nil {
			return fmt.Errorf("%s at position %d: %w", e.Type, e.Position, err)
		}
	}
	return r.write(ctx, later)
}

// deferred are the timers of a batch: they are written together, at its end.
type deferred struct {
	set    []Timer
	cancel []Cancellation
}

func (r *Runner) write(ctx context.Context, d deferred) error {
	if err := r.o.Timers.Set(ctx, d.set); err != nil {
		return err
	}
	return r.o.Timers.Cancel(ctx, d.cancel)
}

func (r *Runner) react(ctx context.Context, e eventlog.Event, concerned []reaction, later *deferred) error {
	body, actor, err := decode(e)
	if err != nil {
		return err
	}
	m, err := eventlog.DecodeMetadata(e.Metadata)
	if err != nil {
		return unreadable{err}
	}
	for _, c := range concerned {
		by := origin{
			organizationID: e.OrganizationID, process: c.process, id: e.ID,
			eventID: e.ID, position: e.Position, correlationID: m.CorrelationID,
		}
		look := &look{
			reader: r.reader, index: r.o.Index, event: e, body: body, by: actor, cause: process.Cause{
				OrganizationID: e.OrganizationID.String(), Position: e.Position, At: e.RecordedAt.UTC(), Derive: by.derive,
			},
		}
		d, err := c.decide(ctx, look)
		if err != nil {
			return standing(fmt.Errorf("process %s: %w", c.process, err))
		}
		if _, err := r.carryOut(ctx, by, d, r.reader); err != nil {
			return standing(fmt.Errorf("process %s: %w", c.process, err))
		}
		by.later(d, later)
	}
	return nil
}

// origin is what effects are derived from: an event, or a timer that one has set.
type origin struct {
	organizationID uuid.UUID
	process        string
	id             uuid.UUID // of the event, or of the timer
	eventID        uuid.UUID
	position       int64 // of the event
	correlationID  string
}

// derive gives the id that follows from the origin and names.
func (o origin) derive(names ...string) string { return o.deriveID(names...).String() }

func (o origin) deriveID(names ...string) uuid.UUID {
	text := o.process
	for _, n := range names {
		text += "\x00" + n
	}
	return uuid.NewSHA1(o.id, []byte(text))
}

// later notes the timers of a decision.
func (o origin) later(d process.Decision, later *deferred) {
	for _, t := range d.Timers {
		later.set = append(later.set, o.timer(t))
	}
	for _, k := range d.Cancel {
		later.cancel = append(later.cancel, Cancellation{
			OrganizationID: o.organizationID, Kind: string(k.Kind), Subject: k.Subject.String(), Before: o.position,
		})
	}
}

func (o origin) timer(t process.Timer) Timer {
	return Timer{
		OrganizationID: o.organizationID, ID: TimerID(o.id, string(t.Kind), t.Subject.String()),
		Kind: string(t.Kind), Subject: t.Subject.String(), DueAt: t.DueAt,
		CauseID: o.eventID, CausePosition: o.position, CorrelationID: o.correlationID,
	}
}
