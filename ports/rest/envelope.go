package rest

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/labstack/echo/v4"
)

// envelope is around every request, known route or not.
func (s *server) envelope(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		x := &exchange{started: s.options.Now(), method: r.Method, path: r.URL.Path, requestID: requestID(r.Header)}
		x.traceParent, x.traceState = traceContext(r.Header)
		c.Set(echoKey, x)
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))

		h := c.Response().Header()
		h["X-Request-Id"] = []string{x.requestID}
		h["X-Content-Type-Options"] = nosniff
		h["Referrer-Policy"] = noReferrer
		h["Content-Security-Policy"] = nothingEmbedded
		if c.IsTLS() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if s.draining() {
			h.Set("Connection", "close")
		}
		if err := s.guarded(next, c); err != nil {
			c.Error(err) // refuse: here, so that its status is counted
		}
		s.metrics.observe(x, c.Response().Status, s.options.Now().Sub(x.started))
		return nil
	}
}

// Header values that never change, shared by all answers and never modified.
var (
	nosniff         = []string{"nosniff"}
	noReferrer      = []string{"no-referrer"}
	nothingEmbedded = []string{"default-src 'none'; frame-ancestors 'none'"}
)

// guarded turns a panic into an error of this one request.
func (s *server) guarded(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler: // net/http's own way to break off
			panic(p)
		default:
			err = errInternal.Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	return next(c)
}
