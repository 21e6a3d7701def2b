// Package stratml is StratML test data: a generator for a large plan of our
// own. Published documents that may be redistributed lie beside it as files.
package stratml

import (
	"embed"
	"fmt"
	"strings"
)

// What AlbaniaShaped holds.
const (
	Goals      = 2
	Objectives = 12
	Indicators = 104
	Years      = 23 // 2000–2022
	EmptyUnits = 114
)

// AlbaniaShaped generates a schema-valid Part 2 Performance_Plan in the shape
// of a published freedom index: yearly targets and results, newest first, blank
// stakeholder forms, "..." as description of every result, some results without
// a number. The same bytes every time.
func AlbaniaShaped() []byte {
	return Plan(Goals, Objectives, Indicators, Years, EmptyUnits)
}

// Plan generates a plan of the same shape in another size: objectives spread
// over goals, indicators over objectives, the first empty results without a number.
func Plan(goals, objectives, indicators, years, empty int) []byte {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	w(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	w(`<PerformancePlanOrReport xmlns="urn:ISO:std:iso:17469:tech:xsd:PerformancePlanOrReport" Type="Performance_Plan">`)
	w("<Name>Index of Examples</Name><Description>A generated plan\n   with wrapped text.</Description><OtherInformation/><StrategicPlanCore>")
	w("<Organization><Name>Exampleland</Name><Acronym>EXL</Acronym><Identifier>o1</Identifier><Description/>%s</Organization>", blank)
	w("<Vision><Description>Examples are plain.</Description><Identifier>v1</Identifier></Vision>")
	w("<Mission><Description>To give examples &amp; measure them.</Description><Identifier>m1</Identifier></Mission>")
	w("<Value><Name>Clarity</Name><Description>Say what you measure.</Description></Value>")
	for g := range goals {
		w("<Goal><Name>Goal %d</Name><Description>Broad result %d</Description><Identifier>g%d</Identifier><SequenceIndicator>%d</SequenceIndicator>%s<OtherInformation/>", g+1, g+1, g+1, g+1, blank)
		for o := g; o < objectives; o += goals {
			w("<Objective><Name>Objective %d</Name><Description>Step %d</Description><Identifier>o%d</Identifier><SequenceIndicator>%c</SequenceIndicator>%s<OtherInformation/>", o+1, o+1, o+100, 'A'+o%26, blank)
			for i := o; i < indicators; i += objectives {
				w("<PerformanceIndicator><SequenceIndicator>%d</SequenceIndicator><MeasurementDimension>Measure %d</MeasurementDimension><UnitOfMeasurement>Score</UnitOfMeasurement><Identifier>i%d</Identifier>", i+1, i+1, i+1)
				w("<Relationship><Identifier>r%d</Identifier><ReferentIdentifier/><Name/><Description/></Relationship>", i+1)
				for y := range years {
					year := 1999 + years - y
					w("<MeasurementInstance><TargetResult><StartDate>%d-01-01</StartDate><EndDate>%d-12-31</EndDate><NumberOfUnits>6.%02d</NumberOfUnits>", year, year, (i+y)%100)
					w("<Descriptor><DescriptorName>Status</DescriptorName><DescriptorValue>Annual Baseline</DescriptorValue></Descriptor><Description>Measure %d: average\n      </Description></TargetResult>", i+1)
					units := fmt.Sprintf("%d.%d0", (i+y)%10, y%10)
					if empty > 0 {
						units, empty = "", empty-1
					}
					w("<ActualResult><StartDate>%d-01-01</StartDate><EndDate>%d-12-31</EndDate><NumberOfUnits>%s</NumberOfUnits>", year, year, units)
					w("<Descriptor><DescriptorName/><DescriptorValue/></Descriptor><Description>...</Description></ActualResult></MeasurementInstance>")
				}
				w("<OtherInformation/></PerformanceIndicator>")
			}
			w("</Objective>")
		}
		w("</Goal>")
	}
	w("</StrategicPlanCore><AdministrativeInformation><Identifier>a1</Identifier><StartDate>2022-07-01</StartDate><EndDate>2023-06-30</EndDate><PublicationDate>2025-02-21</PublicationDate><Source>https://example.com/index</Source></AdministrativeInformation>")
	w("<Submitter><Identifier>s1</Identifier><GivenName/><Surname/><PhoneNumber/><EmailAddress/></Submitter></PerformancePlanOrReport>\n")
	return []byte(b.String())
}

const blank = "<Stakeholder><Name/><Description/><Role><Name/><Description/></Role></Stakeholder>"

//go:embed jlind0__StratML.NET
var published embed.FS

// File gives a published document that may be redistributed, byte for byte.
func File(name string) ([]byte, error) {
	return published.ReadFile("jlind0__StratML.NET/" + name)
}
