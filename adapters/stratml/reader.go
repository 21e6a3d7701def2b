package stratml

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"strata.dev/strata/app/stratml"
)

// textLimit is how much of a text and of a path a deviation keeps, in bytes.
const textLimit = 1_000

// reader hands out tokens with their places and the path of open elements, and
// refuses what the decoder lets through.
type reader struct {
	ctx    context.Context
	dec    *xml.Decoder
	tokens int
	ns     string   // the document's namespace, once the root was seen
	open   []string // steps of the path
	dev    stratml.Deviations
	ids    map[string]bool // identifiers seen, normalized
	n      struct{ goals, objectives, indicators, results, stakeholders int }
}

func newReader(ctx context.Context, doc []byte) *reader {
	r := &reader{ctx: ctx, dec: xml.NewDecoder(bytes.NewReader(doc)), ids: map[string]bool{}}
	r.dec.Strict = true
	r.dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		return nil, errCharset{charset}
	}
	return r
}

type errCharset struct{ name string }

func (e errCharset) Error() string { return "encoding " + strconv.Quote(e.name) }

// next gives the next start, end or text, and where it begins. Comments and
// processing instructions are passed over: they are no content.
func (r *reader) next() (xml.Token, stratml.Place, error) {
	for {
		if r.tokens++; r.tokens%4096 == 0 {
			if err := r.ctx.Err(); err != nil {
				return nil, stratml.Place{}, err
			}
		}
		offset := r.dec.InputOffset()
		line, column := r.dec.InputPos()
		at := stratml.Place{Line: line, Column: column}
		tok, err := r.dec.Token()
		if err != nil {
			return nil, at, r.explain(err, at)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if err := checkAttributes(t, at); err != nil {
				return nil, at, err
			}
			return t, at, nil
		case xml.EndElement, xml.CharData:
			return t, at, nil
		case xml.ProcInst:
			if strings.EqualFold(t.Target, "xml") {
				if offset != 0 {
					return nil, at, refuse(stratml.ReasonInstruction, at, "An XML declaration stands only at the start of a file.")
				}
			}
		case xml.Directive:
			return nil, at, refuse(stratml.ReasonDTD, at, "A declaration starts here; none is read.")
		}
	}
}

// explain turns an error of the decoder into a refusal with a place.
func (r *reader) explain(err error, at stratml.Place) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if charset, ok := errors.AsType[errCharset](err); ok {
		return refuse(stratml.ReasonEncoding, at, "The file declares %s; save it as UTF-8.", charset)
	}
	_, column := r.dec.InputPos()
	at.Column = max(column, 1) // the decoder steps back over a line's end without its column
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		at.Line = syntax.Line
		return refuse(stratml.ReasonIllFormed, at, "This is not well-formed XML: %s.", syntax.Msg)
	}
	return refuse(stratml.ReasonIllFormed, at, "This is not well-formed XML: %s.", err)
}

func checkAttributes(t xml.StartElement, at stratml.Place) error {
	if len(t.Attr) < 2 {
		return nil
	}
	seen := make(map[xml.Name]bool, len(t.Attr))
	for _, a := range t.Attr {
		if seen[a.Name] {
			return refuse(stratml.ReasonDuplicateAttr, at, "Attribute %q stands twice in one tag.", clip(a.Name.Local))
		}
		seen[a.Name] = true
	}
	return nil
}

// enter opens an element on the path; leave closes it. n is its number among
// the children of that name; 0 = unknown, since what a hostile document makes
// up is not counted.
func (r *reader) enter(name string, n int, at stratml.Place) error {
	if len(r.open) >= stratml.MaxDepth {
		return tooLarge(stratml.ReasonTooDeep, at, stratml.MaxDepth)
	}
	if n > 1 || (n == 1 && repeats[name]) {
		name += "[" + strconv.Itoa(n) + "]"
	}
	r.open = append(r.open, name)
	return nil
}

func (r *reader) leave() { r.open = r.open[:len(r.open)-1] }

func (r *reader) path() string { return clip("/" + strings.Join(r.open, "/")) }

// deviate records a deviation at the open element, or at a part of it ("@Type", "text()").
func (r *reader) deviate(code string, at stratml.Place, part, text string) {
	r.dev.Add(code, func() stratml.Deviation {
		path := r.path()
		if part != "" {
			path += "/" + part
		}
		return stratml.Deviation{Code: code, Line: at.Line, Column: at.Column, Path: path, Text: clip(text)}
	})
}

// clip shortens a text for a deviation, at a rune boundary.
func clip(s string) string {
	if len(s) <= textLimit {
		return s
	}
	cut := textLimit
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

// collapse is stratml.Collapse: how the parser reads every text.
func collapse(s string) string { return stratml.Collapse(s) }
