package command

import (
	"context"
	"time"

	"github.com/google/uuid"

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
}

func newIndicators(o Options, organizations *Organizations, strategies *Strategies) *Indicators {
	return &Indicators{newExecutor("indicator", o, indicator.Decide, indicator.State.Apply), organizations, strategies}
}

// Execute runs commands on the indicator id as one append.
//
// The service sets DefineIndicator.IndicatorID and, of every Authorization, all
// but By: whether the strategy is in force is read from the log for each
// decision (S15), the roles of By are those that hold now.
func (i *Indicators) Execute(ctx context.Context, call Call, id uuid.UUID, commands ...indicator.Command) (Result, error) {
	return i.executor.execute(ctx, request[indicator.State, indicator.Command]{
		call: call, owner: call.Principal.OrganizationID, id: id, commands: commands,
		prepare: i.preparer(call, id),
	})
}

// preparer reads the strategy at most once per round of decisions: an import
// sets hundreds of targets in one call.
func (i *Indicators) preparer(call Call, id uuid.UUID) func(context.Context, indicator.State, indicator.Command, time.Time) (asking, indicator.Command, error) {
	read := strategyRead{}
	return func(ctx context.Context, s indicator.State, c indicator.Command, since time.Time) (asking, indicator.Command, error) {
		m, err := i.organizations.member(ctx, call.Principal, since)
		if err != nil {
			return asking{}, nil, err
		}
		strategyID := s.StrategyID
		define, defines := c.(indicator.DefineIndicator)
		if defines {
			strategyID = define.StrategyID
		}
		authorize := func(a *indicator.Authorization) error {
			if !s.Exists() && !defines {
				return nil // the domain says that there is no such indicator
			}
			if err := read.refresh(ctx, i.strategies, call.Principal.OrganizationID, strategyID, since); err != nil {
				return err
			}
			a.StrategyInForce = read.state.HasInForce()
			a.Roles, a.SamePerson = nil, m.in.SamePerson(m.ID)
			if a.By != "" {
				a.Roles = m.roles(a.By, strategyID)
			}
			return nil
		}
		switch cmd := c.(type) {
		case indicator.DefineIndicator:
			cmd.IndicatorID = id.String()
			if err = authorize(&cmd.Authorization); err == nil && !s.Exists() {
				err = read.objective(cmd.ObjectiveID)
			}
			c = cmd
		case indicator.RedefineIndicator:
			err = authorize(&cmd.Authorization)
			c = cmd
		case indicator.SetTarget:
			err = authorize(&cmd.Authorization)
			c = cmd
		case indicator.RetireIndicator:
			err = authorize(&cmd.Authorization)
			c = cmd
		}
		return asking{Actor: m.actor(strategyID)}, c, err
	}
}

// strategyRead is the strategy of an indicator as the log had it in one round
// of decisions.
type strategyRead struct {
	state strategy.State
	id    string
	round time.Time
	done  bool
}

// refresh reads the strategy unless this round has done so.
func (r *strategyRead) refresh(ctx context.Context, s *Strategies, organizationID uuid.UUID, id string, round time.Time) error {
	if r.done && r.id == id && r.round.Equal(round) {
		return nil
	}
	state, err := s.state(ctx, organizationID, id)
	if err != nil {
		return err
	}
	r.state, r.id, r.round, r.done = state, id, round, true
	return nil
}

// objective makes sure that a living objective of the strategy has the id.
func (r *strategyRead) objective(id string) error {
	if _, ok := r.state.Working.Plan.Objective(id); ok {
		return nil
	}
	if _, ok := r.state.InForce.Plan.Objective(id); ok {
		return nil
	}
	return ErrNoObjective
}
