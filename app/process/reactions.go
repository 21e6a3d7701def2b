package process

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/strategy"
)

// look is one event with what is needed to decide about it.
type look struct {
	*reader
	index Index
	event eventlog.Event
	body  any
	by    fact.Actor // who recorded it
	cause process.Cause
}

// aggregate is the id of the aggregate that the event is about.
func (l *look) aggregate() string {
	_, id, _ := strings.Cut(l.event.StreamID, "-")
	return id
}

// reaction is what one process does about one type of event.
type reaction struct {
	process string
	decide  func(context.Context, *look) (process.Decision, error)
}

// reactions is which processes care about which types of events, in the order
// in which they decide. Nothing is read for any other event.
var reactions = map[string][]reaction{
	"indicator.defined":        {{process.Deadlining, schedule}},
	"indicator.redefined":      {{process.Breaching, breachOfRelinked}, {process.Deadlining, schedule}},
	"indicator.retired":        {{process.Deadlining, schedule}},
	"indicator.health-changed": {{process.Breaching, breachOfIndicator}},

	"strategy.activated": {
		{process.Succeeding, succession},
		{process.Breaching, breachesOfStrategy},
		{process.Holding, holdOfStrategy},
		{process.Deadlining, schedule},
	},
	"strategy.closed": {{process.Deadlining, schedule}},

	"finding.raised":              {{process.Holding, hold}},
	"finding.returned":            {{process.Holding, hold}, {process.Deadlining, schedule}},
	"finding.reclassified":        {{process.Holding, holdOrRelease}, {process.Deadlining, schedule}},
	"finding.risk-accepted":       {{process.Holding, release}, {process.Deadlining, schedule}},
	"finding.closed":              {{process.Holding, release}, {process.Deadlining, schedule}},
	"finding.assigned":            {{process.Deadlining, schedule}},
	"finding.remediation-planned": {{process.Deadlining, schedule}},

	"organization.role-granted": {{process.Deadlining, schedule}},
	"organization.role-revoked": {{process.Offboarding, leaver}, {process.Deadlining, schedule}},

	"source.ingest-rejected": {{process.Rejecting, rejections}},
}

func schedule(ctx context.Context, l *look) (d process.Decision, err error) {
	var f process.ScheduleFacts
	org := l.event.OrganizationID
	switch e := l.body.(type) {
	case finding.ReturnedToWork, finding.Reclassified:
		f.Finding, err = l.finding(ctx, org, l.aggregate())
	case indicator.Redefined:
		var i process.Indicator
		i, err = l.indicator(ctx, org, l.aggregate())
		f.Indicator = i.State
	case strategy.Activated:
		if e.SupersedesRevision > 0 {
			return d, nil // its years are watched already
		}
		var o organization.State
		o, err = l.organization(ctx, org)
		f.FiscalYearStart = o.FiscalYearStart
	}
	if err != nil {
		return d, err
	}
	d = process.Schedule(l.cause, l.aggregate(), l.body, f)
	if l.by.Kind == fact.Process && l.by.ID == process.Deadlining {
		d.Cancel = nil // a timer ends as fired, not as cancelled by what it has done
	}
	return d, nil
}

func breachOfIndicator(ctx context.Context, l *look) (d process.Decision, err error) {
	if e, ok := l.body.(indicator.HealthChanged); !ok || e.To != indicator.OffTrack {
		return d, nil
	}
	return breach(ctx, l, l.aggregate())
}

// breachOfRelinked looks at an indicator that came from another strategy, which
// may not have been in force.
func breachOfRelinked(ctx context.Context, l *look) (d process.Decision, err error) {
	e, ok := l.body.(indicator.Redefined)
	if !ok || !process.Changes(e, "strategyId") {
		return d, nil
	}
	return breach(ctx, l, l.aggregate())
}

func breachesOfStrategy(ctx context.Context, l *look) (d process.Decision, err error) {
	ids, err := indicatorsOf(ctx, l, l.aggregate())
	if err != nil {
		return d, err
	}
	for _, id := range ids {
		one, err := breach(ctx, l, id.String())
		if err != nil {
			return d, err
		}
		d = d.And(one)
	}
	return d, nil
}

func breach(ctx context.Context, l *look, indicatorID string) (d process.Decision, err error) {
	org := l.event.OrganizationID
	var f process.BreachFacts
	if f.Indicator, err = l.indicator(ctx, org, indicatorID); err != nil {
		return d, err
	}
	if f.Indicator.Status != indicator.OffTrack || f.Indicator.Retired {
		return d, nil // nothing more need be asked
	}
	if f.Strategy, err = l.strategy(ctx, org, f.Indicator.StrategyID); err != nil {
		return d, err
	}
	o, err := l.organization(ctx, org)
	if err != nil {
		return d, err
	}
	f.Policy = o.Policy()
	if f.OwnerCanRespond, err = l.canRespond(ctx, org, f.Indicator.Definition.OwnerID, f.Indicator.StrategyID, ownerRole); err != nil {
		return d, err
	}
	if f.Findings, err = findingsByKey(ctx, l, process.BreachKey(indicatorID)); err != nil {
		return d, err
	}
	return process.Breach(l.cause, f), nil
}

func findingsByKey(ctx context.Context, l *look, key string) ([]process.Finding, error) {
	head, err := l.upTo(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := l.index.FindingsByKey(ctx, l.event.OrganizationID, key, head)
	if err != nil {
		return nil, fmt.Errorf("findings with key %s: %w", key, err)
	}
	return l.findings(ctx, l.event.OrganizationID, ids)
}

func indicatorsOf(ctx context.Context, l *look, strategyID string) ([]uuid.UUID, error) {
	id, err := uuid.Parse(strategyID)
	if err != nil {
		return nil, nil //nolint:nilerr // a strategy with such an id has no indicators
	}
	head, err := l.upTo(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := l.index.IndicatorsOf(ctx, l.event.OrganizationID, id, head)
	if err != nil {
		return nil, fmt.Errorf("indicators of strategy %s: %w", strategyID, err)
	}
	return ids, nil
}
