package stratml_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	adapter "strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app/stratml"
	generated "strata.dev/strata/tests/testdata/stratml"
	"strata.dev/strata/tests/testenv"
)

// importable are all published documents that are read. Those that may be
// redistributed are in testdata; the others are beside the repository or skipped.
var importable = []struct {
	path   string // in testdata, else in ../shared/stratml
	here   bool
	assume stratml.DocumentType
}{
	{path: "PMOAI.xml", here: true},
	{path: "SMLC2011.xml", here: true},
	{path: "StratTest.xml", here: true},
	{path: "Pulkit0729__stratml-project/Albania.xml"},
	{path: "Pulkit0729__stratml-project/HHIOP20200304.xml"},
	{path: "Pulkit0729__stratml-project/SMLC2023.xml"},
	{path: "AndreaGutierrez17__SMLC2023-viewer/SMLC2023.xml", assume: stratml.PerformanceReport},
	{path: "OwenAmbur__StratML/temp-stratml/temp.xml"},
	{path: "templates/marioMadunic__stratml/part1/Strategic Plan.xml"},
	{path: "templates/marioMadunic__stratml/part2/Strategic Plan.xml"},
	{path: "templates/marioMadunic__stratml/part2/Performance Plan.xml"},
	{path: "templates/marioMadunic__stratml/part2/Performance Report.xml"},
}

func TestWrittenDocumentsReadBackAsTheSamePlan(t *testing.T) {
	t.Parallel()
	for _, c := range importable {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			read := shared
			if c.here {
				read = testdata
			}
			kept, _ := parse(t, read(t, c.path), stratml.Options{AssumeType: c.assume}).Kept("2026-01-01")
			sameAfterWriting(t, kept, stratml.Part2)
			if kept.Part == stratml.Part1 {
				sameAfterWriting(t, kept, stratml.Part1)
			}
		})
	}
	t.Run("generated", func(t *testing.T) {
		kept, _ := parse(t, generated.AlbaniaShaped(), stratml.Options{}).Kept("2026-01-01")
		sameAfterWriting(t, kept, stratml.Part2)
	})
}

// sameAfterWriting writes a kept document and reads it: it follows the schema,
// and is the same, text by text.
func sameAfterWriting(t *testing.T, kept *stratml.Document, part stratml.Part) {
	t.Helper()
	written, err := adapter.Writer{}.Write(kept, part)
	if err != nil {
		t.Fatal(err)
	}
	doc := parse(t, written, stratml.Options{})
	if doc.Part != part || doc.Deviations.Schema() != 0 {
		t.Errorf("part %d, deviations %v: %+v", doc.Part, doc.Deviations.Counts, doc.Deviations.List[:min(3, len(doc.Deviations.List))])
	}
	again, omitted := doc.Kept("2026-01-01")
	for _, o := range omitted {
		t.Errorf("left out on the second way: %+v", o)
	}
	if diff := cmp.Diff(writtenText(t, kept, part), writtenText(t, again, part)); diff != "" {
		t.Errorf("not the same text (-first +second):\n%s", diff)
	}
	if kept.ContentHash() != again.ContentHash() {
		t.Errorf("content hash %s, after writing %s", kept.ContentHash(), again.ContentHash())
	}
	validate(t, written, part)
}

func writtenText(t *testing.T, doc *stratml.Document, part stratml.Part) string {
	t.Helper()
	b, err := adapter.Writer{}.Write(doc, part)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// validate holds a document against the official schema with xmllint.
func validate(t *testing.T, document []byte, part stratml.Part) {
	t.Helper()
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		testenv.SkipLoud(t, "xmllint (apt: libxml2-utils) is not installed: documents are not held against the official schemas")
	}
	schema := "PerformancePlanOrReport20160216.xsd"
	if part == stratml.Part1 {
		schema = "StrategicPlanISOVersion20140401.xsd"
	}
	path := filepath.Join(repository(t), "..", "shared", "stratml", "schema", schema)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		testenv.SkipLoud(t, "the official StratML schemas are not beside the repository")
	}
	cmd := exec.CommandContext(t.Context(), lint, "--nonet", "--noout", "--schema", path, "-")
	cmd.Stdin = bytes.NewReader(document)
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.SplitN(string(out), "\n", 8)
		t.Errorf("not valid by %s: %v\n%s", schema, err, strings.Join(lines[:len(lines)-1], "\n"))
	}
}

// What no file has but records may: texts that need escaping, identifiers that
// are no xs:ID, sources that are no URI.
func TestHardTextsAreWrittenValid(t *testing.T) {
	t.Parallel()
	doc := &stratml.Document{
		Part: stratml.Part2, Type: stratml.StrategicPlan, Name: "A & <B> \x01 \"quoted\"",
		Description: "two\n lines\u2028", Administrative: stratml.Administrative{
			Identifier: "1 a:b", StartDate: "0001-01-01", EndDate: "9999-12-31", Source: "see http://example.com/ä b[1]#x#y%zz",
		},
		Vision: &stratml.Statement{Identifier: "1 a:b"}, // used first, by the order of the schema
		Goals: []stratml.Goal{{Identifier: "éa-\u0301.日本", Objectives: []stratml.Objective{{
			Identifier: "78901C50-230a-4997-a95e-eeaf289a484e",
			Indicators: []stratml.Indicator{{
				Identifier: "_78901c50-230a-4997-a95e-eeaf289a484e", Dimension: "D", Unit: "U",
				Instances: []stratml.Instance{{Targets: []stratml.Result{{StartDate: "2020-01-01", Units: "-.5"}}, Actuals: []stratml.Result{{EndDate: "2020-01-01", Units: "+7."}}}},
			}},
			Stakeholders: []stratml.Stakeholder{{Type: "Person", Name: "Ada", Roles: []stratml.Role{{Name: "Chair", Types: []string{"Performer", "Beneficiary", "Performer"}}}}},
		}}}},
	}
	kept, _ := doc.Kept("2026-01-01")
	sameAfterWriting(t, kept, stratml.Part2)
	if kept.Administrative.Identifier != "" || kept.Goals[0].Objectives[0].Indicators[0].Identifier != "" {
		t.Errorf("identifiers used twice stay: %q, %q", kept.Administrative.Identifier, kept.Goals[0].Objectives[0].Indicators[0].Identifier)
	}
	written := writtenText(t, kept, stratml.Part2)
	for _, want := range []string{
		"A &amp; &lt;B&gt; \uFFFD &#34;quoted&#34;", "<Identifier>_1_x20_a_x3A_b</Identifier>", "<Identifier>éa-_x301_._x65E5__x672C_</Identifier>",
		"<Identifier>_78901C50-230a-4997-a95e-eeaf289a484e</Identifier>", "<NumberOfUnits>-0.5</NumberOfUnits>", "<NumberOfUnits>+7</NumberOfUnits>",
	} {
		if !strings.Contains(written, want) {
			t.Errorf("%q is not in\n%s", want, written)
		}
	}
	if strings.Contains(written, "Ada") || strings.Contains(written, "Chair") {
		t.Errorf("a person is named in\n%s", written)
	}
	empty, _ := (&stratml.Document{Part: stratml.Part2, Name: "P"}).Kept("")
	if _, err := (adapter.Writer{}).Write(empty, stratml.Part2); !errors.Is(err, stratml.ErrNoGoals) {
		t.Errorf("a plan without goals: %v", err)
	}
}
