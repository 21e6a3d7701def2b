package rest

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"strata.dev/strata/api"
	"strata.dev/strata/ports/rest/gen"
)

//go:generate cp problems.md ../../docs/problems.md

//go:embed problems.md
var problemsText string

// problemPage is what is published about one problem code.
type problemPage struct {
	text string
	html string
}

// problemPages cuts problems.md, one page per second-level heading.
func problemPages() (map[string]problemPage, error) {
	pages := map[string]problemPage{}
	sections := strings.Split(problemsText, "\n## ")
	for _, section := range sections[1:] {
		code, body, _ := strings.Cut(section, "\n")
		body = strings.TrimSpace(body)
		html, err := renderProblem(code, body)
		if err != nil {
			return nil, fmt.Errorf("problems.md: %s: %w", code, err)
		}
		pages[code] = problemPage{text: code + "\n\n" + body + "\n", html: html}
	}
	return pages, nil
}

var problemTemplate = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Code}}</title></head>
<body><main><h1>{{.Code}}</h1>
{{range .Blocks}}{{if .Code}}<pre>{{.Text}}</pre>{{else}}<p>{{.Text}}</p>{{end}}
{{end}}</main></body></html>
`))

type block struct {
	Code bool
	Text string
}

// renderProblem knows paragraphs and fenced blocks; problems.md uses nothing else.
func renderProblem(code, body string) (string, error) {
	var blocks []block
	for i, part := range strings.Split(body, "```") {
		if i%2 == 1 {
			_, text, _ := strings.Cut(part, "\n") // behind the language
			blocks = append(blocks, block{true, strings.TrimRight(text, "\n")})
			continue
		}
		for paragraph := range strings.SplitSeq(part, "\n\n") {
			if text := strings.TrimSpace(strings.NewReplacer("**", "", "`", "").Replace(paragraph)); text != "" {
				blocks = append(blocks, block{false, text})
			}
		}
	}
	var b strings.Builder
	err := problemTemplate.Execute(&b, struct {
		Code   string
		Blocks []block
	}{code, blocks})
	return b.String(), err
}

// GetProblem handles GET /problems/{code}.
func (s *server) GetProblem(ctx context.Context, r gen.GetProblemRequestObject) (gen.GetProblemResponseObject, error) {
	page, ok := s.problems[r.Code]
	if !ok {
		return nil, errNoRoute
	}
	if of(ctx).html {
		return file{"text/html; charset=utf-8", "public, max-age=3600", []byte(page.html)}, nil
	}
	return file{"text/plain; charset=utf-8", "public, max-age=3600", []byte(page.text)}, nil
}

// GetSchema handles GET /v1/schemas/{name}.
func (s *server) GetSchema(_ context.Context, r gen.GetSchemaRequestObject) (gen.GetSchemaResponseObject, error) {
	text, err := api.Schema(r.Name)
	if err != nil {
		return nil, errNoRoute.Because(err)
	}
	return file{"application/schema+json", "public, max-age=31536000, immutable", text}, nil
}

// GetContract handles GET /openapi.json.
func (s *server) GetContract(context.Context, gen.GetContractRequestObject) (gen.GetContractResponseObject, error) {
	return file{mediaJSON, "public, max-age=3600", s.contract.json}, nil
}

// file is an answer of ready bytes.
type file struct {
	media string
	cache string
	body  []byte
}

func (f file) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", f.media)
	w.Header().Set("Cache-Control", f.cache)
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
