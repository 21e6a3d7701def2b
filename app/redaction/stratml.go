package redaction

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Mark stands in a copy where something was taken out.
const Mark = "[erased]"

// ErrNoCopy: no copy can be made that certainly does not name the person.
var ErrNoCopy = errors.New("no copy without the name can be made")

// Person is who is taken out of a document.
type Person struct {
	// Texts say who it is, wherever they stand: names, addresses, numbers.
	Texts []string
	// Is says whether somebody a document knows by this text is the person; the
	// text is what personal.Sealer.SubjectOf is given.
	Is func(known string) (bool, error)
}

// StratML gives a copy of a StratML document without the person. A document that
// does not name them is given as it is. Equal arguments give equal bytes.
func StratML(document []byte, p Person) ([]byte, error) {
	names := newMatcher(p.Texts)
	tokens, err := read(document)
	if err != nil {
		return nil, err
	}
	gone, err := saidOf(tokens, p.Is)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for i, t := range tokens {
		switch {
		case gone[i] && t.leaf() == "Identifier":
		case gone[i]:
			out.WriteString(Mark)
		case t.isText:
			if text, found := names.replace(t.text); found {
				if err := xml.EscapeText(&out, []byte(text)); err != nil {
					return nil, fmt.Errorf("write a text: %w", err)
				}
			} else {
				out.Write(t.raw)
			}
		default:
			text, _ := names.replace(string(t.raw))
			out.WriteString(text)
		}
	}
	redacted := out.Bytes()
	return redacted, clean(redacted, names)
}

// token is a piece of a document: all of them, in order, are the document.
type token struct {
	raw    []byte
	isText bool
	text   string   // of a text, decoded
	values []string // of a tag or comment, decoded
	path   []string // of the elements around it, by their local names
}

func (t token) leaf() string {
	if len(t.path) == 0 {
		return ""
	}
	return t.path[len(t.path)-1]
}

// read takes a document apart.
func read(document []byte) ([]token, error) {
	d := xml.NewDecoder(bytes.NewReader(document))
	d.CharsetReader = func(label string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("encoding %q", label)
	}
	var all []token
	var path []string
	for {
		from := d.InputOffset()
		raw, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, errors.Join(ErrNoCopy, err)
		}
		t := token{raw: document[from:d.InputOffset()], path: path}
		switch e := raw.(type) {
		case xml.StartElement:
			for _, a := range e.Attr {
				t.values = append(t.values, a.Value)
			}
			path = append(path[:len(path):len(path)], e.Name.Local)
		case xml.EndElement:
			if len(path) == 0 || path[len(path)-1] != e.Name.Local {
				return nil, fmt.Errorf("</%s> ends nothing: %w", e.Name.Local, ErrNoCopy)
			}
			path = path[:len(path)-1]
		case xml.CharData:
			t.isText, t.text = true, string(e)
		case xml.Comment:
			t.values = []string{string(e)}
		case xml.ProcInst:
			t.values = []string{string(e.Inst)}
		case xml.Directive:
			if bytes.Contains(e, []byte("!ENTITY")) { // of which the decoder makes nothing
				return nil, fmt.Errorf("entities of its own: %w", ErrNoCopy)
			}
			t.values = []string{string(e)}
		}
		all = append(all, t)
	}
}

// saidOf finds the texts in elements that say who the person is.
func saidOf(tokens []token, is func(string) (bool, error)) (map[int]bool, error) {
	gone := map[int]bool{}
	for begin, t := range tokens {
		name, started := t.opens()
		if !started || name != "Stakeholder" && name != "Submitter" {
			continue
		}
		depth := len(t.path)
		var texts []int
		for i := begin + 1; i < len(tokens) && len(tokens[i].path) > depth; i++ {
			if tokens[i].isText && strings.TrimSpace(tokens[i].text) != "" && tokens[i].leaf() != "RoleType" {
				texts = append(texts, i)
			}
		}
		known := knownAs(tokens, texts, name, depth+1)
		if known == "" {
			continue
		}
		same, err := is(known)
		if err != nil {
			return nil, err
		}
		for _, i := range texts {
			if same && (name == "Submitter" || tokens[i].leaf() != "Identifier") {
				gone[i] = true
			}
		}
	}
	return gone, nil
}

// opens gives the element that a token begins.
func (t token) opens() (string, bool) {
	if t.isText || len(t.raw) < 2 || t.raw[0] != '<' || strings.IndexByte("/!?", t.raw[1]) >= 0 {
		return "", false
	}
	name := string(t.raw[1:])
	if end := strings.IndexAny(name, " \t\r\n/>"); end >= 0 {
		name = name[:end]
	}
	_, local, prefixed := strings.Cut(name, ":")
	if !prefixed {
		local = name
	}
	return local, true
}

// knownAs is what somebody in a document goes by, as an import takes it: see
// personal.Sealer.SealStakeholder.
func knownAs(tokens []token, texts []int, element string, depth int) string {
	at := func(path ...string) string {
		var found []string
		for _, i := range texts {
			if below := tokens[i].path[depth:]; strings.Join(below, "/") == strings.Join(path, "/") {
				found = append(found, tokens[i].text)
			}
		}
		return collapse(strings.Join(found, ""))
	}
	if element == "Submitter" {
		name := collapse(cmp.Or(at("GivenName"), at("FirstName")) + " " + cmp.Or(at("Surname"), at("LastName")))
		return cmp.Or(name, at("EmailAddress"), at("PhoneNumber"))
	}
	if known := cmp.Or(at("Name"), at("Description")); known != "" || len(texts) == 0 {
		return known
	}
	return collapse(tokens[texts[0]].text) // of a role
}

// clean says whether a copy is what it should be.
func clean(document []byte, names matcher) error {
	tokens, err := read(document)
	if err != nil {
		return err
	}
	var all strings.Builder
	for _, t := range tokens {
		all.WriteString(t.text)
		for _, v := range t.values {
			if names.in(v) {
				return fmt.Errorf("a tag or comment still says it: %w", ErrNoCopy)
			}
		}
	}
	if names.in(all.String()) {
		return fmt.Errorf("the text still says it: %w", ErrNoCopy)
	}
	return nil
}

func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }
