package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"strata.dev/strata/app/command"
	"strata.dev/strata/domain/fault"
	"strata.dev/strata/domain/ident"
)

// How long a handler may take. Commands hold one connection and one queue
// place; reads may wait for a position first.
const (
	commandTime = 15 * time.Second
	readTime    = 20 * time.Second
	batchTime   = 60 * time.Second
	feedTime    = 45 * time.Second
	importTime  = 10 * time.Minute
)

var (
	errUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated", "Say who you are: send a bearer token.")
	errValidation      = fault.New(fault.Invalid, "validation-failed", "The request is not acceptable.")
	errForbidden       = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
)

// gate checks everything the contract says about op before its handler runs.
func (s *server) gate(op *operation) echo.MiddlewareFunc {
	limit := timeOf(op)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			x := exchangeOf(c)
			x.operation = op
			if op.method == http.MethodGet && !op.public {
				c.Response().Header()["Cache-Control"] = revalidate
			}
			if err := s.admit(c, x); err != nil {
				return err
			}
			memento := c.Request().Header[headerAcceptDatetime]
			if err := s.check(c, x); err != nil {
				return err
			}
			if limit > readTime {
				if err := extend(c.Response(), time.Now(), limit+writeTimeout); err != nil {
					return fmt.Errorf("extend deadlines: %w", err)
				}
			}
			ctx, cancel := context.WithTimeout(c.Request().Context(), limit)
			defer cancel()
			c.SetRequest(c.Request().WithContext(ctx))
			if err := s.recall(c, x, memento); err != nil {
				return err
			}
			return next(c)
		}
	}
}

// revalidate: kept by the caller only, and asked for again by its ETag.
var revalidate = []string{"private, no-cache"}

func timeOf(op *operation) time.Duration {
	switch {
	case op.uploads():
		return importTime
	case op.signed, op.id == "recordMeasurements", op.id == "getEvidenceContent":
		return batchTime
	case op.idempotent:
		return commandTime
	case op.id == "listEvents":
		return feedTime
	case op.id == "streamEvents":
		return streamTime
	}
	return readTime
}

// admit finds out who it is and whether they may ask now.
func (s *server) admit(c echo.Context, x *exchange) error {
	if x.operation.public {
		return nil
	}
	if x.operation.signed {
		return s.admitSource(c, x)
	}
	token, err := bearer(c.Request().Header)
	if err != nil {
		return err
	}
	if x.principal, err = s.options.Tokens.Authenticate(c.Request().Context(), token); err != nil {
		return err
	}
	if x.principal.Operator != (x.operation.id == "registerOrganization") {
		return errForbidden.WithRule("operator").Detailf("An operator registers organizations, and nothing else; nobody else does.")
	}
	if err := s.limiter.allow(x.principal, c.Response().Header()); err != nil || x.operation.method != http.MethodGet {
		return err // commands find out who may give them when they are decided
	}
	may := s.options.App.Organizations.MayRead
	if watchers[x.operation.id] {
		may = s.options.App.Organizations.MayReadJournal
	}
	if err := may(c.Request().Context(), x.principal); err != nil {
		return err
	}
	x.names = s.options.App.Organizations.ReadsNames(x.principal)
	return nil
}

// watchers are the questions for those alone who watch over the others.
var watchers = map[string]bool{"listJournal": true, "getSegregation": true, "getPerson": true, "listPersons": true, "getStreamPack": true, "getOrganizationPack": true}

// admitSource lets a message in whose signature is looked at once its body is
// there. Until then nobody has proved anything, so what counts is the address it
// comes from, too: nobody uses up what another may send.
func (s *server) admitSource(c echo.Context, x *exchange) error {
	signature, ok := one(c.Request().Header, headerSignature)
	if !ok || signature == "" {
		return errUnauthenticated.Detailf("Sign the message: send %s, once.", headerSignature)
	}
	x.signature = signature
	return s.limiter.allow(command.Principal{Issuer: schemeSignature, Subject: c.Param("id") + " " + c.RealIP()}, c.Response().Header())
}

func bearer(h http.Header) (string, error) {
	if len(h["Authorization"]) == 0 {
		return "", errUnauthenticated
	}
	v, ok := one(h, "Authorization")
	scheme, token, found := strings.Cut(v, " ")
	token = strings.TrimLeft(token, " ")
	if !ok || !found || !strings.EqualFold(scheme, "bearer") || token == "" || strings.ContainsAny(token, " ,") {
		return "", errUnauthenticated.Detailf("Authorization is not one bearer token.")
	}
	return token, nil
}

