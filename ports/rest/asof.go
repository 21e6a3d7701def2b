package rest

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"strata.dev/strata/app/query"
)

const (
	headerAcceptDatetime = "Accept-Datetime"
	headerMemento        = "Memento-Datetime"

	paramAsOf         = "asOf"
	paramAsOfPosition = "asOfPosition"
)

// immutable: what was known at a position does not change any more.
const immutable = "private, max-age=31536000, immutable"

// recall finds out what moment a question is about, before its handler runs: all
// that the handler then reads is as of one position. Who may ask was decided by
// what holds now.
func (s *server) recall(c echo.Context, x *exchange, acceptDatetime []string) error {
	if _, ok := find(x.operation.query, paramAsOf); !ok {
		return nil
	}
	h := c.Response().Header()
	h.Add("Vary", headerAcceptDatetime)
	m, err := x.momentAsked(acceptDatetime)
	if err != nil {
		return err
	}
	read := x.read()
	read.AsOf = m
	if read = read.Within(query.Paging{Cursor: x.query.Get("cursor")}); read.AsOf.IsNow() {
		return nil
	}
	cut, err := s.options.App.Audit.Moment(c.Request().Context(), read)
	if err != nil {
		return err
	}
	x.asOf = cut.Moment()
	pinned := x.query.Get(paramAsOfPosition) != ""
	c.Response().Before(func() {
		if status := c.Response().Status; status != http.StatusOK && status != http.StatusNotModified {
			return
		}
		h.Set(headerMemento, cut.At.UTC().Format(http.TimeFormat))
		h.Add(headerLink, "<"+x.original()+`>; rel="original timegate"`)
		if pinned && !x.opened {
			h.Set("Cache-Control", immutable)
		}
	})
	return nil
}

// momentAsked is what the query says, else what Accept-Datetime says.
func (x *exchange) momentAsked(acceptDatetime []string) (m query.Moment, err error) {
	instant, position := x.query.Get(paramAsOf), x.query.Get(paramAsOfPosition)
	switch {
	case instant != "" && position != "":
		return m, errValidation.At("#/asOf", "once", "is given together with asOfPosition: give one of them")
	case position != "":
		m.Position, err = number(paramAsOfPosition, position)
		return m, err
	case instant != "":
		m.Instant, err = time.Parse(time.RFC3339Nano, strings.ToUpper(instant))
		if err != nil {
			err = errValidation.At("#/asOf", "format", "is no instant")
		}
		m.Instant = m.Instant.UTC()
		return m, err
	case len(acceptDatetime) == 0:
		return m, nil
	}
	if len(acceptDatetime) == 1 {
		if m.Instant, err = time.Parse(http.TimeFormat, acceptDatetime[0]); err == nil {
			return m, nil
		}
	}
	return query.Moment{}, errMalformed.Detailf("%s is not one date of the form of RFC 7089.", headerAcceptDatetime).Because(err)
}

// original is where the same question is asked of the present (RFC 7089).
func (x *exchange) original() string {
	now := url.Values{}
	for name, v := range x.query {
		if name != paramAsOf && name != paramAsOfPosition && name != "cursor" {
			now[name] = v
		}
	}
	if len(now) == 0 {
		return x.path
	}
	return x.path + "?" + now.Encode()
}
