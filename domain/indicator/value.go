package indicator

import (
	"fmt"
	"maps"
	"slices"

	"strata.dev/strata/domain/calendar"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/quantity"
)

// read makes a reading of what was stated.
func (d Definition) read(f *check.Form, v Stated) Reading {
	f.Short("#/descriptorName", v.DescriptorName)
	f.Short("#/descriptor", v.Descriptor)
	r := Reading{DescriptorName: v.DescriptorName, Descriptor: v.Descriptor}
	if v.Number != "" {
		n, ok := quantity.Parse(v.Number)
		if !ok {
			f.Object("#/value", "pattern", "Give a decimal of at most %d digits, without spaces or grouping.", quantity.MaxDigits)
		}
		r.Value, r.OriginalText = n, v.Number
	}
	return r
}

// takes says whether the indicator takes this kind of value. In place of a
// number there may be a descriptor that says why there is none: statistics have
// gaps ("suppressed", "redesigned questions") that come, go and get filled.
func (d Definition) takes(v Stated) error {
	switch {
	case d.Type == Quantitative && v.Number == "" && v.Descriptor == "":
		return ErrValueKind.Detailf("This indicator is quantitative: give a number, or a descriptor that says why there is none.")
	case d.Type == Qualitative && v.Number != "":
		return ErrValueKind.Detailf("This indicator is qualitative: give a descriptor and no number.")
	case d.Type == Qualitative && v.Descriptor == "":
		return ErrValueKind.Detailf("This indicator is qualitative: give a descriptor.")
	}
	return nil
}

// aims says whether this kind of value can be a target.
func (d Definition) aims(v Stated) error {
	if d.Type == Quantitative && v.Number == "" {
		return ErrValueKind.Detailf("This indicator is quantitative: give a number to reach.")
	}
	return d.takes(v)
}

func checkKey(f *check.Form, p calendar.Period, dims Dims) {
	if !p.Valid() {
		f.Object("#/period", "format", "Give start and end as YYYY-MM-DD, the end not before the start.")
	}
	checkDims(f, "#/dims", dims)
}

func checkDims(f *check.Form, at string, dims Dims) {
	if len(dims) > maxDimensions {
		f.Object(at, "maxProperties", "At most %d dimensions.", maxDimensions)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(dims)) {
		f.Name(at, name)
		f.Name(fmt.Sprintf("%s/%s", at, name), dims[name])
	}
}

// onGrid says whether the key is one of this indicator.
func (s State) onGrid(p calendar.Period, dims Dims) error {
	d := s.Definition
	if !d.Frequency.Holds(p, d.YearStart) {
		return ErrOffGrid.Detailf("The period %s is not a %s of this indicator, whose years start in month %d.", p, d.Frequency, max(d.YearStart, 1))
	}
	if d.Frequency == calendar.Once {
		if other, ok := s.onlyPeriod(); ok && other != p {
			return ErrOffGrid.Detailf("This indicator is measured once, for %s: use that period.", other)
		}
	}
	return d.knows(dims)
}

// onlyPeriod is the period that an indicator of the grid Once is about: that of
// whatever was set or recorded first and still stands.
func (s State) onlyPeriod() (calendar.Period, bool) {
	for _, t := range s.targets.All() {
		return t.Period, true
	}
	for _, m := range s.series.All() {
		if !m.Void {
			return m.Period, true
		}
	}
	return calendar.Period{}, false
}

// knows says whether the dimensions and their values are declared.
func (d Definition) knows(dims Dims) error {
	for _, name := range slices.Sorted(maps.Keys(dims)) {
		i := slices.IndexFunc(d.Dimensions, func(o Dimension) bool { return o.Name == name })
		if i < 0 {
			return ErrDimension.Detailf("There is no dimension %q here: redefine the indicator to have it, or leave it out.", name)
		}
		if values := d.Dimensions[i].Values; len(values) > 0 && !slices.Contains(values, dims[name]) {
			return ErrDimension.Detailf("The dimension %q has no value %q: redefine the indicator to have it, or use one it has.", name, dims[name])
		}
	}
	return nil
}

// orNone makes empty dims nil, so that equal events are equal.
func (d Dims) orNone() Dims {
	if len(d) == 0 {
		return nil
	}
	return maps.Clone(d)
}
