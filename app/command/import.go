package command

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

const (
	// importerID names the process that records an import's measurements.
	importerID = "stratml-import"
	// parallelIndicators is how many indicators one import writes at a time.
	parallelIndicators = 8
)

// Imports turns documents into strategies. Safe for concurrent use.
type Imports struct {
	organizations *Organizations
	strategies    *Strategies
	indicators    *Indicators
}

// Imported is the answer to an import.
type Imported struct {
	ImportID   uuid.UUID
	StrategyID uuid.UUID
	Revision   int   // of the strategy; always a draft
	Version    int64 // of the strategy's stream after the import's last append to it
	Position   int64 // of the import's last event
	Document   stratml.Counts
	Recorded   Recorded
	Deviations stratml.Deviations  // of the document
	Omitted    []stratml.Deviation // what was not recorded as it stands, and why
	Replayed   bool                // everything was in the log already
}

// Recorded counts what an import recorded.
type Recorded struct {
	Goals, Objectives, Indicators, Targets, Measurements int
}

// Progress of an import, in appends.
type Progress struct{ Done, Total int }

// StratML imports a document as a new strategy in draft: first the strategy
// with its goals and objectives, then each indicator with its targets and
// measurements, in several appends. Nothing is written if any part of the
// document would be refused.
//
// All ids, of appends and aggregates, are made from the call's command id. An
// import that was interrupted at any point (error, crash, canceled ctx) is
// finished by calling again with the same command id, hash and document; what
// is in the log already stays as it is. The first append carries the command id
// itself, so another request under the same key is refused.
//
// The asking member needs the role strategy_author and is the author of plan,
// indicators and targets; measurements are recorded by the import process on
// his behalf (nobody measures by being able to upload a file).
//
// progress, if not nil, is called after every append, from one goroutine at a time.
func (i *Imports) StratML(ctx context.Context, call Call, doc *stratml.Document, progress func(Progress)) (Imported, error) {
	if call.CommandID == uuid.Nil || len(call.Hash) == 0 {
		return Imported{}, ErrIncomplete
	}
	plan := planImport(call.CommandID, doc, calendar.Of(i.strategies.executor.options.Clock()))
	_, hash, begun, err := i.strategies.executor.options.Log.FindCommand(ctx, call.CommandID)
	switch {
	case err != nil:
		return Imported{}, fmt.Errorf("look for import %s: %w", call.CommandID, err)
	case begun && !bytes.Equal(hash, call.Hash):
		return Imported{}, eventlog.ErrCommandReused
	case !begun:
		if err := i.rehearse(ctx, call, plan); err != nil {
			return Imported{}, err
		}
	}
	run := &importRun{imports: i, call: call, plan: plan, progress: progress, replayed: true}
	run.total = len(plan.plan)
	for _, ind := range plan.indicators {
		run.total += len(ind.chunks)
	}
	if err := run.all(ctx, doc); err != nil {
		return Imported{}, fmt.Errorf("import of strategy %s: %w", plan.strategyID, err)
	}
	return Imported{
		ImportID:   plan.importID,
		StrategyID: plan.strategyID,
		Revision:   run.strategy.Revision,
		Version:    run.strategy.Version,
		Position:   run.position,
		Document:   doc.Count(),
		Recorded:   plan.recorded(),
		Deviations: doc.Deviations,
		Omitted:    plan.omitted,
		Replayed:   run.replayed,
	}, nil
}

// rehearse decides everything on empty states and writes nothing: a document
// is refused as a whole or not at all.
func (i *Imports) rehearse(ctx context.Context, call Call, plan *importPlan) error {
	m, err := i.organizations.member(ctx, call.Principal, time.Now())
	if err != nil {
		return err
	}
	by := m.actor(plan.strategyID.String())
	by.At = m.now
	var s strategy.State
	for _, c := range plan.plan {
		for _, command := range c.commands {
			if draft, ok := command.(strategy.DraftStrategy); ok {
				draft.StrategyID = plan.strategyID.String()
				command = draft
			}
			events, err := strategy.Decide(s, by, command)
			if err != nil {
				return err
			}
			for _, e := range events {
				s = s.Apply(by, e)
			}
		}
	}
	for _, ind := range plan.indicators {
		var s indicator.State
		for _, c := range ind.chunks {
			for _, command := range c.commands {
				actor := by
				switch c := command.(type) {
				case indicator.DefineIndicator:
					c.IndicatorID = ind.id.String()
					command = c
				case indicator.RecordMeasurement:
					actor = importer(by).Actor
				}
				events, err := indicator.Decide(s, actor, command)
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

// importer is the process that records measurements for a member.
func importer(by fact.Actor) asking {
	return asking{Actor: fact.Actor{ID: importerID, Kind: fact.Process, At: by.At}, onBehalfOf: by.ID}
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
				by = importer(by.Actor)
			}
			return by, c, nil
		},
	})
}

// importRun is one import at work.
type importRun struct {
	imports  *Imports
	call     Call
	plan     *importPlan
	progress func(Progress)
	total    int

	mu       sync.Mutex
	done     int
	position int64
	replayed bool
	strategy Result
}

func (r *importRun) all(ctx context.Context, doc *stratml.Document) error {
	for n, c := range r.plan.plan {
		call := r.stepCall(doc, r.call.CommandID)
		if n > 0 {
			call.CommandID = step(r.call.CommandID, "plan", c.from, c.to)
		}
		result, err := r.imports.strategies.Execute(ctx, call, r.plan.strategyID, c.commands...)
		if err != nil {
			return err
		}
		r.finished(result)
		r.strategy = result
	}
	// Definitions one after another: their order in the log is the document's, and
	// that is the order in which everybody reads them.
	for _, ind := range r.plan.indicators {
		if err := r.append(ctx, doc, ind, ind.chunks[0]); err != nil {
			return err
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
			for _, c := range ind.chunks[1:] {
				if err := r.append(working, doc, ind, c); err != nil {
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

// append records one chunk of an indicator.
func (r *importRun) append(ctx context.Context, doc *stratml.Document, ind indicatorPlan, c chunk[indicator.Command]) error {
	call := r.stepCall(doc, step(r.call.CommandID, "results", ind.number, c.from, c.to))
	result, err := r.imports.indicators.importChunk(ctx, call, ind.id, c.commands)
	if err != nil {
		return fmt.Errorf("indicator %d: %w", ind.number+1, err)
	}
	r.finished(result)
	return nil
}

// stepCall is the call of one append: no expected version (the aggregates are
// the import's own), and everything under one correlation.
func (r *importRun) stepCall(doc *stratml.Document, id uuid.UUID) Call {
	call := r.call
	call.CommandID = id
	call.Expected = nil
	call.Origin.Kind = "import"
	call.Origin.MessageID = r.plan.importID.String()
	call.Origin.PayloadSHA256 = doc.SHA256
	if call.CorrelationID == "" {
		call.CorrelationID = r.plan.importID.String()
	}
	return call
}

func (r *importRun) finished(result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.position = max(r.position, result.Position)
	r.replayed = r.replayed && result.Replayed
	if r.progress != nil {
		r.progress(Progress{Done: r.done, Total: r.total})
	}
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
			}
		}
	}
	for _, ind := range p.indicators {
		for _, c := range ind.chunks {
			for _, command := range c.commands {
				switch command.(type) {
				case indicator.DefineIndicator:
					n.Indicators++
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
