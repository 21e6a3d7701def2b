package names_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/memory"
	"strata.dev/strata/app/names"
	"strata.dev/strata/app/personal"
	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/strategy"
)

// sealedPlans answers with what is sealed, always the same.
type sealedPlans struct {
	query.Plans
	strategy query.Strategy
	person   query.Person
}

func (p sealedPlans) Strategy(context.Context, query.Read, query.StrategyAsk) (query.Strategy, error) {
	return p.strategy, nil
}

func (p sealedPlans) Person(context.Context, query.Read, uuid.UUID) (query.Person, error) {
	return p.person, nil
}

func TestNamesAreOpenedForWhoMayReadThem(t *testing.T) {
	keys, organization := &memory.Keys{}, uuid.New()
	persons := personal.NewSealer(keys)
	ada, subject, err := persons.SealStakeholder(t.Context(), organization, strategy.Stakeholder{
		Kind: strategy.PersonStakeholder, Name: "Ada Lovelace", Roles: []strategy.Role{{Name: "Analyst", Types: []strategy.RoleType{strategy.Performer}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	printed, err := persons.Seal(t.Context(), organization, subject, "A. Lovelace")
	if err != nil {
		t.Fatal(err)
	}
	group := strategy.Stakeholder{Kind: strategy.GroupStakeholder, Name: "Everybody"}
	working := &query.Revision{Number: 1, Approvals: []query.Approval{{ApproverID: "m", PrintedName: printed}}}
	stored := sealedPlans{
		strategy: query.Strategy{
			StrategySummary: query.StrategySummary{Working: working},
			Frame:           query.FrameOf(strategy.Frame{Organizations: []strategy.Organization{{Name: "Examples", Stakeholders: []strategy.Stakeholder{ada}}}}),
			Tree:            []query.Goal{{Stakeholders: query.StakeholdersOf([]strategy.Stakeholder{group, ada})}},
		},
		person: query.Person{Texts: []string{printed, ada.Sealed}},
	}
	type seen struct {
		shown, sealed, erased int // how often the tree says so
		opened                bool
		name                  string
		text                  string
	}
	ask := func(p *personal.Sealer, may bool) (s seen) {
		t.Helper()
		plans := names.In(sealedPlans{strategy: fresh(stored.strategy), person: stored.person}, p)
		r := query.Read{OrganizationID: organization, Names: may, Opened: func() { s.opened = true }}
		got, err := plans.Strategy(t.Context(), r, query.StrategyAsk{})
		if err != nil {
			t.Fatal(err)
		}
		who, err := plans.Person(t.Context(), r, uuid.New())
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		s.text, s.name = string(text), who.Name
		s.shown, s.sealed, s.erased = strings.Count(s.text, "Lovelace"), strings.Count(s.text, `"sealed":true`), strings.Count(s.text, `"erased":true`)
		return s
	}
	check := func(what string, got seen, shown, sealed, erased int, name string) {
		t.Helper()
		if got.shown != shown || got.sealed != sealed || got.erased != erased || got.name != name || got.opened != (shown > 0) || !strings.Contains(got.text, "Everybody") {
			t.Errorf("%s: %+v", what, got)
		}
		if strings.Contains(got.text, "v1.") {
			t.Errorf("%s: a sealed text is shown: %s", what, got.text)
		}
	}
	check("who may", ask(persons, true), 3, 0, 0, "A. Lovelace")
	check("who may not", ask(persons, false), 0, 3, 0, "")
	check("without a key store", ask(nil, true), 0, 3, 0, "")
	keys.Fail(errors.New("away"))
	check("with the key store away", ask(persons, true), 0, 3, 0, "")
	keys.Fail(nil)
	if err := persons.Destroy(t.Context(), organization, subject, "request"); err != nil {
		t.Fatal(err)
	}
	check("who may, once erased", ask(persons, true), 0, 0, 3, "")
	check("who may not, once erased", ask(persons, false), 0, 0, 3, "")
	if working.Approvals[0].PrintedName != printed {
		t.Error("what was answered from has changed: it may be shared with others")
	}
}

// fresh is a strategy as a reader makes it: with stakeholders of its own.
func fresh(s query.Strategy) query.Strategy {
	s.Tree = append([]query.Goal(nil), s.Tree...)
	for i := range s.Tree {
		s.Tree[i].Stakeholders = append([]query.Stakeholder(nil), s.Tree[i].Stakeholders...)
	}
	s.Frame.Organizations = append([]query.PlanOrganization(nil), s.Frame.Organizations...)
	for i := range s.Frame.Organizations {
		s.Frame.Organizations[i].Stakeholders = append([]query.Stakeholder(nil), s.Frame.Organizations[i].Stakeholders...)
	}
	return s
}
