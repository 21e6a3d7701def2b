package stratml_test

import (
	"strings"
	"testing"

	"strata.dev/strata/app/stratml"
)

const uuid1 = "78901c50-230a-4997-a95e-eeaf289a484e"

// Every row of the table of what real documents do, and what is done with it:
// each is met in a published document, and here alone in a small one.
func TestEveryDeviationOfRealDocuments(t *testing.T) {
	t.Parallel()
	in := func(old, new string) string { return strings.Replace(plan1, old, new, 1) }
	goalWith := func(children string) string { return in("</Goal>", children+"</Goal>") }
	for _, c := range []struct {
		row     string
		doc     string
		assume  stratml.DocumentType
		want    map[string]int // deviations, all of them
		check   func(doc, kept *stratml.Document) bool
		written string // part of what is exported
	}{
		{
			row: "an identifier that starts with a digit", doc: goalWith("<Identifier>" + uuid1 + "</Identifier>"),
			want:    map[string]int{stratml.BadIdentifier: 1},
			check:   func(doc, kept *stratml.Document) bool { return kept.Goals[0].Identifier == uuid1 },
			written: "<Identifier>_" + uuid1 + "</Identifier>",
		},
		{
			row: "the same with an underscore, twelve years later", doc: goalWith("<Identifier>_" + uuid1 + "</Identifier>"), want: nil,
			check: func(doc, kept *stratml.Document) bool {
				return kept.Goals[0].Identifier == "_"+uuid1 && stratml.ComparedIdentifier("_"+uuid1) == stratml.ComparedIdentifier(uuid1)
			},
			written: "<Identifier>_" + uuid1 + "</Identifier>",
		},
		{
			row: "an identifier used three times", doc: goalWith("<Identifier>a</Identifier><Objective><Identifier>a</Identifier></Objective><Objective><Identifier>a</Identifier></Objective>"),
			want: map[string]int{stratml.DuplicateIdentifier: 2},
			check: func(doc, kept *stratml.Document) bool {
				o := kept.Goals[0].Objectives
				return kept.Goals[0].Identifier == "a" && o[0].Identifier == "" && o[1].Identifier == "" && doc.Goals[0].Objectives[1].Identifier == "a"
			},
			written: "<Identifier>a</Identifier>",
		},
		{
			row:  "Submitter inside AdministrativeInformation, in Part 2",
			doc:  strings.Replace(plan2(""), "</StrategicPlanCore>", "</StrategicPlanCore><AdministrativeInformation><Submitter><GivenName>Ada</GivenName></Submitter></AdministrativeInformation>", 1),
			want: map[string]int{stratml.SubmitterPlace: 1},
			check: func(doc, kept *stratml.Document) bool {
				return doc.Submitter != nil && doc.Submitter.GivenName == "Ada" && kept.Submitter == nil
			},
		},
		{
			row: "Stakeholder after Objective", doc: goalWith(`<Objective/><Stakeholder StakeholderTypeType="Organization"><Name>S</Name></Stakeholder>`),
			want:  map[string]int{stratml.ElementOrder: 1},
			check: func(doc, kept *stratml.Document) bool { return kept.Goals[0].Stakeholders[0].Name == "S" },
		},
		{
			row:  "Descriptor after Description",
			doc:  plan2(`<MeasurementInstance><ActualResult><StartDate>2020-01-01</StartDate><Description>D</Description><Descriptor><DescriptorName>N</DescriptorName><DescriptorValue>V</DescriptorValue></Descriptor></ActualResult></MeasurementInstance>`),
			want: map[string]int{stratml.ElementOrder: 1},
			check: func(doc, kept *stratml.Document) bool {
				r := kept.Goals[0].Objectives[0].Indicators[0].Instances[0].Actuals[0]
				return r.DescriptorValue == "V" && r.Description == "D"
			},
		},
		{
			row: "a stray <id/>, and one with text", doc: goalWith("<id/><id>17</id>"), want: map[string]int{stratml.UnknownElement: 2},
			check: func(doc, kept *stratml.Document) bool { return doc.Deviations.List[1].Text == "17" },
		},
		{
			row:  "FirstName and LastName for GivenName and Surname",
			doc:  in("</StrategicPlanCore>", "</StrategicPlanCore><AdministrativeInformation><Submitter><FirstName>Ada</FirstName><LastName>L</LastName></Submitter></AdministrativeInformation>"),
			want: map[string]int{stratml.OldName: 2},
			check: func(doc, kept *stratml.Document) bool {
				return doc.Submitter.GivenName == "Ada" && doc.Submitter.Surname == "L"
			},
		},
		{
			row: "a prefix, a byte order mark, processing instructions, schemaLocation",
			doc: "\xef\xbb\xbf<?xml version=\"1.0\"?><?xml-stylesheet href='x'?>\n" +
				strings.NewReplacer("<S", "<stratml:S", "</S", "</stratml:S", "<N", "<stratml:N", "</N", "</stratml:N", "<G", "<stratml:G", "</G", "</stratml:G", "<D", "<stratml:D", "</D", "</stratml:D",
					"xmlns=", `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b" xmlns:stratml=`).Replace(plan1),
			want:  nil,
			check: func(doc, kept *stratml.Document) bool { return kept.Name == "N" && kept.Goals[0].Name == "G" },
		},
		{
			row: "@Type lost in a damaged root tag", doc: strings.Replace(plan2(""), ` Type="Performance_Plan">`, "> Type=&quot;Performance_Plan&quot;", 1), assume: stratml.PerformancePlan,
			want:  map[string]int{stratml.MissingType: 1, stratml.StrayText: 1},
			check: func(doc, kept *stratml.Document) bool { return doc.TypeAssumed && doc.Type == stratml.PerformancePlan },
		},
		{
			row: "an empty Name", doc: in("<Name>G</Name>", "<Name/>"), want: nil,
			check: func(doc, kept *stratml.Document) bool { return doc.Goals[0].Name == "" && kept.Goals[0].Name == "D" },
		},
		{
			row: "empty dates and an empty number: no measurement",
			doc: plan2(`<MeasurementInstance><ActualResult><StartDate/><EndDate></EndDate><NumberOfUnits/></ActualResult></MeasurementInstance>`), want: nil,
			check: func(doc, kept *stratml.Document) bool {
				return doc.Goals[0].Objectives[0].Indicators[0].Instances[0].Actuals[0].Empty() && len(kept.Goals[0].Objectives[0].Indicators[0].Instances) == 0
			},
		},
		{
			row: "placeholders", doc: in("<Description>D</Description>", "<Description>[To be described]</Description><OtherInformation>...</OtherInformation>"), want: map[string]int{stratml.Placeholder: 2},
			check: func(doc, kept *stratml.Document) bool { return kept.Goals[0].Description == "[To be described]" }, written: "<Description>[To be described]</Description>",
		},
		{
			row: "the namespace of 2009", doc: in("urn:ISO:std:iso:17469:tech:xsd:stratml_core", "http://www.stratml.net"), want: map[string]int{stratml.OldNamespace: 1},
			check: func(doc, kept *stratml.Document) bool { return doc.Part == stratml.Part1 }, written: "urn:ISO:std:iso:17469:tech:xsd:stratml_core",
		},
	} {
		t.Run(c.row, func(t *testing.T) {
			t.Parallel()
			doc := parse(t, []byte(c.doc), stratml.Options{AssumeType: c.assume})
			for code, n := range c.want {
				if doc.Deviations.Counts[code] != n {
					t.Errorf("%d of %s, want %d", doc.Deviations.Counts[code], code, n)
				}
			}
			if len(doc.Deviations.Counts) != len(c.want) {
				t.Errorf("deviations %v, want %v", doc.Deviations.Counts, c.want)
			}
			for _, d := range doc.Deviations.List {
				if d.Line < 1 || d.Column < 1 || !strings.HasPrefix(d.Path, "/") {
					t.Errorf("deviation %+v", d)
				}
			}
			kept, _ := doc.Kept("2026-01-01")
			if !c.check(doc, kept) {
				t.Errorf("read as %+v\nkept as %+v", doc, kept)
			}
			if written := writtenText(t, kept, doc.Part); !strings.Contains(written, c.written) {
				t.Errorf("%q is not in\n%s", c.written, written)
			}
			sameAfterWriting(t, kept, stratml.Part2)
		})
	}
	// The last row, and the first half of that about @Type: refused, with place and reason.
	refused(t, []byte(strings.Replace(plan2(""), ` Type="Performance_Plan">`, "> Type=&quot;Performance_Plan&quot;", 1)), stratml.Options{}, stratml.ReasonTypeMissing, 1, 1)
	refused(t, []byte(`<StrategicPlan xmlns="http://stratml.net/StratML"/>`), stratml.Options{}, stratml.ReasonUnknownNamespace, 1, 1)
	refused(t, []byte(`<OrganizationalStrategyDocument xmlns="http://schemas.stratml.us/3.5"/>`), stratml.Options{}, stratml.ReasonPart3, 1, 1)
	refused(t, []byte(strings.Replace(plan1, "<Name>G", "<Name>\nA & B", 1)), stratml.Options{}, stratml.ReasonIllFormed, 2, 0)
}
