package command

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

const (
	// importerID names the process that records an import's measurements.
	importerID = "stratml-import"
	// parallelIndicators is how many indicators one import writes at a time.
	parallelIndicators = 8
	// progressAge is how old the saved progress of an import may be.
	progressAge = 500 * time.Millisecond
)

// ErrImportLayout: a newer release accepted the import.
var ErrImportLayout = fault.New(fault.Internal, "import-layout", "This release does not know how this import is to be applied.")

// Run applies an accepted import, or what is left of it: first the plan with
// its goals and objectives, then each indicator with its targets and
// measurements, in several appends. It acts as the member who started the
// import, who must still be an author of the strategy for as long as it takes;
// that member is the author of plan, indicators and targets, while measurements
// are recorded by the import process on their behalf (nobody measures by being
// able to upload a file).
//
// It may be called by anybody who knows the id, at any time, several times at
// once, and after it returned: what is in the log stays as it is. An
// interruption (error, crash, canceled ctx) leaves the import to be gone on
// with; a rule that refuses the rest makes it failed, and Run tries it again.
//
// progress, if not nil, is called after every append, from one goroutine at a time.
func (i *Imports) Run(ctx context.Context, organizationID, importID uuid.UUID, progress func(Progress)) (Imported, error) {
	a, err := i.accepted(ctx, organizationID, importID)
	if errors.Is(err, ErrNoImport) {
		return Imported{}, errors.Join(err, i.forget(ctx, organizationID, importID))
	}
	if err != nil {
		return Imported{}, err
	}
	plan, err := i.planOf(ctx, a)
	if err != nil {
		return Imported{}, fmt.Errorf("import %s: %w", importID, err)
	}
	a.Replayed = true
	return i.apply(ctx, a, plan, progress)
}

// forget takes an import that was never accepted off the list of the unfinished.
func (i *Imports) forget(ctx context.Context, organizationID, importID uuid.UUID) error {
	run, ok, err := i.options.Imports.Run(ctx, organizationID, importID)
	if err != nil || !ok {
		return err
	}
	run.State, run.Failure = ImportFailed, &ImportFailure{Slug: ErrNoImport.Slug, Rule: ErrNoImport.Rule, Detail: "It was never accepted."}
	return i.options.Imports.SaveRun(ctx, run)
}

// planOf makes the plan of an accepted import again, from what was accepted.
func (i *Imports) planOf(ctx context.Context, a *accepted) (*importPlan, error) {
	if a.Layout != importLayout {
		return nil, ErrImportLayout.Detailf("The layout is %d; this release knows %d.", a.Layout, importLayout)
	}
	document, err := i.options.Imports.Original(ctx, a.event.OrganizationID, a.DocumentSHA256)
	if err != nil {
		return nil, err
	}
	assume := stratml.DocumentType("")
	if a.TypeAssumed {
		assume = stratml.DocumentType(a.DocumentType)
	}
	r, err := i.read(ctx, a.event.OrganizationID, document, assume, a.Day)
	if err != nil {
		return nil, err
	}
	var b *base
	if a.BaseVersion > 0 {
		if b, err = i.baseThen(ctx, a); err != nil {
			return nil, err
		}
	}
	return planImport(planning{
		importID: a.ImportID, strategyID: a.StrategyID, reason: a.Reason, base: b, matched: a.Matched,
	}, r.doc, r.kept, r.omitted), nil
}

// apply runs the plan and keeps the run's progress.
func (i *Imports) apply(ctx context.Context, a *accepted, plan *importPlan, progress func(Progress)) (Imported, error) {
	r := &importRun{imports: i, accepted: a, plan: plan, progress: progress, replayed: a.Replayed, total: plan.appends(), position: a.Import.Position}
	err := r.all(ctx)
	// However it ended, how far it came is worth a moment more.
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	switch failure, final := failureOf(err); {
	case err == nil:
		err = r.save(saving, ImportApplied, nil)
	case final:
		err = errors.Join(err, r.save(saving, ImportFailed, failure))
	}
	if err != nil {
		return Imported{}, fmt.Errorf("import %s of strategy %s: %w", a.ImportID, plan.strategyID, err)
	}
	answer := a.Import
	answer.Replayed = r.replayed
	return Imported{
		Import: answer, Revision: r.strategy.Revision, Version: r.strategy.Version, Position: r.position,
		Document: plan.doc.Count(), Recorded: plan.recorded(), Deviations: plan.doc.Deviations, Omitted: plan.omitted,
	}, nil
}

