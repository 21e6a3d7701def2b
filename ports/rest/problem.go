package rest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"strata.dev/strata/domain/fault"
)

// Faults that only HTTP knows.
var (
	errNoRoute       = fault.New(fault.NotFound, "not-found", "There is nothing here by that name.")
	errMethod        = fault.New(fault.Invalid, "method-not-allowed", "This cannot be done here by that method; Allow says by which.")
	errNotAcceptable = fault.New(fault.Invalid, "not-acceptable", "The answer comes in none of the formats asked for.")
	errInternal      = fault.New(fault.Internal, "internal", "Something went wrong on our side.")
	errUnavailable   = fault.New(fault.Unavailable, "unavailable", "This cannot be answered now. Try again.")
	errUnknown       = fault.New(fault.Unknown, "outcome-unknown", "It is not known whether this was recorded. Repeat it with the same Idempotency-Key.")
)

// statusOf is the one table from what a fault means to how HTTP says it.
var statusOf = map[fault.Kind]int{
	fault.Internal:             http.StatusInternalServerError,
	fault.Malformed:            http.StatusBadRequest,
	fault.Unauthenticated:      http.StatusUnauthorized,
	fault.Forbidden:            http.StatusForbidden,
	fault.NotFound:             http.StatusNotFound,
	fault.Conflict:             http.StatusConflict,
	fault.Stale:                http.StatusPreconditionFailed,
	fault.Invalid:              http.StatusUnprocessableEntity,
	fault.PreconditionRequired: http.StatusPreconditionRequired,
	fault.TooLarge:             http.StatusRequestEntityTooLarge,
	fault.UnsupportedMedia:     http.StatusUnsupportedMediaType,
	fault.RateLimited:          http.StatusTooManyRequests,
	fault.Unavailable:          http.StatusServiceUnavailable,
	fault.Unknown:              http.StatusGatewayTimeout,
	fault.Gone:                 http.StatusGone,
}

func status(f *fault.Fault) int {
	switch f.Slug {
	case errMethod.Slug:
		return http.StatusMethodNotAllowed
	case errNotAcceptable.Slug:
		return http.StatusNotAcceptable
	}
	return statusOf[f.Kind]
}

// asFault finds what to tell the caller about an error. What nobody declared is
// our mistake and stays in the log.
func asFault(err error, x *exchange) *fault.Fault {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		if f.Kind == fault.Internal {
			return errInternal.Because(err)
		}
		return f
	}
	if he, ok := errors.AsType[*echo.HTTPError](err); ok { // Echo's own
		switch he.Code {
		case http.StatusNotFound:
			return errNoRoute
		case http.StatusMethodNotAllowed:
			return errMethod
		case http.StatusBadRequest, http.StatusUnprocessableEntity:
			return errMalformed.Because(err)
		case http.StatusRequestEntityTooLarge:
			return errTooLarge
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		if x.operation != nil && x.operation.idempotent {
			return errUnknown.Because(err)
		}
		return errUnavailable.Because(err)
	}
	return errInternal.Because(err)
}

