package stratml

import (
	"bytes"
	"encoding/xml"
	"strings"

	"strata.dev/strata/app/stratml"
)

// Writer implements app/stratml's Writer. The zero value is ready.
type Writer struct{}

var _ stratml.Writer = Writer{}

// Write gives a document that is valid by the official schema of the part; see
// app/stratml.Writer.
func (Writer) Write(doc *stratml.Document, part stratml.Part) ([]byte, error) {
	if len(doc.Goals) == 0 {
		return nil, stratml.ErrNoGoals.Detailf("A StratML document has at least one goal, and this plan has none.")
	}
	w := &writer{part: part}
	w.document(doc)
	return w.out.Bytes(), nil
}

// writer writes elements in the order of the schema.
type writer struct {
	out   bytes.Buffer
	part  stratml.Part
	depth int
}

func (w *writer) document(doc *stratml.Document) {
	w.out.WriteString(xml.Header)
	root := []string{"StrategicPlan", "xmlns", namespace1}
	if w.part == stratml.Part2 {
		root = []string{"PerformancePlanOrReport", "xmlns", namespace2, "Type", string(doc.Type)}
	}
	w.element(root, func() {
		w.required("Name", doc.Name)
		w.text("Description", doc.Description)
		w.text("OtherInformation", doc.OtherInformation)
		w.element([]string{"StrategicPlanCore"}, func() {
			for _, o := range doc.Organizations {
				w.organization(o)
			}
			w.statement("Vision", doc.Vision)
			w.statement("Mission", doc.Mission)
			for _, v := range doc.Values {
				w.element([]string{"Value"}, func() {
					w.text("Name", v.Name)
					w.text("Description", v.Description)
				})
			}
			for _, g := range doc.Goals {
				w.goal(g)
			}
		})
		w.administrative(doc.Administrative)
	})
}

func (w *writer) administrative(a stratml.Administrative) {
	if w.part == stratml.Part1 {
		a.Identifier = ""
	}
	a.Source = stratml.WrittenURI(a.Source)
	if a == (stratml.Administrative{}) {
		return
	}
	w.element([]string{"AdministrativeInformation"}, func() {
		w.identifier(a.Identifier)
		w.text("StartDate", a.StartDate)
		w.text("EndDate", a.EndDate)
		w.text("PublicationDate", a.PublicationDate)
		w.text("Source", a.Source)
	})
}

func (w *writer) organization(o stratml.Organization) {
	w.element([]string{"Organization"}, func() {
		w.text("Name", o.Name)
		w.text("Acronym", o.Acronym)
		w.identifier(o.Identifier)
		w.text("Description", o.Description)
		w.stakeholders(o.Stakeholders)
	})
}

func (w *writer) statement(name string, s *stratml.Statement) {
	if s == nil {
		return
	}
	w.element([]string{name}, func() {
		w.text("Description", s.Description)
		w.identifier(s.Identifier)
	})
}

func (w *writer) goal(g stratml.Goal) {
	w.element([]string{"Goal"}, func() {
		w.required("Name", g.Name)
		w.required("Description", g.Description)
		w.identifier(g.Identifier)
		w.text("SequenceIndicator", g.Sequence)
		w.stakeholders(g.Stakeholders)
		w.text("OtherInformation", g.OtherInformation)
		for _, o := range g.Objectives {
			w.element([]string{"Objective"}, func() {
				w.text("Name", o.Name)
				w.text("Description", o.Description)
				w.identifier(o.Identifier)
				w.text("SequenceIndicator", o.Sequence)
				w.stakeholders(o.Stakeholders)
				w.text("OtherInformation", o.OtherInformation)
				if w.part == stratml.Part2 {
					for _, i := range o.Indicators {
						w.indicator(i)
					}
				}
			})
		}
	})
}

func (w *writer) stakeholders(list []stratml.Stakeholder) {
	for _, s := range list {
		w.element([]string{"Stakeholder", "StakeholderTypeType", s.Type}, func() {
			w.required("Name", s.Name)
			w.text("Description", s.Description)
			if w.part == stratml.Part1 {
				return
			}
			for _, r := range s.Roles {
				w.element([]string{"Role"}, func() {
					w.required("Name", r.Name)
					w.text("Description", r.Description)
					for _, t := range r.Types {
						w.text("RoleType", t)
					}
				})
			}
		})
	}
}

func (w *writer) indicator(i stratml.Indicator) {
	w.element([]string{"PerformanceIndicator", "ValueChainStage", i.ValueChainStage, "PerformanceIndicatorType", i.Type}, func() {
		w.text("SequenceIndicator", i.Sequence)
		w.required("MeasurementDimension", i.Dimension)
		w.required("UnitOfMeasurement", i.Unit)
		w.identifier(i.Identifier)
		for _, r := range i.Relationships {
			w.element([]string{"Relationship", "RelationshipType", r.Type}, func() {
				w.identifier(r.Identifier)
				for _, ref := range r.Referents {
					w.text("ReferentIdentifier", ref)
				}
				w.text("Name", r.Name)
				w.text("Description", r.Description)
			})
		}
		for _, m := range i.Instances {
			w.element([]string{"MeasurementInstance"}, func() {
				w.results("TargetResult", m.Targets)
				w.results("ActualResult", m.Actuals)
			})
		}
		w.text("OtherInformation", i.OtherInformation)
	})
}

func (w *writer) results(name string, list []stratml.Result) {
	for _, r := range list {
		w.element([]string{name}, func() {
			w.text("StartDate", r.StartDate)
			w.text("EndDate", r.EndDate)
			w.text("NumberOfUnits", r.Units)
			if r.DescriptorName != "" || r.DescriptorValue != "" {
				w.element([]string{"Descriptor"}, func() {
					w.text("DescriptorName", r.DescriptorName)
					w.text("DescriptorValue", r.DescriptorValue)
				})
			}
			w.text("Description", r.Description)
		})
	}
}

// element writes an element with its content: named[0] and pairs of attribute
// and value, of which empty ones are left out.
func (w *writer) element(named []string, content func()) {
	w.indent()
	w.out.WriteString("<" + named[0])
	for i := 1; i+1 < len(named); i += 2 {
		if named[i+1] != "" {
			w.out.WriteString(" " + named[i] + `="`)
			w.escaped(named[i+1])
			w.out.WriteByte('"')
		}
	}
	w.out.WriteString(">\n")
	w.depth++
	content()
	w.depth--
	w.indent()
	w.out.WriteString("</" + named[0] + ">\n")
}

// text writes an element that holds text, unless it is empty.
func (w *writer) text(name, text string) {
	if stratml.Collapse(text) != "" {
		w.required(name, text)
	}
}

// required writes an element that the schema asks for, empty or not.
func (w *writer) required(name, text string) {
	w.indent()
	w.out.WriteString("<" + name + ">")
	w.escaped(stratml.Collapse(text))
	w.out.WriteString("</" + name + ">\n")
}

func (w *writer) identifier(id string) { w.text("Identifier", stratml.WrittenIdentifier(id)) }

// escaped writes text; characters that XML cannot hold become U+FFFD.
func (w *writer) escaped(text string) {
	// A bytes.Buffer takes everything.
	_ = xml.EscapeText(&w.out, []byte(text))
}

func (w *writer) indent() { w.out.WriteString(strings.Repeat("  ", w.depth)) }
