package command_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/domain/refusal"
	"strata.dev/strata/domain/strategy"
	generated "strata.dev/strata/tests/testdata/stratml"
)

// activate brings a draft into force.
func (w *world) activate(id uuid.UUID) {
	w.t.Helper()
	if w.members["officer2"] == "" {
		w.enrol("officer2", authz.ComplianceOfficer)
	}
	w.must(w.commands.Strategies.Execute(w.t.Context(), w.as("author"), id, strategy.SubmitStrategy{Summary: "as imported"}))
	hash := w.strategy(id).Working.ContentHash
	w.must(w.commands.Strategies.Execute(w.t.Context(), w.as("approver"), id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Business}))
	w.must(w.commands.Strategies.Execute(w.t.Context(), w.as("officer"), id, strategy.ApproveStrategy{ContentHash: hash, Meaning: strategy.Compliance}))
	w.must(w.commands.Strategies.Execute(w.t.Context(), w.as("officer2"), id, strategy.ActivateStrategy{ContentHash: hash, Meaning: strategy.Activation}))
}

func (w *world) strategy(id uuid.UUID) strategy.State {
	w.t.Helper()
	return fold[strategy.State, strategy.Event](w.t, w.log, w.org, "strategy-"+id.String(), strategy.State.Apply)
}

