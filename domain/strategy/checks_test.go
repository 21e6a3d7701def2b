package strategy_test

import (
	"errors"
	"strings"
	"testing"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/strategy"
)

// objection gives the pointer and keyword of the only objection to a command.
func objection(t *testing.T, err error) string {
	t.Helper()
	var f *fault.Fault
	if !errors.As(err, &f) || len(f.Fields) != 1 {
		t.Fatalf("got %v with %+v, want one objection", err, f)
	}
	return f.Fields[0].Pointer + " " + f.Fields[0].Keyword
}

func TestWhatIsWrongIsSaidWhere(t *testing.T) {
	book := strings.Repeat("x", 100_001)
	for want, c := range map[string]strategy.AddObjective{
		"#/stakeholders/1/kind enum":              {Stakeholders: []strategy.Stakeholder{{}, {Kind: "Dog"}}},
		"#/stakeholders/0/name maxLength":         {Stakeholders: []strategy.Stakeholder{{Kind: strategy.PersonStakeholder, Description: "Jane Doe"}}},
		"#/stakeholders/0/description maxLength":  {Stakeholders: []strategy.Stakeholder{{Description: book}}},
		"#/stakeholders maxItems":                 {Stakeholders: make([]strategy.Stakeholder, 501)},
		"#/stakeholders/0/roles maxItems":         {Stakeholders: []strategy.Stakeholder{{Roles: make([]strategy.Role, 51)}}},
		"#/stakeholders/0/roles/0/name pattern":   {Stakeholders: []strategy.Stakeholder{{Roles: []strategy.Role{{Name: "\x00"}}}}},
		"#/stakeholders/0/roles/0/types enum":     {Stakeholders: []strategy.Stakeholder{{Roles: []strategy.Role{{Types: []strategy.RoleType{"Dancer"}}}}}},
		"#/stakeholders/0/roles/0/types maxItems": {Stakeholders: []strategy.Stakeholder{{Roles: []strategy.Role{{Types: make([]strategy.RoleType, 3)}}}}},
		"#/stakeholders maxLength":                {Stakeholders: many(strategy.Stakeholder{Description: book[:99_999]}, 5)},
		"#/relationships/0/kind enum":             {Relationships: []strategy.Relationship{{Kind: "Cousin_Of"}}},
		"#/relationships/0/referents/1 format":    {Relationships: []strategy.Relationship{{Referents: []string{"SDG 16", "\xff"}}}},
		"#/relationships/0/referents maxItems":    {Relationships: []strategy.Relationship{{Referents: make([]string, 201)}}},
		"#/relationships maxItems":                {Relationships: make([]strategy.Relationship, 201)},
		"#/relationships maxLength":               {Relationships: many(strategy.Relationship{Description: book[:99_999]}, 5)},
		"#/description maxLength":                 {Description: book},
		"#/importId format":                       {ImportID: "latest"},
	} {
		c.ObjectiveID, c.GoalID = objective2, goal1
		_, err := strategy.Decide(decider.Fold(withPlan), ann, c)
		if got := objection(t, err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for want, c := range map[string]strategy.Frame{
		"#/frame/values maxItems":                          {Values: make([]strategy.Value, 201)},
		"#/frame/values/0/name format":                     {Values: []strategy.Value{{Name: "\xff"}}},
		"#/frame/values maxLength":                         {Values: many(strategy.Value{Description: book[:99_999]}, 5)},
		"#/frame/organizations maxItems":                   {Organizations: make([]strategy.Organization, 201)},
		"#/frame/organizations/0/acronym pattern":          {Organizations: []strategy.Organization{{Acronym: "\x00"}}},
		"#/frame/organizations/0/stakeholders/0/kind enum": {Organizations: []strategy.Organization{{Stakeholders: []strategy.Stakeholder{{Kind: "Dog"}}}}},
		"#/frame/organizations maxLength":                  {Organizations: many(strategy.Organization{Description: book[:99_999]}, 5)},
		"#/frame/publicationDate format":                   {PublicationDate: "2024-02-30"},
		"#/frame/periodStart format":                       {Period: calendar.Period{Start: "yesterday"}},
	} {
		c.Name = "n"
		_, err := strategy.Decide(strategy.State{}, ann, strategy.DraftStrategy{StrategyID: plan, Frame: c})
		if got := objection(t, err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func many[T any](item T, n int) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = item
	}
	return list
}

func TestPlansHaveLimits(t *testing.T) {
	s := decider.Fold(withPlan)
	for n := range strategy.MaxGoals - 1 {
		s = s.Apply(ann, strategy.GoalAdded{GoalID: id("goal", 1000+n), Name: "g"})
	}
	for n := range strategy.MaxObjectives - 1 {
		s = s.Apply(ann, strategy.ObjectiveAdded{ObjectiveID: id("objective", 1000+n), GoalID: goal1})
	}
	for _, c := range []strategy.Command{
		strategy.AddGoal{GoalID: goal2, Name: "one too many"},
		strategy.AddObjective{ObjectiveID: objective2, GoalID: goal1},
	} {
		if _, err := strategy.Decide(s, ann, c); !errors.Is(err, strategy.ErrTooMany) {
			t.Errorf("%T: got %v, want %v", c, err, strategy.ErrTooMany)
		}
	}
	events, err := strategy.Decide(s, ann, strategy.RetireGoal{GoalID: goal1, Reason: "r"})
	if err != nil || len(events) != 1 || len(events[0].(strategy.PlanElementRetired).Cascade) != strategy.MaxObjectives {
		t.Errorf("a goal retires with all of its objectives: %d events, %v", len(events), err)
	}
}
