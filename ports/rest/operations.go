package rest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/ports/rest/gen"
)

const (
	operationsAtWork = 4 // in this process
	// operationsPerOrganization is how many of one organization may be at work at
	// a time, waitingPerOrganization how many may be accepted and not done.
	operationsPerOrganization = 2
	waitingPerOrganization    = 16
	operationTime             = 30 * time.Minute
	sweepEvery                = 15 * time.Second
	// abandonedAfter is how long nothing must have happened to an operation before
	// an instance that did not accept it goes on with it. One at work tells of
	// itself far more often.
	abandonedAfter = 30 * time.Second
	longestRetry   = 10 * time.Minute
)

// operations does what callers did not wait for. Its memory is the store of
// imports and the log: what this process forgets by dying, it or another finds
// there again and goes on with, from the last append.
type operations struct {
	imports *command.Imports
	log     *slog.Logger
	now     func() time.Time
	on      atomic.Bool
	wake    chan struct{}

	mu     sync.Mutex
	own    map[importID]bool      // accepted here, not begun
	atWork map[importID]bool      // in this process
	later  map[importID]postponed // failed for reasons that may pass
}

type postponed struct {
	wait  time.Duration
	until time.Time
}

func newOperations(o Options) *operations {
	return &operations{
		imports: o.App.Imports, log: o.Log, now: time.Now, wake: make(chan struct{}, 1),
		own: map[importID]bool{}, atWork: map[importID]bool{}, later: map[importID]postponed{},
	}
}

// Run does what was accepted with `Prefer: respond-async`, and finishes imports
// that were interrupted, wherever they were accepted. It returns when ctx has
// ended and what was at work has stopped between two appends. Without it
// imports are answered only when they are done. Call it once.
func (a *API) Run(ctx context.Context) error { return a.server.operations.run(ctx) }

// working says whether anybody would go on with what is accepted.
func (o *operations) working() bool { return o.on.Load() }

// room refuses an organization that has too much under way.
func (o *operations) room(ctx context.Context, organization uuid.UUID) error {
	runs, err := o.imports.Unfinished(ctx)
	if err != nil {
		return err
	}
	n := 0
	for _, r := range runs {
		if r.OrganizationID == organization {
			n++
		}
	}
	if n >= waitingPerOrganization {
		return errImportsBusy.Detailf("%d are accepted and not done.", n)
	}
	return nil
}

// begin has an accepted import done soon.
func (o *operations) begin(organization, id uuid.UUID) {
	o.mu.Lock()
	o.own[importID{organization, id}] = true
	o.mu.Unlock()
	o.hurry()
}

func (o *operations) hurry() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *operations) run(ctx context.Context) error {
	if o.imports == nil {
		<-ctx.Done()
		return nil
	}
	o.on.Store(true)
	defer o.on.Store(false)
	var workers sync.WaitGroup
	defer workers.Wait()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		if err := o.sweep(ctx, &workers); err != nil && ctx.Err() == nil {
			o.log.WarnContext(ctx, "operations cannot be looked up", "err", err)
		}
		select {
		case <-sweep.C:
		case <-o.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// sweep begins what is to be done and has room.
func (o *operations) sweep(ctx context.Context, workers *sync.WaitGroup) error {
	runs, err := o.imports.Unfinished(ctx)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	busy := map[uuid.UUID]int{}
	for id := range o.atWork {
		busy[id.organization]++
	}
	unfinished := make(map[importID]bool, len(runs))
	now := o.now()
	for _, r := range runs {
		id := importID{r.OrganizationID, r.ImportID}
		unfinished[id] = true
		switch {
		case o.atWork[id], len(o.atWork) >= operationsAtWork, busy[id.organization] >= operationsPerOrganization:
		case now.Before(o.later[id].until):
		case !o.own[id] && now.Sub(r.UpdatedAt) < abandonedAfter:
		default:
			delete(o.own, id)
			o.atWork[id] = true
			busy[id.organization]++
			workers.Go(func() { o.do(ctx, id) })
		}
	}
	for id := range o.own {
		if !unfinished[id] {
			delete(o.own, id)
		}
	}
	for id := range o.later {
		if !unfinished[id] {
			delete(o.later, id)
		}
	}
	return nil
}

// do goes on with one import until it is done, refused or interrupted.
func (o *operations) do(ctx context.Context, id importID) {
	err := o.apply(ctx, id)
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.hurry() // there is room for another
	delete(o.atWork, id)
	if err == nil {
		delete(o.later, id)
		return
	}
	if ctx.Err() != nil {
		return // stopping: whoever finds it goes on
	}
	wait := min(max(2*o.later[id].wait, time.Second), longestRetry)
	o.later[id] = postponed{wait, o.now().Add(wait)}
	o.own[id] = true
	o.log.WarnContext(ctx, "operation interrupted", "operation", id.id.String(), "organization", id.organization.String(), "again_in", wait.String(), "err", err)
}

func (o *operations) apply(ctx context.Context, id importID) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, operationTime)
	defer cancel()
	_, err = o.imports.Run(ctx, id.organization, id.id, nil)
	return err
}

// GetOperation handles GET /v1/operations/{id}.
func (s *server) GetOperation(ctx context.Context, r gen.GetOperationRequestObject) (gen.GetOperationResponseObject, error) {
	body, done, err := s.operation(ctx, of(ctx).principal.OrganizationID, r.ID)
	if err != nil {
		return nil, err
	}
	answer := gen.GetOperation200JSONResponse{Body: body}
	if !done {
		answer.Headers.RetryAfter = optional("1")
	}
	return answer, nil
}

// operation is how far an import is, as an operation.
func (s *server) operation(ctx context.Context, organization, id uuid.UUID) (body gen.Operation, done bool, err error) {
	run, err := s.options.App.Imports.Status(ctx, organization, id)
	if err != nil {
		return gen.Operation{}, false, err
	}
	body = gen.Operation{ID: id.String()}
	body.Progress.Done, body.Progress.Total = run.Done, run.Total
	switch run.State {
	case command.ImportAccepted:
		body.Status = "pending"
	case command.ImportApplying:
		body.Status = "running"
	case command.ImportFailed:
		body.Status = "failed"
		problem := s.failure(run.Failure)
		body.Problem = &problem
	case command.ImportApplied:
		body.Status = "succeeded"
		accepted, err := s.options.App.Imports.Get(ctx, organization, id)
		if err != nil {
			return gen.Operation{}, false, err
		}
		result := gen.OperationResult{
			Href: "/v1/strategies/" + accepted.StrategyID.String(), ImportID: id.String(), StrategyID: accepted.StrategyID.String(),
			Revision: run.Revision, Version: decimal(run.Version), Position: decimal(run.Position),
		}
		body.Result = &result
	}
	return body, run.State == command.ImportApplied || run.State == command.ImportFailed, nil
}

// failure is the problem that a request would have got for what ended an import.
func (s *server) failure(f *command.ImportFailure) gen.Problem {
	if f == nil {
		f = &command.ImportFailure{Slug: errInternal.Slug}
	}
	code := http.StatusUnprocessableEntity
	if page, ok := s.problems[f.Slug]; ok {
		code = page.status
	}
	problem := gen.Problem{
		"type": "/problems/" + f.Slug, "title": "The operation was refused.", "status": code, "code": f.Slug,
	}
	if f.Detail != "" {
		problem["detail"] = f.Detail
	}
	if f.Rule != "" {
		problem["rule"] = f.Rule
	}
	return problem
}
