package command

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/ident"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/severity"
	"strata.dev/strata/domain/strategy"
)

// Strategies runs the commands of strategies. Safe for concurrent use.
type Strategies struct {
	executor      *executor[strategy.State, strategy.Command, strategy.Event]
	organizations *Organizations
	indicators    *Indicators // set once all are made, like findings
	findings      *Findings
	basis         IndicatorBasis
	seals         Seals // nil = nothing is sealed
}

// sealedWithin is how long an attestation waits to be given the root of the log:
// as long as sealing takes on a day like any other.
const sealedWithin = 2 * time.Second

func newStrategies(o Options, organizations *Organizations) *Strategies {
	x := newExecutor("strategy", o, strategy.Decide, strategy.State.Apply)
	x.sign = signature
	x.revision = strategy.State.Revision
	return &Strategies{executor: x, organizations: organizations, basis: o.Basis, seals: o.Seals}
}

// Execute runs commands on the strategy id as one append.
//
// The service sets what only it may say: DraftStrategy.StrategyID, the
// indicator basis of SubmitStrategy, ActivateStrategy and AttestPeriod, what the
// policy says, SamePerson, which findings are settled, whether a successor is in force, and who measured
// what in an attested period. Persons are named in clear, and sealed here.
func (s *Strategies) Execute(ctx context.Context, call Call, id uuid.UUID, commands ...strategy.Command) (Result, error) {
	call, commands, err := s.sealed(ctx, call, id.String(), commands)
	if err != nil {
		return Result{}, err
	}
	return s.executor.execute(ctx, request[strategy.State, strategy.Command]{
		call: call, owner: call.Principal.OrganizationID, id: id, commands: commands,
		prepare: func(ctx context.Context, state strategy.State, c strategy.Command, since time.Time) (asking, strategy.Command, error) {
			m, err := s.organizations.member(ctx, call.Principal, since)
			if err != nil {
				return asking{}, nil, err
			}
			by := m.asking(id.String())
			c, err = s.complete(ctx, call.Principal.OrganizationID, id, m, &by, state, c)
			return by, c, err
		},
	})
}

func (s *Strategies) complete(ctx context.Context, organizationID, id uuid.UUID, m member, by *asking, state strategy.State, c strategy.Command) (strategy.Command, error) {
	quorum := m.in.Policy().Quorum
	policy := strategy.Policy{Approvals: quorum.N, ComplianceRequired: quorum.ComplianceRequired}
	var err error
	switch c := c.(type) {
	case strategy.DraftStrategy:
		// What is there is not told to those who may not ask.
		if err = authz.Check(by.Actor, authz.DraftStrategy); err != nil {
			return nil, err
		}
		c.StrategyID = id.String()
		return c, s.replaceable(ctx, organizationID, c.Replaces, "#/replaces")
	case strategy.AmendFrame:
		if err = authz.Check(by.Actor, authz.AmendFrame); err != nil {
			return nil, err
		}
		for _, e := range c.Edits {
			if e.Field == "replaces" && err == nil {
				err = s.replaceable(ctx, organizationID, e.New.Text, "#/edits/replaces")
			}
		}
		return c, err
	case strategy.SubmitStrategy:
		// Waiting for a read database is not for those who may not ask.
		if err = authz.Check(by.Actor, authz.SubmitStrategy); err != nil {
			return nil, err
		}
		c.IndicatorDigest, c.IndicatorAuthors, c.AsOfPosition, err = s.indicatorBasis(ctx, organizationID, id)
		return c, err
	case strategy.ApproveStrategy:
		c.Policy, c.SamePerson = policy, m.in.SamePerson(m.ID)
		return c, nil
	case strategy.ActivateStrategy:
		if err = authz.Check(by.Actor, authz.ActivateStrategy); err != nil {
			return nil, err
		}
		c.Policy, c.SamePerson = policy, m.in.SamePerson(m.ID)
		var authors []string
		var position int64
		c.IndicatorDigest, authors, position, err = s.indicatorBasis(ctx, organizationID, id)
		by.quiet = &eventlog.Quiet{After: position, Types: indicatorsChange}
		c.IndicatorAuthors = nil
		for _, author := range authors {
			c.IndicatorAuthors = append(append(c.IndicatorAuthors, author), m.in.SamePerson(author)...)
		}
		return c, err
	case strategy.ResumeStrategy:
		c.AutoResume = m.in.Policy().AutoResume
		c.SettledFindings, err = s.settled(ctx, organizationID, state.Blockers, m.in.Policy().AutoHoldSeverity)
		return c, err
	case strategy.CloseStrategy:
		c.SuccessorInForce = false
		if ident.Valid(c.SuccessorID) {
			var successor strategy.State
			if successor, err = s.state(ctx, organizationID, c.SuccessorID); err == nil {
				c.SuccessorInForce = successor.HasInForce() && successor.Phase != strategy.Ended
			}
		}
		return c, err
	case strategy.AttestPeriod:
		if err = authz.Check(by.Actor, authz.AttestPeriod); err != nil {
			return nil, err
		}
		c.SamePerson = m.in.SamePerson(m.ID)
		err = s.periodBasis(ctx, organizationID, id, &c)
		return c, err
	}
	return c, nil
}

