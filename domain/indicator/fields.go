package indicator

import (
	"strconv"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/quantity"
)

// field is how a named field of a definition is read and written. Fields that
// decide what a value means need a comparability break when there are values.
type field struct {
	breaks bool
	get    func(*Definition) Content
	set    func(*Definition, Content)
}

func text[T ~string](breaks bool, at func(*Definition) *T) field {
	return field{
		breaks: breaks,
		get:    func(d *Definition) Content { return Content{Text: string(*at(d))} },
		set:    func(d *Definition, c Content) { *at(d) = T(c.Text) },
	}
}

// fields are what RedefineIndicator can change, by their names on the wire.
// They are never changed.
var fields = map[string]field{
	"identifier":        text(false, func(d *Definition) *string { return &d.Identifier }),
	"sequence":          text(false, func(d *Definition) *string { return &d.Sequence }),
	"name":              text(false, func(d *Definition) *string { return &d.Name }),
	"unit":              text(true, func(d *Definition) *string { return &d.Unit }),
	"valueChainStage":   text(false, func(d *Definition) *string { return &d.ValueChainStage }),
	"direction":         text(true, func(d *Definition) *Direction { return &d.Direction }),
	"frequency":         text(true, func(d *Definition) *calendar.Frequency { return &d.Frequency }),
	"baseline":          text(false, func(d *Definition) *quantity.Number { return &d.Baseline }),
	"toleranceAtRisk":   text(false, func(d *Definition) *quantity.Number { return &d.Tolerance.AtRisk }),
	"toleranceOffTrack": text(false, func(d *Definition) *quantity.Number { return &d.Tolerance.OffTrack }),
	"ownerId":           text(false, func(d *Definition) *string { return &d.OwnerID }),
	"otherInformation":  text(false, func(d *Definition) *string { return &d.OtherInformation }),
	"yearStart": {
		breaks: true,
		get: func(d *Definition) Content {
			if d.YearStart == 0 {
				return Content{}
			}
			return Content{Text: strconv.Itoa(d.YearStart)}
		},
		set: func(d *Definition, c Content) {
			n, err := strconv.Atoi(c.Text)
			if err != nil && c.Text != "" {
				n = -1 // no month: the definition is refused, the grid falls back to January
			}
			d.YearStart = n
		},
	},
	"dimensions": {
		breaks: true,
		get:    func(d *Definition) Content { return Content{Dimensions: d.Dimensions} },
		set:    func(d *Definition, c Content) { d.Dimensions = c.Dimensions },
	},
	"headline": {
		get: func(d *Definition) Content { return Content{Dims: d.Headline} },
		set: func(d *Definition, c Content) { d.Headline = c.Dims },
	},
	"done": {
		get: func(d *Definition) Content { return Content{List: d.Done} },
		set: func(d *Definition, c Content) { d.Done = c.List },
	},
	"externalRefs": {
		get: func(d *Definition) Content { return Content{ExternalRefs: d.ExternalRefs} },
		set: func(d *Definition, c Content) { d.ExternalRefs = c.ExternalRefs },
	},
}
