// Package restclient is a thin client of Strata's HTTP API, for the demo data,
// the fault tests and the benchmarks. It knows the API's manners (keys,
// preconditions, positions, problems) and none of its operations; programs in
// other places generate a typed client from api/openapi.yaml.
//
// A request is sent once. Whether to repeat one is the caller's decision: the
// Idempotency-Key makes it safe, and Problem.Status 504 or a broken connection
// make it necessary.
package restclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Client asks one server on behalf of one token. Safe for concurrent use.
type Client struct {
	Base  string // "http://127.0.0.1:8080"
	Token string
	HTTP  *http.Client // nil = a client with a 30 s timeout of its own
}

// Request is one question.
type Request struct {
	Method, Path string
	Key          string // Idempotency-Key; commands need one
	IfMatch      string // ETag seen, or "*"; commands on something existing need one
	MinPosition  int64  // the answer must contain this position; 0 = any
	Body         any    // []byte is sent as it is, anything else as JSON
	ContentType  string // "" = application/json
	Header       http.Header
}

// Answer is a successful answer.
type Answer struct {
	Status   int
	Header   http.Header
	Body     []byte
	Position int64 // Strata-Position
	Replayed bool
}

// Decode reads the body into v.
func (a Answer) Decode(v any) error {
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("answer %d: %w", a.Status, err)
	}
	return nil
}

// Problem is a refusal (RFC 9457).
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Rule   string `json:"rule"`
	Body   []byte `json:"-"`
}

func (p *Problem) Error() string {
	s := fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Title)
	if p.Detail != "" {
		s += " " + p.Detail
	}
	if p.Rule != "" {
		s += " [" + p.Rule + "]"
	}
	return s
}

var defaultHTTP = &http.Client{Timeout: 30 * time.Second}

// Do sends r. A status of 400 or more is a *Problem.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	body, contentType, err := encode(r)
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, strings.TrimSuffix(c.Base, "/")+r.Path, body)
	if err != nil {
		return Answer{}, err
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	for name, value := range map[string]string{"Content-Type": contentType, "Idempotency-Key": r.Key, "If-Match": r.IfMatch} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if r.MinPosition > 0 {
		req.Header.Set("Strata-Min-Position", strconv.FormatInt(r.MinPosition, 10))
	}
	client := c.HTTP
	if client == nil {
		client = defaultHTTP
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: read the answer: %w", r.Method, r.Path, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		p := &Problem{Body: read}
		if err := json.Unmarshal(read, p); err != nil {
			p.Title = strings.TrimSpace(string(read[:min(len(read), 200)]))
		}
		p.Status = res.StatusCode
		return Answer{}, fmt.Errorf("%s %s: %w", r.Method, r.Path, p)
	}
	a := Answer{Status: res.StatusCode, Header: res.Header, Body: read, Replayed: res.Header.Get("Idempotent-Replayed") == "true"}
	if p := res.Header.Get("Strata-Position"); p != "" {
		if a.Position, err = strconv.ParseInt(p, 10, 64); err != nil {
			return Answer{}, fmt.Errorf("%s %s: Strata-Position: %w", r.Method, r.Path, err)
		}
	}
	return a, nil
}

func encode(r Request) (io.Reader, string, error) {
	switch body := r.Body.(type) {
	case nil:
		return nil, r.ContentType, nil
	case []byte:
		return bytes.NewReader(body), r.ContentType, nil
	default:
		b, err := json.Marshal(body)
		if err != nil {
			return nil, "", err
		}
		contentType := r.ContentType
		if contentType == "" {
			contentType = "application/json"
		}
		return bytes.NewReader(b), contentType, nil
	}
}
