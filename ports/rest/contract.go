package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"strata.dev/strata/api"
)

const (
	contractURL = "openapi.json"

	mediaJSON    = "application/json"
	mediaXML     = "application/xml"
	mediaBytes   = "application/octet-stream"
	mediaProblem = "application/problem+json"
	mediaBatch   = "application/cloudevents-batch+json"
	mediaAny     = "*/*" // whatever there is, to whoever asks

	schemeSignature = "signature"
)

// operation is what the contract says about one operation, ready for use.
type operation struct {
	id     string
	method string
	path   string // as the contract writes it: /v1/strategies/{id}

	public     bool // no token
	signed     bool // the body's signature instead of a token: a source's message
	idempotent bool // needs an Idempotency-Key: it is a command
	guarded    bool // needs If-Match
	query      []parameter
	headers    []parameter
	paths      []parameter
	accepts    string             // media type of the body; "" = none
	body       *jsonschema.Schema // of a JSON body
	produces   []string
}

type parameter struct {
	name     string
	required bool
	schema   *jsonschema.Schema
	kind     string // integer, boolean, array, string
}

// uploads says whether the body is a file: streamed, and given as it came.
func (o *operation) uploads() bool { return o.accepts == mediaXML || o.accepts == mediaBytes }

// contract is the compiled OpenAPI document.
type contract struct {
	json       []byte
	operations map[string]*operation // by id
}

// The parts of an OpenAPI document that are read.
type (
	document struct {
		Paths      map[string]pathItem
		Components struct {
			Parameters map[string]parameterObject
			Responses  map[string]responseObject
		}
	}
	pathItem struct {
		Parameters []parameterObject
		Get, Post  *operationObject
	}
	operationObject struct {
		OperationID string
		Parameters  []parameterObject
		Security    *[]map[string][]string
		RequestBody *struct{ Content map[string]json.RawMessage }
		Responses   map[string]responseObject
	}
	parameterObject struct {
		Ref      string `json:"$ref"`
		Name, In string
		Required bool
		Schema   json.RawMessage
	}
	responseObject struct {
		Ref     string `json:"$ref"`
		Content map[string]json.RawMessage
	}
)

// compileContract reads the document once, so that nothing is compiled while
// requests are served.
func compileContract() (*contract, error) {
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
	c := &contract{json: text, operations: map[string]*operation{}}
	for path, item := range doc.Paths {
		for method, o := range map[string]*operationObject{"GET": item.Get, "POST": item.Post} {
			if o == nil {
				continue
			}
			op, err := doc.operation(compiler, path, method, item, o)
			if err != nil {
				return nil, fmt.Errorf("openapi: %s: %w", o.OperationID, err)
			}
			c.operations[op.id] = op
		}
	}
	return c, nil
}

func (d document) operation(compiler *jsonschema.Compiler, path, method string, item pathItem, o *operationObject) (*operation, error) {
	op := &operation{id: o.OperationID, method: method, path: path}
	op.public = o.Security != nil && len(*o.Security) == 0
	for _, scheme := range value(o.Security) {
		if _, ok := scheme[schemeSignature]; ok {
			op.signed = true
		}
	}
	at := pointer("paths", path)
	if err := d.parameters(compiler, op, at, item.Parameters); err != nil {
		return nil, err
	}
	at += pointer(strings.ToLower(method))
	if err := d.parameters(compiler, op, at, o.Parameters); err != nil {
		return nil, err
	}
	if o.RequestBody != nil {
		for media := range o.RequestBody.Content {
			op.accepts = media
		}
		if op.accepts == mediaJSON {
			var err error
			if op.body, err = compiler.Compile(contractURL + "#" + at + pointer("requestBody", "content", mediaJSON, "schema")); err != nil {
				return nil, err
			}
		}
	}
	for _, r := range o.Responses {
		if r.Ref != "" {
			r = d.Components.Responses[name(r.Ref)]
		}
		for media := range r.Content {
			if media != mediaProblem && media != mediaAny && !slices.Contains(op.produces, media) {
				op.produces = append(op.produces, media)
			}
		}
	}
	slices.SortFunc(op.produces, func(a, b string) int { return strings.Compare(b, a) }) // text first: for people, who seldom say what they prefer
	return op, nil
}

func (d document) parameters(compiler *jsonschema.Compiler, op *operation, at string, list []parameterObject) error {
	for i, p := range list {
		where := at + pointer("parameters", fmt.Sprint(i), "schema")
		if p.Ref != "" {
			where = pointer("components", "parameters", name(p.Ref), "schema")
			p = d.Components.Parameters[name(p.Ref)]
		}
		schema, err := compiler.Compile(contractURL + "#" + where)
		if err != nil {
			return err
		}
		compiled := parameter{name: p.Name, required: p.Required, schema: schema, kind: kindOf(schema)}
		switch p.In {
		case "path":
			op.paths = append(op.paths, compiled)
		case "query":
			op.query = append(op.query, compiled)
		case "header":
			op.idempotent = op.idempotent || p.Name == headerKey && p.Required
			op.guarded = op.guarded || p.Name == headerIfMatch && p.Required
			compiled.name = http.CanonicalHeaderKey(p.Name)
			op.headers = append(op.headers, compiled)
		}
	}
	return nil
}

func kindOf(s *jsonschema.Schema) string {
	for s.Ref != nil {
		s = s.Ref
	}
	if s.Types != nil {
		if names := s.Types.ToStrings(); len(names) == 1 {
			return names[0]
		}
	}
	return "string"
}

// name is the last part of a reference: #/components/parameters/Limit.
func name(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// pointer makes JSON pointer segments, escaped for a pointer in a URL fragment.
func pointer(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(fragmentEscapes.Replace(pointerEscapes.Replace(s)))
	}
	return b.String()
}

var (
	pointerEscapes  = strings.NewReplacer("~", "~0", "/", "~1")
	fragmentEscapes = strings.NewReplacer("{", "%7B", "}", "%7D", "+", "%2B")
)