// refuse is Echo's error handler, and the only place where an error becomes an
// answer and a line in the log.
func (s *server) refuse(err error, c echo.Context) {
	x := exchangeOf(c)
	f := asFault(err, x)
	code := status(f)
	x.code = f.Slug
	s.logRefusal(c, x, f, code, err)
	s.note(c, x, f, err)
	if c.Response().Committed {
		return // the answer had begun; the connection breaks off
	}
	h := c.Response().Header()
	for _, name := range []string{headerETag, headerLocation, headerLink, headerReplayed} {
		h.Del(name)
	}
	body := members(f, code, x)
	if reached, ok := body["reached"].(string); ok {
		h.Set(headerPosition, reached)
	}
	switch code {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", challenge(c.Request(), x))
	case http.StatusUnsupportedMediaType:
		if x.operation != nil {
			h.Set("Accept-Post", x.operation.accepts)
		}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if h.Get(headerRetryAfter) == "" {
			h.Set(headerRetryAfter, "1")
		}
	case http.StatusPreconditionFailed:
		s.describeStale(c, body)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", mediaProblem)
	out, err := json.Marshal(body)
	if err != nil { // an Extra that is no JSON: the rest is still true
		out = []byte(`{"type":"/problems/internal","title":"Something went wrong on our side.","status":500,"code":"internal"}`)
		code = http.StatusInternalServerError
	}
	c.Response().WriteHeader(code)
	if c.Request().Method != http.MethodHead {
		_, _ = c.Response().Write(out) // fails only if the caller has gone
	}
}

// members are the problem's members, the fault's own first so that they cannot
// replace the standard ones.
func members(f *fault.Fault, code int, x *exchange) map[string]any {
	body := make(map[string]any, 8+len(f.Extra))
	maps.Copy(body, f.Extra)
	for name, value := range body {
		if n, ok := value.(int64); ok {
			body[name] = strconv.FormatInt(n, 10) // 64-bit integers are strings on the wire
		}
	}
	body["type"] = "/problems/" + f.Slug
	body["title"] = f.Title
	body["status"] = code
	body["code"] = f.Slug
	body["instance"] = instance(x.requestID)
	body["traceId"] = x.traceID()
	if f.Detail != "" {
		body["detail"] = f.Detail
	}
	if f.Rule != "" {
		body["rule"] = f.Rule
	}
	if len(f.Fields) > 0 {
		list := make([]fieldProblem, len(f.Fields))
		for i, field := range f.Fields {
			list[i] = fieldProblem(field)
		}
		body["errors"] = list
	}
	return body
}

type fieldProblem struct {
	Pointer string `json:"pointer"`
	Keyword string `json:"keyword"`
	Detail  string `json:"detail"`
}

func instance(requestID string) string {
	if _, err := uuid.Parse(requestID); err == nil && len(requestID) == 36 {
		return "urn:uuid:" + requestID
	}
	return "urn:strata:request:" + requestID
}

// challenge follows RFC 6750: no error code if there was no token at all.
func challenge(r *http.Request, x *exchange) string {
	if x.operation != nil && x.operation.signed {
		return headerSignature + ` realm="strata"`
	}
	if r.Header.Get("Authorization") == "" {
		return `Bearer realm="strata"`
	}
	return `Bearer realm="strata", error="invalid_token"`
}

// describeStale adds what to look at before trying again.
func (s *server) describeStale(c echo.Context, body map[string]any) {
	current, ok := body["currentRevision"].(string)
	if !ok {
		return
	}
	c.Response().Header().Set(headerETag, `"`+current+`"`)
	if base, _, found := strings.Cut(c.Request().URL.Path, "/commands/"); found && c.Param("id") != "" {
		body["changesSince"] = base + "/events"
	}
}

func (s *server) logRefusal(c echo.Context, x *exchange, f *fault.Fault, code int, err error) {
	level := slog.LevelInfo
	if code >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	if f.Kind == fault.Internal {
		level = slog.LevelError
	}
	ctx := c.Request().Context()
	if !s.options.Log.Enabled(ctx, level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("request_id", x.requestID), slog.String("trace_id", x.traceID()),
		slog.String("method", c.Request().Method), slog.String("operation", x.operationID()),
		slog.Int("status", code), slog.String("code", f.Slug),
		slog.Duration("took", s.options.Now().Sub(x.started)),
	}
	if f.Rule != "" {
		attributes = append(attributes, slog.String("rule", f.Rule))
	}
	if x.principal.Subject != "" {
		attributes = append(attributes, slog.String("organization", x.principal.OrganizationID.String()))
	}
	if level > slog.LevelInfo || errors.Unwrap(f) != nil {
		attributes = append(attributes, slog.String("err", err.Error()))
	}
	s.options.Log.LogAttrs(ctx, level, "request refused", attributes...)
}
