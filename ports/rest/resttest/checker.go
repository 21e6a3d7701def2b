package resttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"strata.dev/strata/api"
)

// checker is what the contract says about answers, compiled.
type checker struct{ routes []route }

type route struct {
	segments   []string // "" stands for a parameter
	operations map[string]*operation
}

type operation struct {
	id        string
	responses map[string]*response // by status or class: "200", "4XX"
}

type response struct {
	headers []header
	content map[string]*jsonschema.Schema // by media type; nil = any text
}

type header struct {
	name     string
	required bool
	schema   *jsonschema.Schema
}

var compiled = sync.OnceValues(compile)

// The parts of an OpenAPI document that say what answers look like.
type (
	document struct {
		Paths      map[string]map[string]json.RawMessage
		Components struct {
			Responses map[string]responseObject
			Headers   map[string]headerObject
		}
	}
	operationObject struct {
		OperationID string
		Responses   map[string]responseObject
	}
	responseObject struct {
		Ref     string `json:"$ref"`
		Headers map[string]headerObject
		Content map[string]struct{ Schema json.RawMessage }
	}
	headerObject struct {
		Ref      string `json:"$ref"`
		Required bool
	}
)

func compile() (*checker, error) {
	text, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(contractURL, resource); err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	b := builder{doc, compiler}
	c := &checker{}
	for path, item := range doc.Paths {
		r := route{operations: map[string]*operation{}}
		for segment := range strings.SplitSeq(path[1:], "/") {
			if strings.HasPrefix(segment, "{") {
				segment = ""
			}
			r.segments = append(r.segments, segment)
		}
		for method, raw := range item {
			if method != "get" && method != "post" {
				continue // parameters
			}
			if r.operations[strings.ToUpper(method)], err = b.operation(raw, pointer("paths", path, method)); err != nil {
				return nil, fmt.Errorf("openapi: %s %s: %w", method, path, err)
			}
		}
		c.routes = append(c.routes, r)
	}
	// Literal segments go before parameters.
	slices.SortFunc(c.routes, func(a, b route) int { return slices.Compare(b.segments, a.segments) })
	return c, nil
}

type builder struct {
	doc      document
	compiler *jsonschema.Compiler
}

func (b builder) operation(raw json.RawMessage, at string) (*operation, error) {
	var o operationObject
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	op := &operation{id: o.OperationID, responses: map[string]*response{}}
	for status, r := range o.Responses {
		where := at + pointer("responses", status)
		if r.Ref != "" {
			where = pointer("components", "responses", name(r.Ref))
			r = b.doc.Components.Responses[name(r.Ref)]
		}
		compiled, err := b.response(r, where)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", status, err)
		}
		op.responses[status] = compiled
	}
	return op, nil
}

func (b builder) response(r responseObject, at string) (*response, error) {
	out := &response{content: map[string]*jsonschema.Schema{}}
	for n, h := range r.Headers {
		where := at + pointer("headers", n)
		if h.Ref != "" {
			where = pointer("components", "headers", name(h.Ref))
			h = b.doc.Components.Headers[name(h.Ref)]
		}
		schema, err := b.compiler.Compile(contractURL + "#" + where + "/schema")
		if err != nil {
			return nil, err
		}
		out.headers = append(out.headers, header{n, h.Required, schema})
	}
	for media := range r.Content {
		out.content[media] = nil
		if !jsonMedia(media) {
			continue
		}
		schema, err := b.compiler.Compile(contractURL + "#" + at + pointer("content", media, "schema"))
		if err != nil {
			return nil, err
		}
		out.content[media] = schema
	}
	return out, nil
}

