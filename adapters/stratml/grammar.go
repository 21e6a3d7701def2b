package stratml

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"strata.dev/strata/app/stratml"
)

// child is one child an element may have, in the order of the schema.
type child struct {
	name     string
	many     bool
	required bool
	read     func(start xml.StartElement, at stratml.Place) error
}

// repeats names the children that may come more than once: they always carry
// their number in a path.
var repeats = map[string]bool{
	"Organization": true, "Value": true, "Goal": true, "Objective": true, "Stakeholder": true, "Role": true, "RoleType": true,
	"PerformanceIndicator": true, "Relationship": true, "ReferentIdentifier": true, "MeasurementInstance": true,
	"TargetResult": true, "ActualResult": true,
}

// children reads an element up to its end tag: known children in any order,
// everything else as a deviation.
func (r *reader) children(at stratml.Place, known []child) error {
	counts := make([]int, len(known))
	last := 0
	var stray strings.Builder
	for {
		tok, place, err := r.next()
		if err != nil {
			return r.unclosed(err, place)
		}
		switch t := tok.(type) {
		case xml.CharData:
			if text := collapse(string(t)); text != "" && stray.Len() < textLimit {
				stray.WriteString(text)
				stray.WriteByte(' ')
			}
		case xml.EndElement:
			if stray.Len() > 0 {
				r.deviate(stratml.StrayText, at, "text()", strings.TrimSpace(stray.String()))
			}
			for i, c := range known {
				if c.required && counts[i] == 0 {
					r.deviate(stratml.MissingElement, at, c.name, "")
				}
			}
			return nil
		case xml.StartElement:
			i, n := r.index(known, t.Name), 0
			if i >= 0 {
				counts[i]++
				n = counts[i]
			}
			if err := r.enter(t.Name.Local, n, place); err != nil {
				return err
			}
			switch {
			case i < 0:
				err = r.discard(stratml.UnknownElement, place)
			case n > 1 && !known[i].many:
				err = r.discard(stratml.RepeatedElement, place)
			default:
				if i < last {
					r.deviate(stratml.ElementOrder, place, "", "")
				}
				last = max(last, i)
				err = known[i].read(t, place)
			}
			if err != nil {
				return err
			}
			r.leave()
		}
	}
}

func (r *reader) index(known []child, name xml.Name) int {
	if name.Space != r.ns {
		return -1
	}
	for i, c := range known {
		if c.name == name.Local {
			return i
		}
	}
	return -1
}

// discard passes over an element and keeps its text in the deviation.
func (r *reader) discard(code string, at stratml.Place) error {
	text, err := r.flat(false)
	if err != nil {
		return err
	}
	r.deviate(code, at, "", text)
	return nil
}

// flat reads the text up to the end of the open element, markup removed. With
// report, elements inside are deviations of their own (their text stays).
func (r *reader) flat(report bool) (string, error) {
	var b strings.Builder
	for depth := 0; ; {
		tok, place, err := r.next()
		if err != nil {
			return "", r.unclosed(err, place)
		}
		switch t := tok.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.StartElement:
			if err := r.enter(t.Name.Local, 0, place); err != nil {
				return "", err
			}
			if report {
				r.deviate(stratml.UnknownElement, place, "", "")
			}
			b.WriteByte(' ')
			depth++
		case xml.EndElement:
			if depth == 0 {
				return collapse(b.String()), nil
			}
			b.WriteByte(' ')
			r.leave()
			depth--
		}
	}
}

// unclosed says that the file ended inside an element.
func (r *reader) unclosed(err error, at stratml.Place) error {
	if errors.Is(err, io.EOF) {
		return refuse(stratml.ReasonIllFormed, at, "The file ends inside an element.")
	}
	return err
}

// text reads a text element; a placeholder is a deviation and stays.
func (r *reader) text(into *string) func(xml.StartElement, stratml.Place) error {
	return func(start xml.StartElement, at stratml.Place) error {
		r.attributes(start, at, nil)
		s, err := r.flat(true)
		if err != nil {
			return err
		}
		if isPlaceholder(s) {
			r.deviate(stratml.Placeholder, at, "", s)
		}
		*into = s
		return nil
	}
}

// identifier reads an xs:ID, which must be a name and unique in the document.
func (r *reader) identifier(into *string) func(xml.StartElement, stratml.Place) error {
	return func(start xml.StartElement, at stratml.Place) error {
		r.attributes(start, at, nil)
		s, err := r.flat(true)
		if err != nil {
			return err
		}
		*into = s
		if !isNCName(s) {
			r.deviate(stratml.BadIdentifier, at, "", s)
		}
		if s == "" {
			return nil
		}
		if n := stratml.NormalizeIdentifier(s); r.ids[n] {
			r.deviate(stratml.DuplicateIdentifier, at, "", s)
		} else {
			r.ids[n] = true
		}
		return nil
	}
}

// checked reads a text that must satisfy valid or be empty; if it does not, the
// deviation keeps it. With keep it also stays in the document.
func (r *reader) checked(into *string, keep bool, valid func(string) bool) func(xml.StartElement, stratml.Place) error {
	return func(start xml.StartElement, at stratml.Place) error {
		r.attributes(start, at, nil)
		s, err := r.flat(true)
		if err != nil {
			return err
		}
		ok := s == "" || valid(s)
		if !ok {
			r.deviate(stratml.InvalidValue, at, "", s)
		}
		if ok || keep {
			*into = s
		}
		return nil
	}
}

// attributes reads the known attributes of an element; what is namespaced
// (schemaLocation, xml:lang) or a declaration is no content.
func (r *reader) attributes(start xml.StartElement, at stratml.Place, known map[string]func(string) bool) {
	for _, a := range start.Attr {
		if a.Name.Space != "" || a.Name.Local == "xmlns" {
			continue
		}
		take, ok := known[a.Name.Local]
		value := collapse(a.Value)
		switch {
		case !ok:
			r.deviate(stratml.UnknownAttribute, at, "@"+clip(a.Name.Local), value)
		case value != "" && !take(value):
			r.deviate(stratml.InvalidValue, at, "@"+a.Name.Local, value)
		}
	}
}

// oneOf takes an attribute's value into s if it is one of values.
func oneOf(s *string, values ...string) func(string) bool {
	return func(v string) bool {
		for _, known := range values {
			if v == known {
				*s = v
				return true
			}
		}
		return false
	}
}
