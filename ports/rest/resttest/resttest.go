// Package resttest holds answers against the HTTP contract. Tests of whatever
// serves HTTP put Checked around the handler, and every answer that goes through
// it is validated: status, media type, headers, body.
package resttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"strata.dev/strata/api"
)

// Contract is the OpenAPI document, loaded and found valid once per process.
// Nobody may change it.
func Contract(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

var load = sync.OnceValues(func() (*openapi3.T, error) {
	text, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	if err := doc.Validate(loader.Context); err != nil {
		return nil, fmt.Errorf("the contract is not valid OpenAPI: %w", err)
	}
	return doc, nil
})

// Checked answers as next does and fails t for an answer the contract does not
// allow. Answers to routes that the contract does not have must be problems.
func Checked(t testing.TB, next http.Handler) http.Handler {
	t.Helper()
	router, err := gorillamux.NewRouter(Contract(t))
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		asked := r.Clone(r.Context())
		next.ServeHTTP(recorded, r)
		got := recorded.Result()
		body := recorded.Body.Bytes()
		check(t, router, asked, got, body)
		for name, values := range got.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(got.StatusCode)
		if len(body) == 0 {
			return // 204 and 304 allow none
		}
		if _, err := w.Write(body); err != nil {
			t.Errorf("write the answer: %v", err)
		}
	})
}

func check(t testing.TB, router routers.Router, r *http.Request, got *http.Response, body []byte) {
	t.Helper()
	what := r.Method + " " + r.URL.RequestURI() + " → " + got.Status
	if got.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s: no X-Request-Id", what)
	}
	if got.StatusCode >= http.StatusBadRequest && r.Method != http.MethodHead {
		problem(t, what, got, body)
	}
	if r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return // as GET, without the body
	}
	route, parameters, err := router.FindRoute(r)
	if err != nil {
		if got.StatusCode != http.StatusNotFound && got.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: an answer outside of the contract", what)
		}
		return
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route},
		Status:                 got.StatusCode,
		Header:                 got.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	media, _, _ := strings.Cut(got.Header.Get("Content-Type"), ";")
	switch media {
	case "text/html", "text/plain":
		input.Options.ExcludeResponseBody = true // kin-openapi reads no such bodies
	}
	if err := openapi3filter.ValidateResponse(r.Context(), input); err != nil {
		t.Errorf("%s: the contract does not allow this answer: %v\n%s", what, err, shorten(body))
	}
}

// problem checks what the contract cannot say: the members agree with the answer.
func problem(t testing.TB, what string, got *http.Response, body []byte) {
	t.Helper()
	if media := got.Header.Get("Content-Type"); media != "application/problem+json" {
		if got.StatusCode != http.StatusServiceUnavailable || media != "application/json" { // readyz
			t.Errorf("%s: a refusal of type %q", what, media)
		}
		return
	}
	var p struct {
		Type, Title, Code, Instance, TraceID string
		Status                               int
	}
	if err := json.Unmarshal(body, &p); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if p.Status != got.StatusCode || p.Type != "/problems/"+p.Code || p.Title == "" || p.Instance == "" || p.TraceID == "" {
		t.Errorf("%s: an incomplete problem: %s", what, shorten(body))
	}
}

func shorten(b []byte) string {
	const most = 2000
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}
