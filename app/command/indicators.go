package command

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
)

// ErrNoObjective: an indicator belongs to a living objective of a strategy of
// the same organization.
var ErrNoObjective = refusal.Invalid.WithRule("living-objective").
	Detailf("The strategy has no such objective.").
	At("#/objectiveId", "exists", "no living objective of the strategy has this id")

// Indicators runs the commands of indicators. Safe for concurrent use.
type Indicators struct {
	executor      *executor[indicator.State, indicator.Command, indicator.Event]
	organizations *Organizations
	strategies    *Strategies
	findings      *Findings // set once all are made, like the next two
	sources       *Sources
	directory     *directory
}

func newIndicators(o Options, organizations *Organizations, strategies *Strategies) *Indicators {
	x := newExecutor("indicator", o, indicator.Decide, indicator.State.Apply)
	x.second = authorizedBy
	return &Indicators{executor: x, organizations: organizations, strategies: strategies}
}

// Execute runs commands on the indicator id as one append.
//
// The service sets DefineIndicator.IndicatorID and every Authorization: whether
// the strategy is in force is read from the log for each decision (S15), the
// second person is who countersigned the call. The roles that count are those
// held for the indicator's strategy; a relinking takes them for both.
func (i *Indicators) Execute(ctx context.Context, call Call, id uuid.UUID, commands ...indicator.Command) (Result, error) {
	return i.executor.execute(ctx, request[indicator.State, indicator.Command]{
		call: call, owner: call.Principal.OrganizationID, id: id, commands: commands,
		prepare: i.preparer(call, id),
	})
}

// preparer reads the strategy at most once per round of decisions: an import
// sets hundreds of targets in one call.
func (i *Indicators) preparer(call Call, id uuid.UUID) func(context.Context, indicator.State, indicator.Command, time.Time) (asking, indicator.Command, error) {
	read, writes := strategyReads{}, measuring{indicators: i, call: call}
	return func(ctx context.Context, s indicator.State, c indicator.Command, since time.Time) (asking, indicator.Command, error) {
		m, err := i.organizations.member(ctx, call.Principal, since)
		if err != nil {
			return asking{}, nil, err
		}
		scope := []string{s.StrategyID}
		switch c := c.(type) {
		case indicator.DefineIndicator:
			scope = []string{c.StrategyID}
		case indicator.RelinkIndicator:
			if c.StrategyID != "" && c.StrategyID != s.StrategyID {
				scope = append(scope, c.StrategyID)
			}
		}
		c, err = i.complete(ctx, call, id, m, s, c, func(strategyID string) (strategy.State, error) {
			return read.of(ctx, i.strategies, call.Principal.OrganizationID, strategyID, since)
		}, scope)
		if err == nil {
			c, err = writes.complete(ctx, m, s, c, since)
		}
		by := m.asking(scope...)
		by.quiet = read.quiet(since)
		return by, c, err
	}
}

// complete adds what only the service knows.
func (i *Indicators) complete(
	ctx context.Context, call Call, id uuid.UUID, m member, s indicator.State, c indicator.Command,
	of func(strategyID string) (strategy.State, error), scope []string,
) (indicator.Command, error) {
	_, defines := c.(indicator.DefineIndicator)
	authorize := func(a *indicator.Authorization) error {
		*a = indicator.Authorization{}
		if !s.Exists() && !defines {
			return nil // the domain says that there is no such indicator
		}
		for _, strategyID := range scope {
			state, err := of(strategyID)
			if err != nil {
				return err
			}
			a.StrategyInForce = a.StrategyInForce || state.HasInForce()
		}
		if !a.StrategyInForce {
			return nil
		}
		var err error
		a.Second, err = m.second(call, scope...)
		return err
	}
	var err error
	switch c := c.(type) {
	case indicator.DefineIndicator:
		c.IndicatorID = id.String()
		if err = authorize(&c.Authorization); err == nil && !s.Exists() {
			err = underObjective(of, c.StrategyID, c.ObjectiveID)
		}
		return c, err
	case indicator.RedefineIndicator:
		err = authorize(&c.Authorization)
		return c, err
	case indicator.RelinkIndicator:
		err = authorize(&c.Authorization)
		// Who may not do it is not told first whether the objective is there.
		if err == nil && s.Exists() && authz.Check(m.actor(scope...), authz.RelinkIndicator) == nil {
			err = underObjective(of, scope[len(scope)-1], c.ObjectiveID)
		}
		return c, err
	case indicator.SetTarget:
		err = authorize(&c.Authorization)
		return c, err
	case indicator.RetireIndicator:
		err = authorize(&c.Authorization)
		return c, err
	}
	return c, nil
}

// authorizedBy is the second person of an indicator's event (S15).
func authorizedBy(e indicator.Event) string {
	switch e := e.(type) {
	case indicator.Defined:
		return e.AuthorizedBy
	case indicator.Redefined:
		return e.AuthorizedBy
	case indicator.TargetSet:
		return e.AuthorizedBy
	case indicator.Retired:
		return e.AuthorizedBy
	}
	return ""
}

// strategyReads are the strategies of an indicator as the log had them in one
// round of decisions.
type strategyReads struct {
	states map[string]strategy.State
	round  time.Time
	head   int64 // of the log, before any of them was read
}

// of reads a strategy unless this round has done so.
func (r *strategyReads) of(ctx context.Context, s *Strategies, organizationID uuid.UUID, id string, round time.Time) (strategy.State, error) {
	if r.states == nil || !r.round.Equal(round) {
		head, err := s.executor.options.Log.Head(ctx)
		if err != nil {
			return strategy.State{}, fmt.Errorf("head of the log: %w", err)
		}
		r.states, r.round, r.head = map[string]strategy.State{}, round, head
	}
	if state, done := r.states[id]; done {
		return state, nil
	}
	state, err := s.state(ctx, organizationID, id)
	if err == nil {
		r.states[id] = state
	}
	return state, err
}

// quiet asks that no strategy came into force meanwhile, if the round found none
// of those it read in force and so asked for no second person.
func (r *strategyReads) quiet(round time.Time) *eventlog.Quiet {
	if len(r.states) == 0 || !r.round.Equal(round) {
		return nil
	}
	for _, s := range r.states {
		if s.HasInForce() {
			return nil
		}
	}
	return &eventlog.Quiet{After: r.head, Types: strategiesInForce}
}

// underObjective makes sure that a living objective of a strategy that has not
// ended has the id.
func underObjective(of func(strategyID string) (strategy.State, error), strategyID, objectiveID string) error {
	s, err := of(strategyID)
	if err != nil {
		return err
	}
	_, working := s.Working.Plan.Objective(objectiveID)
	_, inForce := s.InForce.Plan.Objective(objectiveID)
	if s.Phase == strategy.Ended || !working && !inForce {
		return ErrNoObjective
	}
	return nil
}
