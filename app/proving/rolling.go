package proving

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/verifier"
)

// How the service verifies where RollingOptions are zero.
const (
	DefaultEvery = 5 * time.Minute
	recentSpan   = 24 * time.Hour
	wholeWithin  = 20 * time.Hour // so that a day is kept, also after a night of outages
	workShare    = 10             // a tenth of the time is work at most
	minChunk     = 65_536         // positions of a part of the whole
)

// RollingOptions wire a Rolling. Source, Trust and Found are required.
type RollingOptions struct {
	Source Source
	Trust  verifier.Trust

	// Found is told of a problem, every time it is seen. organizations are those
	// that it concerns, as far as that is known.
	Found func(ctx context.Context, r Report, organizations []uuid.UUID) error

	Logger *slog.Logger     // nil = slog.Default()
	Every  time.Duration    // 0 = DefaultEvery
	Now    func() time.Time // nil = time.Now
}

// Status is how the verification of the log goes.
type Status struct {
	Position int64             // up to here the log was verified last
	At       time.Time         // when that was
	WholeAt  time.Time         // when all of it was verified, part after part; zero = not yet
	Problem  *verifier.Problem // the first that stands; nil = none
	Since    time.Time         // of the problem
}

// Rolling verifies the log all the time: the last day's events again and again,
// and the whole within a day, part after part. Status may be asked meanwhile.
type Rolling struct {
	o    RollingOptions
	next int64 // the first position of the next part of the whole
	bad  bool  // a part of this round of the whole was not right

	mu     sync.Mutex
	status Status
}

// NewRolling makes one. It asks nobody yet.
func NewRolling(o RollingOptions) *Rolling {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Every <= 0 {
		o.Every = DefaultEvery
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Rolling{o: o, next: 1}
}

// Status says how it goes. It asks nobody.
func (r *Rolling) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Run verifies while leads says so, until ctx ends. What cannot be read is tried
// again at the next turn.
func (r *Rolling) Run(ctx context.Context, leads func() bool) {
	pause := min(r.o.Every, 10*time.Second) // a problem shows soon after a start
	for waited(ctx, pause) {
		pause = r.o.Every
		if !leads() {
			pause = min(pause, 10*time.Second)
			continue
		}
		if err := r.Once(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrNothingSealed) {
			r.o.Logger.WarnContext(ctx, "the log could not be verified; it is tried again", "err", err)
		}
	}
}

// Once verifies the last day's events, and the next part of the whole.
func (r *Rolling) Once(ctx context.Context) error {
	newest, err := r.o.Source.NewestNote(ctx)
	if err != nil {
		return err
	}
	if newest.Size == 0 {
		return ErrNothingSealed
	}
	from, err := r.o.Source.PositionAt(ctx, r.o.Now().Add(-recentSpan))
	if err != nil {
		return err
	}
	if from == 0 || from > newest.Size {
		from = newest.Size
	}
	recent, err := r.part(ctx, from, 0)
	if err != nil {
		return err
	}
	first := recent.Problem
	if r.next < from {
		chunk := max(minChunk, newest.Size*int64(r.o.Every)/int64(wholeWithin)+1)
		to := min(r.next+chunk-1, from-1)
		part, err := r.part(ctx, r.next, to)
		if err != nil {
			return err
		}
		if r.next = to + 1; part.Problem != nil {
			r.bad, first = true, part.Problem
		}
	}
	r.bad = r.bad || first != nil
	whole := r.next >= from
	if whole {
		r.next = 1
	}
	r.settle(recent, first, whole)
	return nil
}

// settle keeps what a turn has found. A problem stands until a round of the whole
// is clean.
func (r *Rolling) settle(recent Report, first *verifier.Problem, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	r.status.At = now
	if first == nil || r.status.Problem == nil {
		r.status.Position = recent.To
	}
	switch {
	case first != nil && r.status.Problem == nil:
		r.status.Problem, r.status.Since = first, now
	case first != nil:
		r.status.Problem = first
	}
	if whole {
		if !r.bad {
			r.status.Problem, r.status.Since, r.status.WholeAt = nil, time.Time{}, now
		}
		r.bad = false
	}
}

// part verifies a range and tells of what is wrong with it.
func (r *Rolling) part(ctx context.Context, from, to int64) (Report, error) {
	began := r.o.Now()
	report, err := Run(ctx, r.o.Source, Options{
		Trust: r.o.Trust, From: from, To: to, NewestOnly: true,
		Pause: func(ctx context.Context) error {
			worked := r.o.Now().Sub(began)
			if !waited(ctx, (workShare-1)*worked) {
				return ctx.Err()
			}
			began = r.o.Now()
			return nil
		},
	})
	if err != nil || report.Problem == nil {
		return report, err
	}
	r.o.Logger.ErrorContext(ctx, "the log is not what was sealed", "position", report.Problem.Position, "through", report.Problem.Through,
		"check", report.Problem.Check, "kind", report.Problem.Kind, "event", report.Problem.EventID, "stream", report.Problem.Stream,
		"expected", report.Problem.Expected, "found", report.Problem.Found)
	organizations, err := r.concerned(ctx, report.Problem)
	if err != nil {
		return report, err
	}
	if err := r.o.Found(ctx, report, organizations); err != nil {
		r.o.Logger.WarnContext(ctx, "what is wrong with the log could not be reported; it is tried again", "err", err)
	}
	return report, nil
}

// concerned are the organizations whose events a problem is about: those of its
// event, or with events where it is, or else before it.
func (r *Rolling) concerned(ctx context.Context, p *verifier.Problem) ([]uuid.UUID, error) {
	var found []uuid.UUID
	seen := map[uuid.UUID]bool{}
	add := func(events []eventlog.Event) {
		for _, e := range events {
			if !seen[e.OrganizationID] {
				seen[e.OrganizationID] = true
				found = append(found, e.OrganizationID)
			}
		}
	}
	through := max(p.Position, p.Through)
	events, err := r.o.Source.Between(ctx, p.Position-1, min(through, p.Position+pageSize))
	if err != nil {
		return nil, err
	}
	add(events)
	if len(found) == 0 {
		if events, err = r.o.Source.Between(ctx, max(0, p.Position-pageSize), p.Position-1); err != nil {
			return nil, err
		}
		add(events)
	}
	return found, nil
}

// waited waits, and says whether ctx goes on.
func waited(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
