// Package decidertest runs given/when/then tables against a decider.
package decidertest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/fault"
)

// Decider is an aggregate's pair of functions.
type Decider[S, C, E any] struct {
	Decide func(S, fact.Actor, C) ([]E, error)
	Apply  func(S, fact.Actor, E) S
}

// Past is an event with who made it.
type Past[E any] struct {
	By    fact.Actor
	Event E
}

// Case is one line of a table: either Then or Refused is set.
type Case[C, E any] struct {
	Name    string
	Given   []Past[E]
	By      fact.Actor
	When    C
	Then    []E
	Refused *fault.Fault
}

// Fold gives the state after what happened.
func (d Decider[S, C, E]) Fold(given []Past[E]) (s S) {
	for _, p := range given {
		s = d.Apply(s, p.By, p.Event)
	}
	return s
}

// Run runs the table: exact, ordered equality of events; of refusals the slug
// and the rule.
func (d Decider[S, C, E]) Run(t *testing.T, cases []Case[C, E]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Helper()
			events, err := d.Decide(d.Fold(c.Given), c.By, c.When)
			if c.Refused != nil {
				if len(events) > 0 {
					t.Errorf("refused, and yet gave %+v", events)
				}
				Refused(t, err, c.Refused)
				return
			}
			if err != nil {
				t.Fatalf("refused: %v", err)
			}
			if diff := cmp.Diff(c.Then, events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// Refused checks that err is an occurrence of want that names a rule and says
// what to do.
func Refused(t testing.TB, err error, want *fault.Fault) {
	t.Helper()
	var f *fault.Fault
	switch {
	case !errors.As(err, &f):
		t.Fatalf("got %v, want a fault %v", err, want)
	case f.Slug != want.Slug || f.Rule != want.Rule:
		t.Fatalf("got %v, want %v", err, want)
	case f.Rule == "" || f.Detail == "":
		t.Fatalf("%v names no rule or no detail", err)
	}
}