// ErrNotReplaceable: a strategy replaces another one of its organization that has not ended.
var ErrNotReplaceable = refusal.Invalid.WithRule("replaces-living").
	Detailf("replaces: There is no such strategy here, or it has ended.")

func (s *Strategies) replaceable(ctx context.Context, organizationID uuid.UUID, id, at string) error {
	if id == "" || !ident.Valid(id) {
		return nil // the domain says what is wrong with it
	}
	other, err := s.state(ctx, organizationID, id)
	if err == nil && (!other.Exists() || other.Phase == strategy.Ended) {
		return ErrNotReplaceable.At(at, "exists", "no strategy of the organization that has not ended has this id")
	}
	return err
}

// settled gives the findings among the blockers that hold nothing up any more:
// closed, accepted, or not as severe as the policy asks for.
func (s *Strategies) settled(ctx context.Context, organizationID uuid.UUID, blockers []strategy.Blocker, from severity.Severity) ([]string, error) {
	var ids []string
	for _, b := range blockers {
		id, err := uuid.Parse(b.Ref)
		if b.Kind != strategy.ByFinding || err != nil {
			continue
		}
		f, err := s.findings.state(ctx, organizationID, id)
		if err != nil {
			return nil, err
		}
		if f.Exists() && (!f.Live() || f.Severity.Rank() < from.Rank()) {
			ids = append(ids, b.Ref)
		}
	}
	return ids, nil
}

// periodBasis gathers what an attestation rests on (S10). Which indicators
// there are says the read database, once it has seen all of the log; who
// measured and how they stand says the log itself.
func (s *Strategies) periodBasis(ctx context.Context, organizationID, id uuid.UUID, c *strategy.AttestPeriod) error {
	digest, _, position, err := s.indicatorBasis(ctx, organizationID, id)
	if err != nil {
		return err
	}
	ids, err := s.basis.IndicatorsOf(ctx, organizationID, id, position)
	if err != nil {
		return fmt.Errorf("indicators of strategy %s: %w", id, err)
	}
	c.IndicatorDigest, c.LogPosition, c.HeadHash, c.Measurers, c.Unexplained = digest, position, "", nil, nil
	if s.seals != nil {
		if c.HeadHash, err = s.seals.HeadHash(ctx, position, sealedWithin); err != nil {
			return fmt.Errorf("root of the log at %d: %w", position, err)
		}
	}
	for _, indicatorID := range ids {
		x := s.indicators.executor
		f, err := x.load(ctx, organizationID, x.stream(indicatorID), true)
		if err != nil {
			return err
		}
		c.Measurers = append(c.Measurers, f.state.Measurers(c.Period)...)
		if f.state.Status != indicator.OffTrack || f.state.Retired {
			continue
		}
		explained, err := s.findings.about(ctx, organizationID, "indicator", indicatorID.String())
		if err != nil {
			return err
		}
		if len(explained) == 0 {
			c.Unexplained = append(c.Unexplained, indicatorID.String())
		}
	}
	return nil
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

// signature is what a signing event carries in its metadata (R16), but for the
// printed name, which is the member's.
func signature(e strategy.Event, by fact.Actor) *eventlog.Signature {
	at := by.At.UTC().Truncate(time.Microsecond)
	switch e := e.(type) {
	case strategy.ApprovalGiven:
		return &eventlog.Signature{SignerID: by.ID, Meaning: string(e.Meaning), SignedAt: at, ContentHash: e.ContentHash}
	case strategy.Activated:
		return &eventlog.Signature{SignerID: by.ID, Meaning: string(strategy.Activation), SignedAt: at, ContentHash: e.ContentHash}
	case strategy.PeriodAttested:
		return &eventlog.Signature{SignerID: by.ID, Meaning: string(strategy.Attestation), SignedAt: at, ContentHash: e.ContentHash}
	}
	return nil
}