// importRun is one import at work.
type importRun struct {
	imports  *Imports
	accepted *accepted
	plan     *importPlan
	progress func(Progress)
	total    int

	mu       sync.Mutex
	done     int
	position int64
	replayed bool
	strategy Result
	saved    time.Time // when the progress was
}

func (r *importRun) all(ctx context.Context) error {
	for _, c := range r.plan.plan {
		call := r.stepCall("plan", importLayout, c.from, c.to)
		result, err := r.imports.strategies.Execute(ctx, call, r.plan.strategyID, c.commands...)
		if err != nil {
			return err
		}
		r.strategy = result
		if err := r.finished(ctx, result); err != nil {
			return err
		}
	}
	// Definitions one after another: their order in the log is the document's, and
	// that is the order in which everybody reads them.
	for _, ind := range r.plan.indicators {
		for _, c := range ind.definitions() {
			if err := r.append(ctx, ind, c); err != nil {
				return err
			}
		}
	}
	// One error ends the rest; what is under way then finishes or fails as it may.
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(parallelIndicators)
	for _, ind := range r.plan.indicators {
		if working.Err() != nil {
			break
		}
		g.Go(func() error {
			for _, c := range ind.results() {
				if err := r.append(working, ind, c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return eventlog.ErrUnavailable.Because(err)
	}
	return nil
}

// definitions and results are the chunks of an indicator: what defines it has no
// span, since no result of the document is in it.
func (i indicatorPlan) definitions() []chunk[indicator.Command] {
	if len(i.chunks) > 0 && i.chunks[0].to == 0 {
		return i.chunks[:1]
	}
	return nil
}

func (i indicatorPlan) results() []chunk[indicator.Command] { return i.chunks[len(i.definitions()):] }

// append records one chunk of an indicator.
func (r *importRun) append(ctx context.Context, ind indicatorPlan, c chunk[indicator.Command]) error {
	call := r.stepCall("results", importLayout, ind.number, c.from, c.to)
	result, err := r.imports.indicators.importChunk(ctx, call, ind.id, c.commands)
	if err != nil {
		return fmt.Errorf("indicator %d: %w", ind.number+1, err)
	}
	return r.finished(ctx, result)
}

// stepCall is the call of one append: by the member who started the import and,
// where a second person is needed, with the one who authorized it; caused by
// the acceptance, and under its correlation.
func (r *importRun) stepCall(name string, n ...int) Call {
	e, m := r.accepted.event, r.accepted.metadata
	call := Call{
		Principal:     Principal{OrganizationID: e.OrganizationID, memberID: m.Actor.ID, AuthMethod: m.Actor.AuthMethod},
		CommandID:     step(r.plan.importID, name, n...),
		Hash:          e.CommandHash,
		Origin:        m.Origin,
		RequestID:     m.RequestID,
		CorrelationID: m.CorrelationID,
		CausationID:   e.ID.String(),
		TraceParent:   m.TraceParent,
		TraceState:    m.TraceState,
		Reason:        m.Reason,
	}
	if m.Actor.AuthAt != nil {
		call.Principal.AuthAt = *m.Actor.AuthAt
	}
	if c := m.Countersignature; c != nil {
		call.Countersignature = &Countersignature{
			ID: c.ID, Hash: call.Hash, Meaning: c.Meaning, SignedAt: c.SignedAt,
			Principal: Principal{OrganizationID: e.OrganizationID, memberID: c.SignerID, AuthMethod: c.AuthMethod, AuthAt: c.AuthAt},
		}
	}
	return call
}

// finished counts an append and, now and then, saves how far the import is.
func (r *importRun) finished(ctx context.Context, result Result) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.position = max(r.position, result.Position)
	r.replayed = r.replayed && result.Replayed
	if r.progress != nil {
		r.progress(Progress{Done: r.done, Total: r.total})
	}
	if time.Since(r.saved) < progressAge {
		return nil
	}
	r.saved = time.Now()
	return r.save(ctx, ImportApplying, nil)
}

func (r *importRun) save(ctx context.Context, state ImportState, failure *ImportFailure) error {
	return r.imports.options.Imports.SaveRun(ctx, ImportRun{
		OrganizationID: r.accepted.event.OrganizationID, ImportID: r.plan.importID, State: state,
		Progress: Progress{Done: r.done, Total: r.total}, Revision: r.strategy.Revision, Version: r.strategy.Version,
		Position: r.position, Failure: failure,
	})
}

// importer is the process that records measurements for a member.
func importer(by asking) asking {
	return asking{
		Actor: fact.Actor{ID: importerID, Kind: fact.Process, At: by.At}, onBehalfOf: by.ID, policyVersion: by.policyVersion,
	}
}

// importChunk appends a part of an import to an indicator. Whoever imports must
// be an author for as long as it takes.
func (i *Indicators) importChunk(ctx context.Context, call Call, id uuid.UUID, commands []indicator.Command) (Result, error) {
	prepare := i.preparer(call, id)
	return i.executor.execute(ctx, request[indicator.State, indicator.Command]{
		call: call, owner: call.Principal.OrganizationID, id: id, commands: commands,
		prepare: func(ctx context.Context, s indicator.State, c indicator.Command, since time.Time) (asking, indicator.Command, error) {
			by, c, err := prepare(ctx, s, c, since)
			if err != nil {
				return by, c, err
			}
			if _, ok := c.(indicator.RecordMeasurement); ok {
				if err := authz.Check(by.Actor, authz.DefineIndicator); err != nil {
					return by, c, err
				}
				by = importer(by)
			}
			return by, c, nil
		},
	})
}

// rehearse decides everything on the states of the base, or on empty ones, and
// writes nothing.
func (in *intake) rehearse(ctx context.Context, b *base, second fact.Second) error {
	by := in.member.asking(in.strategyID.String())
	by.At = in.member.now
	var s strategy.State
	authorization := indicator.Authorization{}
	if b != nil {
		s = b.state
		authorization = indicator.Authorization{StrategyInForce: true, Second: second}
	}
	for _, c := range in.plan.plan {
		for _, command := range c.commands {
			if draft, ok := command.(strategy.DraftStrategy); ok {
				draft.StrategyID = in.strategyID.String()
				command = draft
			}
			events, err := strategy.Decide(s, by.Actor, command)
			if err != nil {
				return err
			}
			for _, e := range events {
				s = s.Apply(by.Actor, e)
			}
		}
	}
	for _, ind := range in.plan.indicators {
		var s indicator.State
		if b != nil {
			s = b.indicator(ind.id.String())
		}
		for _, c := range ind.chunks {
			for _, command := range c.commands {
				actor := by.Actor
				if _, ok := command.(indicator.RecordMeasurement); ok {
					actor = importer(by).Actor
				}
				events, err := indicator.Decide(s, actor, authorized(command, ind.id, authorization))
				if err != nil {
					return fmt.Errorf("indicator %d: %w", ind.number+1, err)
				}
				for _, e := range events {
					s = s.Apply(actor, e)
				}
			}
		}
	}
	return ctx.Err()
}

// authorized is a command as the service completes it.
func authorized(c indicator.Command, id uuid.UUID, a indicator.Authorization) indicator.Command {
	switch c := c.(type) {
	case indicator.DefineIndicator:
		c.IndicatorID, c.Authorization = id.String(), a
		return c
	case indicator.RedefineIndicator:
		c.Authorization = a
		return c
	case indicator.RelinkIndicator:
		c.Authorization = a
		return c
	case indicator.SetTarget:
		c.Authorization = a
		return c
	}
	return c
}

func (p *importPlan) recorded() Recorded {
	var n Recorded
	for _, c := range p.plan {
		for _, command := range c.commands {
			switch command.(type) {
			case strategy.AddGoal:
				n.Goals++
			case strategy.AddObjective:
				n.Objectives++
			case strategy.AmendFrame, strategy.AmendGoal, strategy.AmendObjective:
				n.Amended++
			case strategy.MoveObjective:
				n.Moved++
			case strategy.RetireGoal, strategy.RetireObjective:
				n.Retired++
			}
		}
	}
	for _, ind := range p.indicators {
		for _, c := range ind.chunks {
			for _, command := range c.commands {
				switch command.(type) {
				case indicator.DefineIndicator:
					n.Indicators++
				case indicator.RedefineIndicator, indicator.RelinkIndicator:
					n.Redefined++
				case indicator.SetTarget:
					n.Targets++
				case indicator.RecordMeasurement:
					n.Measurements++
				}
			}
		}
	}
	return n
}
