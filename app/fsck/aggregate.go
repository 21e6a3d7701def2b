package fsck

import (
	"fmt"
	"strings"

	"strata.dev/strata/domain/evidence"
	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/finding"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/journal"
	"strata.dev/strata/domain/organization"
	"strata.dev/strata/domain/source"
	"strata.dev/strata/domain/strategy"
)

// aggregate is a stream's state. Apply gives the next one and leaves this as it is.
type aggregate interface {
	apply(by fact.Actor, body any) (aggregate, error)
	state() any
}

// aggregates are the kinds of streams, by the beginning of their ids.
var aggregates = map[string]aggregate{
	"organization": folding[organization.State, organization.Event]{},
	"strategy":     folding[strategy.State, strategy.Event]{},
	"indicator":    folding[indicator.State, indicator.Event]{},
	"finding":      folding[finding.State, finding.Event]{},
	"evidence":     folding[evidence.State, evidence.Event]{},
	"source":       folding[source.State, source.Event]{},
	"journal":      notes{},
}

// newAggregate is the empty state of a stream; ok is false for a kind of stream
// that there is none of.
func newAggregate(streamID string) (a aggregate, ok bool) {
	kind, _, _ := strings.Cut(streamID, "-")
	a, ok = aggregates[kind]
	return a, ok
}

// folding is an aggregate with a fold.
type folding[S interface{ Apply(by fact.Actor, e E) S }, E any] struct{ s S }

func (f folding[S, E]) state() any { return f.s }

func (f folding[S, E]) apply(by fact.Actor, body any) (next aggregate, err error) {
	e, ok := body.(E)
	if !ok {
		return f, fmt.Errorf("%T is no event of this aggregate", body)
	}
	defer func() {
		if p := recover(); p != nil {
			next, err = f, fmt.Errorf("the fold panics: %v", p)
		}
	}()
	return folding[S, E]{f.s.Apply(by, e)}, nil
}

// notes is a journal: what it holds adds up to nothing but their number.
type notes struct{ count int }

func (n notes) state() any { return n.count }

func (n notes) apply(_ fact.Actor, body any) (aggregate, error) {
	if _, ok := body.(journal.Event); !ok {
		return n, fmt.Errorf("%T is no event of a journal", body)
	}
	return notes{n.count + 1}, nil
}
