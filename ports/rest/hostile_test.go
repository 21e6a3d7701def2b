package rest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata.dev/strata/adapters/oidc"
	"strata.dev/strata/domain/authz"
	"strata.dev/strata/ports/rest/resttest"
)

// Whatever is sent to whatever operation, by somebody with every role: it is
// refused, and never our failure.
func TestNoOperationFailsOnHostileBodies(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author, approver, owner, authz.Auditor, authz.DataSteward)
	indicator, plan := w.indicator(o)
	targets := strings.NewReplacer(
		"/v1/strategies/{id}", plan, "/v1/indicators/{id}", indicator, "/v1/findings/{id}", w.raise(o, indicator, "low"),
		"/v1/evidence/{id}", "/v1/evidence/"+w.evidence(o, "bytes"), "/v1/sources/{id}", "/v1/sources/"+w.source(o, newSourceKey(t), indicator),
	)
	before, err := w.log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bodies := []string{
		``, ` `, `null`, `true`, `0`, `""`, `[]`, `[{}]`, `{`, `{}{}`, `{"":""}`, `{"__proto__":{}}`,
		`{"reason":"a","reason":"b"}`, `{"reason":"\ud800"}`, `{"reason":"\u0000"}`, "{\"reason\":\"\xff\"}", "\x00", "\xef\xbb\xbf{}",
		`{"reason":9223372036854775808}`, `{"reason":1e400}`, `{"reason":-0}`, `{"reason":1E-400}`, `{"reason":NaN}`, `{"REASON":"x"}`,
		`{"name":{"name":{"name":{}}}}`, `{"period":{"start":"9999-12-31","end":"0000-01-01"},"value":"1e999999999"}`,
		`{"changes":[{"field":"name","new":{"text":"x","values":[]}}],"reason":"x"}`,
		strings.Repeat(`{"a":`, 1000) + `1` + strings.Repeat(`}`, 1000), strings.Repeat(`[`, 50_000),
		`{"reason":"` + strings.Repeat("x", 1<<20) + `"}`,
	}
	tokens := map[string]string{
		"organizations": w.operator(), "organization": o.tokens["admin"], "indicators": o.tokens[owner], "strategies": o.tokens[author],
		"countersignatures": o.tokens[author], "measurements": o.tokens[owner], "findings": o.tokens[authz.Auditor],
		"evidence": o.tokens[authz.Auditor], "sources": o.tokens[authz.DataSteward],
	}
	asked := 0
	for path, item := range resttest.Contract(t).Paths.Map() {
		if item.Post == nil || item.Post.RequestBody.Value.Content["application/json"] == nil || slices.Contains(signed, item.Post.OperationID) {
			continue // a refused document, or message of a source, is recorded, on purpose; evidence may be anything
		}
		target := targets.Replace(path)
		for _, body := range bodies {
			if item.Post.OperationID == "submitStrategy" && body == "{}" {
				continue // which it takes
			}
			asked++
			a := w.do(request{path: target, body: body, token: tokens[strings.Split(path, "/")[2]]})
			switch a.status {
			case 400, 413, 422:
			default:
				t.Errorf("POST %s %.60q: %d %s", path, body, a.status, a.body)
			}
		}
	}
	if asked < 25*len(bodies) {
		t.Errorf("only %d requests", asked)
	}
	if after, err := w.log.Head(t.Context()); err != nil || after != before {
		t.Errorf("%d events were recorded (%v)", after-before, err)
	}
}

// What a client may write comes back as it was written.
func TestAcceptedTextComesBackEqual(t *testing.T) {
	w := newWorld(t)
	o := w.register("Examples", author)
	plan := w.draft(o)
	for _, text := range []string{
		"\u202eright to left", "e\u0301 is not \u00e9", "zero\u200bwidth", "<script>alert(1)</script> & \"quotes\" \\ /",
		"line\nbreak\ttab\r", "a\u2028b\u2029c", "😀", strings.Repeat("ü", 2000), "{{.}}", "'; DROP TABLE events; --", "\x1b[31mred",
	} {
		quoted := mustQuote(t, text)
		w.do(request{path: plan + "/commands/add-goal", token: o.tokens[author], body: `{"name":` + quoted + `}`}).want(200, "")
		items := w.do(request{method: "GET", path: plan + "/events", token: o.tokens[author]}).want(200, "").json()["items"].([]any)
		got := items[len(items)-1].(map[string]any)["data"].(map[string]any)["name"]
		if got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
}

func mustQuote(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// One log line per refused request, whatever is in it.
func TestLogLinesCannotBeForged(t *testing.T) {
	w := newWorld(t)
	evil := w.token(oidc.Claims{Organization: uuid.New(), Subject: "eve {\"level\":\"ERROR\"}"})
	w.do(request{
		path: "/v1/strategies", token: evil, body: `{"frame":{"name":"a\nb"}}`,
		header: http.Header{"X-Request-Id": {"x\n{}"}, "User-Agent": {"\x1b[31m"}},
	}).want(403, "forbidden")
	if logs := w.logs.String(); strings.Count(logs, "\n") != 1 || strings.Contains(logs, "\x1b") {
		t.Errorf("%q", logs)
	}
}
