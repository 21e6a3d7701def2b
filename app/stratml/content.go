package stratml

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"strings"

	"strata.dev/strata/domain/quantity"
)

// ContentHash tells whether two kept documents (Kept) are the same plan: equal
// exactly if importing either records the same. It is SHA-256, in lower-case
// hexadecimal, over the text "strata.stratml.content.v1" and then the content
// in the order of the schema of Part 2: type, name, description, other
// information, organizations, vision, mission, values, goals, administrative
// information. A text is its length in bytes as eight bytes, big-endian, and
// its UTF-8, white space collapsed and what XML cannot hold as U+FFFD; a list is its length likewise, and its
// items; an identifier is the form in which it is compared, a number its
// canonical decimal, the source an escaped URI. A stakeholder who is sealed has
// the sealed text as one more text behind the description: nobody can find out
// by guessing names what the hash is of. Which part the document follows, and
// where in the file something stands, is no content.
func (d *Document) ContentHash() string {
	var w contentWriter
	w.texts("strata.stratml.content.v1", string(d.Type), d.Name, d.Description, d.OtherInformation)
	w.length(len(d.Organizations))
	for _, o := range d.Organizations {
		w.texts(o.Name, o.Acronym, ComparedIdentifier(o.Identifier), o.Description)
		w.stakeholders(o.Stakeholders)
	}
	for _, s := range []*Statement{d.Vision, d.Mission} {
		if s == nil {
			s = &Statement{}
		}
		w.texts(s.Description, ComparedIdentifier(s.Identifier))
	}
	w.length(len(d.Values))
	for _, v := range d.Values {
		w.texts(v.Name, v.Description)
	}
	w.length(len(d.Goals))
	for _, g := range d.Goals {
		w.goal(g)
	}
	a := d.Administrative
	w.texts(ComparedIdentifier(a.Identifier), a.StartDate, a.EndDate, a.PublicationDate, WrittenURI(a.Source))
	sum := sha256.Sum256(w)
	return hex.EncodeToString(sum[:])
}

// contentWriter appends the encoding described at ContentHash.
type contentWriter []byte

func (w *contentWriter) length(n int) {
	*w = binary.BigEndian.AppendUint64(*w, uint64(n)) //nolint:gosec // lengths are never negative
}

func (w *contentWriter) texts(texts ...string) {
	for _, t := range texts {
		t = writable(Collapse(t))
		w.length(len(t))
		*w = append(*w, t...)
	}
}

func (w *contentWriter) goal(g Goal) {
	w.texts(g.Name, g.Description, ComparedIdentifier(g.Identifier), g.Sequence)
	w.stakeholders(g.Stakeholders)
	w.texts(g.OtherInformation)
	w.length(len(g.Objectives))
	for _, o := range g.Objectives {
		w.texts(o.Name, o.Description, ComparedIdentifier(o.Identifier), o.Sequence)
		w.stakeholders(o.Stakeholders)
		w.texts(o.OtherInformation)
		w.length(len(o.Indicators))
		for _, i := range o.Indicators {
			w.indicator(i)
		}
	}
}

func (w *contentWriter) stakeholders(list []Stakeholder) {
	w.length(len(list))
	for _, s := range list {
		w.texts(s.Type, s.Name, s.Description)
		if s.Sealed != "" {
			w.texts(s.Sealed)
		}
		w.length(len(s.Roles))
		for _, r := range s.Roles {
			w.texts(r.Name, r.Description)
			w.length(len(r.Types))
			w.texts(r.Types...)
		}
	}
}

func (w *contentWriter) indicator(i Indicator) {
	w.texts(i.Sequence, i.Dimension, i.Unit, ComparedIdentifier(i.Identifier), i.ValueChainStage, i.Type)
	w.length(len(i.Relationships))
	for _, r := range i.Relationships {
		w.texts(r.Type, ComparedIdentifier(r.Identifier))
		w.length(len(r.Referents))
		w.texts(r.Referents...)
		w.texts(r.Name, r.Description)
	}
	w.length(len(i.Instances))
	for _, m := range i.Instances {
		for _, list := range [][]Result{m.Targets, m.Actuals} {
			w.length(len(list))
			for _, r := range list {
				w.texts(r.StartDate, r.EndDate, number(r.Units), r.DescriptorName, r.DescriptorValue, r.Description)
			}
		}
	}
	w.texts(i.OtherInformation)
}

// number is the canonical decimal of a text that is one, else the text.
func number(units string) string {
	if n, ok := quantity.Parse(units); ok {
		return string(n)
	}
	return units
}

// Collapse trims XML's white space and makes every run of it one space. A
// no-break space is content.
func Collapse(s string) string { return strings.Join(strings.FieldsFunc(s, isSpace), " ") }

func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// writable is a text as XML holds it.
func writable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
			return r
		}
		return '\uFFFD'
	}, s)
}

// WrittenURI is a source as it is written to a document: every character that
// no URI has is escaped. It is empty if that is still no URI reference. Applied
// to its own result it changes nothing.
func WrittenURI(s string) string {
	const allowed = "-._~:/?@!$&'()*+,;="
	var b strings.Builder
	s = Collapse(s)
	fragment := false
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			strings.IndexByte(allowed, c) >= 0,
			c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(c)
		case c == '#' && !fragment:
			fragment = true
			b.WriteByte(c)
		default:
			const digits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	if _, err := url.Parse(b.String()); err != nil {
		return ""
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