// here reads a published document that may be redistributed.
func here(t testing.TB, name string) []byte {
	t.Helper()
	b, err := generated.File(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func revision(id uuid.UUID, document []byte) command.ImportRequest {
	return command.ImportRequest{Document: document, RevisionOf: id, Reason: "next report"}
}

// revise imports a document as the next revision, countersigned by the approver.
func (w *world) revise(id uuid.UUID, document []byte) command.Imported {
	w.t.Helper()
	got, err := w.commands.Imports.Import(w.t.Context(), w.countersigned("author", "approver"), revision(id, document), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// T3: twelve years later all of the committee's 21 identifiers are found again.
func TestImportAsNextRevision(t *testing.T) {
	t.Parallel()
	after := published(t, "Pulkit0729__stratml-project/SMLC2023.xml")
	w := newWorld(t)
	first := w.imports(w.as("author"), here(t, "SMLC2011.xml"))
	w.activate(first.StrategyID)
	was := w.strategy(first.StrategyID).InForce.Plan
	got := w.revise(first.StrategyID, after)

	identified := map[string]int{}
	for _, m := range got.Matched {
		if m.Identifier != "" {
			identified[m.Kind]++
		}
	}
	want := map[string]int{"organization": 1, "vision": 1, "mission": 1, "goal": 3, "objective": 10, "indicator": 5}
	if diff := cmp.Diff(want, identified); diff != "" {
		t.Errorf("matched by identifier, 21 of 21 (-want +got):\n%s", diff)
	}
	s := w.strategy(first.StrategyID)
	if got.StrategyID != first.StrategyID || s.Working.Number != 2 || s.Working.Stage != strategy.Draft || got.Revision != 2 {
		t.Fatalf("revision %d of %s, %s", s.Working.Number, got.StrategyID, s.Working.Stage)
	}
	if diff := cmp.Diff(was.Goals(), s.InForce.Plan.Goals()); diff != "" {
		t.Errorf("what is in force changed: %s", diff)
	}
	// The revision says what the document says, under the old ids.
	plan, doc := s.Working.Plan, kept(t, after)
	if plan.Frame.Name != doc.Name || plan.Frame.Vision != doc.Vision.Description || string(plan.Frame.Period.End) != doc.Administrative.EndDate {
		t.Errorf("frame %+v", plan.Frame)
	}
	if len(plan.Goals()) != 3 || len(plan.Objectives("")) != 13 {
		t.Errorf("%d goals, %d objectives", len(plan.Goals()), len(plan.Objectives("")))
	}
	for _, g := range was.Goals() {
		if _, ok := plan.Goal(g.ID); !ok {
			t.Errorf("goal %q is not the same any more", g.Name)
		}
	}
	var texts, said []string
	for _, g := range doc.Goals {
		for _, o := range g.Objectives {
			texts = append(texts, o.Name+": "+o.Description)
		}
	}
	for _, o := range plan.Objectives("") {
		said = append(said, o.Name+": "+o.Description)
	}
	slices.Sort(texts)
	slices.Sort(said)
	if diff := cmp.Diff(texts, said); diff != "" {
		t.Errorf("objectives (-document +revision):\n%s", diff)
	}
	if got.Recorded.Objectives != 3 || got.Recorded.Goals != 0 || got.Recorded.Amended == 0 {
		t.Errorf("recorded %+v", got.Recorded)
	}
	// Every change of an element says what was and why.
	for _, e := range w.stream("strategy-" + s.ID)[first.Version:] {
		if e.Type == "strategy.plan-element-amended" && (!bytes.Contains(e.Data, []byte(`"old"`)) || !bytes.Contains(e.Data, []byte(`"reason":"next report"`))) {
			t.Errorf("%s", e.Data)
		}
	}
	indicators := 0
	for _, list := range w.indicatorsOf(first.StrategyID) {
		indicators += len(list)
	}
	if indicators != 11+got.Recorded.Indicators {
		t.Errorf("%d indicators, 11 before, %d new", indicators, got.Recorded.Indicators)
	}
	// The same as a strategy of its own, or as another revision, is the same content.
	_, err := w.commands.Imports.Import(t.Context(), w.as("author"), upload(after), nil)
	refused(t, err, refusal.Violated.WithRule("identical"))
	if again, err := w.commands.Imports.Run(t.Context(), w.org, got.ImportID, nil); err != nil || !again.Replayed || again.Position != got.Position {
		t.Errorf("applied once more: %v, position %d after %d, replayed %v", err, again.Position, got.Position, again.Replayed)
	}
}

const planHead = `<?xml version="1.0"?>
<PerformancePlanOrReport xmlns="urn:ISO:std:iso:17469:tech:xsd:PerformancePlanOrReport" Type="Performance_Plan"><Name>Plan</Name><StrategicPlanCore>`

const planTail = `</StrategicPlanCore></PerformancePlanOrReport>`

func goalXML(id, name, content string) string {
	return "<Goal><Name>" + name + "</Name><Description>D</Description><Identifier>" + id + "</Identifier>" + content + "</Goal>"
}

func objectiveXML(id, name, content string) string {
	return "<Objective><Name>" + name + "</Name><Identifier>" + id + "</Identifier>" + content + "</Objective>"
}

func indicatorXML(id, name, unit, results string) string {
	return "<PerformanceIndicator><MeasurementDimension>" + name + "</MeasurementDimension><UnitOfMeasurement>" + unit + "</UnitOfMeasurement><Identifier>" +
		id + "</Identifier><MeasurementInstance>" + results + "</MeasurementInstance></PerformanceIndicator>"
}

func resultXML(kind, year, units string) string {
	return "<" + kind + "><StartDate>" + year + "-01-01</StartDate><EndDate>" + year + "-12-31</EndDate><NumberOfUnits>" + units + "</NumberOfUnits></" + kind + ">"
}

// What a next revision does, one of each: amend, add, move, retire; redefine,
// relink, set, record; and what it leaves as it is.
func TestRevisionBringsTheStrategyToTheDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.imports(w.as("author"), []byte(planHead+
		goalXML("g1", "One", objectiveXML("o1", "Stays", indicatorXML("i1", "Score", "points", resultXML("TargetResult", "2020", "1")+resultXML("ActualResult", "2020", "1.0")))+
			objectiveXML("o2", "Moves", indicatorXML("i2", "Cost", "EUR", resultXML("ActualResult", "2020", "5")))+
			objectiveXML("o3", "Goes", indicatorXML("i3", "Old", "x", "")))+
		goalXML("g2", "Two", objectiveXML("o4", "Goes with it", ""))+
		"<Goal><Name>Named</Name><Description>D</Description></Goal>"+planTail))
	w.activate(first.StrategyID)
	ids := map[string]string{}
	for _, o := range w.strategy(first.StrategyID).InForce.Plan.Objectives("") {
		ids[o.Identifier] = o.ID
	}
	second := []byte(planHead +
		goalXML("g1", "One, renamed", objectiveXML("o1", "Stays", indicatorXML("i1", "Score", "points", resultXML("TargetResult", "2020", "2")+resultXML("TargetResult", "2021", "3")+resultXML("ActualResult", "2020", "1")+resultXML("ActualResult", "2021", "2")))) +
		goalXML("g3", "Three", objectiveXML("o2", "Moves", indicatorXML("i2", "Cost", "USD", resultXML("ActualResult", "2020", "6")))+objectiveXML("o5", "New", indicatorXML("i5", "Fresh", "y", ""))) +
		"<Goal><Name>Named</Name><Description>D, more</Description></Goal>" + planTail)

	// In force, indicators take a second person (S15): without one nothing happens.
	head, _ := w.log.Head(t.Context())
	_, err := w.commands.Imports.Import(t.Context(), w.as("author"), revision(first.StrategyID, second), nil)
	refused(t, err, indicator.ErrSecondPerson)
	if now, _ := w.log.Head(t.Context()); now != head {
		t.Errorf("%d events of a refused revision", now-head)
	}

	got := w.revise(first.StrategyID, second)
	want := command.Recorded{Goals: 1, Objectives: 1, Indicators: 1, Targets: 2, Measurements: 1, Amended: 2, Moved: 1, Retired: 2, Redefined: 1}
	if diff := cmp.Diff(want, got.Recorded); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	codes := []string{}
	for _, o := range got.Omitted {
		codes = append(codes, o.Code)
	}
	if want := []string{command.IndicatorStays, command.ResultAsRecorded}; !slices.Equal(codes, want) {
		t.Errorf("left as it is: %v, want %v", codes, want)
	}
	plan := w.strategy(first.StrategyID).Working.Plan
	names := []string{}
	for _, g := range plan.Goals() {
		names = append(names, g.Name+": "+g.Description)
		for _, o := range plan.Objectives(g.ID) {
			names = append(names, "- "+o.Name)
			if was := ids[o.Identifier]; was != "" && was != o.ID {
				t.Errorf("objective %s has another id", o.Identifier)
			}
		}
	}
	if diff := cmp.Diff([]string{"One, renamed: D", "- Stays", "Named: D, more", "Three: D", "- Moves", "- New"}, names); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	for _, list := range w.indicatorsOf(first.StrategyID) {
		for _, s := range list {
			target := func(year string) string {
				t, _ := s.Target(calendar.Period{Start: calendar.Date(year + "-01-01"), End: calendar.Date(year + "-12-31")}, nil)
				return string(t.Value)
			}
			switch s.Definition.Identifier {
			case "i1":
				if target("2020") != "2" || target("2021") != "3" || len(s.Measurements()) != 2 || s.Epoch != 0 {
					t.Errorf("i1: %s, %s, %+v", target("2020"), target("2021"), s.Measurements())
				}
			case "i2":
				if s.Definition.Unit != "USD" || s.Epoch != 1 || s.Measurements()[0].Value != "5" {
					t.Errorf("i2: %+v, epoch %d", s.Definition, s.Epoch)
				}
			case "i3":
				if s.Retired {
					t.Error("i3 is retired by a draft")
				}
			}
		}
	}
	authorized := 0
	for _, e := range mustRead(t, w.log)[head:] {
		if bytes.Contains(e.Data, []byte(`"authorizedBy":"`+w.members["approver"])) {
			authorized++
			if c := metadataOf(t, e).Countersignature; c == nil || c.SignerID != w.members["approver"] {
				t.Errorf("%s: countersignature %+v", e.Type, c)
			}
		}
	}
	if authorized != 5 { // the acceptance, a redefinition, a definition, two targets
		t.Errorf("%d events name the second person, want 5", authorized)
	}
	// One working revision at a time.
	_, err = w.commands.Imports.Import(t.Context(), w.countersigned("author", "approver"), revision(first.StrategyID, []byte(planHead+goalXML("g1", "X", "")+planTail)), nil)
	refused(t, err, strategy.ErrRevisionOpen)
}

func TestRevisionOfWhatIsNotInForceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	document := generated.Plan(1, 1, 0, 0, 0)
	draft := w.imports(w.as("author"), document)
	other := []byte(strings.Replace(string(document), "Examples", "Other", 1))
	_, err := w.commands.Imports.Import(t.Context(), w.as("author"), revision(draft.StrategyID, other), nil)
	refused(t, err, strategy.ErrNotInForce)
	_, err = w.commands.Imports.Import(t.Context(), w.as("author"), revision(uuid.New(), other), nil)
	refused(t, err, strategy.ErrNotDrafted)
	stranger := newWorldOn(t, w.log)
	stranger.store = w.store
	stranger.commands = stranger.process()
	_, err = stranger.commands.Imports.Import(t.Context(), stranger.as("author"), revision(draft.StrategyID, other), nil)
	refused(t, err, strategy.ErrNotDrafted)
	// What another organization imported is nothing to this one.
	if got := stranger.imports(stranger.as("author"), document); got.StrategyID == draft.StrategyID {
		t.Error("two organizations share a strategy")
	}
}

// An identifier counts before a name, and no element is found twice.
func TestMatching(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const id = "78901c50-230a-4997-a95e-eeaf289a484e"
	first := w.imports(w.as("author"), []byte(planHead+goalXML(id, "A", objectiveXML("o", "O", ""))+goalXML("x1", "B", "")+"<Goal><Name>C</Name><Description>D</Description></Goal>"+planTail))
	w.activate(first.StrategyID)
	got := w.revise(first.StrategyID, []byte(planHead+
		"<Goal><Name>A</Name><Description>by its name only, which an identifier found</Description></Goal>"+
		goalXML("_"+strings.ToUpper(id), "B", objectiveXML("o", "O", ""))+ // the goal named A
		goalXML("x2", "B", "")+ // another identifier: another goal
		goalXML("x3", "C", "")+ // had none: found by its name
		planTail))
	var matched []string
	for _, m := range got.Matched {
		matched = append(matched, m.Kind+" "+m.Identifier)
	}
	if diff := cmp.Diff([]string{"goal " + id, "goal ", "objective o"}, matched); diff != "" {
		t.Errorf("matched (-want +got):\n%s", diff)
	}
	want := command.Recorded{Goals: 2, Amended: 2, Retired: 1}
	if diff := cmp.Diff(want, got.Recorded); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}
