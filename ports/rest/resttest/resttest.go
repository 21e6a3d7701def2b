// Package resttest holds answers against the HTTP contract: status, media type,
// headers and body. Tests that serve HTTP put Checked around their handler,
// tests that ask a server put a Transport under their client, and every answer
// that passes fails the test if api/openapi.yaml does not allow it.
//
// The contract's schemas are compiled once per process, so that checking costs
// little beside what is checked.
package resttest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

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
// allow. Answers are held back until they are whole: use a server and a
// Transport for those that go on.
func Checked(t testing.TB, next http.Handler) http.Handler {
	t.Helper()
	c, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorded := httptest.NewRecorder()
		asked := r.Clone(r.Context()) // as it came: handlers may change headers
		next.ServeHTTP(recorded, r)
		if r.Method == http.MethodHead {
			recorded.Body.Reset() // as net/http does
		}
		for _, objection := range c.objections(asked, recorded.Code, recorded.Header(), recorded.Body.Bytes()) {
			t.Error(objection)
		}
		for name, values := range recorded.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(recorded.Code)
		if recorded.Body.Len() == 0 {
			return // 204 and 304 allow none
		}
		if _, err := w.Write(recorded.Body.Bytes()); err != nil {
			t.Errorf("write the answer: %v", err)
		}
	})
}

// Transport gives what next fetches and tells report of every answer that the
// contract does not allow. An answer that breaks off is not looked at, and of
// one that goes on (server-sent events) only the head. report may be called
// from several goroutines. Safe for concurrent use if next and report are.
func Transport(next http.RoundTripper, report func(objection string)) (http.RoundTripper, error) {
	c, err := compiled()
	if err != nil {
		return nil, err
	}
	return &transport{next, c, report}, nil
}

// Client is a client of its own connections for t, every answer to which is
// checked.
func Client(t testing.TB) *http.Client {
	t.Helper()
	connections := &http.Transport{}
	t.Cleanup(connections.CloseIdleConnections)
	checking, err := Transport(connections, func(objection string) { t.Error(objection) })
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: checking, Timeout: time.Minute}
}

type transport struct {
	next   http.RoundTripper
	check  *checker
	report func(string)
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if mediaType(res.Header) == "text/event-stream" {
		t.look(r, res, nil)
		return res, nil
	}
	if body, whole := take(res); whole {
		t.look(r, res, body)
	}
	return res, nil
}

// take reads a body and puts it back. One that breaks off breaks off for the
// caller, too, and at the same place.
func take(res *http.Response) (body []byte, whole bool) {
	from := res.Body
	body, err := io.ReadAll(from)
	if err != nil {
		res.Body = broken{io.MultiReader(bytes.NewReader(body), failing{err}), from}
		return nil, false
	}
	res.Body = broken{bytes.NewReader(body), from}
	return body, true
}

// CloseIdleConnections makes http.Client's reach the connections below.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *transport) look(r *http.Request, res *http.Response, body []byte) {
	for _, objection := range t.check.objections(r, res.StatusCode, res.Header, body) {
		t.report(objection)
	}
}

type broken struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