func jsonMedia(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// objections says what about an answer the contract does not allow.
func (c *checker) objections(r *http.Request, status int, h http.Header, body []byte) []string {
	var list []string
	object := func(format string, args ...any) {
		list = append(list, fmt.Sprintf("%s %s → %d: %s\n%s", r.Method, r.URL.RequestURI(), status, fmt.Sprintf(format, args...), shorten(body)))
	}
	always(object, status, h)
	head := r.Method == http.MethodHead
	if (head || status == http.StatusNoContent || status == http.StatusNotModified) && len(body) > 0 {
		object("a body of %d bytes where none may be", len(body))
	}
	if status >= http.StatusBadRequest && !head {
		problem(object, status, h, body)
	}
	op, found := c.find(r)
	switch {
	case op == nil && r.Method == http.MethodOptions && found:
		if status != http.StatusNoContent || h.Get("Allow") == "" {
			object("OPTIONS answers 204 with Allow, not %q", h.Get("Allow"))
		}
		return list
	case op == nil:
		if status != http.StatusNotFound && status != http.StatusMethodNotAllowed && status != http.StatusBadRequest {
			object("an answer outside of the contract")
		}
		return list
	}
	allowed := op.responses[fmt.Sprint(status)]
	if allowed == nil {
		allowed = op.responses[fmt.Sprintf("%dXX", status/100)]
	}
	if allowed == nil {
		object("%s has no such status", op.id)
		return list
	}
	for _, want := range allowed.headers {
		values := h.Values(want.name)
		if want.required && len(values) == 0 {
			object("no %s", want.name)
		}
		for _, v := range values {
			if err := want.schema.Validate(v); err != nil {
				object("%s: %v", want.name, err)
			}
		}
	}
	media := mediaType(h)
	schema, ok := allowed.content[media]
	if _, any := allowed.content["*/*"]; any && media != "" {
		ok = true
	}
	switch {
	case len(allowed.content) == 0:
		if media != "" {
			object("%s where the contract has no body", media)
		}
	case !ok:
		object("the contract has no %q here", media)
	case schema != nil && !head:
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			object("not JSON: %v", err)
		} else if err := schema.Validate(value); err != nil {
			object("%v", err)
		}
	}
	return list
}

// find gives the operation that a request is for, nil if the contract has none;
// found says whether it has the path.
func (c *checker) find(r *http.Request) (op *operation, found bool) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	for _, candidate := range c.routes {
		if !slices.EqualFunc(candidate.segments, path, func(want, got string) bool { return want == got || want == "" && got != "" }) {
			continue
		}
		found = true
		if op = candidate.operations[method]; op != nil {
			return op, true
		}
	}
	return nil, found
}

// always checks what every answer has.
func always(object func(string, ...any), status int, h http.Header) {
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Request-Id": "", "Content-Security-Policy": "",
	} {
		if got := h.Get(name); got == "" || want != "" && got != want {
			object("%s is %q", name, got)
		}
	}
	if len(h.Values("Content-Type")) > 1 {
		object("Content-Type %q", h.Values("Content-Type"))
	}
	if wait := h.Get("Retry-After"); wait == "" && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable && mediaType(h) != "application/json") {
		object("no Retry-After")
	}
	if status == http.StatusUnauthorized && h.Get("Www-Authenticate") == "" {
		object("no WWW-Authenticate")
	}
	if status == http.StatusMethodNotAllowed && h.Get("Allow") == "" {
		object("no Allow")
	}
	if cache := h.Get("Cache-Control"); status >= http.StatusBadRequest && mediaType(h) == "application/problem+json" && cache != "no-store" {
		object("a problem that may be kept: Cache-Control %q", cache)
	}
}

// problem checks what the contract cannot say: the members agree with the answer.
func problem(object func(string, ...any), status int, h http.Header, body []byte) {
	if media := h.Get("Content-Type"); media != "application/problem+json" {
		if status != http.StatusServiceUnavailable || media != "application/json" { // readyz
			object("a refusal of type %q", media)
		}
		return
	}
	var p struct {
		Type, Title, Code, Instance, TraceID string
		Status                               int
	}
	if err := json.Unmarshal(body, &p); err != nil {
		object("%v", err)
		return
	}
	if p.Status != status || p.Type != "/problems/"+p.Code || p.Title == "" || p.Instance == "" || p.TraceID == "" {
		object("an incomplete problem")
	}
}

func mediaType(h http.Header) string {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return h.Get("Content-Type")
	}
	return media
}

// name is the last part of a reference.
func name(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func shorten(b []byte) string {
	const most = 2000
	if len(b) > most {
		return string(b[:most]) + "…"
	}
	return string(b)
}
