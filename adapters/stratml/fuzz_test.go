package stratml_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	adapter "strata.dev/strata/adapters/stratml"
	"strata.dev/strata/app/stratml"
	generated "strata.dev/strata/tests/testdata/stratml"
)

// FuzzParse: whatever comes in is refused with a place, or read in bounded time
// to something that can be written and reads back as the same plan.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"PMOAI.xml", "SMLC2011.xml", "StratTest.xml", "WGlascoeCCIP.xml"} {
		f.Add(testdata(f, name))
	}
	f.Add(generated.Plan(2, 2, 2, 2, 1))
	// The others, where they are: a fuzzer does without.
	published, err := filepath.Glob(filepath.Join(repository(f), "..", "shared", "stratml", "*", "*", "*.xml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range published {
		if b, err := os.ReadFile(path); err == nil && len(b) < 100_000 {
			f.Add(b)
		}
	}
	for _, hostile := range []string{
		"", "<", "<a", "<a/>", "\xef\xbb\xbf<?xml version='1.0'?>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a><a><a>", "<?xml encoding='utf-16'?><a/>",
		plan1, plan2(`<MeasurementInstance><TargetResult><NumberOfUnits>1.5</NumberOfUnits></TargetResult></MeasurementInstance>`),
		"&\n", root1, "\xef\xbb\xbf" + plan1, "<![CDATA[", "<?xml?>", "<a xmlns:b='c'><b:d/></a>",
		`<StrategicPlan xmlns="urn:ISO:std:iso:17469:tech:xsd:stratml_core"><StrategicPlanCore><Goal/></StrategicPlanCore></StrategicPlan>`,
		`<StrategicPlan xmlns="urn:ISO:std:iso:17469:tech:xsd:stratml_core"/><x/>`, "<a b='1' b='2'/>", "<a>]]></a>", "<a><![CDATA[</a>]]></a>",
	} {
		f.Add([]byte(hostile))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		began := time.Now()
		doc, err := adapter.Parser{}.Parse(t.Context(), bytes.NewReader(b), stratml.Options{AssumeType: stratml.StrategicPlan})
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%d bytes took %s", len(b), took)
		}
		if err != nil {
			at := extra(err)
			line, _ := at["line"].(int)
			column, _ := at["column"].(int)
			if !errors.Is(err, stratml.ErrRefused) && !errors.Is(err, stratml.ErrTooLarge) || line < 1 || column < 1 || at["reason"] == "" {
				t.Errorf("refused with %v, %v", err, at)
			}
			return
		}
		for _, d := range doc.Deviations.List {
			if d.Code == "" || d.Line < 1 || d.Column < 1 || d.Path == "" {
				t.Errorf("deviation %+v", d)
			}
		}
		kept, _ := doc.Kept("2026-01-01")
		written, err := adapter.Writer{}.Write(kept, stratml.Part2)
		if err != nil {
			if !errors.Is(err, stratml.ErrNoGoals) || len(kept.Goals) > 0 {
				t.Errorf("not written: %v", err)
			}
			return
		}
		back, err := adapter.Parser{}.Parse(t.Context(), bytes.NewReader(written), stratml.Options{})
		if err != nil {
			if errors.Is(err, stratml.ErrTooLarge) {
				return // an escaped text may take six times the room
			}
			t.Fatalf("what was written is refused: %v %v\n%s", err, extra(err), written)
		}
		again, omitted := back.Kept("2026-01-01")
		if kept.ContentHash() != again.ContentHash() || back.Deviations.Schema() != 0 || len(omitted) != 0 {
			t.Errorf("reads back differently: deviations %v, omitted %v\n%s", back.Deviations.Counts, omitted, written)
		}
	})
}
