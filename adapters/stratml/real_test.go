package stratml_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	adapter "strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app/stratml"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/tests/testenv"
)

// repository is the root of the source tree.
func repository(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("where is this file?")
	}
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// shared reads one of the published documents that may not be redistributed.
func shared(t testing.TB, path string) []byte {
	t.Helper()
	name := filepath.Join(repository(t), "..", "shared", "stratml", path)
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		testenv.SkipLoud(t, "published StratML documents are not beside the repository: "+path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, b []byte, opts stratml.Options) *stratml.Document {
	t.Helper()
	doc, err := adapter.Parser{}.Parse(context.Background(), bytes.NewReader(b), opts)
	if err != nil {
		t.Fatalf("refused: %v %v", err, extra(err))
	}
	return doc
}

func extra(err error) map[string]any {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Extra
	}
	return nil
}

func TestPublishedDocumentsAreReadWithTheirDeviations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path       string
		part       stratml.Part
		typ        stratml.DocumentType
		counts     stratml.Counts
		deviations map[string]int
	}{
		{
			path: "Pulkit0729__stratml-project/Albania.xml", part: stratml.Part2, typ: stratml.PerformancePlan,
			counts:     stratml.Counts{Goals: 2, Objectives: 12, Indicators: 104, Targets: 2_392, Actuals: 2_392, EmptyUnits: 114, Stakeholders: 15},
			deviations: map[string]int{stratml.Placeholder: 2_392},
		},
		{
			path: "Pulkit0729__stratml-project/HHIOP20200304.xml", part: stratml.Part2, typ: stratml.StrategicPlan,
			counts:     stratml.Counts{Goals: 41, Objectives: 386, Stakeholders: 522},
			deviations: map[string]int{stratml.SubmitterPlace: 1},
		},
		{
			path: "Pulkit0729__stratml-project/SMLC2023.xml", part: stratml.Part2, typ: stratml.PerformanceReport,
			counts:     stratml.Counts{Goals: 3, Objectives: 13, Indicators: 21, Targets: 27, Actuals: 77, EmptyUnits: 71, Stakeholders: 118, Persons: 63},
			deviations: map[string]int{stratml.DuplicateIdentifier: 20, stratml.ElementOrder: 552, stratml.Placeholder: 15},
		},
		{
			path: "OwenAmbur__StratML/temp-stratml/temp.xml", part: stratml.Part2, typ: stratml.StrategicPlan,
			counts:     stratml.Counts{Goals: 1, Objectives: 2, Stakeholders: 8, Persons: 5},
			deviations: map[string]int{stratml.SubmitterPlace: 1},
		},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			t.Parallel()
			doc := parse(t, shared(t, c.path), stratml.Options{})
			if doc.Part != c.part || doc.Type != c.typ {
				t.Errorf("part %d, type %s; want %d, %s", doc.Part, doc.Type, c.part, c.typ)
			}
			if diff := cmp.Diff(c.counts, doc.Count()); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.deviations, doc.Deviations.Counts); diff != "" {
				t.Errorf("deviations (-want +got):\n%s", diff)
			}
		})
	}
}

// T3: what both reports of one committee call by the same identifier.
func TestIdentifiersSurviveTwelveYears(t *testing.T) {
	t.Parallel()
	before := identifiers(parse(t, testdata(t, "SMLC2011.xml"), stratml.Options{}))
	after := identifiers(parse(t, shared(t, "Pulkit0729__stratml-project/SMLC2023.xml"), stratml.Options{}))
	found := 0
	for id := range before {
		if after[id] {
			found++
		}
	}
	if found != 21 || len(before) != 21 {
		t.Errorf("%d of %d identifiers found again, want 21 of 21", found, len(before))
	}
}

func identifiers(doc *stratml.Document) map[string]bool {
	ids := map[string]bool{}
	note := func(id string) {
		if id != "" {
			ids[stratml.NormalizeIdentifier(id)] = true
		}
	}
	for _, o := range doc.Organizations {
		note(o.Identifier)
	}
	for _, s := range []*stratml.Statement{doc.Vision, doc.Mission} {
		if s != nil {
			note(s.Identifier)
		}
	}
	for _, g := range doc.Goals {
		note(g.Identifier)
		for _, o := range g.Objectives {
			note(o.Identifier)
			for _, i := range o.Indicators {
				note(i.Identifier)
			}
		}
	}
	return ids
}

