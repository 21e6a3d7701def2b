package indicator

import (
	"bytes"
	"fmt"
	"slices"

	"strata.dev/strata/domain/fact"
	"strata.dev/strata/domain/internal/check"
	"strata.dev/strata/domain/quantity"
)

// Limits of the lists inside a definition.
const (
	maxDimensions      = 50
	maxDimensionValues = 2_000
	maxDone            = 200
	maxRefs            = 200
	maxListBytes       = 400_000
)

// Tolerances that a definition gets if it gives none: met or not is the whole
// difference between on track and at risk, a tenth of the scale that to off track.
const (
	DefaultAtRisk   quantity.Number = "0"
	DefaultOffTrack quantity.Number = "0.1"
)

func (s State) define(by fact.Actor, c DefineIndicator) (Event, error) {
	if s.Exists() {
		return nil, ErrDefined.Detailf("This indicator is defined already: redefine it, or define another one under its own id.")
	}
	d := c.Definition.normal()
	var f check.Form
	f.ID("#/indicatorId", c.IndicatorID)
	f.ID("#/strategyId", c.StrategyID)
	f.ID("#/objectiveId", c.ObjectiveID)
	f.OptionalID("#/importId", c.ImportID)
	d.check(&f, "#")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := d.consistent(); err != nil {
		return nil, err
	}
	authorizedBy, err := c.Authorization.forActor(by)
	if err != nil {
		return nil, err
	}
	return Defined{
		IndicatorID: c.IndicatorID, StrategyID: c.StrategyID, ObjectiveID: c.ObjectiveID, Definition: d,
		ImportID: c.ImportID, AuthorizedBy: authorizedBy,
	}, nil
}

func (s State) redefine(by fact.Actor, c RedefineIndicator) (Event, error) {
	d := s.Definition
	var f check.Form
	f.Reason(c.Reason)
	if len(c.Edits) == 0 || len(c.Edits) > len(fields) {
		f.Object("#/edits", "minItems", "Say which fields to change, each once.")
		return nil, f.Err()
	}
	var seen []string
	for _, e := range c.Edits {
		known, ok := fields[e.Field]
		switch {
		case !ok:
			f.Object("#/edits", "enum", "There is no field %q to redefine here.", e.Field)
			continue
		case slices.Contains(seen, e.Field):
			f.Object("#/edits/"+e.Field, "uniqueItems", "Set each field once.")
			continue
		}
		seen = append(seen, e.Field)
		known.set(&d, e.New)
		if taken := known.get(&d); !taken.equal(e.New) {
			f.Object("#/edits/"+e.Field, "type", "This field takes another kind of content.")
		}
	}
	d = d.normal()
	d.check(&f, "#/edits")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := d.consistent(); err != nil {
		return nil, err
	}
	changes, breaks := changesBetween(s.Definition, d, seen)
	if len(changes) == 0 && (!c.ComparabilityBreak || !s.hasValues()) {
		return nil, ErrNothingChanges.Detailf("The definition has this content already: give another one.")
	}
	if breaks != "" && s.hasValues() && !c.ComparabilityBreak {
		return nil, ErrBreakNeeded.Detailf("There are values already, and a change of %s makes later ones incomparable: say comparabilityBreak.", breaks)
	}
	authorizedBy, err := c.Authorization.forActor(by)
	if err != nil {
		return nil, err
	}
	return Redefined{Changes: changes, ComparabilityBreak: c.ComparabilityBreak, Reason: c.Reason, AuthorizedBy: authorizedBy}, nil
}

// changesBetween gives what differs in the named fields, and the first of them
// that takes comparability away.
func changesBetween(before, after Definition, names []string) (changes []Change, breaks string) {
	changes = []Change{} // an empty list on the wire, never null
	for _, name := range names {
		f := fields[name]
		old, next := f.get(&before), f.get(&after)
		if old.equal(next) {
			continue
		}
		changes = append(changes, Change{Field: name, Old: old, New: next})
		// Saying for the first time which way is good changes no value's meaning.
		firstDirection := name == "direction" && before.Direction == Undefined
		if f.breaks && breaks == "" && !firstDirection {
			breaks = name
		}
	}
	return changes, breaks
}

func (s State) hasValues() bool {
	if s.targets.Len() > 0 {
		return true
	}
	for _, m := range s.series.All() {
		if !m.Void {
			return true
		}
	}
	return false
}

// normal gives the definition in the form that is stored: canonical numbers,
// defaults written out, empty lists absent.
func (d Definition) normal() Definition {
	for _, n := range []*quantity.Number{&d.Baseline, &d.Tolerance.AtRisk, &d.Tolerance.OffTrack} {
		if c, ok := quantity.Parse(string(*n)); ok {
			*n = c
		}
	}
	if d.Tolerance.AtRisk == "" {
		d.Tolerance.AtRisk = DefaultAtRisk
	}
	if d.Tolerance.OffTrack == "" {
		d.Tolerance.OffTrack = DefaultOffTrack
	}
	d.Headline = d.Headline.orNone()
	return d
}

