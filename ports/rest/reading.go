package rest

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gowebpki/jcs"

	"strata.dev/strata/app/query"
	"strata.dev/strata/domain/indicator"
	"strata.dev/strata/ports/rest/gen"
)

// read is the request as the read side sees it.
func (x *exchange) read() query.Read {
	return query.Read{
		OrganizationID: x.principal.OrganizationID, MinPosition: x.minimum, Wait: min(x.prefer.wait, query.MaxWait), AsOf: x.asOf,
		Names: x.names, Opened: func() { x.opened = true },
	}
}

func paging(limit *int32, cursor, count *string) query.Paging {
	return query.Paging{Limit: int(value(limit)), Cursor: value(cursor), Count: count != nil}
}

// next points to the next page of the same question: everything as it was
// asked, but for one parameter.
func (x *exchange) next(name, next string) *string {
	if next == "" {
		return nil
	}
	question := url.Values{name: {next}}
	for n, v := range x.query {
		if n != name {
			question[n] = v
		}
	}
	return optional("<" + x.path + "?" + question.Encode() + `>; rel="next"`)
}

// number reads what the contract has found to be digits, 0 for none.
func number(name, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errValidation.At("#/"+name, "maximum", "is no position")
	}
	return n, nil
}

// mark reads a point of a history: a position, an instant, or revision-<n>.
func mark(name string, text *gen.Mark) (query.Mark, error) {
	if text == nil {
		return query.Mark{}, nil
	}
	if digits, ok := strings.CutPrefix(*text, "revision-"); ok {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return query.Mark{}, errValidation.At("#/"+name, "pattern", "is no revision")
		}
		return query.Mark{Revision: n}, nil
	}
	if strings.ContainsAny(*text, "Tt") {
		t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(*text))
		if err != nil {
			return query.Mark{}, errValidation.At("#/"+name, "format", "is no instant")
		}
		return query.Mark{Instant: t}, nil
	}
	n, err := number(name, *text)
	return query.Mark{Position: n}, err
}

// dims reads dimension values given as a JSON object; nil for none given.
func dims(text *string) (indicator.Dims, error) {
	if text == nil {
		return nil, nil
	}
	refusal := errValidation.At("#/dims", "type", "is no JSON object of texts")
	canonical, err := jcs.Transform([]byte(*text)) // refuses what two readers could understand differently
	if err != nil {
		return nil, refusal
	}
	d := indicator.Dims{}
	if err := json.Unmarshal(canonical, &d); err != nil || d == nil {
		return nil, refusal
	}
	return d, nil
}
