package stratml_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	adapter "strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/fault"
	generated "strata.dev/strata/tests/testdata/stratml"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository(t), "tests", "testdata", "stratml", "jlind0__StratML.NET", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refused makes sure that a document is refused for reason, at line and column (0 = any).
func refused(t testing.TB, b []byte, opts stratml.Options, reason string, line, column int) {
	t.Helper()
	doc, err := adapter.Parser{}.Parse(context.Background(), bytes.NewReader(b), opts)
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || doc != nil || (f.Slug != stratml.ErrRefused.Slug && f.Slug != stratml.ErrTooLarge.Slug) {
		t.Fatalf("got document %v, error %v; want a refusal", doc != nil, err)
	}
	if f.Extra["reason"] != reason {
		t.Errorf("reason %v (%v), want %s", f.Extra["reason"], err, reason)
	}
	gotLine, gotColumn := f.Extra["line"].(int), f.Extra["column"].(int)
	if gotLine < 1 || gotColumn < 1 || (line > 0 && line != gotLine) || (column > 0 && column != gotColumn) {
		t.Errorf("refused at %d:%d, want %d:%d", gotLine, gotColumn, line, column)
	}
}

// content is a document without what depends on the file's form.
func content(d *stratml.Document) stratml.Document {
	c := *d
	c.Deviations, c.SHA256, c.Size, c.TypeAssumed = stratml.Deviations{}, "", 0, false
	c.Goals = append([]stratml.Goal(nil), c.Goals...)
	for g := range c.Goals {
		c.Goals[g].Place = stratml.Place{}
		objectives := append([]stratml.Objective(nil), c.Goals[g].Objectives...)
		for o := range objectives {
			objectives[o].Place = stratml.Place{}
			for i := range objectives[o].Indicators {
				ind := &objectives[o].Indicators[i]
				ind.Place = stratml.Place{}
				for m := range ind.Instances {
					for r := range ind.Instances[m].Targets {
						ind.Instances[m].Targets[r].Place = stratml.Place{}
					}
					for r := range ind.Instances[m].Actuals {
						ind.Instances[m].Actuals[r].Place = stratml.Place{}
					}
				}
			}
		}
		c.Goals[g].Objectives = objectives
	}
	return c
}

const (
	root1 = `<StrategicPlan xmlns="urn:ISO:std:iso:17469:tech:xsd:stratml_core">`
	root2 = `<PerformancePlanOrReport xmlns="urn:ISO:std:iso:17469:tech:xsd:PerformancePlanOrReport" Type="Performance_Plan">`
	goal  = `<Goal><Name>G</Name><Description>D</Description></Goal>`
	plan1 = root1 + `<Name>N</Name><StrategicPlanCore>` + goal + `</StrategicPlanCore></StrategicPlan>`
)

// plan2 puts an indicator's children into a Part 2 document.
func plan2(indicator string) string {
	return root2 + `<Name>N</Name><StrategicPlanCore><Goal><Name>G</Name><Description>D</Description><Objective>` +
		`<PerformanceIndicator><MeasurementDimension>M</MeasurementDimension><UnitOfMeasurement>U</UnitOfMeasurement>` +
		indicator + `</PerformanceIndicator></Objective></Goal></StrategicPlanCore></PerformancePlanOrReport>`
}

