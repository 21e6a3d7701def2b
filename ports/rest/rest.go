package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"strata.dev/strata/ports/rest/gen"
)

// server implements the generated strict handlers; one file per aggregate.
type server struct {
	options  Options
	contract *contract
	limiter  *limiter
	metrics  *metrics
	problems map[string]problemPage
	docs     map[string]file
	document file          // the contract
	imports  chan struct{} // a place per import at work
	uploads  chan struct{} // a place per evidence being brought
	packs    chan struct{} // a place per pack being made
	health   health

	broadcast  *broadcast
	operations *operations
}

var _ gen.StrictServerInterface = (*server)(nil)

// API is the handler of the whole API.
type API struct {
	http.Handler
	server *server
}

// Drain ends what would go on for ever: live streams and long polls. A server
// made by NewServer calls it when it shuts down.
func (a *API) Drain() { a.server.broadcast.close() }

// New makes the handler of the whole API. It compiles the contract and starts
// nothing; what streams need begins with the first and ends with the last.
func New(o Options) (*API, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &server{options: o, imports: make(chan struct{}, simultaneousImports), uploads: make(chan struct{}, simultaneousUploads), packs: make(chan struct{}, simultaneousPacks)}
	if s.contract, err = compileContract(); err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	if s.limiter, err = newLimiter(o.Rate, o.Now); err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	if s.metrics, err = newMetrics(o.Registry, s.contract.operations); err != nil {
		return nil, err
	}
	if s.problems, err = problemPages(); err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	if s.docs, err = docFiles(); err != nil {
		return nil, fmt.Errorf("rest: %w", err)
	}
	s.document = newFile(mediaJSON, publicCache, s.contract.json)
	s.broadcast, s.operations = newBroadcast(o), newOperations(o)
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = echo.ExtractIPDirect() // X-Forwarded-For is whatever a client writes
	e.HTTPErrorHandler = s.refuse
	e.Binder = binder{}
	e.Use(s.envelope)
	gates := make(map[string][]echo.MiddlewareFunc, len(s.contract.operations))
	for id, op := range s.contract.operations {
		gates[id] = []echo.MiddlewareFunc{s.gate(op)}
	}
	gen.RegisterHandlersWithOptions(withHead{e}, gen.NewStrictHandler(s, []gen.StrictMiddlewareFunc{minimal, s.durable, s.journalled}), gen.RegisterHandlersOptions{OperationMiddlewares: gates})
	s.serveLog(e)
	return &API{Handler: e, server: s}, nil
}

// draining says whether the service is about to stop.
func (s *server) draining() bool {
	select {
	case <-s.broadcast.over:
		return true
	default:
		return s.options.Draining()
	}
}

// withHead answers HEAD wherever GET is; net/http leaves the body out.
type withHead struct{ *echo.Echo }

func (w withHead) GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	w.HEAD(path, h, m...)
	return w.Echo.GET(path, h, m...)
}

// binder decodes the bytes that were validated, nothing else.
type binder struct{}

// Bind implements echo.Binder.
func (binder) Bind(into any, c echo.Context) error {
	if x := exchangeOf(c); x.operation != nil && x.operation.signed {
		return nil // what was signed are the bytes
	}
	if err := json.Unmarshal(exchangeOf(c).body, into); err != nil {
		// The contract allows what the types cannot hold: ours to mend, but the
		// request is not acceptable either way.
		return errValidation.Detailf("The body holds a value that cannot be represented.").Because(err)
	}
	return nil
}

func decodeAny(b []byte) (any, error) { return jsonschema.UnmarshalJSON(bytes.NewReader(b)) }
