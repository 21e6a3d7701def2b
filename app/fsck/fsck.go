package fsck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
)

// Log is the log that everything is compared with.
type Log interface {
	eventlog.Reader
	eventlog.StreamReader
}

// Part is something that is compared with the log on its own.
type Part interface {
	// Name is the section's: one of Sections.
	Name() string
	// Check compares and notes what is wrong. An error means that it could not be
	// checked; an *AbsentError that there is nothing to check.
	Check(ctx context.Context, t *Tally) error
}

// AbsentError says that what a Part checks is not configured.
type AbsentError struct{ Why string }

func (e *AbsentError) Error() string { return e.Why }

// Absent is a Part that is not configured, and why.
func Absent(name, why string) Part { return absent{name, why} }

type absent struct{ name, why string }

func (a absent) Name() string                        { return a.name }
func (a absent) Check(context.Context, *Tally) error { return &AbsentError{a.why} }

// Follower looks at the whole log, event by event.
type Follower interface {
	// Name is the section's.
	Name() string
	// Begin comes before the first event is read.
	Begin(ctx context.Context, t *Tally) error
	// Event is given the events in order. An error fails the section, which is
	// given no more of them.
	Event(ctx context.Context, e *Entry, t *Tally) error
	// End comes after the last event; head is its position.
	End(ctx context.Context, head int64, t *Tally) error
}

// Options say what is checked and how.
type Options struct {
	Log Log // required

	// Beside is what stands beside the log in its database; nil = not configured.
	Beside Beside
	// Followers and Parts are the rest of the installation. A section that nobody
	// checks is not configured.
	Followers []Follower
	Parts     []Part

	Only         []string  // names of sections; none = all
	Organization uuid.UUID // report only what concerns it; zero = everything

	Limit    int            // of things named in each section; 0 = 100. All are counted.
	Batch    int            // of events read at once; 0 = 2,000
	AtOnce   int64          // of events whose streams are folded in one reading of the log; 0 = 2,000,000
	Again    int            // of streams folded a second time; 0 = 500, negative = all
	Progress func(Progress) // nil = none
}

// Progress is how far a check is.
type Progress struct {
	Section     string
	Done, Total int64 // events
}

func (o Options) withDefaults() Options {
	if o.Limit <= 0 {
		o.Limit = 100
	}
	if o.Batch <= 0 {
		o.Batch = 2_000
	}
	if o.AtOnce <= 0 {
		o.AtOnce = 2_000_000
	}
	if o.Again == 0 {
		o.Again = 500
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return o
}

func (o Options) wants(section string) bool {
	return len(o.Only) == 0 || slices.Contains(o.Only, section)
}

// Run checks what was asked for. The error is one of the question (a section
// that does not exist) or of ctx; what is wrong, or cannot be reached, is in the
// report.
func Run(ctx context.Context, o Options) (Report, error) {
	o = o.withDefaults()
	for _, name := range o.Only {
		if !slices.Contains(Sections(), name) {
			return Report{}, fmt.Errorf("there is no section %q", name)
		}
	}
	r := &run{options: o, tallies: map[string]*Tally{}}
	r.scan(ctx)
	for _, part := range o.Parts {
		if o.wants(part.Name()) {
			r.check(ctx, part)
		}
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	for _, name := range Sections() {
		if !o.wants(name) {
			continue
		}
		t, ok := r.tallies[name]
		if !ok {
			t = newTally(name, o)
			t.notConfigured("there is none")
		}
		r.report.Sections = append(r.report.Sections, t.done())
	}
	return r.report, nil
}

// run is one check under way.
type run struct {
	options Options
	tallies map[string]*Tally
	report  Report
}

func (r *run) tally(name string) *Tally {
	t, ok := r.tallies[name]
	if !ok {
		t = newTally(name, r.options)
		r.tallies[name] = t
	}
	return t
}

func (r *run) check(ctx context.Context, part Part) {
	t := r.tally(part.Name())
	defer t.time(time.Now())
	r.options.Progress(Progress{Section: part.Name()})
	r.judge(t, part.Check(ctx, t))
}

// judge makes of an error what it means for its section.
func (r *run) judge(t *Tally, err error) {
	var missing *AbsentError
	switch {
	case errors.As(err, &missing):
		t.notConfigured(missing.Why)
	case err != nil:
		t.failed(err)
	}
}
