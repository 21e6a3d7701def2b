package command_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"strata.dev/strata/app/eventlog"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/strategy"
)

func TestImportSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	result := func(start, end, units, descriptor string) stratml.Result {
		return stratml.Result{StartDate: start, EndDate: end, Units: units, DescriptorValue: descriptor, Description: "note"}
	}
	numbers := stratml.Indicator{Dimension: "Numbers", Instances: []stratml.Instance{{
		Targets: []stratml.Result{
			result("2020-01-01", "2020-12-31", "1.50", "Baseline"),
			result("2020-01-01", "2020-12-31", "2", ""), // twice
		},
		Actuals: []stratml.Result{
			result("2020-01-01", "2020-12-31", ".5", ""),
			result("2021-01-01", "2021-12-31", "", ""),        // empty
			result("2021-01-01", "2021-12-31", "about 5", ""), // no number
			result("2999-01-01", "2999-12-31", "5", ""),       // in the future
			result("2021-12-31", "2021-01-01", "5", ""),       // backwards
			result("", "", "7", ""),                           // the plan's period
			result("", "2019-06-30", "8", ""),                 // a day
		},
	}}}
	words := stratml.Indicator{Dimension: "", Unit: "grade", Instances: []stratml.Instance{{
		Actuals: []stratml.Result{result("2020-04-01", "2021-03-31", "", "good"), result("2021-04-01", "2022-03-31", "", "better")},
	}}}
	doc := &stratml.Document{
		Part: stratml.Part2, Type: stratml.PerformanceReport, Description: "A plan without a name",
		Administrative: stratml.Administrative{StartDate: "2018-01-01", EndDate: "2018-12-31"},
		Submitter:      &stratml.Submitter{GivenName: "Ada"},
		Goals: []stratml.Goal{{Objectives: []stratml.Objective{{
			Name: "O", Indicators: []stratml.Indicator{numbers, words},
			Stakeholders: []stratml.Stakeholder{
				{Type: "Person", Name: "Ada Example", Roles: []stratml.Role{{Name: "Chair", Types: []string{"Performer"}}}},
				{Type: "Organization", Name: "Examples Ltd", Description: "Maker", Roles: []stratml.Role{{Name: "Supplier", Description: "of all"}}},
				{}, // a form left blank
			},
		}}}},
	}
	w := newWorld(t)
	got := w.imports(w.as("author"), w.made.file(doc))
	codes := map[string]int{}
	for _, o := range got.Omitted {
		codes[o.Code]++
	}
	want := map[string]int{
		stratml.ResultTwice: 1, stratml.EmptyResult: 1, stratml.ResultNoNumber: 1, stratml.ResultInFuture: 1, stratml.ResultBackwards: 1,
		stratml.PeriodAssumed: 1, stratml.NameAssumed: 3, stratml.UnitAssumed: 1, stratml.PersonWithheld: 2,
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("omitted (-want +got):\n%s", diff)
	}
	s := fold[strategy.State, strategy.Event](t, w.log, w.org, "strategy-"+got.StrategyID.String(), strategy.State.Apply)
	if s.Working.Plan.Frame.Name != "A plan without a name" || s.Working.Plan.Goals()[0].Name != "Goal 1" {
		t.Errorf("names %q, %q", s.Working.Plan.Frame.Name, s.Working.Plan.Goals()[0].Name)
	}
	wantHolders := []strategy.Stakeholder{
		{Kind: strategy.PersonStakeholder, Roles: []strategy.Role{{Types: []strategy.RoleType{strategy.Performer}}}},
		{Kind: strategy.OrganizationStakeholder, Name: "Examples Ltd", Description: "Maker", Roles: []strategy.Role{{Name: "Supplier", Description: "of all"}}},
	}
	objective := s.Working.Plan.Objectives("")[0]
	if diff := cmp.Diff(wantHolders, objective.Stakeholders); diff != "" {
		t.Error(diff)
	}
	for _, e := range mustRead(t, w.log) {
		if bytes.Contains(e.Data, []byte("Ada")) || bytes.Contains(e.Metadata, []byte("Ada")) {
			t.Errorf("a person is named in %s", e.Type)
		}
	}
	list := w.indicatorsOf(got.StrategyID)[objective.ID]
	slices.SortFunc(list, func(a, b indicator.State) int { return strings.Compare(a.Definition.Unit, b.Definition.Unit) })
	if d := list[0].Definition; d.Type != indicator.Qualitative || d.Frequency != calendar.Year || d.YearStart != 4 || d.Direction != indicator.Undefined {
		t.Errorf("words: %+v", d)
	}
	if d := list[1].Definition; d.Type != indicator.Quantitative || d.Frequency != calendar.Irregular || d.Name != "Numbers" {
		t.Errorf("numbers: %+v", d)
	}
	values := map[string]string{}
	for _, m := range list[1].Measurements() {
		values[m.Period.String()] = string(m.Value)
	}
	if diff := cmp.Diff(map[string]string{"2020-01-01/2020-12-31": "0.5", "2018-01-01/2018-12-31": "7", "2019-06-30/2019-06-30": "8"}, values); diff != "" {
		t.Errorf("measurements: %s", diff)
	}
}

func mustRead(t testing.TB, log eventlog.Log) []eventlog.Event {
	t.Helper()
	events, err := log.Read(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return events
}
