package rest

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"strata.dev/strata/api"
	"strata.dev/strata/ports/rest/gen"
)

//go:generate cp problems.md ../../docs/problems.md

//go:embed problems.md
var problemsText string

const (
	mediaHTML  = "text/html; charset=utf-8"
	mediaPlain = "text/plain; charset=utf-8"
)

// problemPage is what is published about one problem code.
type problemPage struct {
	status int
	files  map[string]file // by media type
}

// problemText is one section of problems.md.
type problemText struct {
	Code    string `json:"code"`
	Type    string `json:"type"`
	Status  int    `json:"status"`
	Cause   string `json:"cause"`
	Fix     string `json:"fix"`
	Example string `json:"example"` // an answer or a request, as text
}

// problemSection is the form of a section: status and cause, what to do, and
// an example. All are there, or the service does not start.
var problemSection = regexp.MustCompile(`(?s)^([a-z][a-z0-9-]*)\n\nStatus ([0-9]{3})\. (.+?)\n\n\*\*What to do:\*\* (.+?)\n\n` + "```[a-z]*\n(.+?)\n```" + `\n*$`)

// problemPages cuts problems.md, one page per second-level heading.
func problemPages() (map[string]problemPage, error) {
	pages := map[string]problemPage{}
	for _, section := range strings.Split(problemsText, "\n## ")[1:] {
		m := problemSection.FindStringSubmatch(section)
		if m == nil {
			name, _, _ := strings.Cut(section, "\n")
			return nil, fmt.Errorf("problems.md: section %q has not the form of the others: status and cause, what to do, example", name)
		}
		status, err := strconv.Atoi(m[2])
		if err != nil {
			return nil, fmt.Errorf("problems.md: %s: %w", m[1], err)
		}
		p := problemText{Code: m[1], Type: "/problems/" + m[1], Status: status, Cause: m[3], Fix: m[4], Example: m[5]}
		if pages[p.Code], err = p.page(section); err != nil {
			return nil, fmt.Errorf("problems.md: %s: %w", p.Code, err)
		}
	}
	return pages, nil
}

func (p problemText) page(text string) (problemPage, error) {
	var html strings.Builder
	if err := problemTemplate.Execute(&html, p); err != nil {
		return problemPage{}, err
	}
	document, err := json.Marshal(p)
	if err != nil {
		return problemPage{}, err
	}
	page := newFile(mediaHTML, publicCache, []byte(html.String()))
	page.policy = pagePolicy
	files := map[string]file{
		mediaType(mediaHTML):  page,
		mediaType(mediaPlain): newFile(mediaPlain, publicCache, []byte(text)),
		mediaJSON:             newFile(mediaJSON, publicCache, document),
	}
	for media, f := range files {
		f.vary = "Accept"
		files[media] = f
	}
	return problemPage{p.Status, files}, nil
}

var problemTemplate = template.Must(template.New("problem").Funcs(template.FuncMap{"plain": plain, "paragraphs": paragraphs}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Code}}</title></head>
<body><main><h1>{{.Code}}</h1>
<p>HTTP status {{.Status}}</p>
<h2>What it means</h2>
{{range paragraphs .Cause}}<p>{{plain .}}</p>
{{end}}<h2>What to do</h2>
{{range paragraphs .Fix}}<p>{{plain .}}</p>
{{end}}<h2>Example</h2>
<pre>{{.Example}}</pre>
<p><a href="/docs">The HTTP API</a></p>
</main></body></html>
`))

// plain leaves out the two marks that problems.md uses.
func plain(text string) string { return strings.NewReplacer("**", "", "`", "").Replace(text) }

func paragraphs(text string) []string { return strings.Split(text, "\n\n") }

// GetProblem handles GET /problems/{code}.
func (s *server) GetProblem(ctx context.Context, r gen.GetProblemRequestObject) (gen.GetProblemResponseObject, error) {
	page, ok := s.problems[r.Code]
	if !ok {
		return nil, errNoRoute
	}
	return page.files[of(ctx).media].to(ctx), nil
}

// GetSchema handles GET /v1/schemas/{name}.
func (s *server) GetSchema(ctx context.Context, r gen.GetSchemaRequestObject) (gen.GetSchemaResponseObject, error) {
	text, err := api.Schema(r.Name)
	if err != nil {
		return nil, errNoRoute.Because(err)
	}
	return newFile("application/schema+json", "public, max-age=31536000, immutable", text).to(ctx), nil
}

// GetContract handles GET /openapi.json.
func (s *server) GetContract(ctx context.Context, _ gen.GetContractRequestObject) (gen.GetContractResponseObject, error) {
	return s.document.to(ctx), nil
}

// file is an answer of ready bytes. Its tag is that of its content.
type file struct {
	media  string
	cache  string
	tag    string
	policy string // Content-Security-Policy, "" = nothing may be embedded or run
	vary   string // the request header that chose it among others of its address
	body   []byte
	known  bool // the caller has it
}

func newFile(media, cache string, body []byte) file {
	sum := sha256.Sum256(body)
	return file{media: media, cache: cache, tag: `"` + hex.EncodeToString(sum[:16]) + `"`, body: body}
}

// page is the file under the policy of pages.
func (f file) page() file {
	f.policy = pagePolicy
	return f
}

// to says whether the caller of ctx has the file already.
func (f file) to(ctx context.Context) file {
	f.known = noneMatch(of(ctx).noneMatch, f.tag)
	return f
}

func (f file) write(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Cache-Control", f.cache)
	h.Set(headerETag, f.tag)
	if f.vary != "" {
		h.Set("Vary", f.vary)
	}
	if f.policy != "" {
		h.Set("Content-Security-Policy", f.policy)
	}
	if f.known {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", f.media)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(f.body)
	return err
}

// VisitGetProblemResponse implements gen.GetProblemResponseObject.
func (f file) VisitGetProblemResponse(w http.ResponseWriter) error { return f.write(w) }

// VisitGetSchemaResponse implements gen.GetSchemaResponseObject.
func (f file) VisitGetSchemaResponse(w http.ResponseWriter) error { return f.write(w) }

// VisitGetContractResponse implements gen.GetContractResponseObject.
func (f file) VisitGetContractResponse(w http.ResponseWriter) error { return f.write(w) }

// VisitGetDocsResponse implements gen.GetDocsResponseObject.
func (f file) VisitGetDocsResponse(w http.ResponseWriter) error { return f.write(w) }

// VisitGetDocsFileResponse implements gen.GetDocsFileResponseObject.
func (f file) VisitGetDocsFileResponse(w http.ResponseWriter) error { return f.write(w) }
