package resttest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const member = `{"items":[],"position":"7"}`

func head(more ...string) http.Header {
	h := http.Header{}
	for i, pairs := 0, append([]string{
		"X-Request-Id", "r", "X-Content-Type-Options", "nosniff", "Referrer-Policy", "no-referrer", "Content-Security-Policy", "default-src 'none'",
	}, more...); i < len(pairs); i += 2 {
		h.Del(pairs[i])
		if pairs[i+1] != "" {
			h.Set(pairs[i], pairs[i+1])
		}
	}
	return h
}

func TestAnswersAreHeldAgainstTheContract(t *testing.T) {
	c, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	const json, problems = "application/json", "application/problem+json"
	refusal := `{"type":"/problems/not-found","title":"No.","status":404,"code":"not-found","instance":"urn:x","traceId":"t"}`
	for name, a := range map[string]struct {
		method, path string
		status       int
		header       http.Header
		body         string
		objection    string // a part of it; "" = none
	}{
		"fits":                   {"GET", "/v1/organization/members", 200, head("Content-Type", json, "Strata-Position", "7"), member, ""},
		"a parameter in charset": {"GET", "/v1/organization/members", 200, head("Content-Type", json+"; charset=utf-8", "Strata-Position", "7"), member, ""},
		"literal before id":      {"GET", "/v1/events/stream", 200, head("Content-Type", "text/event-stream", "Strata-Position", "7", "X-Accel-Buffering", "no"), "", ""},
		"fits as HEAD":           {"HEAD", "/v1/organization/members", 200, head("Content-Type", json, "Strata-Position", "7"), "", ""},
		"refused":                {"GET", "/v1/nothing", 404, head("Content-Type", problems, "Cache-Control", "no-store"), refusal, ""},
		"OPTIONS":                {"OPTIONS", "/v1/strategies", 204, head("Allow", "GET"), "", ""},

		"no required header":     {"GET", "/v1/organization/members", 200, head("Content-Type", json), member, "no Strata-Position"},
		"a header of other form": {"GET", "/v1/organization/members", 200, head("Content-Type", json, "Strata-Position", "07"), member, "Strata-Position:"},
		"no request id":          {"GET", "/v1/organization/members", 200, head("Content-Type", json, "Strata-Position", "7", "X-Request-Id", ""), member, "X-Request-Id"},
		"a member missing":       {"GET", "/v1/organization/members", 200, head("Content-Type", json, "Strata-Position", "7"), `{"items":[]}`, "position"},
		"a member of other type": {"GET", "/v1/organization/members", 200, head("Content-Type", json, "Strata-Position", "7"), `{"items":[],"position":7}`, "position"},
		"not JSON":               {"GET", "/v1/organization/members", 200, head("Content-Type", json, "Strata-Position", "7"), `{`, "not JSON"},
		"another media type":     {"GET", "/v1/organization/members", 200, head("Content-Type", "text/html", "Strata-Position", "7"), member, `no "text/html"`},
		"another status":         {"GET", "/v1/organization/members", 202, head("Content-Type", json, "Strata-Position", "7"), member, "no such status"},
		"a HEAD with a body":     {"HEAD", "/v1/organization/members", 200, head("Content-Type", json, "Strata-Position", "7"), member, "a body"},
		"outside":                {"GET", "/v1/nothing", 200, head("Content-Type", json), member, "outside"},
		"a method outside":       {"PUT", "/v1/strategies", 200, head("Content-Type", json), member, "outside"},
		"OPTIONS without Allow":  {"OPTIONS", "/v1/strategies", 204, head(), "", "Allow"},
		"a refusal to be kept":   {"GET", "/v1/nothing", 404, head("Content-Type", problems), refusal, "may be kept"},
		"a refusal in HTML":      {"GET", "/v1/nothing", 404, head("Content-Type", "text/html", "Cache-Control", "no-store"), refusal, "a refusal of type"},
		"another status inside":  {"GET", "/v1/nothing", 404, head("Content-Type", problems, "Cache-Control", "no-store"), strings.Replace(refusal, "404", "403", 1), "incomplete"},
		"429 without a time":     {"GET", "/v1/nothing", 429, head("Content-Type", problems, "Cache-Control", "no-store"), strings.Replace(refusal, "404", "429", 1), "Retry-After"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), a.method, a.path, nil)
			got := strings.Join(c.objections(r, a.status, a.header, []byte(a.body)), "\n")
			if (a.objection == "") != (got == "") || !strings.Contains(got, a.objection) {
				t.Errorf("it objects %q, want %q", got, a.objection)
			}
		})
	}
}

// What breaks off reaches the caller as it broke, and is not looked at.
func TestABrokenAnswerStaysBroken(t *testing.T) {
	cut := errors.New("cut")
	transport, err := Transport(tripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Request: r, Body: broken{io.MultiReader(strings.NewReader("half"), failing{cut}), io.NopCloser(nil)}}, nil
	}), func(objection string) { t.Error(objection) })
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/organization", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); !errors.Is(err, cut) || string(body) != "half" {
		t.Errorf("%q, %v", body, err)
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
