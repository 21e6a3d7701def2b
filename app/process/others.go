package process

import (
	"context"
	"fmt"

	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/process"
	"strata.dev/strata/domain/strategy"
)

func succession(ctx context.Context, l *look) (d process.Decision, err error) {
	e, ok := l.body.(strategy.Activated)
	if !ok || e.SupersedesRevision > 0 {
		return d, nil // a revision of what is in force succeeds nothing else
	}
	org := l.event.OrganizationID
	var f process.SuccessionFacts
	if f.Strategy, err = l.strategy(ctx, org, l.aggregate()); err != nil {
		return d, err
	}
	if e.ReplacesStrategyID != "" {
		if f.Replaced, err = l.strategy(ctx, org, e.ReplacesStrategyID); err != nil {
			return d, err
		}
		ids, err := indicatorsOf(ctx, l, e.ReplacesStrategyID)
		if err != nil {
			return d, err
		}
		for _, id := range ids {
			i, err := l.indicator(ctx, org, id.String())
			if err != nil {
				return d, err
			}
			f.Indicators = append(f.Indicators, i.State)
		}
	}
	head, err := l.upTo(ctx)
	if err != nil {
		return d, err
	}
	rivals, err := l.index.StrategiesOfLineage(ctx, org, f.Strategy.LineageKey, head)
	if err != nil {
		return d, fmt.Errorf("strategies of lineage %q: %w", f.Strategy.LineageKey, err)
	}
	for _, id := range rivals {
		s, err := l.strategy(ctx, org, id.String())
		if err != nil {
			return d, err
		}
		if s.LineageKey == f.Strategy.LineageKey {
			f.Rivals = append(f.Rivals, s)
		}
	}
	return process.Succession(l.cause, f), nil
}

func rejections(ctx context.Context, l *look) (d process.Decision, err error) {
	org := l.event.OrganizationID
	f := process.RejectionFacts{EventID: l.event.ID.String()}
	if f.Source, err = l.source(ctx, org, l.aggregate()); err != nil || !f.Source.Registered() {
		return d, err
	}
	o, err := l.organization(ctx, org)
	if err != nil {
		return d, err
	}
	f.Policy = o.Policy()
	if !process.TooMany(l.cause, f) {
		return d, nil // nothing more need be asked
	}
	if f.StewardCanRespond, err = l.canRespond(ctx, org, f.Source.StewardID, "", stewardRole); err != nil {
		return d, err
	}
	if f.Findings, err = findingsByKey(ctx, l, process.RejectionKey(f.Source.ID)); err != nil {
		return d, err
	}
	return process.Rejections(l.cause, f), nil
}

func leaver(ctx context.Context, l *look) (d process.Decision, err error) {
	e, ok := l.body.(organization.RoleRevoked)
	if !ok || !e.Offboarding {
		return d, nil
	}
	org := l.event.OrganizationID
	f := process.LeaverFacts{MemberID: e.MemberID}
	head, err := l.upTo(ctx)
	if err != nil {
		return d, err
	}
	owned, err := l.index.FindingsOwnedBy(ctx, org, e.MemberID, head)
	if err != nil {
		return d, fmt.Errorf("findings of member %s: %w", e.MemberID, err)
	}
	if f.Findings, err = l.findings(ctx, org, owned); err != nil {
		return d, err
	}
	stewarded, err := l.index.SourcesStewardedBy(ctx, org, e.MemberID, head)
	if err != nil {
		return d, fmt.Errorf("sources of member %s: %w", e.MemberID, err)
	}
	for _, id := range stewarded {
		s, err := l.source(ctx, org, id.String())
		if err != nil {
			return d, err
		}
		f.Sources = append(f.Sources, s.State)
	}
	return process.Leaver(l.cause, f), nil
}