// T3: 63 person stakeholders with 52 names.
func TestPersonsOfAReport(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	note := func(list []stratml.Stakeholder) {
		for _, s := range list {
			if s.Type == "Person" {
				names[s.Name] = true
			}
		}
	}
	doc := parse(t, shared(t, "Pulkit0729__stratml-project/SMLC2023.xml"), stratml.Options{})
	for _, o := range doc.Organizations {
		note(o.Stakeholders)
	}
	for _, g := range doc.Goals {
		note(g.Stakeholders)
		for _, o := range g.Objectives {
			note(o.Stakeholders)
		}
	}
	if len(names) != 52 {
		t.Errorf("%d names of persons, want 52", len(names))
	}
}

// T5: a copy whose root tag is damaged says the same once its type is given.
func TestDamagedRootIsReadOnlyWithAnAssumedType(t *testing.T) {
	t.Parallel()
	damaged := shared(t, "AndreaGutierrez17__SMLC2023-viewer/SMLC2023.xml")
	refused(t, damaged, stratml.Options{}, stratml.ReasonTypeMissing, 3, 1)

	got := parse(t, damaged, stratml.Options{AssumeType: stratml.PerformanceReport})
	if !got.TypeAssumed || got.Type != stratml.PerformanceReport {
		t.Errorf("type %s, assumed %v", got.Type, got.TypeAssumed)
	}
	if got.Deviations.Counts[stratml.MissingType] != 1 || got.Deviations.Counts[stratml.StrayText] != 1 {
		t.Errorf("deviations %v, want one missing type and one stray text", got.Deviations.Counts)
	}
	want := parse(t, shared(t, "Pulkit0729__stratml-project/SMLC2023.xml"), stratml.Options{})
	if diff := cmp.Diff(content(want), content(got)); diff != "" {
		t.Errorf("content differs (-whole +damaged):\n%s", diff)
	}
}

// T6: what is no StratML of the two parts, and the empty templates of an editor.
func TestPublishedLookAlikesAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, reason string
		line, column int
	}{
		{"nonconforming/rumela4__stratml-xsl-demo./demo_stratml.xml", stratml.ReasonUnknownNamespace, 0, 0},
		{"nonconforming/AndreaGutierrez17__SMLC2023-viewer/sample_stratml.xml", stratml.ReasonUnknownNamespace, 0, 0},
		{"nonconforming/cmarcum__federal-award-pids/strategic-plan.xml", stratml.ReasonUnknownNamespace, 0, 0},
		{"part3.5/jlind0__StratML.NET/Steffek-Lind-Transformation.xml", stratml.ReasonPart3, 0, 0},
		{"part3.5/jlind0__StratML.NET/TrasnformationDotRun.xml", stratml.ReasonPart3, 0, 0},
		{"part3.5/jlind0__StratML.NET/WGlascoeCCIP.xml", stratml.ReasonPart3, 0, 0},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			t.Parallel()
			refused(t, shared(t, c.path), stratml.Options{}, c.reason, c.line, c.column)
		})
	}
}

func TestEditorTemplatesAreReadAsEmptyPlans(t *testing.T) {
	t.Parallel()
	for path, typ := range map[string]stratml.DocumentType{
		"part1/Strategic Plan.xml":     stratml.StrategicPlan,
		"part2/Strategic Plan.xml":     stratml.StrategicPlan,
		"part2/Performance Plan.xml":   stratml.PerformancePlan,
		"part2/Performance Report.xml": stratml.PerformanceReport,
	} {
		doc := parse(t, shared(t, "templates/marioMadunic__stratml/"+path), stratml.Options{})
		if doc.Type != typ || doc.Deviations.Counts[stratml.OldNamespace] != 1 || len(doc.Goals) == 0 {
			t.Errorf("%s: type %s, %d goals, deviations %v", path, doc.Type, len(doc.Goals), doc.Deviations.Counts)
		}
	}
}
