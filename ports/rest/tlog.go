package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"strata.dev/strata/app/command"
	"strata.dev/strata/app/ledger"
)

// The log as others verify it (C2SP tlog-tiles, tlog-checkpoint). Another
// standard says what is where, and paths of any depth, so these are not in our
// contract. Hashes are for everybody; bundles hold what every organization
// recorded.
const (
	logCheckpointPath = "/log/checkpoint"
	logTilePath       = "/log/tile/"
)

// What they are called in metrics and logs.
const opLogCheckpoint, opLogTile = "logCheckpoint", "logTile"

const mediaNote = "text/plain; charset=utf-8"

// serveLog adds the routes of the served log.
func (s *server) serveLog(e *echo.Echo) {
	routes := withHead{e}
	routes.GET(logCheckpointPath, s.logCheckpoint, s.open(opLogCheckpoint))
	routes.GET(logTilePath+"*", s.logTile, s.open(opLogTile))
}

// open is the gate of what everybody may ask: so many requests from an address, and
// so much time.
func (s *server) open(id string) echo.MiddlewareFunc {
	op := &operation{id: id, method: http.MethodGet, public: true}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			exchangeOf(c).operation = op
			if err := s.limiter.allow(command.Principal{Issuer: "address", Subject: c.RealIP()}, c.Response().Header()); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Request().Context(), readTime)
			defer cancel()
			c.SetRequest(c.Request().WithContext(ctx))
			return next(c)
		}
	}
}

func (s *server) logCheckpoint(c echo.Context) error {
	checkpoint, err := s.options.Ledger.Checkpoint(c.Request().Context())
	if err != nil {
		return err
	}
	return bytesOf(c, mediaNote, askAgain, checkpoint.Note)
}

func (s *server) logTile(c echo.Context) error {
	tile, err := ledger.ParseTilePath(strings.TrimPrefix(c.Request().URL.Path, logTilePath))
	if err != nil {
		return errNoRoute.Because(err)
	}
	ctx := c.Request().Context()
	if tile.L >= 0 {
		hashes, err := s.options.Ledger.Tile(ctx, tile)
		if err != nil {
			return err
		}
		return bytesOf(c, mediaBytes, forEver, hashes)
	}
	x := exchangeOf(c)
	token, err := bearer(c.Request().Header)
	if err != nil {
		return err
	}
	if x.principal, err = s.options.Tokens.Authenticate(ctx, token); err != nil {
		return err
	}
	if !x.principal.Operator {
		return errForbidden.WithRule("operator").Detailf("Bundles hold what every organization recorded: they are for operators.")
	}
	bundle, err := s.options.Ledger.Bundle(ctx, tile)
	if err != nil {
		return err
	}
	return bytesOf(c, mediaBytes, forEverPrivate, bundle)
}

// bytesOf answers with bytes; HEAD with their headers alone.
func bytesOf(c echo.Context, media, caching string, body []byte) error {
	c.Response().Header().Set("Cache-Control", caching)
	if c.Request().Method == http.MethodHead {
		c.Response().Header().Set("Content-Type", media)
		return c.NoContent(http.StatusOK)
	}
	return c.Blob(http.StatusOK, media, body)
}