func TestValidPart1(t *testing.T) {
	t.Parallel()
	doc := parse(t, testdata(t, "PMOAI.xml"), stratml.Options{})
	want := stratml.Counts{Goals: 1, Objectives: 5, Stakeholders: 24, Persons: doc.Count().Persons}
	if diff := cmp.Diff(want, doc.Count()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if doc.Part != stratml.Part1 || doc.Type != stratml.StrategicPlan || doc.Deviations.Schema() != 0 {
		t.Errorf("part %d, type %s, deviations %v", doc.Part, doc.Type, doc.Deviations.Counts)
	}
	if doc.Name != "Presidential Memorandum on The White House Office of American Innovation" {
		t.Errorf("name %q", doc.Name)
	}
	if o := doc.Organizations; len(o) != 1 || o[0].Acronym != "DJT" || o[0].Identifier == "" {
		t.Errorf("organizations %+v", o)
	}
	if doc.Size != 12_351 || len(doc.SHA256) != 64 {
		t.Errorf("size %d, hash %q", doc.Size, doc.SHA256)
	}
}

// T4: two files of one report, one with other white space and a byte order mark.
func TestWhiteSpaceIsNoContent(t *testing.T) {
	t.Parallel()
	a := parse(t, testdata(t, "SMLC2011.xml"), stratml.Options{})
	b := parse(t, testdata(t, "StratTest.xml"), stratml.Options{})
	if diff := cmp.Diff(content(a), content(b)); diff != "" {
		t.Errorf("content differs:\n%s", diff)
	}
	if a.SHA256 == b.SHA256 {
		t.Error("two files with one hash")
	}
	want := stratml.Counts{Goals: 3, Objectives: 10, Indicators: 11, Targets: 11, Actuals: 11, EmptyUnits: a.Count().EmptyUnits, Stakeholders: 58, Persons: a.Count().Persons}
	if diff := cmp.Diff(want, a.Count()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if a.Deviations.Counts[stratml.OldName] != 2 || a.Deviations.Counts[stratml.BadIdentifier] == 0 || a.Deviations.Counts[stratml.ElementOrder] == 0 {
		t.Errorf("deviations %v", a.Deviations.Counts)
	}
	if s := a.Submitter; s == nil || s.GivenName == "" || s.Surname == "" {
		t.Errorf("the old names of a submitter's names were not read: %+v", s)
	}
}

func TestGeneratedPlanHasTheCountsOfThePublishedOne(t *testing.T) {
	t.Parallel()
	doc := parse(t, generated.AlbaniaShaped(), stratml.Options{})
	want := stratml.Counts{Goals: 2, Objectives: 12, Indicators: 104, Targets: 2_392, Actuals: 2_392, EmptyUnits: 114, Stakeholders: 15}
	if diff := cmp.Diff(want, doc.Count()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{stratml.Placeholder: 2_392}, doc.Deviations.Counts); diff != "" {
		t.Errorf("deviations (-want +got):\n%s", diff)
	}
	if doc.Description != "A generated plan with wrapped text." || doc.Mission.Description != "To give examples & measure them." {
		t.Errorf("texts %q, %q", doc.Description, doc.Mission.Description)
	}
	first := doc.Goals[0].Objectives[0].Indicators[0].Instances[0].Targets[0]
	first.Place = stratml.Place{}
	if diff := cmp.Diff(stratml.Result{
		StartDate: "2022-01-01", EndDate: "2022-12-31", Units: "6.00",
		DescriptorName: "Status", DescriptorValue: "Annual Baseline", Description: "Measure 1: average",
	}, first); diff != "" {
		t.Errorf("first target (-want +got):\n%s", diff)
	}
}

func TestDeviationsSayWhatAndWhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc string
		want      []stratml.Deviation
		where     []string // what each stands at, in doc
	}{
		{"none", plan1, nil, nil},
		{"placeholder", strings.Replace(plan1, "<Description>D<", "<Description>[To be described]<", 1), []stratml.Deviation{
			{Code: stratml.Placeholder, Path: "/StrategicPlan/StrategicPlanCore/Goal[1]/Description", Text: "[To be described]"},
		}, []string{"<Description>["}},
		{"unknown element, with a child, on a line of its own", strings.Replace(plan1, "<Goal>", "\n <id><b>x</b> y</id>\n<Goal>", 1), []stratml.Deviation{
			{Code: stratml.UnknownElement, Path: "/StrategicPlan/StrategicPlanCore/id", Text: "x y"},
		}, []string{"<id>"}},
		{"element of another namespace", strings.Replace(plan1, "<Goal>", `<Goal xmlns="urn:else"/><Goal>`, 1), []stratml.Deviation{
			{Code: stratml.UnknownElement, Path: "/StrategicPlan/StrategicPlanCore/Goal"},
		}, []string{"<Goal xmlns"}},
		{"markup inside a text", strings.Replace(plan1, "<Name>G", "<Name>G<i>o</i>al", 1), []stratml.Deviation{
			{Code: stratml.UnknownElement, Path: "/StrategicPlan/StrategicPlanCore/Goal[1]/Name/i"},
		}, []string{"<i>"}},
		{"required child missing", strings.Replace(plan1, "<Description>D</Description>", "", 1), []stratml.Deviation{
			{Code: stratml.MissingElement, Path: "/StrategicPlan/StrategicPlanCore/Goal[1]/Description"},
		}, []string{"<Goal>"}},
		{"repeated child", strings.Replace(plan1, "<Description>D", "<Name>H</Name><Description>D", 1), []stratml.Deviation{
			{Code: stratml.RepeatedElement, Path: "/StrategicPlan/StrategicPlanCore/Goal[1]/Name[2]", Text: "H"},
		}, []string{"<Name>H"}},
		{"children out of order", strings.Replace(plan1, "<Name>G</Name><Description>D</Description>", "<Description>D</Description><Name>G</Name>", 1), []stratml.Deviation{
			{Code: stratml.ElementOrder, Path: "/StrategicPlan/StrategicPlanCore/Goal[1]/Name"},
		}, []string{"<Name>G"}},
		{"stray text", strings.Replace(plan1, "<Goal>", "<Goal>stray", 1), []stratml.Deviation{
			{Code: stratml.StrayText, Path: "/StrategicPlan/StrategicPlanCore/Goal[1]/text()", Text: "stray"},
		}, []string{"<Goal>"}},
		{"unknown attribute", strings.Replace(plan1, "<Goal>", `<Goal rank="1">`, 1), []stratml.Deviation{
			{Code: stratml.UnknownAttribute, Path: "/StrategicPlan/StrategicPlanCore/Goal[1]/@rank", Text: "1"},
		}, []string{"<Goal rank"}},
		{"identifiers: no name, and twice in two spellings", strings.Replace(plan1, "</Goal>",
			"<Identifier>78901c50-230a-4997-a95e-eeaf289a484e</Identifier><Objective><Identifier>_78901C50-230A-4997-A95E-EEAF289A484E</Identifier></Objective></Goal>", 1), []stratml.Deviation{
			{Code: stratml.BadIdentifier, Path: "/StrategicPlan/StrategicPlanCore/Goal[1]/Identifier", Text: "78901c50-230a-4997-a95e-eeaf289a484e"},
			{Code: stratml.DuplicateIdentifier, Path: "/StrategicPlan/StrategicPlanCore/Goal[1]/Objective[1]/Identifier", Text: "_78901C50-230A-4997-A95E-EEAF289A484E"},
		}, []string{"<Identifier>7", "<Identifier>_"}},
		{"values that are none", plan2(`<MeasurementInstance><ActualResult><StartDate>2022-02-30</StartDate><NumberOfUnits>about 5</NumberOfUnits></ActualResult></MeasurementInstance>`), []stratml.Deviation{
			{Code: stratml.InvalidValue, Path: "/PerformancePlanOrReport/StrategicPlanCore/Goal[1]/Objective[1]/PerformanceIndicator[1]/MeasurementInstance[1]/ActualResult[1]/StartDate", Text: "2022-02-30"},
			{Code: stratml.InvalidValue, Path: "/PerformancePlanOrReport/StrategicPlanCore/Goal[1]/Objective[1]/PerformanceIndicator[1]/MeasurementInstance[1]/ActualResult[1]/NumberOfUnits", Text: "about 5"},
		}, []string{"<StartDate>", "<NumberOfUnits>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for i, tag := range c.where {
				before, _, ok := strings.Cut(c.doc, tag)
				if !ok {
					t.Fatalf("no %q in the document", tag)
				}
				c.want[i].Line = strings.Count(before, "\n") + 1
				c.want[i].Column = len(before) - strings.LastIndex(before, "\n")
			}
			doc := parse(t, []byte(c.doc), stratml.Options{})
			if diff := cmp.Diff(c.want, doc.Deviations.List); diff != "" {
				t.Errorf("deviations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsOddIsKept(t *testing.T) {
	t.Parallel()
	doc := parse(t, []byte(plan2(`<Identifier> _a </Identifier><MeasurementInstance><TargetResult><NumberOfUnits>5.53e-05</NumberOfUnits></TargetResult></MeasurementInstance>`)), stratml.Options{})
	i := doc.Goals[0].Objectives[0].Indicators[0]
	if i.Identifier != "_a" || i.Instances[0].Targets[0].Units != "5.53e-05" || doc.Deviations.Counts[stratml.InvalidValue] != 1 {
		t.Errorf("identifier %q, units %q, deviations %v", i.Identifier, i.Instances[0].Targets[0].Units, doc.Deviations.Counts)
	}
	nbsp := parse(t, []byte(strings.Replace(plan1, "<Name>G", "<Name>A\u00a0 B\t\n<![CDATA[<C>]]>", 1)), stratml.Options{})
	if got := nbsp.Goals[0].Name; got != "A\u00a0 B <C>" {
		t.Errorf("text %q", got)
	}
}

// names makes empty elements, each with a name of its own.
func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<a%x/>", i)
	}
	return b.String()
}

func TestHostileDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	core := root1 + "<StrategicPlanCore>"
	for _, c := range []struct {
		name, doc, reason string
		line, column      int
	}{
		{"nothing", "", stratml.ReasonEmpty, 1, 1},
		{"only a comment", "<!-- x -->\n", stratml.ReasonEmpty, 2, 1},
		{"no XML", "hello", stratml.ReasonGarbage, 1, 1},
		{"a lone ampersand", strings.Replace(plan1, "<Name>G", "<Name>\nG & H", 1), stratml.ReasonIllFormed, 2, 0},
		{"an undeclared entity", strings.Replace(plan1, "<Name>G", "<Name>&xxe;", 1), stratml.ReasonIllFormed, 1, 0},
		{"mismatched tags", root1 + "<Name></Nam></StrategicPlan>", stratml.ReasonIllFormed, 1, 0},
		{"cut off", plan1[:len(plan1)-20], stratml.ReasonIllFormed, 1, 0},
		{"cut off in a tag", plan1[:len(plan1)-5], stratml.ReasonIllFormed, 1, 0},
		{"a document type", "<!DOCTYPE x>\n" + plan1, stratml.ReasonDTD, 1, 1},
		{"entity bombs", "<?xml version='1.0'?>\n<!DOCTYPE l [<!ENTITY a 'lol'><!ENTITY b '&a;&a;'>]>" + plan1, stratml.ReasonDTD, 2, 1},
		{"a declaration inside", strings.Replace(plan1, "<Goal>", "<!ELEMENT x><Goal>", 1), stratml.ReasonDTD, 1, 101},
		{"a second root", plan1 + "\n" + plan1, stratml.ReasonSecondRoot, 2, 1},
		{"text behind", plan1 + "\nx", stratml.ReasonGarbage, 1, 0},
		{"text before", "x" + plan1, stratml.ReasonGarbage, 1, 1},
		{"a late XML declaration", plan1 + "\n<?xml version='1.0'?>", stratml.ReasonInstruction, 2, 1},
		{"twice the same attribute", strings.Replace(plan1, "<Goal>", `<Goal a="1" a="2">`, 1), stratml.ReasonDuplicateAttr, 1, 101},
		{"another encoding", "<?xml version='1.0' encoding='iso-8859-1'?>" + plan1, stratml.ReasonEncoding, 1, 1},
		{"bad UTF-8", strings.Replace(plan1, "<Name>G", "<Name>\n\xff", 1), stratml.ReasonEncoding, 2, 1},
		{"UTF-16", "\xfe\xff\x00<", stratml.ReasonEncoding, 1, 1},
		{"no namespace", "<StrategicPlan/>", stratml.ReasonUnknownNamespace, 1, 1},
		{"an invented namespace", `<StrategicPlan xmlns="http://stratml.net"/>`, stratml.ReasonUnknownNamespace, 1, 1},
		{"another root", `<Plan xmlns="urn:ISO:std:iso:17469:tech:xsd:stratml_core"/>`, stratml.ReasonUnknownRoot, 1, 1},
		{"StratML 3.5", `<x xmlns="http://schemas.stratml.us/3.5"/>`, stratml.ReasonPart3, 1, 1},
		{"no type", strings.Replace(plan2(""), ` Type="Performance_Plan"`, "", 1), stratml.ReasonTypeMissing, 1, 1},
		{"no core", root1 + "<Name>N</Name></StrategicPlan>", stratml.ReasonNoCore, 1, 1},
		{"too deep", core + strings.Repeat("<a>", stratml.MaxDepth), stratml.ReasonTooDeep, 1, 0},
		{"deep inside a text", root1 + "<Name>" + strings.Repeat("<a>", 1_000_000), stratml.ReasonTooDeep, 1, 0},
		{"an endless tag", core + "<a " + strings.Repeat("x='1' ", 500_000), stratml.ReasonTagTooLong, 1, 87},
		{"an endless attribute", core + `<a x="` + strings.Repeat(">", 500_000) + `">`, stratml.ReasonTagTooLong, 1, 87},
		{"too many elements", core + strings.Repeat("<a/>", stratml.MaxElements+1), stratml.ReasonTooManyElements, 1, 0},
		{"too many goals", core + strings.Repeat(goal, stratml.MaxGoals+1), stratml.ReasonTooMany, 1, 0},
		{"too many objectives", core + "<Goal>" + strings.Repeat("<Objective/>", stratml.MaxObjectives+1), stratml.ReasonTooMany, 1, 0},
		{"too many results", strings.Split(plan2("#"), "#")[0] + "<MeasurementInstance>" + strings.Repeat("<ActualResult/>", stratml.MaxResults+1), stratml.ReasonTooMany, 1, 0},
		{"too many stakeholders", core + "<Goal>" + strings.Repeat("<Stakeholder/>", stratml.MaxStakeholders+1), stratml.ReasonTooMany, 1, 0},
		{"many names", core + names(200_000) + "<", stratml.ReasonIllFormed, 1, 0},
		{"too large", strings.Repeat(" ", stratml.MaxBytes+1), stratml.ReasonTooLarge, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			refused(t, []byte(c.doc), stratml.Options{}, c.reason, c.line, c.column)
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestAssumedTypeIsNotForADocumentThatSaysItsType(t *testing.T) {
	t.Parallel()
	doc := parse(t, []byte(plan2("")), stratml.Options{AssumeType: stratml.PerformanceReport})
	if doc.Type != stratml.PerformancePlan || doc.TypeAssumed {
		t.Errorf("type %s, assumed %v", doc.Type, doc.TypeAssumed)
	}
}

func TestManyDeviationsAreCountedButNotAllListed(t *testing.T) {
	t.Parallel()
	const n = stratml.MaxListedDeviations + 1
	doc := parse(t, []byte(strings.Replace(plan1, "<Goal>", strings.Repeat("<x/>", n)+"<Goal>", 1)), stratml.Options{})
	if len(doc.Deviations.List) != stratml.MaxListedDeviations || doc.Deviations.Schema() != n {
		t.Errorf("%d listed, %d counted", len(doc.Deviations.List), doc.Deviations.Schema())
	}
}

func TestReadErrorsAndCancellationAreNoRefusals(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection lost")
	_, err := adapter.Parser{}.Parse(context.Background(), iotest.ErrReader(broken), stratml.Options{})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = adapter.Parser{}.Parse(ctx, bytes.NewReader(generated.AlbaniaShaped()), stratml.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
