package command

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/strategy"
)

// Strategies runs the commands of strategies. Safe for concurrent use.
type Strategies struct {
	executor      *executor[strategy.State, strategy.Command, strategy.Event]
	organizations *Organizations
	basis         IndicatorBasis
}

func newStrategies(o Options, organizations *Organizations) *Strategies {
	x := newExecutor("strategy", o, strategy.Decide, strategy.State.Apply)
	x.sign = signature
	x.revision = strategy.State.Revision
	return &Strategies{x, organizations, o.Basis}
}

// Execute runs commands on the strategy id as one append.
//
// The service sets what only it may say: DraftStrategy.StrategyID, the
// indicator basis of SubmitStrategy and ActivateStrategy, the policy and
// SamePerson of ApproveStrategy and ActivateStrategy.
func (s *Strategies) Execute(ctx context.Context, call Call, id uuid.UUID, commands ...strategy.Command) (Result, error) {
	return s.executor.execute(ctx, request[strategy.State, strategy.Command]{
		call: call, owner: call.Principal.OrganizationID, id: id, commands: commands,
		prepare: func(ctx context.Context, _ strategy.State, c strategy.Command, since time.Time) (asking, strategy.Command, error) {
			m, err := s.organizations.member(ctx, call.Principal, since)
			if err != nil {
				return asking{}, nil, err
			}
			by := m.actor(id.String())
			c, err = s.complete(ctx, call.Principal.OrganizationID, id, m, by, c)
			return asking{Actor: by}, c, err
		},
	})
}

func (s *Strategies) complete(ctx context.Context, organizationID, id uuid.UUID, m member, by fact.Actor, c strategy.Command) (strategy.Command, error) {
	policy := strategy.Policy{Approvals: m.in.Policy().Approvals, ComplianceRequired: m.in.Policy().ComplianceRequired}
	var err error
	switch c := c.(type) {
	case strategy.DraftStrategy:
		c.StrategyID = id.String()
		return c, nil
	case strategy.SubmitStrategy:
		// Waiting for a read database is not for those who may not ask.
		if err = authz.Check(by, authz.SubmitStrategy); err != nil {
			return nil, err
		}
		c.IndicatorDigest, c.IndicatorAuthors, c.AsOfPosition, err = s.indicatorBasis(ctx, organizationID, id)
		return c, err
	case strategy.ApproveStrategy:
		c.Policy, c.SamePerson = policy, m.in.SamePerson(m.ID)
		return c, nil
	case strategy.ActivateStrategy:
		if err = authz.Check(by, authz.ActivateStrategy); err != nil {
			return nil, err
		}
		c.Policy, c.SamePerson = policy, m.in.SamePerson(m.ID)
		c.IndicatorDigest, _, _, err = s.indicatorBasis(ctx, organizationID, id)
		return c, err
	}
	return c, nil
}

// indicatorBasis is as of everything appended before it is asked for: a target
// set a moment ago is part of what is submitted now.
func (s *Strategies) indicatorBasis(ctx context.Context, organizationID, id uuid.UUID) (string, []string, int64, error) {
	head, err := s.executor.options.Log.Head(ctx)
	if err != nil {
		return "", nil, 0, fmt.Errorf("head of the log: %w", err)
	}
	digest, authors, position, err := s.basis.IndicatorBasis(ctx, organizationID, id, head)
	if err != nil {
		return "", nil, 0, fmt.Errorf("indicator basis of strategy %s: %w", id, err)
	}
	return digest, authors, position, nil
}

// state gives a strategy as the log has it now.
func (s *Strategies) state(ctx context.Context, organizationID uuid.UUID, id string) (strategy.State, error) {
	strategyID, err := uuid.Parse(id)
	if err != nil {
		return strategy.State{}, ErrNoObjective.Because(err) // no strategy has such an id
	}
	f, err := s.executor.load(ctx, organizationID, s.executor.stream(strategyID), true)
	return f.state, err
}

// signature is what a signing event carries in its metadata (R16). The printed
// name is not part of it yet: names are sealed, and none are kept.
func signature(e strategy.Event, by fact.Actor) *eventlog.Signature {
	at := by.At.UTC().Truncate(time.Microsecond)
	switch e := e.(type) {
	case strategy.ApprovalGiven:
		return &eventlog.Signature{SignerID: by.ID, Meaning: string(e.Meaning), SignedAt: at, ContentHash: e.ContentHash}
	case strategy.Activated:
		return &eventlog.Signature{SignerID: by.ID, Meaning: string(strategy.Activation), SignedAt: at, ContentHash: e.ContentHash}
	}
	return nil
}