// check objects to values that are not acceptable in any definition.
func (d Definition) check(f *check.Form, at string) {
	f.Short(at+"/identifier", d.Identifier)
	f.Short(at+"/sequence", d.Sequence)
	f.Name(at+"/name", d.Name)
	f.Name(at+"/unit", d.Unit)
	f.Short(at+"/valueChainStage", d.ValueChainStage)
	f.OptionalID(at+"/ownerId", d.OwnerID)
	f.Prose(at+"/otherInformation", d.OtherInformation)
	if d.Type != Quantitative && d.Type != Qualitative {
		f.Object(at+"/type", "enum", "Give quantitative or qualitative.")
	}
	switch d.Direction {
	case Increase, Decrease, AtLeast, AtMost, Milestone, Undefined:
	default:
		f.Object(at+"/direction", "enum", "Give increase, decrease, at_least, at_most, milestone or undefined.")
	}
	if !d.Frequency.Valid() {
		f.Object(at+"/frequency", "enum", "Give year, half, quarter, month, week, day, once or irregular.")
	}
	if d.YearStart < 0 || d.YearStart > 12 {
		f.Object(at+"/yearStart", "maximum", "Give a month from 1 to 12.")
	}
	checkNumber(f, at+"/baseline", d.Baseline, d.Baseline == "")
	checkNumber(f, at+"/tolerance/atRisk", d.Tolerance.AtRisk, false)
	checkNumber(f, at+"/tolerance/offTrack", d.Tolerance.OffTrack, false)
	d.checkLists(f, at)
}

func checkNumber(f *check.Form, at string, n quantity.Number, absent bool) {
	if !absent && !n.Canonical() {
		f.Object(at, "pattern", "Give a decimal of at most %d digits.", quantity.MaxDigits)
	}
}

func (d Definition) checkLists(f *check.Form, at string) {
	size := 0
	if limited(f, at+"/dimensions", len(d.Dimensions), maxDimensions) {
		for i, o := range d.Dimensions {
			item := fmt.Sprintf("%s/dimensions/%d", at, i)
			f.Name(item+"/name", o.Name)
			if slices.ContainsFunc(d.Dimensions[:i], func(p Dimension) bool { return p.Name == o.Name }) {
				f.Object(item+"/name", "uniqueItems", "Name each dimension once.")
			}
			if limited(f, item+"/values", len(o.Values), maxDimensionValues) {
				for j, v := range o.Values {
					f.Name(fmt.Sprintf("%s/values/%d", item, j), v)
					size += len(v)
				}
			}
		}
	}
	checkDims(f, at+"/headline", d.Headline)
	if limited(f, at+"/done", len(d.Done), maxDone) {
		for i, v := range d.Done {
			f.Name(fmt.Sprintf("%s/done/%d", at, i), v)
			size += len(v)
		}
	}
	if limited(f, at+"/externalRefs", len(d.ExternalRefs), maxRefs) {
		for i, r := range d.ExternalRefs {
			f.ID(fmt.Sprintf("%s/externalRefs/%d/sourceId", at, i), r.SourceID)
			f.Name(fmt.Sprintf("%s/externalRefs/%d/ref", at, i), r.Ref)
			size += len(r.Ref)
		}
	}
	if limited(f, at+"/relationships", len(d.Relationships), maxRefs) {
		for i, r := range d.Relationships {
			size += r.check(f, fmt.Sprintf("%s/relationships/%d", at, i))
		}
	}
	if size > maxListBytes {
		f.Object(at, "maxLength", "At most %d bytes of text in the lists, not %d.", maxListBytes, size)
	}
}

func (r Relationship) check(f *check.Form, at string) (size int) {
	switch r.Kind {
	case "", "Broader_Than", "Peer_To", "Narrower_Than":
	default:
		f.Object(at+"/kind", "enum", "Give Broader_Than, Peer_To, Narrower_Than or nothing.")
	}
	f.Short(at+"/identifier", r.Identifier)
	f.Short(at+"/name", r.Name)
	f.Prose(at+"/description", r.Description)
	size = len(r.Identifier) + len(r.Name) + len(r.Description)
	if limited(f, at+"/referents", len(r.Referents), maxRefs) {
		for j, ref := range r.Referents {
			f.Short(fmt.Sprintf("%s/referents/%d", at, j), ref)
			size += len(ref)
		}
	}
	return size
}

func limited(f *check.Form, at string, n, limit int) bool {
	if n > limit {
		f.Object(at, "maxItems", "At most %d, not %d.", limit, n)
	}
	return n <= limit
}

// consistent says whether the parts of a definition fit each other.
func (d Definition) consistent() error {
	switch {
	case d.Type == Qualitative && d.Direction != Milestone && d.Direction != Undefined:
		return ErrDefinition.Detailf("Descriptors have no order: a qualitative indicator has the direction milestone or undefined.")
	case d.Type == Quantitative && d.Direction == Milestone:
		return ErrDefinition.Detailf("A milestone is met by a descriptor: make the indicator qualitative, or choose another direction.")
	case d.Type == Qualitative && d.Baseline != "":
		return ErrDefinition.Detailf("A qualitative indicator has no baseline: leave it out.")
	case d.Tolerance.AtRisk.Sign() < 0 || d.Tolerance.OffTrack.Cmp(d.Tolerance.AtRisk) < 0:
		return ErrDefinition.Detailf("Tolerances are not negative, and that for off track is not less than that for at risk.")
	}
	return d.knows(d.Headline)
}

// equal says whether two contents read the same; a list that is there and empty
// equals none.
func (c Content) equal(o Content) bool { return bytes.Equal(c.canonical(), o.canonical()) }
