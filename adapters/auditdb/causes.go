package auditdb

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"strata.dev/strata/app/query"
	"strata.dev/strata/app/query/diff"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/strategy"
)

// step is what an aggregate had come to after one of its events.
type step struct {
	elements func() diff.Elements
	end      query.DiffEnd
}

// compared is what two points of are compared.
type compared struct {
	stream string
	id     string // of the aggregate
	answer query.Diff
	fold   func(events []*past) ([]step, error)
}

func comparedOf(organizationID uuid.UUID, f query.DiffFilter) compared {
	switch {
	case f.IndicatorID != uuid.Nil:
		id := f.IndicatorID.String()
		return compared{indicatorStream + id, id, query.Diff{IndicatorID: id}, folded(func(s indicator.State) diff.Elements { return diff.OfIndicator(s) })}
	case f.FindingID != uuid.Nil:
		id := f.FindingID.String()
		return compared{"finding-" + id, id, query.Diff{FindingID: id}, folded(diff.OfFinding)}
	case f.EvidenceID != uuid.Nil:
		id := f.EvidenceID.String()
		return compared{evidenceStream + id, id, query.Diff{EvidenceID: id}, folded(diff.OfEvidence)}
	case f.SourceID != uuid.Nil:
		id := f.SourceID.String()
		return compared{"source-" + id, id, query.Diff{SourceID: id}, folded(diff.OfSource)}
	case f.Organization:
		id := organizationID.String()
		return compared{"organization-" + id, id, query.Diff{OrganizationID: id}, foldOrganization}
	}
	id := f.StrategyID.String()
	return compared{strategyStream + id, id, query.Diff{StrategyID: id}, func(events []*past) ([]step, error) {
		var s strategy.State
		return steps(events, func(p *past, e strategy.Event) step {
			s = s.Apply(p.by, e)
			content, end := diff.ContentOf(s), p.end()
			end.Revision = s.Revision()
			return step{func() diff.Elements { return diff.OfStrategy(id, content) }, end}
		})
	}}
}

// folded folds an aggregate by the domain's own Apply. States are values: each
// step keeps its own.
func folded[S interface {
	Apply(by fact.Actor, e E) S
}, E any](of func(S) diff.Elements) func([]*past) ([]step, error) {
	return func(events []*past) ([]step, error) {
		var s S
		return steps(events, func(p *past, e E) step {
			s = s.Apply(p.by, e)
			now := s
			return step{func() diff.Elements { return of(now) }, p.end()}
		})
	}
}

func foldOrganization(events []*past) ([]step, error) {
	var s organization.State
	var members []string
	return steps(events, func(p *past, e organization.Event) step {
		if m, ok := e.(organization.MemberEnrolled); ok {
			members = append(members, m.MemberID)
		}
		s = s.Apply(p.by, e)
		now, ids := s, slices.Clip(members)
		return step{func() diff.Elements { return diff.OfOrganization(now, ids) }, p.end()}
	})
}

func steps[E any](events []*past, apply func(*past, E) step) ([]step, error) {
	all := make([]step, len(events))
	for i, p := range events {
		e, ok := p.body.(E)
		if !ok {
			return nil, p.stray()
		}
		all[i] = apply(p, e)
	}
	return all, nil
}

// comparison is what differs, and what it came about by.
type comparison struct {
	answer query.Diff
	items  []query.DiffItem
	id     string // of the aggregate
	rows   []*row
	steps  []step // one for each of rows
}

// at are the elements after the last event up to a position, which is the end.
func (c *comparison) at(upTo int64, end *query.DiffEnd) diff.Elements {
	n, _ := slices.BinarySearchFunc(c.rows, upTo+1, func(r *row, p int64) int { return int(r.event.Position - p) })
	if n == 0 {
		return nil
	}
	*end = c.steps[n-1].end
	return c.steps[n-1].elements()
}

// attribute adds to each field the last event that changed it.
func (c *comparison) attribute(items []query.DiffItem) error {
	first, _ := slices.BinarySearchFunc(c.rows, c.answer.From.Position+1, func(r *row, p int64) int { return int(r.event.Position - p) })
	last, _ := slices.BinarySearchFunc(c.rows, c.answer.To.Position+1, func(r *row, p int64) int { return int(r.event.Position - p) })
	for n := range items {
		item := &items[n]
		item.Fields = slices.Clone(item.Fields)
		open := len(item.Fields)
		for i := max(last, first) - 1; i >= min(first, last) && open > 0; i-- {
			if !c.mayTouch(item, c.rows[i]) {
				continue
			}
			before, after := map[string]json.RawMessage(nil), map[string]json.RawMessage(nil)
			var err error
			if i > 0 {
				if before, err = c.steps[i-1].elements().Fields(item.Element, item.ID); err != nil {
					return err
				}
			}
			if after, err = c.steps[i].elements().Fields(item.Element, item.ID); err != nil {
				return err
			}
			for k := range item.Fields {
				field := &item.Fields[k]
				if field.Cause == nil && !bytes.Equal(before[field.Field], after[field.Field]) {
					field.Cause = c.rows[i].cause()
					open--
				}
			}
		}
	}
	return nil
}

// mayTouch leaves out the events that say nothing about an element: looking at
// all states of a long history would take long.
func (c *comparison) mayTouch(item *query.DiffItem, r *row) bool {
	if item.ID == c.id || bytes.Contains(r.event.Data, []byte(item.ID)) {
		return true
	}
	switch item.Element {
	case "target", "measurement": // known by period and dimensions
		start, _, _ := strings.Cut(item.Name, "/")
		return bytes.Contains(r.event.Data, []byte(start))
	case "goal", "objective": // brought in and taken away with a revision as a whole
		return !strings.HasPrefix(r.event.Type, "strategy.plan-element-") && !strings.HasSuffix(r.event.Type, "-added")
	case "allowed-indicator", "link", "grant":
		return true
	}
	return false
}

func (r *row) cause() *query.Cause {
	return &query.Cause{
		EventID: r.event.ID.String(), Type: r.event.Type, Position: r.event.Position, RecordedAt: r.event.RecordedAt,
		ActorKind: r.actorKind, ActorID: r.actorID, Reason: r.reason,
	}
}
