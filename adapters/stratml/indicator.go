package stratml

import (
	"encoding/xml"

	"strata.dev/strata/app/stratml"
)

func (r *reader) indicator(start xml.StartElement, at stratml.Place) (stratml.Indicator, error) {
	i := stratml.Indicator{Place: at}
	if r.n.indicators++; r.n.indicators > stratml.MaxIndicators {
		return i, tooLarge(stratml.ReasonTooMany, at, stratml.MaxIndicators)
	}
	r.attributes(start, at, map[string]func(string) bool{
		"ValueChainStage":          oneOf(&i.ValueChainStage, "Outcome", "Output_Processing", "Output", "Input_Processing", "Input"),
		"PerformanceIndicatorType": oneOf(&i.Type, "Quantitative", "Qualitative"),
	})
	err := r.children(at, []child{
		{name: "SequenceIndicator", read: r.text(&i.Sequence)},
		{name: "MeasurementDimension", required: true, read: r.text(&i.Dimension)},
		{name: "UnitOfMeasurement", required: true, read: r.text(&i.Unit)},
		{name: "Identifier", read: r.identifier(&i.Identifier)},
		{name: "Relationship", many: true, read: func(start xml.StartElement, at stratml.Place) error {
			rel, err := r.relationship(start, at)
			i.Relationships = append(i.Relationships, rel)
			return err
		}},
		{name: "MeasurementInstance", many: true, read: func(start xml.StartElement, at stratml.Place) error {
			r.attributes(start, at, nil)
			var m stratml.Instance
			err := r.children(at, []child{
				{name: "TargetResult", many: true, read: r.result(&m.Targets)},
				{name: "ActualResult", many: true, read: r.result(&m.Actuals)},
			})
			i.Instances = append(i.Instances, m)
			return err
		}},
		{name: "OtherInformation", read: r.text(&i.OtherInformation)},
	})
	return i, err
}

func (r *reader) relationship(start xml.StartElement, at stratml.Place) (stratml.Relationship, error) {
	var rel stratml.Relationship
	r.attributes(start, at, map[string]func(string) bool{
		"RelationshipType": oneOf(&rel.Type, "Broader_Than", "Peer_To", "Narrower_Than"),
	})
	err := r.children(at, []child{
		{name: "Identifier", read: r.identifier(&rel.Identifier)},
		{name: "ReferentIdentifier", many: true, read: func(start xml.StartElement, at stratml.Place) error {
			var s string
			err := r.text(&s)(start, at)
			rel.Referents = append(rel.Referents, s)
			return err
		}},
		{name: "Name", read: r.text(&rel.Name)},
		{name: "Description", read: r.text(&rel.Description)},
	})
	return rel, err
}

func (r *reader) result(into *[]stratml.Result) func(xml.StartElement, stratml.Place) error {
	return func(start xml.StartElement, at stratml.Place) error {
		res := stratml.Result{Place: at}
		if r.n.results++; r.n.results > stratml.MaxResults {
			return tooLarge(stratml.ReasonTooMany, at, stratml.MaxResults)
		}
		r.attributes(start, at, nil)
		err := r.children(at, []child{
			{name: "StartDate", read: r.checked(&res.StartDate, false, isDate)},
			{name: "EndDate", read: r.checked(&res.EndDate, false, isDate)},
			// A number in words is no number, but it is what was written.
			{name: "NumberOfUnits", read: r.checked(&res.Units, true, isDecimal)},
			{name: "Descriptor", read: func(start xml.StartElement, at stratml.Place) error {
				r.attributes(start, at, nil)
				return r.children(at, []child{
					{name: "DescriptorName", read: r.text(&res.DescriptorName)},
					{name: "DescriptorValue", read: r.text(&res.DescriptorValue)},
				})
			}},
			{name: "Description", read: r.text(&res.Description)},
		})
		*into = append(*into, res)
		return err
	}
}
