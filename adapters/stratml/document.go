package stratml

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"strata.dev/strata/app/stratml"
)

// Parser implements app/stratml's Parser. The zero value is ready.
type Parser struct{}

var _ stratml.Parser = Parser{}

// Parse reads one document; see app/stratml.Parser.
func (Parser) Parse(ctx context.Context, in io.Reader, opts stratml.Options) (*stratml.Document, error) {
	raw, err := io.ReadAll(io.LimitReader(in, stratml.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	if len(raw) > stratml.MaxBytes {
		return nil, tooLarge(stratml.ReasonTooLarge, stratml.Place{Line: 1, Column: 1}, stratml.MaxBytes)
	}
	if err := checkEncoding(raw); err != nil {
		return nil, err
	}
	text := bytes.TrimPrefix(raw, utf8BOM)
	if err := scan(text); err != nil {
		return nil, err
	}
	r := newReader(ctx, text)
	doc, err := r.document(opts)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	doc.SHA256, doc.Size = hex.EncodeToString(sum[:]), int64(len(raw))
	doc.Deviations = r.dev
	return doc, nil
}

// document reads everything: prologue, root, epilogue.
func (r *reader) document(opts stratml.Options) (*stratml.Document, error) {
	start, at, err := r.root()
	if err != nil {
		return nil, err
	}
	doc, err := r.recognize(start, at, opts)
	if err != nil {
		return nil, err
	}
	if err := r.enter(start.Name.Local, 1, at); err != nil {
		return nil, err
	}
	if doc.Namespace == namespaceOld1 || doc.Namespace == namespaceOld2 {
		r.deviate(stratml.OldNamespace, at, "", doc.Namespace)
	}
	if err := r.plan(doc, start, at, opts); err != nil {
		return nil, err
	}
	r.leave()
	return doc, r.end()
}

// root passes over the prologue to the root element.
func (r *reader) root() (xml.StartElement, stratml.Place, error) {
	for {
		tok, at, err := r.next()
		if errors.Is(err, io.EOF) {
			return xml.StartElement{}, at, refuse(stratml.ReasonEmpty, at, "The file has no root element.")
		}
		if err != nil {
			return xml.StartElement{}, at, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return t, at, nil
		case xml.CharData:
			if collapse(string(t)) != "" {
				return xml.StartElement{}, at, refuse(stratml.ReasonGarbage, at, "There is text before the root element.")
			}
		}
	}
}

// end makes sure that nothing follows the root.
func (r *reader) end() error {
	for {
		tok, at, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return refuse(stratml.ReasonSecondRoot, at, "A second root element starts here.")
		case xml.CharData:
			if collapse(string(t)) != "" {
				return refuse(stratml.ReasonGarbage, at, "There is text behind the root element.")
			}
		}
	}
}

// The namespaces that are read. Others that look like them were invented.
const (
	namespace1    = "urn:ISO:std:iso:17469:tech:xsd:stratml_core"
	namespace2    = "urn:ISO:std:iso:17469:tech:xsd:PerformancePlanOrReport"
	namespaceOld1 = "http://www.stratml.net"
	namespaceOld2 = "http://www.stratml.net/PerformancePlanOrReport"
	namespace35   = "http://schemas.stratml.us/3.5"
)

// recognize says which part the root belongs to, or refuses it.
func (r *reader) recognize(start xml.StartElement, at stratml.Place, opts stratml.Options) (*stratml.Document, error) {
	doc := &stratml.Document{Namespace: start.Name.Space}
	r.ns = start.Name.Space
	root := ""
	switch start.Name.Space {
	case namespace1, namespaceOld1:
		doc.Part, doc.Type, root = stratml.Part1, stratml.StrategicPlan, "StrategicPlan"
	case namespace2, namespaceOld2:
		doc.Part, root = stratml.Part2, "PerformancePlanOrReport"
	case namespace35:
		return nil, refuse(stratml.ReasonPart3, at, "StratML 3.5 (%s) is not read; Part 1 and Part 2 are.", clip(start.Name.Local))
	case "":
		return nil, refuse(stratml.ReasonUnknownNamespace, at, "The root element %q is in no namespace.", clip(start.Name.Local))
	default:
		return nil, refuse(stratml.ReasonUnknownNamespace, at, "The namespace %q is not one of StratML's.", clip(start.Name.Space))
	}
	if start.Name.Local != root {
		return nil, refuse(stratml.ReasonUnknownRoot, at, "The root element is %q, not %q.", clip(start.Name.Local), root)
	}
	if doc.Part == stratml.Part1 {
		return doc, nil
	}
	for _, a := range start.Attr {
		if a.Name.Space == "" && a.Name.Local == "Type" {
			doc.Type = stratml.DocumentType(collapse(a.Value))
		}
	}
	if doc.Type.Valid() {
		return doc, nil
	}
	if !opts.AssumeType.Valid() {
		return nil, refuse(stratml.ReasonTypeMissing, at, "The document does not say whether it is a plan or a report (attribute Type).")
	}
	return doc, nil
}

// plan reads the root element.
func (r *reader) plan(doc *stratml.Document, start xml.StartElement, at stratml.Place, opts stratml.Options) error {
	known := map[string]func(string) bool{}
	if doc.Part == stratml.Part2 {
		known["Type"] = func(v string) bool { return stratml.DocumentType(v).Valid() }
	}
	r.attributes(start, at, known)
	if !doc.Type.Valid() {
		if doc.Type == "" {
			r.deviate(stratml.MissingType, at, "@Type", "")
		}
		doc.Type, doc.TypeAssumed = opts.AssumeType, true
	}
	core := false
	submitter := func(rightPlace bool) func(xml.StartElement, stratml.Place) error {
		return func(start xml.StartElement, at stratml.Place) error {
			if !rightPlace {
				r.deviate(stratml.SubmitterPlace, at, "", "")
			}
			return r.submitter(doc, start, at)
		}
	}
	children := []child{
		{name: "Name", required: true, read: r.text(&doc.Name)},
		{name: "Description", read: r.text(&doc.Description)},
		{name: "OtherInformation", read: r.text(&doc.OtherInformation)},
		{name: "StrategicPlanCore", required: true, read: func(start xml.StartElement, at stratml.Place) error {
			core = true
			return r.core(doc, start, at)
		}},
		{name: "AdministrativeInformation", read: func(start xml.StartElement, at stratml.Place) error {
			r.attributes(start, at, nil)
			a := &doc.Administrative
			known := []child{
				{name: "StartDate", read: r.checked(&a.StartDate, false, isDate)},
				{name: "EndDate", read: r.checked(&a.EndDate, false, isDate)},
				{name: "PublicationDate", read: r.checked(&a.PublicationDate, false, isDate)},
				{name: "Source", read: r.text(&a.Source)},
				{name: "Submitter", read: submitter(doc.Part == stratml.Part1)},
			}
			if doc.Part == stratml.Part2 {
				known = append([]child{{name: "Identifier", read: r.identifier(&a.Identifier)}}, known...)
			}
			return r.children(at, known)
		}},
		{name: "Submitter", read: submitter(doc.Part == stratml.Part2)},
	}
	if err := r.children(at, children); err != nil {
		return err
	}
	if !core {
		return refuse(stratml.ReasonNoCore, at, "The document has no StrategicPlanCore.")
	}
	return nil
}

func (r *reader) submitter(doc *stratml.Document, start xml.StartElement, at stratml.Place) error {
	r.attributes(start, at, nil)
	s := &stratml.Submitter{}
	old := func(into *string) func(xml.StartElement, stratml.Place) error {
		return func(start xml.StartElement, at stratml.Place) error {
			r.deviate(stratml.OldName, at, "", "")
			return r.text(into)(start, at)
		}
	}
	known := []child{
		{name: "GivenName", read: r.text(&s.GivenName)},
		{name: "FirstName", read: old(&s.GivenName)},
		{name: "Surname", read: r.text(&s.Surname)},
		{name: "LastName", read: old(&s.Surname)},
		{name: "PhoneNumber", read: r.text(&s.PhoneNumber)},
		{name: "EmailAddress", read: r.text(&s.EmailAddress)},
	}
	if doc.Part == stratml.Part2 {
		known = append([]child{{name: "Identifier", read: r.identifier(&s.Identifier)}}, known...)
	}
	if err := r.children(at, known); err != nil {
		return err
	}
	doc.Submitter = s
	return nil
}
