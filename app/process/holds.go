package process

import (
	"context"
	"fmt"

	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/strategy"
)

func hold(ctx context.Context, l *look) (process.Decision, error) {
	f, err := holdFacts(ctx, l, l.aggregate())
	return process.Hold(l.cause, f), err
}

func release(ctx context.Context, l *look) (process.Decision, error) {
	f, err := holdFacts(ctx, l, l.aggregate())
	return process.Release(l.cause, f), err
}

func holdOrRelease(ctx context.Context, l *look) (d process.Decision, err error) {
	switch e, _ := l.body.(finding.Reclassified); {
	case process.Raises(e):
		return hold(ctx, l)
	case process.Lowers(e):
		return release(ctx, l)
	}
	return d, nil
}

// holdOfStrategy looks at the findings about a strategy that comes into force.
func holdOfStrategy(ctx context.Context, l *look) (d process.Decision, err error) {
	head, err := l.upTo(ctx)
	if err != nil {
		return d, err
	}
	ids, err := l.index.FindingsAbout(ctx, l.event.OrganizationID, "strategy", l.aggregate(), head)
	if err != nil {
		return d, fmt.Errorf("findings about strategy %s: %w", l.aggregate(), err)
	}
	for _, id := range ids {
		f, err := holdFacts(ctx, l, id.String())
		if err != nil {
			return d, err
		}
		d = d.And(process.Hold(l.cause, f))
	}
	return d, nil
}

func holdFacts(ctx context.Context, l *look, findingID string) (f process.HoldFacts, err error) {
	org := l.event.OrganizationID
	if f.Finding, err = l.finding(ctx, org, findingID); err != nil {
		return f, err
	}
	o, err := l.organization(ctx, org)
	if err != nil {
		return f, err
	}
	f.Policy, f.Blockers = o.Policy(), map[string]process.Finding{}
	for _, subject := range f.Finding.Subjects {
		if subject.Type != "strategy" {
			continue
		}
		s, err := l.strategy(ctx, org, subject.ID)
		if err != nil {
			return f, err
		}
		f.Strategies = append(f.Strategies, s)
		for _, b := range s.Blockers {
			if b.Kind != strategy.ByFinding {
				continue
			}
			if f.Blockers[b.Ref], err = l.finding(ctx, org, b.Ref); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}
