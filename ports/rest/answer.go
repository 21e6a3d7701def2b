package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"strata.dev/strata/app/command"
	"strata.dev/strata/ports/rest/gen"
)

// recorded notes a command's result for what all commands answer alike.
func (x *exchange) recorded(r command.Result, location string) command.Result {
	x.result, x.location = &r, location
	x.recordedUpTo(r.Position)
	return r
}

// minimal replaces a command's answer by its headers where the caller prefers
// that (RFC 7240).
func minimal(next gen.StrictHandlerFunc, _ string) gen.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		response, err := next(c, request)
		x := exchangeOf(c)
		if err != nil || x.result == nil {
			return response, err
		}
		c.Response().Header().Set("Cache-Control", "no-store")
		c.Response().Header().Set(headerLink, receiptLink(x.commandID()))
		if !x.prefer.minimal {
			return response, nil
		}
		done := gen.DoneResponse{Headers: gen.DoneResponseHeaders{
			ETag: etag(x.result.Version, ""), StrataPosition: decimal(x.result.Position),
			IdempotentReplayed: replayed(*x.result), PreferenceApplied: "return=minimal",
		}}
		if x.location != "" {
			done.Headers.Location = &x.location
		}
		return done, nil
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func replayed(r command.Result) *string {
	if !r.Replayed {
		return nil
	}
	return optional("true")
}

func ids(list []uuid.UUID) []string {
	out := make([]string, len(list))
	for i, id := range list {
		out[i] = id.String()
	}
	return out
}

// optional is how generated types hold text that may be missing.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// value is the text behind an optional one, "" for none.
func value[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}

// digest tells representations apart that share a version: a tree changes with
// the health of its indicators, which are streams of their own.
func digest(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("digest of %T: %w", v, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8]), nil
}

// tagged is the ETag of what is read, and says whether the caller has just that.
// content is without what moves with the log: position and cursor.
func (x *exchange) tagged(version int64, content any) (tag string, same bool, err error) {
	detail, err := digest(content)
	if err != nil {
		return "", false, err
	}
	tag = etag(version, detail)
	return tag, noneMatch(x.noneMatch, tag), nil
}
