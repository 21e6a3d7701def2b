package pack

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/app/query"
)

// Known answers what was known at a position as everybody else is answered: by
// the plans, as of then.
type Known struct{ Plans query.Plans }

var _ States = Known{}

// At implements States. An entity that was not there yet has nothing that is known.
func (k Known) At(ctx context.Context, organizationID uuid.UUID, streamID string, position int64) (map[string]any, error) {
	r := query.Read{OrganizationID: organizationID, AsOf: query.Moment{Position: position}, Wait: query.MaxWait}
	known := map[string]any{}
	for _, q := range k.questions(r, streamID) {
		answer, err := q.ask(ctx)
		switch {
		case errors.Is(err, query.ErrNotFound):
		case err != nil:
			return nil, fmt.Errorf("%s as of position %d: %w", q.name, position, err)
		default:
			known[q.name] = answer
		}
	}
	return known, nil
}

type question struct {
	name string
	ask  func(ctx context.Context) (any, error)
}

func (k Known) questions(r query.Read, streamID string) []question {
	kind, text, _ := strings.Cut(streamID, "-")
	id, err := uuid.Parse(text)
	switch {
	case streamID == "" || kind == "organization":
		return k.registers(r)
	case err != nil:
		return nil
	}
	switch kind {
	case "strategy":
		return []question{{"strategy", func(ctx context.Context) (any, error) { return k.Plans.Strategy(ctx, r, query.StrategyAsk{ID: id}) }}}
	case "indicator":
		return []question{
			{"indicator", func(ctx context.Context) (any, error) { return k.Plans.Indicator(ctx, r, id) }},
			{"series", func(ctx context.Context) (any, error) {
				return pages(func(p query.Paging) ([]query.SeriesPoint, string, error) {
					s, err := k.Plans.Series(ctx, r, query.SeriesFilter{IndicatorID: id, Voided: true, Paging: p})
					return s.Items, s.NextCursor, err
				})
			}},
		}
	case "finding":
		return []question{{"finding", func(ctx context.Context) (any, error) { return k.Plans.Finding(ctx, r, id) }}}
	case "evidence":
		return []question{{"evidence", func(ctx context.Context) (any, error) { return k.Plans.Evidence(ctx, r, id) }}}
	case "source":
		return []question{{"source", func(ctx context.Context) (any, error) { return k.Plans.Source(ctx, r, id) }}}
	}
	return nil
}

// registers are what is known of an organization as a whole.
func (k Known) registers(r query.Read) []question {
	return []question{
		{"organization", func(ctx context.Context) (any, error) { return k.Plans.Organization(ctx, r) }},
		{"members", func(ctx context.Context) (any, error) {
			return pages(func(p query.Paging) ([]query.Member, string, error) {
				page, err := k.Plans.Members(ctx, r, p)
				return page.Items, page.NextCursor, err
			})
		}},
		{"strategies", func(ctx context.Context) (any, error) {
			return pages(func(p query.Paging) ([]query.StrategySummary, string, error) {
				page, err := k.Plans.Strategies(ctx, r, query.StrategyFilter{Paging: p})
				return page.Items, page.NextCursor, err
			})
		}},
		{"findings", func(ctx context.Context) (any, error) {
			return pages(func(p query.Paging) ([]query.FindingSummary, string, error) {
				page, err := k.Plans.Findings(ctx, r, query.FindingFilter{Paging: p})
				return page.Items, page.NextCursor, err
			})
		}},
		{"evidence", func(ctx context.Context) (any, error) {
			return pages(func(p query.Paging) ([]query.EvidenceSummary, string, error) {
				page, err := k.Plans.EvidenceList(ctx, r, query.EvidenceFilter{Paging: p})
				return page.Items, page.NextCursor, err
			})
		}},
		{"holds", func(ctx context.Context) (any, error) {
			return pages(func(p query.Paging) ([]query.LegalHold, string, error) {
				page, err := k.Plans.Holds(ctx, r, query.HoldFilter{Paging: p})
				return page.Items, page.NextCursor, err
			})
		}},
	}
}

// pages gives all pages of a list.
func pages[T any](ask func(query.Paging) (items []T, next string, err error)) ([]T, error) {
	all := []T{}
	for p := (query.Paging{Limit: query.MaxLimit}); ; {
		items, next, err := ask(p)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if next == "" {
			return all, nil
		}
		p.Cursor = next
	}
}

// EvidenceOf lists the evidence that concerned a stream at a moment: for those who
// implement Evidence.
func (k Known) EvidenceOf(ctx context.Context, organizationID uuid.UUID, streamID string, at query.Moment) (ids []uuid.UUID, err error) {
	f := query.EvidenceFilter{}
	if streamID != "" {
		kind, text, _ := strings.Cut(streamID, "-")
		id, err := uuid.Parse(text)
		switch {
		case err != nil || kind == "journal":
			return nil, nil //nolint:nilerr // nothing is linked to such a stream
		case kind == "evidence":
			return []uuid.UUID{id}, nil
		}
		f.TargetType, f.TargetID = kind, text
	}
	r := query.Read{OrganizationID: organizationID, AsOf: at, Wait: query.MaxWait}
	found, err := pages(func(p query.Paging) ([]query.EvidenceSummary, string, error) {
		f.Paging = p
		page, err := k.Plans.EvidenceList(ctx, r, f)
		return page.Items, page.NextCursor, err
	})
	for _, e := range found {
		id, err := uuid.Parse(e.ID)
		if err != nil {
			return nil, fmt.Errorf("evidence %q: %w", e.ID, err)
		}
		ids = append(ids, id)
	}
	return ids, err
}
