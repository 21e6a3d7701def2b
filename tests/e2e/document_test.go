package e2e_test

import (
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strata.dev/strata/tests/system"
	"strata.dev/strata/tests/testdata/stratml"
	"strata.dev/strata/tests/testenv"
)

// plan is what the test itself reads in a document, past the parser of the service.
type plan struct {
	Name  string `xml:"Name"`
	Goals []goal `xml:"StrategicPlanCore>Goal"`
}

type goal struct {
	Name       string      `xml:"Name"`
	Identifier string      `xml:"Identifier"`
	Objectives []objective `xml:"Objective"`
}

type objective struct {
	Name       string      `xml:"Name"`
	Identifier string      `xml:"Identifier"`
	Indicators []indicator `xml:"PerformanceIndicator"`
}

type indicator struct {
	Name       string   `xml:"MeasurementDimension"`
	Unit       string   `xml:"UnitOfMeasurement"`
	Identifier string   `xml:"Identifier"`
	Targets    []result `xml:"MeasurementInstance>TargetResult"`
	Actuals    []result `xml:"MeasurementInstance>ActualResult"`
}

type result struct {
	Start      string `xml:"StartDate"`
	End        string `xml:"EndDate"`
	Units      string `xml:"NumberOfUnits"`
	Descriptor string `xml:"Descriptor>DescriptorValue"`
}

func (r result) empty() bool {
	return strings.TrimSpace(r.Units) == "" && strings.TrimSpace(r.Descriptor) == ""
}

// counts is how much of what there is.
type counts struct{ Goals, Objectives, Indicators, Targets, Measurements, Empty int }

func (p plan) counts() (c counts) {
	for _, i := range p.indicators() {
		c.Indicators++
		for _, r := range i.Targets {
			if r.empty() {
				c.Empty++
			} else {
				c.Targets++
			}
		}
		for _, r := range i.Actuals {
			if r.empty() {
				c.Empty++
			} else {
				c.Measurements++
			}
		}
	}
	for _, g := range p.Goals {
		c.Goals, c.Objectives = c.Goals+1, c.Objectives+len(g.Objectives)
	}
	return c
}

// indicators are all of the plan's, in the order of the document.
func (p plan) indicators() (all []indicator) {
	for _, g := range p.Goals {
		for _, o := range g.Objectives {
			all = append(all, o.Indicators...)
		}
	}
	return all
}

// text is how a text reads, whatever its line breaks.
func text(s string) string { return strings.Join(strings.Fields(s), " ") }

// document is a plan to import.
type document struct {
	name string
	xml  func(t *testing.T) []byte
	want counts

	omitted map[string]int // what the import leaves out, by its code
}

// documents are one of our own, and a published one of the same shape that may
// not be redistributed: it lies beside the repository, if it is there.
var documents = []document{
	{
		name: "generated",
		xml:  func(*testing.T) []byte { return stratml.AlbaniaShaped() },
		want: counts{Goals: 2, Objectives: 12, Indicators: 104, Targets: 2392, Measurements: 2278, Empty: 114},

		omitted: map[string]int{"result-without-value": 114},
	},
	{
		name: "Albania",
		xml: func(t *testing.T) []byte {
			root, err := system.Root()
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(root, "..", "shared", "stratml", "Pulkit0729__stratml-project", "Albania.xml"))
			if errors.Is(err, os.ErrNotExist) {
				testenv.SkipLoud(t, "Albania.xml, a published StratML document, is not beside the repository")
			}
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		want: counts{Goals: 2, Objectives: 12, Indicators: 104, Targets: 2392, Measurements: 2278, Empty: 114},

		// The person is who submitted the document.
		omitted: map[string]int{"result-without-value": 114},
	},
}

func (d document) read(t *testing.T) ([]byte, plan) {
	t.Helper()
	body := d.xml(t)
	var p plan
	if err := xml.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	if got := p.counts(); got != d.want {
		t.Fatalf("the document holds %+v, want %+v", got, d.want)
	}
	return body, p
}
