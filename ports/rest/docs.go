package rest

import (
	"context"
	"embed"
	"io/fs"
	"mime"
	"path"

	"strata.dev/strata/ports/rest/gen"
)

// swagger holds Swagger UI as it was released, and the page that shows it.
//
//go:embed swagger/index.html swagger/start.js swagger/swagger-ui-bundle.js swagger/swagger-ui.css swagger/favicon-32x32.png
//go:embed swagger/LICENSE swagger/NOTICE swagger/swagger-ui-bundle.js.LICENSE.txt
var swagger embed.FS

// pagePolicy is the Content-Security-Policy of pages that show something:
// nothing inline, nothing evaluated, nothing from or to another server.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const publicCache = "public, max-age=3600"

// docFiles reads what /docs serves, by name.
func docFiles() (map[string]file, error) {
	names, err := fs.Glob(swagger, "swagger/*")
	if err != nil {
		return nil, err
	}
	files := make(map[string]file, len(names))
	for _, name := range names {
		body, err := swagger.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[path.Base(name)] = newFile(docMedia(name), publicCache, body)
	}
	return files, nil
}

// docMedia does not ask the machine's tables, which differ.
func docMedia(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".png":
		return "image/png"
	}
	return "text/plain; charset=utf-8"
}

// GetDocs handles GET /docs.
func (s *server) GetDocs(ctx context.Context, _ gen.GetDocsRequestObject) (gen.GetDocsResponseObject, error) {
	return s.docs["index.html"].page().to(ctx), nil
}

// GetDocsFile handles GET /docs/{file}.
func (s *server) GetDocsFile(ctx context.Context, r gen.GetDocsFileRequestObject) (gen.GetDocsFileResponseObject, error) {
	f, ok := s.docs[r.File]
	if !ok {
		return nil, errNoRoute
	}
	return f.page().to(ctx), nil
}

// mediaType is a media type without its parameters.
func mediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return contentType
	}
	return media
}
