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
		t.Skipf("SKIP-LOUD: published StratML documents are not beside the repository (%s)", path)
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
			counts:     stratml.Counts{Goals: 2, Objectives: 12, Indicators: 104, Targets: 2_392, Actuals: 2_392, EmptyUnits: 114},
			deviations: map[string]int{stratml.Placeholder: 2_392},
		},
		{
			path: "Pulkit0729__stratml-project/HHIOP20200304.xml", part: stratml.Part2, typ: stratml.StrategicPlan,
			counts:     stratml.Counts{Goals: 41, Objectives: 386, Stakeholders: 522},
			deviations: map[string]int{stratml.SubmitterPlace: 1},
		},
		{
			path: "Pulkit0729__stratml-project/SMLC2023.xml", part: stratml.Part2, typ: stratml.PerformanceReport,
			counts: stratml.Counts{Goals: 3, Objectives: 13, Indicators: 21, Targets: 27, Actuals: 77, Stakeholders: 118, Persons: 63},
		},
		{
			path: "OwenAmbur__StratML/temp-stratml/temp.xml", part: stratml.Part2, typ: stratml.StrategicPlan,
			counts:     stratml.Counts{Goals: 1, Objectives: 2, Stakeholders: 8},
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