// check reads headers, parameters and body.
func (s *server) check(c echo.Context, x *exchange) (err error) {
	op, r := x.operation, c.Request()
	var ok bool
	if x.media, ok = choose(r.Header["Accept"], op.produces); !ok {
		return errNotAcceptable.Detailf("There is %s.", strings.Join(op.produces, " and "))
	}
	for _, p := range op.paths {
		// An id of another form names nothing.
		if v := c.Param(p.name); p.name == "id" && !ident.Valid(v) || p.name != "id" && p.schema.Validate(v) != nil {
			return errNoRoute
		}
	}
	if x.query, err = checkQuery(r, op.query); err != nil {
		return err
	}
	if err := checkHeaders(r.Header, op.headers); err != nil {
		return err
	}
	x.prefer = parsePrefer(r.Header)
	if x.minimum, err = minPosition(r.Header); err != nil {
		return err
	}
	x.noneMatch = strings.Join(r.Header[headerIfNoneMatch], ",")
	if op.idempotent {
		if x.key, err = idempotencyKey(r.Header); err != nil {
			return err
		}
	}
	if op.guarded {
		if x.expected, err = ifMatch(r.Header); err != nil {
			return err
		}
	}
	second := r.Header[headerSecond]
	x.digests = r.Header[headerDigest]
	if op.uploads() {
		if x.fileName, err = fileName(r.Header[headerDisposition]); err != nil {
			return err
		}
	}
	settle(r.Header)
	if op.accepts == "" {
		return nil
	}
	if err := checkMedia(r.Header, op.accepts); err != nil {
		return err
	}
	if err := s.countersigned(r.Context(), x, second); err != nil {
		return err
	}
	if op.uploads() {
		body, err := limited(c.Response(), r, maxUpload)
		r.Body = upload{body, http.NewResponseController(c.Response()), time.Now().Add(importTime + writeTimeout)}
		return err
	}
	if op.signed { // what is wrong with it is for whoever can tell that it is the source's
		x.body, err = readBody(c.Response(), r, x.digests)
		return err
	}
	if x.body, err = readJSON(c.Response(), r, x.digests); err != nil {
		return err
	}
	return validateBody(op.body, x.body)
}

// settle removes what has been read here, so that the generated binder, which
// splits header values at commas, does not read it a second time differently.
func settle(h http.Header) {
	delete(h, headerPrefer)
	delete(h, headerMinPosition)
	delete(h, headerIfNoneMatch)
	delete(h, headerSecond)
	delete(h, headerDigest)
	delete(h, headerDisposition)
	delete(h, headerAcceptDatetime)
	if len(h[headerKey]) > 0 {
		h[headerKey] = settled
	}
	if len(h[headerIfMatch]) > 0 {
		h[headerIfMatch] = settled
	}
}

var settled = []string{"checked"}

// checkQuery holds the query against the contract: known names, once each,
// valid values, and none missing that is required.
func checkQuery(r *http.Request, known []parameter) (url.Values, error) {
	var values url.Values
	if r.URL.RawQuery != "" {
		var err error
		if values, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return nil, errMalformed.Detailf("The query cannot be read.").Because(err)
		}
	}
	refusal := errValidation
	for _, p := range known {
		if p.required && len(values[p.name]) == 0 {
			refusal = refusal.At("#/"+p.name, "required", "is missing")
		}
	}
	for name, v := range values {
		p, ok := find(known, name)
		switch {
		case !ok:
			refusal = refusal.At("#/"+name, "unknown", "there is no such query parameter here")
		case len(v) != 1:
			refusal = refusal.At("#/"+name, "once", "is given more than once")
		default:
			if err := p.schema.Validate(p.value(v[0])); err != nil {
				refusal = explain(refusal, err, "#/"+name)
			}
		}
	}
	if len(refusal.Fields) > 0 {
		return nil, refusal.Detailf("The query does not fit the contract.")
	}
	return values, nil
}

// checkHeaders holds each value of the headers that the operation reads against
// the contract. What a schema cannot say about them is checked where they are
// read, and so are those whose absence has a refusal of its own.
func checkHeaders(h http.Header, known []parameter) error {
	for _, p := range known {
		if p.required && p.name != headerKey && p.name != headerIfMatch {
			if _, ok := one(h, p.name); !ok {
				return errMalformed.Detailf("Send %s, once.", p.name)
			}
		}
		for _, v := range h[p.name] {
			if err := p.schema.Validate(v); err != nil {
				return errMalformed.Detailf("%s is not of the form that the contract says.", p.name)
			}
		}
	}
	return nil
}

func find(list []parameter, name string) (parameter, bool) {
	for _, p := range list {
		if p.name == name {
			return p, true
		}
	}
	return parameter{}, false
}

// value is a parameter's text as its schema sees it; what does not parse stays
// text and fails the schema's type.
func (p parameter) value(text string) any {
	switch p.kind {
	case "integer":
		if n, err := strconv.ParseInt(text, 10, 32); err == nil && strconv.FormatInt(n, 10) == text {
			return int(n)
		}
	case "boolean":
		if text == "true" || text == "false" {
			return text == "true"
		}
	case "array":
		parts := strings.Split(text, ",")
		list := make([]any, len(parts))
		for i, part := range parts {
			list[i] = part
		}
		return list
	}
	return text
}

func validateBody(schema *jsonschema.Schema, body []byte) error {
	value, err := decodeAny(body)
	if err != nil {
		return errMalformed.Because(err)
	}
	if err := schema.Validate(value); err != nil {
		return explain(errValidation, err, "#")
	}
	return nil
}

const maxObjections = 20

// explain lists the leaves of what a schema objects to.
func explain(f *fault.Fault, err error, at string) *fault.Fault {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return f.Because(err)
	}
	return objections(f, invalid, at, message.NewPrinter(language.English))
}

func objections(f *fault.Fault, e *jsonschema.ValidationError, at string, english *message.Printer) *fault.Fault {
	if len(f.Fields) >= maxObjections {
		return f
	}
	if len(e.Causes) == 0 {
		where := at
		for _, segment := range e.InstanceLocation {
			where += "/" + pointerEscapes.Replace(segment)
		}
		keyword := "schema"
		if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
			keyword = path[len(path)-1]
		}
		return f.At(where, keyword, e.ErrorKind.LocalizedString(english))
	}
	for _, cause := range e.Causes {
		f = objections(f, cause, at, english)
	}
	return f
}
