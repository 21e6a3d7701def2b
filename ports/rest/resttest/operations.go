package resttest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"strata.dev/strata/api"
)

// Operation is what the contract says about one operation, with its schemas
// compiled: what a generator of requests needs.
type Operation struct {
	ID, Method, Path string
	Public           bool
	Signed           bool               // by a source, instead of a token
	Media            string             // of the body; "" = none
	Body             *jsonschema.Schema // of a JSON body
	Parameters       []Parameter
}

// Parameter is one of an operation's.
type Parameter struct {
	Name, In string // in path, query or header
	Required bool
	Schema   *jsonschema.Schema
}

// Takes says whether the operation has the parameter.
func (o Operation) Takes(name string) bool {
	return slices.ContainsFunc(o.Parameters, func(p Parameter) bool { return p.Name == name })
}

// Operations are all of the contract, in the order of their ids, compiled once
// per process. The list is the caller's, the schemas are nobody's to change.
func Operations(t testing.TB) []Operation {
	t.Helper()
	all, err := operations()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(all)
}

const contractURL = "openapi.json"

var operations = sync.OnceValues(func() ([]Operation, error) {
	doc, err := load()
	if err != nil {
		return nil, err
	}
	text, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	resource, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(contractURL, resource); err != nil {
		return nil, err
	}
	var all []Operation
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			op := Operation{ID: o.OperationID, Method: method, Path: path, Public: o.Security != nil && len(*o.Security) == 0}
			if o.Security != nil {
				op.Signed = slices.ContainsFunc(*o.Security, func(s openapi3.SecurityRequirement) bool { return s["signature"] != nil })
			}
			at := pointer("paths", path)
			if err := op.parameters(compiler, at, item.Parameters); err != nil {
				return nil, fmt.Errorf("%s: %w", op.ID, err)
			}
			at += pointer(strings.ToLower(method))
			if err := op.parameters(compiler, at, o.Parameters); err != nil {
				return nil, fmt.Errorf("%s: %w", op.ID, err)
			}
			if err := op.body(compiler, at, o.RequestBody); err != nil {
				return nil, fmt.Errorf("%s: %w", op.ID, err)
			}
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
})

func (o *Operation) parameters(compiler *jsonschema.Compiler, at string, list openapi3.Parameters) error {
	for i, p := range list {
		where := at + pointer("parameters", fmt.Sprint(i), "schema")
		if p.Ref != "" {
			where = p.Ref[1:] + "/schema"
		}
		schema, err := compiler.Compile(contractURL + "#" + where)
		if err != nil {
			return err
		}
		o.Parameters = append(o.Parameters, Parameter{Name: p.Value.Name, In: p.Value.In, Required: p.Value.Required, Schema: schema})
	}
	return nil
}

func (o *Operation) body(compiler *jsonschema.Compiler, at string, body *openapi3.RequestBodyRef) (err error) {
	if body == nil {
		return nil
	}
	for media := range body.Value.Content {
		o.Media = media
		if strings.HasSuffix(media, "json") {
			o.Body, err = compiler.Compile(contractURL + "#" + at + pointer("requestBody", "content", media, "schema"))
		}
	}
	return err
}

// pointer makes JSON pointer segments, escaped for a URL's fragment.
func pointer(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B").Replace(s))
	}
	return b.String()
}
